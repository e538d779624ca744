"""The people of the lab: who they are, and what they may."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from msgspec import UNSET
from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows, permissions
from qpi_jupyter.core.errors import Conflict, Forbidden, Rejected
from qpi_jupyter.wire.people import Me, UserChange, UserIn, UserList, UserModel
from qpi_server.store import people, tokens
from qpi_server.store.people import LAB, UserRow

from .door import LOCAL
from .parts import Part, record, require_groups, tell, the_user

MAX_PAGE = 1000


class Users(Part):
    """Reads and changes people. Managers do not touch admins, and somebody stays admin."""

    async def me(self, principal: Principal) -> Me:
        """Who one is, and what one may do with the credential one asks with."""
        user = await self.user(principal, principal.name)
        return Me(user=user, permissions=sorted(permissions(principal)))

    async def users(self, principal: Principal, *, limit: int = 100, after: str | None = None) -> UserList:
        """People by name; names and groups for everybody, the rest for managers."""
        limit = max(1, min(limit, MAX_PAGE))

        def query(connection: Connection) -> UserList:
            rows = people.page(connection, after=after, limit=limit)
            groups = people.groups_of(connection, [row.name for row in rows])
            models = [_shown(principal, row, groups[row.name]) for row in rows]
            return UserList(users=models, next=rows[-1].name if len(rows) == limit else None)

        return await self._room.store.read(query)

    async def user(self, principal: Principal, name: str) -> UserModel:
        """One person."""
        return await self._room.store.read(lambda connection: _model(connection, principal, name))

    async def create_user(self, principal: Principal, request: UserIn) -> UserModel:
        """A person before their first visit; with a password a local account.

        Raises
        ------
        Forbidden
            roles beyond a user's, asked for by somebody who grants none.
        Conflict
            the name or the e-mail is taken.
        """
        if set(request.roles) - {"user"}:
            _require_grants(principal)
        password = None
        if request.password is not None:
            self._passwords.require_enabled()
            password = await self._passwords.hash(request.password)
        at = self._room.now()
        row = UserRow(
            name=request.name, display_name=request.display_name.strip(), email=request.email.strip(),
            roles=tuple(sorted(set(request.roles))), source=LOCAL if password is not None else LAB,
            password=password, created_at=at,
        )  # fmt: skip

        def unit(connection: Connection) -> UserModel:
            if people.find(connection, row.name) is not None:
                raise Conflict(f"There is somebody called {row.name} already.", code="name_taken", field="name")
            _require_free(connection, row.name, row.email)
            require_groups(connection, request.groups, "groups")
            people.add(connection, row)
            people.set_groups(connection, row.name, request.groups, source=LAB)
            data = {"roles": list(row.roles), "groups": request.groups, "source": row.source}
            record(connection, principal, "user.created", f"user:{row.name}", at, **data)
            return _model(connection, principal, row.name)

        model = await self._room.store.write(unit)
        self._door.forget(row.name)
        return model

    async def change_user(self, principal: Principal, name: str, request: UserChange) -> UserModel:
        """Change one's own names, or, for managers, anybody's; roles are for admins.

        Raises
        ------
        Forbidden
            not one's own and no manager; an admin's, and no admin; roles, and no admin.
        Conflict
            nobody would be admin any more; the e-mail is taken.
        """
        _require_may(principal, name, request)
        hashed = None
        if request.password is not UNSET and request.password is not None:
            self._passwords.require_enabled()
            hashed = await self._passwords.hash(request.password)
        at = self._room.now()

        def unit(connection: Connection) -> tuple[UserModel, bool]:
            before = the_user(connection, name)
            if before.is_admin and name != principal.name:
                _require_grants(principal, f"{name} is an admin: only admins change admins.", code="admin_account")
            changed = self._write(connection, before, request, hashed, at)
            if changed:
                record(connection, principal, "user.changed", f"user:{name}", at, **changed)
                tell(connection, [name], principal, at)
            return _model(connection, principal, name), bool(changed)

        model, changed = await self._room.store.write(unit)
        if changed:
            self._door.forget(name)
            self._room.outbox.news(name)
        return model

    def _write(
        self, connection: Connection, before: UserRow, request: UserChange, hashed: str | None, at: datetime
    ) -> dict[str, Any]:
        """Write what ``request`` says; what was changed, for the log."""
        after, data = _wanted(before, request, at)
        if request.password is not UNSET:
            _require_own_password(before)
            after, data["password"] = replace(after, password=hashed, source=LOCAL if hashed else LAB), "changed"
            tokens.end_sessions(connection, before.name)
        if after.email != before.email:
            _require_free(connection, before.name, after.email)
        if before.is_admin and not (after.is_admin and after.suspended_at is None):
            _require_other_admin(connection, before)
        values = {
            name: getattr(after, name) for name in ("display_name", "email", "suspended_at", "password", "source")
        }
        people.change(connection, before.name, **values, roles=list(after.roles))
        if request.groups is not UNSET:
            require_groups(connection, request.groups, "groups")
            people.set_groups(connection, before.name, request.groups, source=LAB)
            data["groups"] = request.groups
        return data


def user_model(row: UserRow, groups: list[str], *, whole: bool) -> UserModel:
    """A person; ``whole`` for managers and themselves."""
    shown = UserModel(name=row.name, display_name=row.display_name, roles=[], groups=groups, source="")
    if whole:
        shown.roles, shown.source, shown.email = sorted(row.all_roles), row.source, row.email
        shown.suspended_at, shown.created_at, shown.seen_at = row.suspended_at, row.created_at, row.seen_at
    return shown


def _shown(principal: Principal, row: UserRow, groups: list[str]) -> UserModel:
    whole = row.name == principal.name or allows(principal, Permission.PEOPLE_MANAGE)
    return user_model(row, groups, whole=whole)


def _model(connection: Connection, principal: Principal, name: str) -> UserModel:
    row = the_user(connection, name)
    return _shown(principal, row, people.groups_of(connection, [name])[name])


def _wanted(before: UserRow, request: UserChange, at: datetime) -> tuple[UserRow, dict[str, Any]]:
    """The row as ``request`` wants it, and the difference."""
    data: dict[str, Any] = {}
    if request.display_name is not UNSET:
        data["display_name"] = request.display_name.strip()
    if request.email is not UNSET:
        data["email"] = request.email.strip()
    if request.roles is not UNSET:
        data["roles"] = tuple(sorted(set(request.roles)))
    data = {name: value for name, value in data.items() if value != getattr(before, name)}
    after = replace(before, **data)
    if request.suspended is not UNSET and request.suspended != (before.suspended_at is not None):
        data["suspended"] = request.suspended
        after = replace(after, suspended_at=at if request.suspended else None)
    return after, data


def _require_may(principal: Principal, name: str, request: UserChange) -> None:
    """Refuse the fields that are not ``principal``'s to change."""
    managed = (request.groups, request.suspended, request.password)
    if name != principal.name or any(value is not UNSET for value in managed):
        if not allows(principal, Permission.PEOPLE_MANAGE):
            raise Forbidden("You change your own display name and e-mail; the rest is for managers.", code="not_yours")
        if name == principal.name and request.suspended is True:
            raise Rejected("Nobody suspends themselves.", code="own_suspension", field="suspended")
        if name == principal.name and request.password is not UNSET:
            raise Rejected("Change your own password with the present one: POST me/password.", field="password")
    if request.roles is not UNSET:
        _require_grants(principal)


def _require_grants(
    principal: Principal, message: str = "Only admins grant roles.", code: str = "roles_are_admins"
) -> None:
    if not allows(principal, Permission.ROLES_GRANT):
        raise Forbidden(message, code=code)


def _require_own_password(row: UserRow) -> None:
    if row.source not in (LOCAL, LAB):
        raise Rejected(
            f"{row.name} signs in through {row.source}: their password is not the lab's.",
            code="not_local", field="password",
        )  # fmt: skip


def _require_free(connection: Connection, name: str, email: str) -> None:
    other = people.with_email(connection, email) if email else None
    if other is not None and other.name != name:
        raise Conflict(f"{email} is somebody else's e-mail address.", code="email_taken", field="email")


def _require_other_admin(connection: Connection, row: UserRow) -> None:
    if row.source == "jupyter" and "admin" in row.source_roles:
        raise Conflict(f"{row.name} owns the server that the lab runs in, and stays its admin.", code="local_owner")
    if not people.other_admin(connection, row.name):
        raise Conflict("Nobody else is an admin: make somebody one first.", code="last_admin", field="roles")
