"""Signing a program in with a code that a person confirms in a browser: the device flow of RFC 8628.

What waits is kept in memory: after a restart of the lab one starts again.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from qpi_jupyter.core import Forbidden, NotFound, Principal, QpiError, Rejected, TooMany, existing
from qpi_jupyter.wire.rest import TokenCreated, TokenIn
from qpi_server.service.base import Context, network

from .authenticator import Authenticator, sha256
from .passwords import FREE_PER_NAME, Throttle
from .tokens import TokenService

CODE_S = 600.0
"""How long a code can be confirmed."""
INTERVAL_S = 2.0
"""How often its program may ask."""
TOKEN_S = 90 * 86_400.0
"""How long a program stays signed in."""
PER_ADDRESS, IN_ALL = 20, 1_000
"""Codes that wait."""
ALPHABET, LENGTH = "BCDFGHJKLMNPQRSTVWXZ", 8
"""Without vowels, which make words: 34 bits, guessed at by nobody in ten minutes at the rate that is allowed."""


class FlowError(Rejected):
    """What the program is told; the code is RFC 8628's."""


@dataclass(slots=True, kw_only=True)
class Device:
    """A program that waits for somebody to confirm its code."""

    device_code: str
    user_code: str
    name: str
    """What it calls itself."""
    address: str
    until: float
    interval_s: float = INTERVAL_S
    polled: float = float("-inf")
    decided: bool | None = None
    person: str = ""


class Devices:
    """Programs that wait for a person's word, each once."""

    def __init__(self, context: Context, authenticator: Authenticator, tokens: TokenService) -> None:
        self._context, self._authenticator, self._tokens = context, authenticator, tokens
        self._throttle = Throttle(context.clock)
        self._by_device: dict[str, Device] = {}
        """By the digest of its own code."""
        self._by_user: dict[str, Device] = {}

    async def begin(self, name: str, *, address: str) -> Device:
        """A code for a program.

        Raises
        ------
        TooMany
            many codes wait, for this address or in all.
        """
        self._forget_old()
        theirs = sum(network(device.address) == network(address) for device in self._by_device.values())
        if theirs >= PER_ADDRESS or len(self._by_device) >= IN_ALL:
            raise TooMany(
                "Many programs wait to be confirmed: try again in a minute.",
                code="too_many_devices",
                retry_after_s=60.0,
            )
        device = Device(
            device_code=secrets.token_urlsafe(32), user_code=self._new_code(), name=name, address=address,
            until=self._context.clock.monotonic() + CODE_S,
        )  # fmt: skip
        self._by_device[sha256(device.device_code)] = self._by_user[device.user_code] = device
        return device

    async def look(self, principal: Principal, user_code: str, *, address: str) -> Device:
        """Which program waits with this code.

        Raises
        ------
        NotFound
            none, or not any more.
        TooMany
            too many codes were tried by this person, or from this address.
        """
        self._forget_old()
        keys = (f"person:{principal.name}", f"address:{address}")
        for key in keys:
            self._throttle.begin(key, FREE_PER_NAME)
        device = self._by_user.get(plain(user_code))
        if device is None or device.decided is not None:
            raise NotFound("No program waits with this code. Codes last ten minutes.", code="unknown_code")
        for key in keys:
            self._throttle.take_back(key)
        return device

    async def decide(self, principal: Principal, user_code: str, *, allowed: bool, address: str) -> Device:
        """Let the program in as ``principal``, or turn it away; raises as `look`."""
        if principal.scopes is not None:
            raise Forbidden("Sign in yourself to confirm a program: a limited token cannot.", code="scope_missing")
        device = await self.look(principal, user_code, address=address)
        device.decided, device.person = allowed, principal.name
        del self._by_user[device.user_code]
        return device

    async def redeem(self, device_code: str) -> TokenCreated:
        """The token for a code that was confirmed, once.

        Raises
        ------
        FlowError
            nobody has confirmed it yet, or it was refused, or has expired; or the program asks too often.
        """
        self._forget_old()
        device = existing(
            self._by_device.get(sha256(device_code)),
            FlowError("This code has expired or was used: start again.", code="expired_token"),
        )
        now = self._context.clock.monotonic()
        early, device.polled = now - device.polled < device.interval_s, now
        if device.decided is None:
            if early:
                device.interval_s += INTERVAL_S
                raise FlowError("Ask less often.", code="slow_down")
            raise FlowError("Nobody has confirmed the code yet.", code="authorization_pending")
        del self._by_device[sha256(device_code)]
        if not device.decided:
            raise FlowError("The sign-in was refused in the browser.", code="access_denied")
        try:
            person = await self._authenticator.person(device.person)
            if person is None or person.suspended:
                raise Rejected(f"{device.person} cannot sign in to this lab.")
            end = self._context.now() + timedelta(seconds=TOKEN_S)
            return await self._tokens.create(person.principal, TokenIn(name=device.name, expires_at=end))
        except QpiError as error:
            raise FlowError(error.message, code="access_denied") from error

    def _new_code(self) -> str:
        while True:
            code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
            if code not in self._by_user:
                return code

    def _forget_old(self) -> None:
        now = self._context.clock.monotonic()
        for digest, device in list(self._by_device.items()):
            if device.until <= now:
                del self._by_device[digest]
                self._by_user.pop(device.user_code, None)


def plain(user_code: str) -> str:
    """A code as it is kept, however it was typed."""
    return "".join(letter for letter in user_code.upper() if letter.isalnum())


def shown(user_code: str) -> str:
    """A code as people read it."""
    return f"{user_code[:4]}-{user_code[4:]}"
