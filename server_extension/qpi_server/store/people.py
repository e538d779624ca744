"""Rows of users, groups and who is in which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, delete, func, insert, select, update

from qpi_jupyter.core import joining_address

from .rows import each, first, some, whole
from .schema import groups, identities, jobs, memberships, users

LAB, HUB = "lab", "hub"
"""Where a membership comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """A person: the roles given here, and those of where they come from (``source``) at their last visit."""

    name: str
    display_name: str = ""
    email: str = ""
    verified_email: str | None = None
    """Its one spelling, if a provider has verified it or a manager entered it (`core.emails`)."""
    roles: tuple[str, ...] = ()
    source: str
    source_roles: tuple[str, ...] = ()
    password: str | None = None
    """Argon2; local accounts only."""
    suspended_at: datetime | None = None
    created_at: datetime
    seen_at: datetime | None = None

    @property
    def all_roles(self) -> frozenset[str]:
        """Whoever has no role is a user."""
        return frozenset(self.roles) | frozenset(self.source_roles) or frozenset({"user"})

    @property
    def is_admin(self) -> bool:
        return "admin" in self.all_roles


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    name: str
    description: str = ""
    created_at: datetime


def _user(row: Row[Any]) -> UserRow:
    fields = dict(row._mapping)
    return UserRow(**{**fields, "roles": tuple(fields["roles"]), "source_roles": tuple(fields["source_roles"])})


def find(connection: Connection, name: str) -> UserRow | None:
    """The person of that name."""
    return first(connection, select(users).where(users.c.name == name), _user)


def alike(connection: Connection, name: str) -> bool:
    """Whether somebody has that name, in whatever case it is written."""
    query = select(users.c.name).where(func.lower(users.c.name) == name.lower()).limit(1)
    return connection.execute(query).first() is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRow:
    """Who somebody is at a provider, and here."""

    provider: str
    subject: str
    person: str
    joined_at: datetime


def with_email(connection: Connection, email: str) -> UserRow | None:
    """The person whose address this is by the word of a provider or a manager, in whatever case it is written."""
    address = joining_address(email)
    if address is None:
        return None
    return first(connection, select(users).where(users.c.verified_email == address), _user)


def identity(connection: Connection, provider: str, subject: str) -> IdentityRow | None:
    """Whom that identity belongs to."""
    query = select(identities).where(identities.c.provider == provider, identities.c.subject == subject)
    return first(connection, query, whole(IdentityRow))


def identities_of(connection: Connection, person: str) -> list[IdentityRow]:
    """Every identity that leads to the person."""
    found = connection.execute(select(identities).where(identities.c.person == person))
    return list(each(found, whole(IdentityRow)))


def named_by_provider(connection: Connection, name: str) -> bool:
    """Whether somebody got that name when they first came through a provider."""
    return any(name.startswith(f"{row.provider}-") for row in identities_of(connection, name))


def add_identity(connection: Connection, row: IdentityRow) -> None:
    """Let an identity lead to a person from now on."""
    connection.execute(insert(identities), {name: getattr(row, name) for name in IdentityRow.__dataclass_fields__})


def page(connection: Connection, *, after: str | None, limit: int) -> list[UserRow]:
    """People by name."""
    query = select(users).order_by(users.c.name)
    if after is not None:
        query = query.where(users.c.name > after)
    return some(connection, query, _user, limit)


def seen_before(connection: Connection, source: str, at: datetime) -> list[UserRow]:
    """People from ``source`` who have a role there and were not seen since ``at``."""
    query = select(users).where(users.c.source == source, users.c.seen_at < at)
    return [row for row in each(connection.execute(query), _user) if row.source_roles]


def unknown(connection: Connection, names: Collection[str]) -> list[str]:
    """Those of ``names`` that nobody has."""
    found = set(connection.scalars(select(users.c.name).where(users.c.name.in_(names))))
    return sorted(set(names) - found)


def any_of(connection: Connection, source: str) -> bool:
    """Whether there is somebody from that source."""
    return connection.scalar(select(users.c.name).where(users.c.source == source).limit(1)) is not None


def other_admin(connection: Connection, name: str) -> bool:
    """Whether somebody else is an admin and not suspended."""
    rows = connection.execute(select(users).where(users.c.suspended_at.is_(None), users.c.name != name))
    return any(row.is_admin for row in each(rows, _user))


def add(connection: Connection, row: UserRow) -> None:
    """Write a new person."""
    values = {name: getattr(row, name) for name in UserRow.__dataclass_fields__}
    values |= {"roles": list(row.roles), "source_roles": list(row.source_roles)}
    connection.execute(insert(users), values)


def change(connection: Connection, name: str, **values: Any) -> None:
    """Set columns of a person (Any: each has its own type)."""
    connection.execute(update(users).where(users.c.name == name).values(**values))


def groups_of(connection: Connection, names: Collection[str]) -> dict[str, list[str]]:
    """The groups of each of these people, by name."""
    query = select(memberships.c.person, memberships.c.group).where(memberships.c.person.in_(names))
    return _lists(connection.execute(query.order_by(memberships.c.group)))


def _lists(rows: Iterable[Row[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for key, name in rows:
        found[key].append(name)
    return found


def memberships_of(connection: Connection, name: str) -> dict[str, str]:
    """The groups of one person, and what put them into each."""
    query = select(memberships).where(memberships.c.person == name)
    return {row.group: row.source for row in connection.execute(query)}


def group(connection: Connection, name: str) -> GroupRow | None:
    """The group of that name."""
    return first(connection, select(groups).where(groups.c.name == name), whole(GroupRow))


def all_groups(connection: Connection) -> list[GroupRow]:
    """Every group, by name."""
    return list(each(connection.execute(select(groups).order_by(groups.c.name)), whole(GroupRow)))


def unknown_groups(connection: Connection, names: Collection[str]) -> list[str]:
    """Those of ``names`` that no group has."""
    found = set(connection.scalars(select(groups.c.name).where(groups.c.name.in_(names))))
    return sorted(set(names) - found)


def members(connection: Connection, names: Collection[str] | None = None) -> dict[str, list[str]]:
    """The people of each of these groups (None: of every one), by name."""
    query = select(memberships.c.group, memberships.c.person).order_by(memberships.c.person)
    if names is not None:
        query = query.where(memberships.c.group.in_(names))
    return _lists(connection.execute(query))


def add_group(connection: Connection, row: GroupRow) -> None:
    """Write a new group."""
    connection.execute(insert(groups), {"name": row.name, "description": row.description, "created_at": row.created_at})


def describe_group(connection: Connection, name: str, description: str) -> None:
    """Set what a group is for."""
    connection.execute(update(groups).where(groups.c.name == name).values(description=description))


def delete_group(connection: Connection, name: str) -> None:
    """Take a group away, with everybody in it; what it was shown becomes private again."""
    connection.execute(delete(memberships).where(memberships.c.group == name))
    connection.execute(update(jobs).where(jobs.c.shared_with == name).values(shared_with=None))
    connection.execute(delete(groups).where(groups.c.name == name))


def set_groups(connection: Connection, person: str, wanted: Iterable[str], *, source: str) -> None:
    """Make ``wanted`` the groups that ``source`` puts a person into; what another source says stays."""
    _set(connection, memberships.c.person, person, memberships.c.group, wanted, source)


def set_members(connection: Connection, name: str, wanted: Iterable[str]) -> None:
    """Make ``wanted`` the people that the lab puts into a group; those from the Hub stay."""
    _set(connection, memberships.c.group, name, memberships.c.person, wanted, LAB)


def _set(
    connection: Connection, one: Column[str], name: str, other: Column[str], wanted: Iterable[str], source: str
) -> None:
    """Of the memberships of ``name``, a person or a group, make those that come from ``source`` the ``wanted`` ones."""
    connection.execute(delete(memberships).where(one == name, memberships.c.source == source))
    there = set(connection.scalars(select(other).where(one == name)))
    rows = [{one.name: name, other.name: new, "source": source} for new in sorted(set(wanted) - there)]
    if rows:
        connection.execute(insert(memberships), rows)
