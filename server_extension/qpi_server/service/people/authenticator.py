"""Who is asking: people from Jupyter or a Hub, and the owners of the lab's own API tokens.

What the rows say is kept in memory by name, so that a request costs neither a read nor a write, until a commit tells
of a change to the person or to a token of theirs: that takes effect at once.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from qpi_jupyter.core import SCOPES, Forbidden, Principal, Role, Scope, Unauthorized, existing, within
from qpi_jupyter.wire.events import PersonChanged, TokenChanged
from qpi_server.service.base import Context, Tx, Written
from qpi_server.store import GroupRow, UserRow, feeds, people, tokens
from qpi_server.store.tokens import TokenRow

from .shared import end_tokens, set_groups, tell_group, tell_people

TOUCH_S = 60.0
"""How exactly it is kept when a person was seen, and a token used, last."""
CONFIRMED_S = 20.0
"""How long what a Hub said of a person counts: a role for credentials that do not show it themselves."""
_CACHED = 4096
HUB = "JupyterHub"
"""Who does in the log what the Hub brings about."""
LOCAL = "local"
"""The source of people who sign in with a password of the lab's own."""
PERSON_ROLES = frozenset(Role) - {Role.DRIVER}

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What the rows say of a person: ``principal`` has every role and group that they have from anywhere."""

    principal: Principal
    source: str
    given_roles: frozenset[Role]
    """In the lab itself."""
    source_roles: frozenset[str]
    hub_groups: frozenset[str]
    suspended: bool


@dataclass(slots=True, kw_only=True)
class _Token:
    row: TokenRow
    qpu: str | None
    touched: float = float("-inf")
    person: Person | None = None
    principal: Principal | None = None
    """The owner's rights cut by the token's, worked out from ``person``."""


class Authenticator:
    """Tells who asks, and lets nobody in who is suspended."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._persons: dict[str, Person] = {}
        self._seen: dict[str, float] = {}
        self._confirmed: dict[str, dict[Role, float]] = {}
        """When a credential of the Hub last showed each role of a person."""
        self._tokens: dict[str, _Token] = {}
        self._digests: defaultdict[str, set[str]] = defaultdict(set)
        """Those of `_tokens`, by owner."""
        self._changes = 0
        """What was read before one is not kept after it."""
        context.commits.on(Written, self._written)

    async def admit(self, principal: Principal, *, source: str = "jupyter") -> Principal:
        """``principal``, whom Jupyter or a Hub has signed in, with the roles and groups that the lab adds.

        Raises
        ------
        Forbidden
            suspended here; or a name that the lab keeps for its own use.
        """
        name = principal.name
        if not name or ":" in name:
            raise Forbidden(f"The lab cannot take somebody called {name!r}: a name has no colon.", code="bad_name")
        person = await self.person(name)
        known = self._confirm(principal) if source == people.HUB else principal
        if person is None or not _same(person, known, source):
            person = await self._visit(known, source)
        elif self._due(name):
            self._note(lambda tx: people.change(tx.connection, name, seen_at=tx.at))
        admitted = _admitted(person)
        if source != people.HUB:
            return admitted
        # A token of the Hub may show less than the person has.
        return replace(admitted, roles=person.given_roles | principal.roles, recheck_s=CONFIRMED_S)

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
        if row.expires_at is not None and row.expires_at <= self._context.now():
            raise Unauthorized("This token has expired: make a new one.", code="token_expired")
        if row.driver is not None:
            principal = Principal(name=row.owner, roles=frozenset({Role.DRIVER}), qpu=known.qpu)
        else:
            person = existing(
                await self.person(row.owner), Unauthorized("The lab does not know this token.", code="bad_token")
            )
            _admitted(person)
            if person.source == people.HUB:
                principal = _cut(replace(person.principal, roles=self._roles_now(person)), row)
            else:
                if known.principal is None or known.person is not person:
                    known.person, known.principal = person, _cut(person.principal, row)
                principal = known.principal
        self._touch(known)
        return principal

    async def driver(self, token: str) -> str:
        """Whose token this is, of a driver that signs in on a bus; raises as `authenticate`.

        Raises
        ------
        Forbidden
            it is no driver's.
        """
        principal = await self.authenticate(token)
        if not principal.is_driver:
            raise Forbidden("This token does not belong to a driver.", code="not_a_driver")
        return principal.name

    async def person(self, name: str) -> Person | None:
        """What the lab knows of a person; None: never seen, never made."""
        found = self._persons.get(name)
        while found is None:
            changes = self._changes
            found = await self._context.db.read(lambda connection: _read(connection, name))
            if found is None:
                return None
            if changes == self._changes:
                _keep(self._persons, name, found)
            else:
                found = self._persons.get(name)
        return found

    async def keep(self, present: Collection[str], *, at: datetime) -> list[str]:
        """Let only ``present`` be people of the Hub, as they were ``at`` that moment; who has left.

        Their tokens and calendar feeds end, and what they were by the Hub's word. Their jobs, results and bookings
        stay: managers decide about them.
        """
        return await self._context.db.write(lambda tx: _part(tx, frozenset(present), at))

    def _confirm(self, principal: Principal) -> Principal:
        """With every role that the Hub has lately shown, by this credential or another one."""
        now = self._context.clock.monotonic()
        shown = self._confirmed.get(principal.name, {}) | dict.fromkeys(principal.roles, now)
        _keep(self._confirmed, principal.name, shown)
        lately = [role for role, at in shown.items() if now - at < CONFIRMED_S]
        return replace(principal, roles=within(lately, lately))

    def _roles_now(self, person: Person) -> frozenset[Role]:
        """What somebody of a Hub is without a credential of the Hub: more than a user only while it says so."""
        now, shown = self._context.clock.monotonic(), self._confirmed.get(person.principal.name, {})
        lately = (role for role in person.source_roles if now - shown.get(Role(role), -CONFIRMED_S) < CONFIRMED_S)
        return person.given_roles | {Role(role) for role in lately} or frozenset({Role.USER})

    async def _visit(self, principal: Principal, source: str) -> Person:
        """Write who has come, from where and with which roles."""
        person = await self._context.db.write(lambda tx: _welcome(tx, principal, source))
        self._due(principal.name)
        return person

    async def _look_up(self, digest: str) -> _Token:
        while True:
            changes = self._changes
            found = await self._context.db.read(lambda connection: tokens.by_digest(connection, digest))
            if found is None or found[0].revoked_at is not None:
                raise Unauthorized("The lab does not know this token.", code="bad_token")
            if changes == self._changes:
                known = _Token(row=found[0], qpu=found[1])
                _keep(self._tokens, digest, known)
                self._digests[known.row.owner].add(digest)
                return known

    def _written(self, written: Written) -> None:
        """Read this person, or driver, and their tokens anew from now on."""
        if isinstance(written.event, PersonChanged | TokenChanged):
            self._changes += 1
            self._persons.pop(written.owner, None)
            for digest in self._digests.pop(written.owner, ()):
                self._tokens.pop(digest, None)

    def _due(self, name: str) -> bool:
        """Whether it is time to write that a person was seen; it counts as written."""
        now = self._context.clock.monotonic()
        if now - self._seen.get(name, float("-inf")) < TOUCH_S:
            return False
        _keep(self._seen, name, now)
        return True

    def _touch(self, known: _Token) -> None:
        now = self._context.clock.monotonic()
        if now - known.touched >= TOUCH_S:
            known.touched = now
            self._note(lambda tx: tokens.change(tx.connection, known.row.id, last_used_at=tx.at))

    def _note(self, unit: Callable[[Tx], None]) -> None:
        # When somebody was here last is nice to know; a full disk does not make it worth an error.
        work = self._context.db.write(unit)
        work.add_done_callback(lambda done: done.cancelled() or done.exception())


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def effective(row: UserRow) -> frozenset[Role]:
    """Every role that a person has, from anywhere."""
    return frozenset(Role(role) for role in row.all_roles)


def _admitted(person: Person) -> Principal:
    if person.suspended:
        raise Forbidden(
            f"{person.principal.name} is suspended in this lab: ask its managers. Jobs that wait stay and are run.",
            code="suspended",
        )
    return person.principal


def _same(person: Person, principal: Principal, source: str) -> bool:
    roles = {role.value for role in principal.roles}
    groups = source != people.HUB or person.hub_groups <= principal.groups <= person.principal.groups
    return person.source == source and person.source_roles == roles and groups


def _read(connection: Connection, name: str) -> Person | None:
    row = people.find(connection, name)
    return None if row is None else _person(connection, row)


def _person(connection: Connection, row: UserRow) -> Person:
    groups = people.memberships_of(connection, row.name)
    return Person(
        principal=Principal(name=row.name, roles=effective(row), groups=frozenset(groups)),
        source=row.source,
        given_roles=frozenset(Role(role) for role in row.roles),
        source_roles=frozenset(row.source_roles),
        hub_groups=frozenset(name for name, source in groups.items() if source == people.HUB),
        suspended=row.suspended_at is not None,
    )


def _welcome(tx: Tx, principal: Principal, source: str) -> Person:
    connection, name, roles = tx.connection, principal.name, sorted(role.value for role in principal.roles)
    row = people.find(connection, name)
    if row is None:
        row = UserRow(name=name, source=source, source_roles=tuple(roles), created_at=tx.at, seen_at=tx.at)
        people.add(connection, row)
    elif _same(known := _person(connection, row), principal, source):
        return known  # another request of theirs was first
    else:
        if source != row.source and people.named_by_provider(connection, name):
            raise Forbidden(f"{name} signs in here in another way.", code="name_taken")
        if row.source in (LOCAL, people.LAB):
            # Whoever had a password for that name need not be the one whom Jupyter has just signed in.
            end_tokens(tx, name, name)
        people.change(connection, name, source=source, source_roles=roles, password=None, seen_at=tx.at)
        row = replace(row, source=source, source_roles=tuple(roles))
        tell_people(tx, [name], name)
    if source == people.HUB:
        for group in people.unknown_groups(connection, principal.groups):
            people.add_group(connection, GroupRow(name=group, description="From the Hub.", created_at=tx.at))
            tell_group(tx, group, "created", name)
        set_groups(tx, name, principal.groups, source=people.HUB, by=name)
    return _person(connection, row)


def _part(tx: Tx, present: frozenset[str], at: datetime) -> list[str]:
    left = [row.name for row in people.seen_before(tx.connection, people.HUB, at) if row.name not in present]
    for name in left:
        end_tokens(tx, name, HUB)
        for feed in feeds.of_owner(tx.connection, name):
            feeds.change(tx.connection, feed.id, revoked_at=tx.at)
        set_groups(tx, name, (), source=people.HUB, by=HUB)
        people.change(tx.connection, name, source_roles=[])
        tx.audit(Principal(name=HUB, roles=frozenset()), "user.left", f"user:{name}")
        tell_people(tx, [name], HUB)
    return left


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
