"""Who is asking: people from Jupyter or a Hub, and the owners of the lab's own API tokens.

What the rows say is kept in memory by name, so that a request costs neither a read nor a write; whoever changes a
person or a token calls `Door.forget` after the commit, and the change takes effect at once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from qpi_jupyter.core.access import SCOPES, Principal, Role, Scope, within
from qpi_jupyter.core.errors import Forbidden, Unauthorized
from qpi_server.store import Unit, people, tokens
from qpi_server.store.people import GroupRow, UserRow
from qpi_server.store.tokens import TokenRow

from .room import Room

TOUCH_S = 60.0
"""How exactly it is kept when a person was seen, and a token used, last."""
_CACHED = 4096
LOCAL = "local"
"""The source of people who sign in with a password of the lab's own."""
PERSON_ROLES = frozenset(Role) - {Role.DRIVER}

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the rows say of a person: ``principal`` has every role and group that they have from anywhere."""

    principal: Principal
    source: str
    source_roles: frozenset[str]
    hub_groups: frozenset[str]
    suspended: bool


@dataclass(slots=True, kw_only=True)
class _Token:
    row: TokenRow
    qpu: str | None
    touched: float = float("-inf")
    standing: Standing | None = None
    principal: Principal | None = None
    """The owner's rights cut by the token's, worked out from ``standing``."""


class Door:
    """Tells who asks, and lets nobody in who is suspended."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._standings: dict[str, Standing] = {}
        self._seen: dict[str, float] = {}
        self._tokens: dict[str, _Token] = {}
        self._changes = 0
        """Counts `forget`: what was read before one is not kept after it."""

    async def seen(self, principal: Principal, *, source: str = "jupyter") -> Principal:
        """``principal``, whom Jupyter or a Hub has signed in, with the roles and groups that the lab adds.

        Raises
        ------
        Forbidden
            suspended here; or a name that the lab keeps for its own use.
        """
        name = principal.name
        if not name or ":" in name:
            raise Forbidden(f"The lab cannot take somebody called {name!r}: a name has no colon.", code="bad_name")
        standing = await self.standing(name)
        if standing is None or not _same(standing, principal, source):
            standing = await self._visit(principal, source)
        elif self._due(name):
            at = self._room.now()
            self._note(lambda connection: people.change(connection, name, seen_at=at))
        return _admitted(standing)

    async def authenticate(self, token: str) -> Principal:
        """Whose token this is, with its owner's rights of now, cut by the token's.

        Raises
        ------
        Unauthorized
            nobody's, or not any more.
        Forbidden
            its owner is suspended.
        """
        digest = sha256(token)
        known = self._tokens.get(digest) or await self._look_up(digest)
        row = known.row
        if row.expires_at is not None and row.expires_at <= self._room.now():
            raise Unauthorized("This token has expired: make a new one.", code="token_expired")
        if row.driver is not None:
            principal = Principal(name=row.owner, roles=frozenset({Role.DRIVER}), qpu=known.qpu)
        else:
            standing = await self.standing(row.owner)
            if standing is None:
                raise Unauthorized("The lab does not know this token.", code="bad_token")
            _admitted(standing)
            if known.principal is None or known.standing is not standing:
                known.standing, known.principal = standing, _cut(standing.principal, row)
            principal = known.principal
        self._touch(known)
        return principal

    async def standing(self, name: str) -> Standing | None:
        """What the lab knows of a person; None: never seen, never made."""
        found = self._standings.get(name)
        while found is None:
            changes = self._changes
            found = await self._room.store.read(lambda connection: _read(connection, name))
            if found is None:
                return None
            if changes == self._changes:
                _keep(self._standings, name, found)
            else:
                found = self._standings.get(name)
        return found

    def forget(self, *names: str) -> None:
        """Read these people, or drivers, and their tokens anew from now on."""
        self._changes += 1
        gone = set(names)
        for name in gone:
            self._standings.pop(name, None)
        self._tokens = {digest: known for digest, known in self._tokens.items() if known.row.owner not in gone}

    async def _visit(self, principal: Principal, source: str) -> Standing:
        """Write who has come, from where and with which roles."""
        at = self._room.now()
        standing = await self._room.store.write(lambda connection: _welcome(connection, principal, source, at))
        self.forget(principal.name)
        self._due(principal.name)
        return standing

    async def _look_up(self, digest: str) -> _Token:
        while True:
            changes = self._changes
            found = await self._room.store.read(lambda connection: tokens.by_digest(connection, digest))
            if found is None or found[0].revoked_at is not None:
                raise Unauthorized("The lab does not know this token.", code="bad_token")
            if changes == self._changes:
                known = _Token(row=found[0], qpu=found[1])
                _keep(self._tokens, digest, known)
                return known

    def _due(self, name: str) -> bool:
        """Whether it is time to write that a person was seen; it counts as written."""
        now = self._room.clock.monotonic()
        if now - self._seen.get(name, float("-inf")) < TOUCH_S:
            return False
        _keep(self._seen, name, now)
        return True

    def _touch(self, known: _Token) -> None:
        now = self._room.clock.monotonic()
        if now - known.touched >= TOUCH_S:
            known.touched, at = now, self._room.now()
            self._note(lambda connection: tokens.touch(connection, known.row.id, at))

    def _note(self, unit: Unit[None]) -> None:
        # When somebody was here last is nice to know; a full disk does not make it worth an error.
        work = self._room.store.write(unit)
        work.add_done_callback(lambda done: done.cancelled() or done.exception())


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def effective(row: UserRow) -> frozenset[Role]:
    """Every role that a person has, from anywhere."""
    return frozenset(Role(role) for role in row.all_roles)


def _admitted(standing: Standing) -> Principal:
    if standing.suspended:
        raise Forbidden(
            f"{standing.principal.name} is suspended in this lab: ask its managers. Jobs that wait stay and are run.",
            code="suspended",
        )
    return standing.principal


def _same(standing: Standing, principal: Principal, source: str) -> bool:
    roles = {role.value for role in principal.roles}
    groups = source != people.HUB or standing.hub_groups <= principal.groups <= standing.principal.groups
    return standing.source == source and standing.source_roles == roles and groups


def _read(connection: Connection, name: str) -> Standing | None:
    row = people.find(connection, name)
    return None if row is None else _standing(connection, row)


def _standing(connection: Connection, row: UserRow) -> Standing:
    groups = people.memberships_of(connection, row.name)
    return Standing(
        principal=Principal(name=row.name, roles=effective(row), groups=frozenset(groups)),
        source=row.source,
        source_roles=frozenset(row.source_roles),
        hub_groups=frozenset(name for name, source in groups.items() if source == people.HUB),
        suspended=row.suspended_at is not None,
    )


def _welcome(connection: Connection, principal: Principal, source: str, at: datetime) -> Standing:
    name, roles = principal.name, sorted(role.value for role in principal.roles)
    row = people.find(connection, name)
    if row is None:
        row = UserRow(name=name, source=source, source_roles=tuple(roles), created_at=at, seen_at=at)
        people.add(connection, row)
    else:
        if row.source in (LOCAL, people.LAB):
            # Whoever had a password for that name need not be the one whom Jupyter has just signed in.
            tokens.revoke_all(connection, name, at)
        people.change(connection, name, source=source, source_roles=roles, password=None, seen_at=at)
        row = replace(row, source=source, source_roles=tuple(roles))
    if source == people.HUB:
        for group in people.unknown_groups(connection, principal.groups):
            people.add_group(connection, GroupRow(name=group, description="From the Hub.", created_at=at))
        people.set_groups(connection, name, principal.groups, source=people.HUB)
    return _standing(connection, row)


def _cut(owner: Principal, row: TokenRow) -> Principal:
    scopes = None
    if row.scopes is not None:
        scopes = frozenset().union(*(SCOPES[Scope(scope)] for scope in row.scopes))
    return replace(
        owner,
        roles=within(owner.roles, (Role(role) for role in row.roles)),
        scopes=scopes,
        token=row.id,
        # A sign-in is the person; only what is made for a program ends what is made with it.
        expires_at=None if row.session else row.expires_at,
    )


def _keep(cache: dict[str, V], key: str, value: V) -> None:
    """Remember, and forget the oldest of too many."""
    cache[key] = value
    if len(cache) > _CACHED:
        del cache[next(iter(cache))]
