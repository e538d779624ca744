"""Rows of users, groups and who is in which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from .schema import groups, jobs, memberships, users

LAB, HUB = "lab", "hub"
"""Where a membership comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """A person: the roles given here, and those of where they come from (``source``) at their last visit."""

    name: str
    display_name: str = ""
    email: str = ""
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
    row = connection.execute(select(users).where(users.c.name == name)).first()
    return None if row is None else _user(row)


def with_email(connection: Connection, email: str) -> UserRow | None:
    """The person with that e-mail address, in whatever case it is written."""
    row = connection.execute(select(users).where(func.lower(users.c.email) == email.lower()).limit(1)).first()
    return None if row is None else _user(row)


def page(connection: Connection, *, after: str | None, limit: int) -> list[UserRow]:
    """People by name."""
    query = select(users).order_by(users.c.name).limit(limit)
    if after is not None:
        query = query.where(users.c.name > after)
    return [_user(row) for row in connection.execute(query)]


def unknown(connection: Connection, names: Collection[str]) -> list[str]:
    """Those of ``names`` that nobody has."""
    found = set(connection.scalars(select(users.c.name).where(users.c.name.in_(names))))
    return sorted(set(names) - found)


def other_admin(connection: Connection, name: str) -> bool:
    """Whether somebody else is an admin and not suspended."""
    rows = connection.execute(select(users).where(users.c.suspended_at.is_(None), users.c.name != name))
    return any(_user(row).is_admin for row in rows)


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
    query = select(memberships).where(memberships.c.person.in_(names)).order_by(memberships.c.group)
    found: dict[str, list[str]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.person].append(row.group)
    return found


def memberships_of(connection: Connection, name: str) -> dict[str, str]:
    """The groups of one person, and what put them into each."""
    query = select(memberships).where(memberships.c.person == name)
    return {row.group: row.source for row in connection.execute(query)}


def group(connection: Connection, name: str) -> GroupRow | None:
    """The group of that name."""
    row = connection.execute(select(groups).where(groups.c.name == name)).first()
    return None if row is None else GroupRow(**row._mapping)


def all_groups(connection: Connection) -> list[GroupRow]:
    """Every group, by name."""
    return [GroupRow(**row._mapping) for row in connection.execute(select(groups).order_by(groups.c.name))]


def unknown_groups(connection: Connection, names: Collection[str]) -> list[str]:
    """Those of ``names`` that no group has."""
    found = set(connection.scalars(select(groups.c.name).where(groups.c.name.in_(names))))
    return sorted(set(names) - found)


def members(connection: Connection, names: Collection[str] | None = None) -> dict[str, list[str]]:
    """The people of each of these groups (None: of every one), by name."""
    query = select(memberships).order_by(memberships.c.person)
    if names is not None:
        query = query.where(memberships.c.group.in_(names))
    found: dict[str, list[str]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.group].append(row.person)
    return found


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
    mine = (memberships.c.person == person, memberships.c.source == source)
    connection.execute(delete(memberships).where(*mine))
    there = set(connection.scalars(select(memberships.c.group).where(memberships.c.person == person)))
    rows = [{"person": person, "group": name, "source": source} for name in sorted(set(wanted) - there)]
    if rows:
        connection.execute(insert(memberships), rows)


def set_members(connection: Connection, name: str, wanted: Iterable[str]) -> None:
    """Make ``wanted`` the people that the lab puts into a group; those from the Hub stay."""
    mine = (memberships.c.group == name, memberships.c.source == LAB)
    connection.execute(delete(memberships).where(*mine))
    there = set(connection.scalars(select(memberships.c.person).where(memberships.c.group == name)))
    rows = [{"person": person, "group": name, "source": LAB} for person in sorted(set(wanted) - there)]
    if rows:
        connection.execute(insert(memberships), rows)
