"""Local accounts: signing in with a name and a password of the lab's own."""

from __future__ import annotations

from sqlalchemy import Connection

from qpi_jupyter.core import Conflict, Forbidden, Principal, TooMany, Unauthorized
from qpi_jupyter.wire.people import PasswordChange, SignedIn, SignIn
from qpi_server.service.base import Context, Tx, network
from qpi_server.store import UserRow, people, tokens

from .authenticator import LOCAL
from .passwords import FREE_PER_ADDRESS, FREE_PER_NAME, Passwords, Throttle
from .shared import tell_tokens, the_user
from .tokens import TokenService
from .users import signed_in


class SignIns:
    """Signs people in, and lets them change their password."""

    def __init__(self, context: Context, passwords: Passwords, tokens: TokenService) -> None:
        self._db, self._passwords, self._tokens = context.db, passwords, tokens
        self._throttle = Throttle(context.clock)

    async def sign_in(self, request: SignIn, *, address: str) -> SignedIn:
        """A token for a name (or e-mail) and its password, good for some hours.

        Raises
        ------
        Unauthorized
            they do not belong together, whether or not there is such a person.
        TooMany
            too many attempts for this name, or from this address; or too many wait for theirs.
        Forbidden
            the person is suspended; or the lab has no local accounts.
        """
        self._passwords.require_enabled()
        self._throttle.begin(f"address:{address}", FREE_PER_ADDRESS)
        row = await self._db.read(lambda connection: _account(connection, request.name.strip()))
        key = f"name:{row.name if row is not None else request.name.strip().lower()}"
        self._throttle.begin(key, FREE_PER_NAME)
        kept = row.password if row is not None and row.source == LOCAL else None
        who = network(address)
        try:
            same = await self._passwords.matches(kept, request.password, who)
        except TooMany:  # nothing was tried
            self._throttle.take_back(key)
            self._throttle.take_back(f"address:{address}")
            raise
        if not same or row is None or kept is None:
            raise Unauthorized("Wrong name or password.", code="bad_sign_in")
        self._throttle.succeeded(key)
        self._throttle.take_back(f"address:{address}")
        if row.suspended_at is not None:
            raise Forbidden(f"{row.name} is suspended in this lab: ask its managers.", code="suspended")
        renewed = await self._passwords.hash(request.password, who) if self._passwords.outdated(kept) else kept

        def guard(tx: Tx) -> None:
            _unchanged(tx.connection, row.name, kept)
            people.change(tx.connection, row.name, password=renewed)

        token, expires_at = await self._tokens.open_sign_in(row.name, guard)
        return await self._db.read(lambda connection: signed_in(connection, row.name, token, expires_at))

    async def require_password(self, principal: Principal, current: str) -> str:
        """What is kept of the password, which ``current`` is.

        Raises
        ------
        Forbidden
            it is not; or the person has none here.
        TooMany
            too many attempts. Those of others who try to sign in as the person do not count.
        """
        self._passwords.require_enabled()
        name = principal.name
        row = await self._db.read(lambda connection: the_user(connection, name))
        if row.source != LOCAL or row.password is None:
            raise Forbidden("Your password is not the lab's: change it where you sign in.", code="not_local")
        self._throttle.begin(f"own:{name}", FREE_PER_NAME)
        if not await self._passwords.matches(row.password, current, name):
            raise Forbidden("This is not your current password.", code="bad_password", field="current")
        self._throttle.succeeded(f"own:{name}")
        return row.password

    async def change_password(self, principal: Principal, request: PasswordChange) -> None:
        """A new password for the present one; other sign-ins of the person end, their API tokens stay.

        Raises
        ------
        Forbidden
            the present one is wrong; or the person has none here.
        TooMany
            too many attempts.
        """
        name = principal.name
        kept = await self.require_password(principal, request.current)
        hashed = await self._passwords.hash(request.new, name)

        def unit(tx: Tx) -> None:
            _unchanged(tx.connection, name, kept)
            people.change(tx.connection, name, password=hashed)
            ended = tokens.end_sign_ins(tx.connection, name, but=principal.token)
            tell_tokens(tx, name, ended, "revoked", name)
            tx.audit(principal, "password.changed", f"user:{name}")

        await self._db.write(unit)


def _account(connection: Connection, name: str) -> UserRow | None:
    if not name:
        return None
    return people.find(connection, name) or people.with_email(connection, name)


def _unchanged(connection: Connection, name: str, kept: str) -> None:
    if the_user(connection, name).password != kept:
        raise Conflict("The password has just been changed: use the new one.", code="password_changed")
