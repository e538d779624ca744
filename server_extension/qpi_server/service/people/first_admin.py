"""The first administrator of a lab without accounts: a secret, once, for an hour."""

from __future__ import annotations

import hmac
import secrets

from qpi_jupyter.core import Conflict, Forbidden, Principal, Role
from qpi_jupyter.wire.people import SignedIn, SignIn, UserIn
from qpi_server.service.base import Context, Tx, network
from qpi_server.store import people

from .authenticator import LOCAL, sha256
from .passwords import Passwords
from .signing_in import SignIns
from .users import add_person

OFFER_S = 3600.0
SET_UP = Principal(name="set-up:", roles=frozenset({Role.ADMIN}))
"""Who makes the first account, in the log: no person's name has a colon."""


class FirstAdmin:
    """Makes one account for who has the code that the server printed at its start."""

    def __init__(self, context: Context, passwords: Passwords, sign_ins: SignIns) -> None:
        self._context, self._passwords, self._sign_ins = context, passwords, sign_ins
        self._digest: str | None = None
        self._until = 0.0
        self._spent = False
        """Whether the lab had its first account when that was asked last."""

    async def offer(self) -> str | None:
        """A new code, where the lab has no account yet; the one before it no longer counts."""
        if not self._context.config.local_accounts:
            return None
        if await self._context.db.read(lambda connection: people.any_of(connection, LOCAL)):
            self._spent = True
            return None
        code = secrets.token_urlsafe(32)
        self._digest, self._until = sha256(code), self._context.clock.monotonic() + OFFER_S
        return code

    def require(self, code: str) -> None:
        """Refuse any other code.

        Raises
        ------
        Forbidden
            it is wrong, used or too old.
        """
        if self._spent:
            raise Forbidden(
                "This set-up link is spent: the lab has its first account. Sign in with it. For an account of your "
                "own, ask an administrator for a join link (`jupyter qpi invite` on the lab's machine prints one).",
                code="bad_set_up",
            )
        expired = self._context.clock.monotonic() > self._until
        if self._digest is None or expired or not hmac.compare_digest(self._digest, sha256(code)):
            raise Forbidden(
                "This set-up link has expired, or a newer one has taken its place. Restart the lab: it prints a new "
                "one, which is valid for an hour.",
                code="bad_set_up",
            )

    async def create(self, code: str, name: str, password: str, *, address: str) -> SignedIn:
        """The administrator's account, and a sign-in of theirs.

        Raises
        ------
        Forbidden
            the code is not the one.
        Conflict
            somebody else has just made the first account; or the name is taken.
        """
        self.require(code)
        request = UserIn(name=name, roles=["admin"])
        hashed = await self._passwords.hash(password, network(address))

        def unit(tx: Tx) -> None:
            self.require(code)
            if people.any_of(tx.connection, LOCAL):
                raise Conflict("The lab has its first account already: sign in.", code="set_up_done")
            add_person(tx, SET_UP, request, hashed)

        await self._context.db.write(unit)
        self._spent = True
        return await self._sign_ins.sign_in(SignIn(name=name, password=password), address=address)
