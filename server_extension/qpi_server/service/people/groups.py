"""Groups of people: what jobs are shared with, notices sent to and QPU time granted to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET
from sqlalchemy import Connection

from qpi_jupyter.core import Conflict, NotFound, Principal, existing
from qpi_jupyter.wire.people import GroupChange, GroupIn, GroupList, GroupModel
from qpi_server.service.base import Context, Tx, require_distinct
from qpi_server.store import GroupRow, people

from .shared import GroupAction, require_people, tell_group, tell_people


class Groups:
    """Reads and changes groups. Who is in one through the Hub leaves it there."""

    def __init__(self, context: Context) -> None:
        self._db = context.db

    async def list(self, principal: Principal) -> GroupList:
        """Every group with its members, by name."""

        def query(connection: Connection) -> GroupList:
            members = people.members(connection)
            return GroupList(groups=[_shown(row, members[row.name]) for row in people.all_groups(connection)])

        return await self._db.read(query)

    async def create(self, principal: Principal, request: GroupIn) -> GroupModel:
        """A new group.

        Raises
        ------
        Conflict
            the name is taken.
        Rejected
            a member whom the lab does not know.
        """

        def unit(tx: Tx) -> GroupModel:
            if people.group(tx.connection, request.name) is not None:
                raise Conflict(f"There is a group called {request.name} already.", code="name_taken", field="name")
            require_distinct(tx.connection, "group", request.name)
            require_people(tx.connection, request.members, "members")
            row = GroupRow(name=request.name, description=request.description, created_at=tx.at)
            people.add_group(tx.connection, row)
            people.set_members(tx.connection, row.name, request.members)
            _tell(tx, principal, row.name, "created", set(request.members), members=request.members)
            return _model(tx.connection, row.name)

        return await self._db.write(unit)

    async def change(self, principal: Principal, name: str, request: GroupChange) -> GroupModel:
        """Describe a group anew, or say who is in it.

        Raises
        ------
        NotFound
            there is none of that name.
        """

        def unit(tx: Tx) -> GroupModel:
            before = _model(tx.connection, name)
            if request.description is not UNSET:
                people.describe_group(tx.connection, name, request.description)
            if request.members is not UNSET:
                require_people(tx.connection, request.members, "members")
                people.set_members(tx.connection, name, request.members)
            after = _model(tx.connection, name)
            moved = set(before.members) ^ set(after.members)
            _tell(tx, principal, name, "changed", moved, description=after.description, members=after.members)
            return after

        return await self._db.write(unit)

    async def delete(self, principal: Principal, name: str) -> GroupModel:
        """Take a group away. Jobs that were shared with it become private; its account's history stays."""

        def unit(tx: Tx) -> GroupModel:
            model = _model(tx.connection, name)
            people.delete_group(tx.connection, name)
            _tell(tx, principal, name, "deleted", model.members, members=model.members)
            return model

        return await self._db.write(unit)


def _tell(tx: Tx, by: Principal, name: str, action: GroupAction, moved: Iterable[str], **data: Any) -> None:
    """Tell of a group, and whom it came to or left (Any: JSON)."""
    tx.audit(by, f"group.{action}", f"group:{name}", **data)
    tell_group(tx, name, action, by.name)
    tell_people(tx, moved, by.name)


def _model(connection: Connection, name: str) -> GroupModel:
    row = existing(
        people.group(connection, name), NotFound(f"There is no group called {name!r}.", code="unknown_group")
    )
    return _shown(row, people.members(connection, [name])[name])


def _shown(row: GroupRow, members: list[str]) -> GroupModel:
    return GroupModel(name=row.name, description=row.description, members=members, created_at=row.created_at)
