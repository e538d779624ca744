"""People: the collection ``users``, whose ``qpu_seconds`` is what is left on a person's account."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.access import Principal, allows
from qpi_jupyter.core.errors import Forbidden, NotFound, Rejected
from qpi_jupyter.wire.accounts import AccountChange, AccountModel
from qpi_jupyter.wire.people import UserChange, UserIn, UserModel
from qpi_server.service import Lab
from qpi_server.web.table import Call, Reply

from .base import UNLIMITED_S, Body, Record, api, record, request, stamp
from .paging import MAX_PER_PAGE, MAX_ROWS, Listing, RecordPage, page_of, pick

USER_FIELDS = frozenset(
    {"id", "username", "name", "email", "emailVisibility", "verified", "role", "qpu_seconds", "created", "updated"}
)
_Seconds = Annotated[float, Meta(ge=0, le=1e9)]
_Text = Annotated[str, Meta(max_length=200)]


class UserRecordIn(Body, kw_only=True):
    """``POST collections/users/records``: a local account, made by a manager."""

    email: _Text = ""
    username: _Text = ""
    name: _Text = ""
    password: Annotated[str, Meta(min_length=10, max_length=256)]
    passwordConfirm: str | None = None
    qpu_seconds: _Seconds | None = None


class UserPatch(Body):
    """``PATCH collections/users/records/{id}``."""

    name: _Text | UnsetType = UNSET
    email: _Text | UnsetType = UNSET
    qpu_seconds: _Seconds | UnsetType = UNSET


@api.route("GET", "collections/users/records", P.PEOPLE_READ, {200: RecordPage}, query=Listing)
async def qpi_list_users(call: Call) -> Reply:
    """A page of everybody, for managers; others find themselves."""
    return Reply(body=page_of(call.query, await _records(call.lab, call.person), USER_FIELDS, datetime.now(UTC)))


@api.route("GET", "collections/users/records/{id}", P.PEOPLE_READ, {200: "application/json"}, query=Listing)
async def qpi_get_user(call: Call) -> Reply:
    """One person."""
    return Reply(body=pick(await the_user(call.lab, call.person, call.path["id"]), call.query.fields))


@api.route("POST", "collections/users/records", P.PEOPLE_MANAGE, {200: "application/json"}, body=UserRecordIn)
async def qpi_create_user(call: Call) -> Reply:
    """Make a local account; nobody makes one for themselves."""
    wanted: UserRecordIn = call.body
    if wanted.passwordConfirm not in (None, wanted.password):
        raise Rejected("The two passwords differ.", code="bad_password", field="passwordConfirm")
    name = wanted.username or wanted.email
    new = request(UserIn, name=name, display_name=wanted.name, email=wanted.email, password=wanted.password)
    user = await call.lab.people.create_user(call.person, new)
    if wanted.qpu_seconds is not None:
        await _allocate(call, user.name, wanted.qpu_seconds)
    return Reply(body=await the_user(call.lab, call.person, user.name))


@api.route("PATCH", "collections/users/records/{id}", P.PROFILE_EDIT, {200: "application/json"}, body=UserPatch)
async def qpi_change_user(call: Call) -> Reply:
    """Change one's own name or e-mail; managers also set what is left of others' QPU time."""
    wanted: UserPatch = call.body
    name = call.path["id"]
    if wanted.qpu_seconds is not UNSET:
        await _allocate(call, name, wanted.qpu_seconds)
    if wanted.name is not UNSET or wanted.email is not UNSET:
        given = {"display_name": wanted.name, "email": wanted.email}
        change = request(UserChange, **{name: value for name, value in given.items() if value is not UNSET})
        await call.lab.people.change_user(call.person, name, change)
    return Reply(body=await the_user(call.lab, call.person, name))


async def the_user(lab: Lab, person: Principal, name: str) -> Record:
    """One person's record; somebody else's is for managers.

    Raises
    ------
    NotFound
        there is none, or it is not for ``person``.
    """
    if name != person.name and not allows(person, P.PEOPLE_MANAGE):
        raise NotFound(f"There is nobody called {name!r}, or it is not yours to see.", code="unknown_user")
    user, account = await asyncio.gather(lab.people.user(person, name), lab.accounts.get(person, name))
    return user_record(user, account)


def user_record(user: UserModel, account: AccountModel | None) -> Record:
    """A person as QPI has them: the name is the id."""
    seconds = account.available_s if account is not None else None
    return record(
        "users",
        user.name,
        {
            "username": user.name,
            "name": user.display_name or user.name,
            "email": user.email,
            "emailVisibility": False,
            "verified": True,
            "role": "admin" if {"admin", "manager"} & set(user.roles) else "user",
            "qpu_seconds": UNLIMITED_S if seconds is None else max(0.0, seconds),
            "created": stamp(user.created_at),
            "updated": stamp(user.seen_at or user.created_at),
        },
    )


async def _allocate(call: Call, name: str, seconds: float) -> None:
    """Set what is left, as QPI does; so many seconds as QPI gives its administrators mean no limit."""
    if not allows(call.person, P.TIME_GRANT):
        raise Forbidden("QPU time is granted by managers: ask for some.", code="not_yours", field="qpu_seconds")
    limited = seconds < UNLIMITED_S
    before = await call.lab.accounts.get(call.person, name)
    if before.limited != limited:
        await call.lab.accounts.change(call.person, name, AccountChange(limited=limited))
    if limited:
        await call.lab.accounts.set_balance(call.person, name, seconds, "Set through QPI's surface.")


async def _records(lab: Lab, person: Principal) -> list[Record]:
    if not allows(person, P.PEOPLE_MANAGE):
        return [await the_user(lab, person, person.name)]
    users: list[UserModel] = []
    after: str | None = None
    while len(users) < MAX_ROWS:
        page = await lab.people.users(person, limit=MAX_PER_PAGE, after=after)
        users += page.users
        if page.next is None:
            break
        after = page.next
    accounts = await _accounts(lab, person)
    return [user_record(user, accounts.get(user.name) or await lab.accounts.get(person, user.name)) for user in users]


async def _accounts(lab: Lab, person: Principal) -> dict[str, AccountModel]:
    found: dict[str, AccountModel] = {}
    after: str | None = None
    while len(found) < MAX_ROWS:
        page = await lab.accounts.list(person, limit=MAX_PER_PAGE, after=after)
        found |= {account.name: account for account in page.accounts}
        if page.next is None:
            break
        after = page.next
    return found
