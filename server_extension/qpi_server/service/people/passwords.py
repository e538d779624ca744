"""Passwords of local accounts: argon2, off the event loop, and a throttle on guessing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from qpi_jupyter.core import Forbidden, TooMany
from qpi_server.service.base import Clock, Context, Turns

AT_ONCE = 2
"""Hashes worked out side by side: each takes 64 MiB."""
WAITING_EACH, WAITING_IN_ALL = 50, 200
"""How many of one address, and of all, may wait for that: addresses take turns, and more is refused."""
FREE_PER_NAME = 5
FREE_PER_ADDRESS = 50
"""Attempts before the first wait; a class behind one address signs in at the same time."""
LONGEST_S = 900.0
FORGET_S = 3600.0
_REMEMBERED = 10_000


class Passwords:
    """Hashes and compares; as slowly for a name that nobody has as for one that somebody has."""

    def __init__(self, context: Context) -> None:
        self.enabled = context.config.local_accounts
        """Whether the lab has local accounts."""
        self._hasher = PasswordHasher()
        self._turns = Turns(
            "checking passwords", places=AT_ONCE, each=AT_ONCE, waiting=WAITING_EACH, in_all=WAITING_IN_ALL
        )
        self._nobodys: str | None = None

    def require_enabled(self) -> None:
        """Refuse where the lab has no local accounts."""
        if not self.enabled:
            raise Forbidden(
                "This lab has no local accounts: sign in through Jupyter or the Hub, or with an API token. "
                "Its administrator turns them on with QPIServer.local_accounts.",
                code="no_local_accounts",
            )

    async def hash(self, password: str, who: str) -> str:
        """What is kept of a password, worked out for ``who``: a person, or the address of somebody unknown.

        Raises
        ------
        TooMany
            too many of theirs, or of everybody's, wait for that already.
        """
        async with self._turns.turn(who):
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, kept: str | None, password: str, who: str) -> bool:
        """Whether ``password`` is the one that was kept; None: there is none. Raises as `hash`."""
        if self._nobodys is None:
            self._nobodys = await self.hash("nobody's password", who)
        async with self._turns.turn(who):
            same = await asyncio.to_thread(self._verify, kept or self._nobodys, password)
        return same and kept is not None

    def outdated(self, kept: str) -> bool:
        """Whether a newer version of argon2's settings should take the place of ``kept``."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


@dataclass(slots=True)
class _Attempts:
    count: int
    last: float
    until: float


class Throttle:
    """Makes the next attempt under a key wait: after some free ones, twice as long each time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attempts: dict[str, _Attempts] = {}

    def begin(self, key: str, free: int) -> None:
        """Count an attempt, before it is known how it ends.

        Raises
        ------
        TooMany
            too early after too many; it does not count.
        """
        now = self._clock.monotonic()
        found = self._attempts.pop(key, None)
        if found is None or now - found.last > FORGET_S:
            found = _Attempts(0, now, now)
        self._attempts[key] = found  # the newest last
        if now < found.until:
            wait = round(found.until - now, 1)
            raise TooMany(f"Too many attempts: try again in {wait:g} s.", code="too_many_attempts", retry_after_s=wait)
        found.count, found.last = found.count + 1, now
        if found.count >= free:
            found.until = now + min(2.0 ** (found.count - free), LONGEST_S)
        if len(self._attempts) > _REMEMBERED:
            del self._attempts[next(iter(self._attempts))]

    def succeeded(self, key: str) -> None:
        """Forget the attempts under ``key``."""
        self._attempts.pop(key, None)

    def take_back(self, key: str) -> None:
        """Do not count the latest attempt under ``key``."""
        if (found := self._attempts.get(key)) is not None:
            found.count, found.until = found.count - 1, found.last
