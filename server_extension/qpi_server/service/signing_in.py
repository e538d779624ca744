"""Local accounts: signing in with a name and a password of the lab's own."""

from __future__ import annotations

from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import Conflict, Forbidden, Unauthorized
from qpi_jupyter.wire.people import PasswordChange, SignedIn, SignIn
from qpi_server.store import people, tokens
from qpi_server.store.people import UserRow

from .door import LOCAL, Door
from .parts import Part, record, the_user
from .passwords import FREE_PER_ADDRESS, FREE_PER_NAME, Brake
from .room import Room
from .tokens import TokenService
from .users import user_model


class SignIns(Part):
    """Signs people in, and lets them change their password."""

    def __init__(self, room: Room, door: Door, tokens: TokenService) -> None:
        super().__init__(room, door, tokens)
        self._brake = Brake(room)

    async def sign_in(self, request: SignIn, *, address: str) -> SignedIn:
        """A token for a name (or e-mail) and its password, good for some hours.

        Raises
        ------
        Unauthorized
            they do not belong together, whether or not there is such a person.
        TooMany
            too many attempts for this name, or from this address.
        Forbidden
            the person is suspended; or the lab has no local accounts.
        """
        self._passwords.require_enabled()
        self._brake.begin(f"address:{address}", FREE_PER_ADDRESS)
        row = await self._room.store.read(lambda connection: _account(connection, request.name.strip()))
        key = f"name:{row.name if row is not None else request.name.strip().lower()}"
        self._brake.begin(key, FREE_PER_NAME)
        kept = row.password if row is not None and row.source == LOCAL else None
        if not await self._passwords.matches(kept, request.password) or row is None or kept is None:
            raise Unauthorized("Name and password do not belong together.", code="bad_sign_in")
        self._brake.succeeded(key)
        self._brake.take_back(f"address:{address}")
        if row.suspended_at is not None:
            raise Forbidden(f"{row.name} is suspended in this lab: ask its managers.", code="suspended")
        renewed = await self._passwords.hash(request.password) if self._passwords.outdated(kept) else kept

        def guard(connection: Connection) -> None:
            _unchanged(connection, row.name, kept)
            people.change(connection, row.name, password=renewed)

        token, expires_at = await self._tokens.open_session(row.name, guard)

        def query(connection: Connection) -> SignedIn:
            fresh = the_user(connection, row.name)
            groups = people.groups_of(connection, [row.name])[row.name]
            return SignedIn(token=token, expires_at=expires_at, user=user_model(fresh, groups, whole=True))

        return await self._room.store.read(query)

    async def change_password(self, principal: Principal, request: PasswordChange) -> None:
        """A new password for the present one; other sign-ins of the person end, their API tokens stay.

        Raises
        ------
        Forbidden
            the present one is wrong; or the person has none here.
        TooMany
            too many attempts.
        """
        self._passwords.require_enabled()
        name = principal.name
        row = await self._room.store.read(lambda connection: the_user(connection, name))
        if row.source != LOCAL or row.password is None:
            raise Forbidden("Your password is not the lab's: change it where you sign in.", code="not_local")
        kept = row.password
        self._brake.begin(f"name:{name}", FREE_PER_NAME)
        if not await self._passwords.matches(kept, request.current):
            raise Forbidden("This is not your present password.", code="bad_password", field="current")
        self._brake.succeeded(f"name:{name}")
        hashed, at = await self._passwords.hash(request.new), self._room.now()

        def unit(connection: Connection) -> None:
            _unchanged(connection, name, kept)
            people.change(connection, name, password=hashed)
            tokens.end_sessions(connection, name, but=principal.token)
            record(connection, principal, "password.changed", f"user:{name}", at)

        await self._room.store.write(unit)
        self._door.forget(name)


def _account(connection: Connection, name: str) -> UserRow | None:
    if not name:
        return None
    return people.find(connection, name) or people.with_email(connection, name)


def _unchanged(connection: Connection, name: str, kept: str) -> None:
    if the_user(connection, name).password != kept:
        raise Conflict("The password has just been changed: use the new one.", code="password_changed")
