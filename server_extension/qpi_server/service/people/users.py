"""The people of the lab: who they are, and what they may."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from msgspec import UNSET
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Conflict,
    Forbidden,
    Permission,
    Principal,
    Rejected,
    allows,
    joining_address,
    permissions,
    zone,
)
from qpi_jupyter.wire.people import Me, SignedIn, UserChange, UserIn, UserList, UserModel
from qpi_server.service.base import Context, Tx
from qpi_server.store import LAB, UserRow, people, tokens

from .authenticator import LOCAL
from .passwords import Passwords
from .shared import require_groups, set_groups, tell_people, tell_tokens, the_user

MAX_PAGE = 1000


class Users:
    """Reads and changes people. Managers do not touch admins, and somebody stays admin."""

    def __init__(self, context: Context, passwords: Passwords) -> None:
        self._db, self._passwords = context.db, passwords
        self._timezones: dict[str, str] = {}

    async def me(self, principal: Principal) -> Me:
        """Who one is, and what one may do with the credential one asks with."""
        user = await self.get(principal, principal.name)
        return Me(user=user, permissions=sorted(permissions(principal)), timezone=self.timezone(principal))

    def timezone(self, principal: Principal) -> str | None:
        """The name of a person's clock, if it was said since the lab started."""
        return self._timezones.get(principal.name)

    async def set_timezone(self, principal: Principal, name: str) -> None:
        """Know a person's clock.

        Raises
        ------
        Rejected
            there is no such time zone.
        """
        self._timezones[principal.name] = zone(name).key

    async def list(self, principal: Principal, *, limit: int = 100, after: str | None = None) -> UserList:
        """People by name; names and groups for everybody, the rest for managers."""
        limit = max(1, min(limit, MAX_PAGE))

        def query(connection: Connection) -> UserList:
            rows = people.page(connection, after=after, limit=limit)
            groups = people.groups_of(connection, [row.name for row in rows])
            models = [_shown(principal, row, groups[row.name]) for row in rows]
            return UserList(users=models, next=rows[-1].name if len(rows) == limit else None)

        return await self._db.read(query)

    async def get(self, principal: Principal, name: str) -> UserModel:
        """One person."""
        return await self._db.read(lambda connection: _model(connection, principal, name))

    async def create(self, principal: Principal, request: UserIn) -> UserModel:
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
            password = await self._passwords.hash(request.password, principal.name)

        def unit(tx: Tx) -> UserModel:
            add_person(tx, principal, request, password)
            return _model(tx.connection, principal, request.name)

        return await self._db.write(unit)

    async def change(self, principal: Principal, name: str, request: UserChange) -> UserModel:
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
            hashed = await self._passwords.hash(request.password, principal.name)

        def unit(tx: Tx) -> UserModel:
            before = the_user(tx.connection, name)
            if before.is_admin and name != principal.name:
                _require_grants(principal, f"{name} is an admin: only admins change admins.", code="admin_account")
            if changed := _write(tx, principal, before, request, hashed):
                tx.audit(principal, "user.changed", f"user:{name}", **changed)
                tell_people(tx, [name], principal.name)
            return _model(tx.connection, principal, name)

        return await self._db.write(unit)


def add_person(tx: Tx, principal: Principal, request: UserIn, password: str | None) -> None:
    """Write a new person; with the hash of a ``password`` they have a local account.

    Raises
    ------
    Conflict
        the name or the e-mail is taken.
    """
    if people.find(tx.connection, request.name) is not None:
        raise Conflict(f"The name {request.name} is already in use.", code="name_taken", field="name")
    row = UserRow(
        name=request.name, display_name=request.display_name.strip(), email=request.email.strip(),
        verified_email=joining_address(request.email),
        roles=tuple(sorted(set(request.roles))), source=LOCAL if password is not None else LAB,
        password=password, created_at=tx.at,
    )  # fmt: skip
    _require_free(tx.connection, row.name, row.email)
    require_groups(tx.connection, request.groups, "groups")
    people.add(tx.connection, row)
    set_groups(tx, row.name, request.groups, source=LAB, by=principal.name)
    data = {"roles": [*row.roles], "groups": request.groups, "source": row.source}
    tx.audit(principal, "user.created", f"user:{row.name}", **data)
    tell_people(tx, [row.name], principal.name)


def _user_model(row: UserRow, groups: list[str], *, whole: bool) -> UserModel:
    """A person; ``whole`` for managers and themselves."""
    shown = UserModel(name=row.name, display_name=row.display_name, roles=[], groups=groups, source="")
    if whole:
        shown.roles, shown.source, shown.email = sorted(row.all_roles), row.source, row.email
        shown.email_verified = row.verified_email is not None
        shown.suspended_at, shown.created_at, shown.seen_at = row.suspended_at, row.created_at, row.seen_at
    return shown


def signed_in(connection: Connection, name: str, token: str, expires_at: datetime) -> SignedIn:
    """What somebody gets who has just signed in."""
    groups = people.groups_of(connection, [name])[name]
    user = _user_model(the_user(connection, name), groups, whole=True)
    return SignedIn(token=token, expires_at=expires_at, user=user)


def _shown(principal: Principal, row: UserRow, groups: list[str]) -> UserModel:
    whole = row.name == principal.name or allows(principal, Permission.PEOPLE_MANAGE)
    return _user_model(row, groups, whole=whole)


def _model(connection: Connection, principal: Principal, name: str) -> UserModel:
    row = the_user(connection, name)
    return _shown(principal, row, people.groups_of(connection, [name])[name])


def _write(tx: Tx, principal: Principal, before: UserRow, request: UserChange, hashed: str | None) -> dict[str, Any]:
    """Write what ``request`` says; what was changed, for the log."""
    name, (after, data) = before.name, _wanted(before, request, tx.at)
    if request.password is not UNSET:
        _require_own_password(before)
        after, data["password"] = replace(after, password=hashed, source=LOCAL if hashed else LAB), "changed"
        tell_tokens(tx, name, tokens.end_sign_ins(tx.connection, name), "revoked", principal.name)
    if request.email is not UNSET:
        after = _with_address(tx.connection, principal, before, after)
        data |= {"email": after.email} if after.verified_email != before.verified_email else {}
    if before.is_admin and not (after.is_admin and after.suspended_at is None):
        _require_other_admin(tx.connection, before)
    written = ("display_name", "email", "verified_email", "suspended_at", "password", "source")
    values = {column: getattr(after, column) for column in written}
    people.change(tx.connection, name, **values, roles=list(after.roles))
    if request.groups is not UNSET:
        require_groups(tx.connection, request.groups, "groups")
        set_groups(tx, name, request.groups, source=LAB, by=principal.name)
        data["groups"] = request.groups
    return data


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
            raise Forbidden("You change your own display name; the rest is for managers.", code="not_yours")
        if name == principal.name and request.suspended is True:
            raise Rejected("You cannot suspend yourself.", code="own_suspension", field="suspended")
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


def _with_address(connection: Connection, principal: Principal, before: UserRow, after: UserRow) -> UserRow:
    """The row with an address that a manager entered, which leads to the person from now on.

    Raises
    ------
    Forbidden
        another address than before, and no manager: whoever writes a colleague's would be taken for them.
    Conflict
        it is somebody else's.
    """
    if not allows(principal, Permission.PEOPLE_MANAGE):
        if after.email != before.email:
            raise Forbidden(
                "Only the lab's managers change e-mail addresses: people sign in with them.", code="not_yours",
                field="email",
            )  # fmt: skip
        return after
    _require_free(connection, before.name, after.email)
    return replace(after, verified_email=joining_address(after.email))


def _require_free(connection: Connection, name: str, email: str) -> None:
    other = people.with_email(connection, email) if email else None
    if other is not None and other.name != name:
        raise Conflict(f"{email} is somebody else's e-mail address.", code="email_taken", field="email")


def _require_other_admin(connection: Connection, row: UserRow) -> None:
    if row.source == "jupyter" and "admin" in row.source_roles:
        raise Conflict(f"{row.name} owns the server that the lab runs in, and stays its admin.", code="local_owner")
    if not people.other_admin(connection, row.name):
        raise Conflict("You are the only admin: make somebody else an admin first.", code="last_admin", field="roles")
