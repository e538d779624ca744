"""Who is asking: the lab's own API tokens, of people, services and drivers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, Role
from qpi_jupyter.core.errors import Conflict, NotFound, Rejected, Unauthorized
from qpi_jupyter.wire.rest import DriverIn, DriverRegistered, TokenCreated, TokenIn
from qpi_server.store import bench
from qpi_server.store.bench import DriverRow, TokenRow

from .room import Room

PREFIX = "qpi_"
TOUCH_S = 60.0
"""How exactly it is kept when a token was used last."""
_CACHED = 1024


@dataclass(slots=True)
class _Known:
    principal: Principal
    token_id: str
    expires_at: datetime | None
    touched: float


class PeopleService:
    """Makes tokens and tells whose they are. Only their SHA-256 is kept."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._known: dict[str, _Known] = {}

    async def authenticate(self, token: str) -> Principal:
        """Whose token this is.

        Raises
        ------
        Unauthorized
            nobody's, or not any more.
        """
        digest = _sha256(token)
        known = self._known.get(digest) or await self._look_up(digest)
        if known.expires_at is not None and known.expires_at <= self._room.now():
            raise Unauthorized("This token has expired: make a new one.", code="token_expired")
        self._touch(known)
        return known.principal

    async def create_token(self, principal: Principal, request: TokenIn) -> TokenCreated:
        """A token of one's own, with one's own rights."""
        if principal.is_driver:
            raise Rejected("A driver makes no tokens.", code="is_driver")
        if request.expires_at is not None and request.expires_at.tzinfo is None:
            raise Rejected("expires_at carries a time zone.", code="bad_request", field="expires_at")
        token = _new_token()
        row = self._row(
            token,
            name=request.name,
            owner=principal.name,
            roles=principal.roles,
            groups=tuple(sorted(principal.groups)),
            scopes=None if principal.scopes is None else tuple(sorted(principal.scopes)),
            expires_at=request.expires_at,
        )
        await self._room.store.write(lambda connection: bench.add_token(connection, row))
        return TokenCreated(id=row.id, name=row.name, token=token, expires_at=row.expires_at)

    async def register_driver(
        self, principal: Principal, request: DriverIn, *, address: str, ca_fingerprint: str | None = None
    ) -> DriverRegistered:
        """A new driver of a QPU, with the token that is shown only now.

        Parameters
        ----------
        address
            where the driver finds this lab.

        Raises
        ------
        NotFound
            no such QPU.
        Conflict
            the name is taken.
        """
        self._room.qpu(request.qpu)
        token, driver_id = _new_token(), f"drv-{secrets.token_hex(8)}"
        at, name = self._room.now(), request.name
        driver = DriverRow(id=driver_id, name=name, qpu=request.qpu, monitor=request.monitor, created_at=at)
        row = self._row(token, name=request.name, owner=driver_id, roles={Role.DRIVER}, driver=driver_id)

        def unit(connection: Connection) -> None:
            if bench.driver_named(connection, request.name) is not None:
                raise Conflict(f"There is a driver called {request.name} already.", code="name_taken")
            bench.add_driver(connection, driver)
            bench.add_token(connection, row)

        await self._room.store.write(unit)
        return DriverRegistered(
            id=driver_id,
            name=request.name,
            qpu=request.qpu,
            token=token,
            command=_command(address, request.name, token, ca_fingerprint),
            ca_fingerprint=ca_fingerprint,
        )

    async def driver_token(self, name: str) -> str:
        """A new token for the driver of that name; its earlier ones end.

        Raises
        ------
        NotFound
            no such driver.
        """
        token, at, number = _new_token(), self._room.now(), secrets.token_hex(8)

        def unit(connection: Connection) -> None:
            driver = bench.driver_named(connection, name)
            if driver is None:
                raise NotFound(f"There is no driver called {name!r}.", code="unknown_driver")
            bench.revoke_driver_tokens(connection, driver.id, at)
            row = TokenRow(
                id=f"tok-{number}",
                sha256=_sha256(token),
                name=name,
                owner=driver.id,
                roles=(Role.DRIVER.value,),
                driver=driver.id,
                created_at=at,
            )
            bench.add_token(connection, row)

        await self._room.store.write(unit)
        self._known.clear()
        return token

    def _row(
        self,
        token: str,
        *,
        name: str,
        owner: str,
        roles: Iterable[Role],
        groups: tuple[str, ...] = (),
        scopes: tuple[str, ...] | None = None,
        driver: str | None = None,
        expires_at: datetime | None = None,
    ) -> TokenRow:
        return TokenRow(
            id=f"tok-{secrets.token_hex(8)}",
            sha256=_sha256(token),
            name=name,
            owner=owner,
            roles=tuple(sorted(role.value for role in roles)),
            groups=groups,
            scopes=scopes,
            driver=driver,
            created_at=self._room.now(),
            expires_at=expires_at,
        )

    async def _look_up(self, digest: str) -> _Known:
        found = await self._room.store.read(lambda connection: bench.token(connection, digest))
        if found is None or found[0].revoked_at is not None:
            raise Unauthorized("The lab does not know this token.", code="bad_token")
        row, qpu = found
        principal = Principal(
            name=row.owner,
            roles=frozenset(Role(role) for role in row.roles),
            groups=frozenset(row.groups),
            scopes=None if row.scopes is None else frozenset(Permission(scope) for scope in row.scopes),
            qpu=qpu,
        )
        known = self._known[digest] = _Known(principal, row.id, row.expires_at, float("-inf"))
        if len(self._known) > _CACHED:
            del self._known[next(iter(self._known))]
        return known

    def _touch(self, known: _Known) -> None:
        now = self._room.clock.monotonic()
        if now - known.touched >= TOUCH_S:
            known.touched, at = now, self._room.now()
            work = self._room.store.write(lambda connection: bench.touch_token(connection, known.token_id, at))
            # When a token was used last is nice to know; a full disk does not make it worth an error.
            work.add_done_callback(lambda done: done.cancelled() or done.exception())


def _command(address: str, name: str, token: str, ca_fingerprint: str | None) -> str:
    """What an engineer types on the driver's machine."""
    command = f"qpi-agent start --qpi-addr {address} --name {name} --token {token}"
    return command if ca_fingerprint is None else f"{command} --ca-fingerprint {ca_fingerprint}"


def _new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
