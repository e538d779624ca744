"""Groups of people: what jobs are shared with, notices sent to and QPU time granted to."""

from __future__ import annotations

from msgspec import UNSET
from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import Conflict, NotFound
from qpi_jupyter.wire.people import GroupChange, GroupIn, GroupList, GroupModel
from qpi_server.store import people
from qpi_server.store.people import GroupRow

from .parts import Part, record, require_people, tell


class Groups(Part):
    """Reads and changes groups. Who is in one through the Hub leaves it there."""

    async def groups(self, principal: Principal) -> GroupList:
        """Every group with its members, by name."""

        def query(connection: Connection) -> GroupList:
            members = people.members(connection)
            return GroupList(groups=[_shown(row, members[row.name]) for row in people.all_groups(connection)])

        return await self._room.store.read(query)

    async def create_group(self, principal: Principal, request: GroupIn) -> GroupModel:
        """A new group.

        Raises
        ------
        Conflict
            the name is taken.
        Rejected
            a member whom the lab does not know.
        """
        at = self._room.now()
        row = GroupRow(name=request.name, description=request.description, created_at=at)

        def unit(connection: Connection) -> GroupModel:
            if people.group(connection, row.name) is not None:
                raise Conflict(f"There is a group called {row.name} already.", code="name_taken", field="name")
            require_people(connection, request.members, "members")
            people.add_group(connection, row)
            people.set_members(connection, row.name, request.members)
            record(connection, principal, "group.created", f"group:{row.name}", at, members=request.members)
            tell(connection, set(request.members), principal, at)
            return _model(connection, row.name)

        model = await self._room.store.write(unit)
        self._changed(model.members)
        return model

    async def change_group(self, principal: Principal, name: str, request: GroupChange) -> GroupModel:
        """Describe a group anew, or say who is in it.

        Raises
        ------
        NotFound
            there is none of that name.
        """
        at = self._room.now()

        def unit(connection: Connection) -> tuple[GroupModel, set[str]]:
            before = _model(connection, name)
            if request.description is not UNSET:
                people.describe_group(connection, name, request.description)
            if request.members is not UNSET:
                require_people(connection, request.members, "members")
                people.set_members(connection, name, request.members)
            after = _model(connection, name)
            data = {"description": after.description, "members": after.members}
            record(connection, principal, "group.changed", f"group:{name}", at, **data)
            moved = set(before.members) ^ set(after.members)
            tell(connection, moved, principal, at)
            return after, moved

        model, moved = await self._room.store.write(unit)
        self._changed(moved)
        return model

    async def delete_group(self, principal: Principal, name: str) -> GroupModel:
        """Take a group away. Jobs that were shared with it become private; its account's history stays."""
        at = self._room.now()

        def unit(connection: Connection) -> GroupModel:
            model = _model(connection, name)
            people.delete_group(connection, name)
            record(connection, principal, "group.deleted", f"group:{name}", at, members=model.members)
            tell(connection, model.members, principal, at)
            return model

        model = await self._room.store.write(unit)
        self._changed(model.members)
        return model

    def _changed(self, names: list[str] | set[str]) -> None:
        self._door.forget(*names)
        for name in names:
            self._room.outbox.news(name)


def _model(connection: Connection, name: str) -> GroupModel:
    row = people.group(connection, name)
    if row is None:
        raise NotFound(f"There is no group called {name!r}.", code="unknown_group")
    return _shown(row, people.members(connection, [name])[name])


def _shown(row: GroupRow, members: list[str]) -> GroupModel:
    return GroupModel(name=row.name, description=row.description, members=members, created_at=row.created_at)
