"""People: the collection ``users``, whose ``qpu_seconds`` is what is left on a person's account."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from qpi_jupyter.core import Forbidden, NotFound, Principal, Rejected, allows, joining_address
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.accounts import AccountChange, AccountModel
from qpi_jupyter.wire.people import PasswordChange, UserChange, UserIn, UserModel
from qpi_server.service import Lab
from qpi_server.web.table import JSON, Call, Reply, Route

from .base import UNLIMITED_S, Body, Record, api, record, request, stamp
from .paging import Listing, RecordPage, View, every, paged, picked

USER_FIELDS = frozenset(
    {"id", "username", "name", "email", "emailVisibility", "verified", "role", "qpu_seconds", "created", "updated"}
)
_Seconds = Annotated[float, Meta(ge=0, le=1e9)]
_Text = Annotated[str, Meta(max_length=200)]
_Password = Annotated[str, Meta(min_length=10, max_length=256)]


class UserRecordIn(Body, kw_only=True):
    """``POST collections/users/records``: a local account, made by a manager."""

    email: _Text = ""
    username: _Text = ""
    name: _Text = ""
    password: _Password
    passwordConfirm: str | None = None
    qpu_seconds: _Seconds | None = None
    emailVisibility: Literal[False] = False
    verified: bool | UnsetType = UNSET


class UserPatch(Body):
    """``PATCH collections/users/records/{id}``. The last four can only be what they are."""

    name: _Text | UnsetType = UNSET
    email: _Text | UnsetType = UNSET
    qpu_seconds: _Seconds | UnsetType = UNSET
    password: _Password | UnsetType = UNSET
    passwordConfirm: str | UnsetType = UNSET
    oldPassword: Annotated[str, Meta(max_length=256)] | UnsetType = UNSET
    username: str | UnsetType = UNSET
    role: str | UnsetType = UNSET
    verified: bool | UnsetType = UNSET
    emailVisibility: bool | UnsetType = UNSET


_FIXED = ("username", "role", "verified", "emailVisibility")


@api.route("POST", "collections/users/records", P.PEOPLE_MANAGE, {200: JSON}, body=UserRecordIn)
async def qpi_create_user(call: Call, wanted: UserRecordIn) -> Reply:
    """Make a local account; nobody makes one for themselves."""
    if wanted.passwordConfirm not in (None, wanted.password):
        raise Rejected("The two passwords differ.", code="bad_password", field="passwordConfirm")
    if wanted.verified is not UNSET and wanted.verified != (joining_address(wanted.email) is not None):
        raise Rejected("An address that a manager enters counts as verified.", code="forged", field="verified")
    name = wanted.username or wanted.email
    new = request(UserIn, name=name, display_name=wanted.name, email=wanted.email, password=wanted.password)
    user = await call.lab.users.create(call.person, new)
    if wanted.qpu_seconds is not None:
        await _allocate(call, user.name, wanted.qpu_seconds)
    return Reply(body=await the_user(call.lab, call.person, user.name))


@api.route("PATCH", "collections/users/records/{id}", P.PROFILE_EDIT, {200: JSON}, body=UserPatch, refuses=(429,))
async def qpi_change_user(call: Call, wanted: UserPatch) -> Reply:
    """Change one's own name or password; managers also set e-mails, others' passwords and what is left of QPU time."""
    name = call.path["id"]
    change = request(UserChange, display_name=wanted.name, email=wanted.email)
    _require_same(wanted, await the_user(call.lab, call.person, name))
    if wanted.qpu_seconds is not UNSET:
        _require_grants(call)
    secret = _password_of(wanted, own=name == call.person.name)
    # Whatever can be refused is, before anything is changed.
    if isinstance(secret, PasswordChange):
        await call.lab.sign_ins.require_password(call.person, secret.current)
    elif secret is not None:
        change.password = secret
    if change != UserChange():
        await call.lab.users.change(call.person, name, change)
    if isinstance(secret, PasswordChange):
        await call.lab.sign_ins.change_password(call.person, secret)
    if wanted.qpu_seconds is not UNSET:
        await _allocate(call, name, wanted.qpu_seconds)
    return Reply(body=await the_user(call.lab, call.person, name))


def _require_same(wanted: UserPatch, now: Record) -> None:
    """Refuse a change of what nobody changes here; clients send whole records back."""
    for name in _FIXED:
        if getattr(wanted, name) not in (UNSET, now[name]):
            raise Forbidden(f"Nobody changes {name!r} through this surface.", code="forged", field=name)


def _password_of(wanted: UserPatch, *, own: bool) -> PasswordChange | str | None:
    """The new password: one's own with the old one, or the one that a manager gives somebody.

    Raises
    ------
    Rejected
        it is not confirmed, the old one is missing, or there is no new one.
    """
    if wanted.password is UNSET:
        for name in ("passwordConfirm", "oldPassword"):
            if getattr(wanted, name) not in (UNSET, ""):
                raise Rejected(f"{name} goes with a new password.", code="bad_password", field="password")
        return None
    if wanted.passwordConfirm != wanted.password:
        raise Rejected("The two passwords differ.", code="bad_password", field="passwordConfirm")
    if not own:
        if wanted.oldPassword not in (UNSET, ""):
            raise Rejected("Only one's own password is changed with the old one.", code="forged", field="oldPassword")
        return wanted.password
    if wanted.oldPassword is UNSET:
        raise Rejected("Send your present password as oldPassword.", code="bad_password", field="oldPassword")
    return PasswordChange(current=wanted.oldPassword, new=wanted.password)


async def the_user(lab: Lab, person: Principal, name: str) -> Record:
    """One person's record; somebody else's is for managers.

    Raises
    ------
    NotFound
        there is none, or it is not for ``person``.
    """
    if name != person.name and not allows(person, P.PEOPLE_MANAGE):
        raise NotFound(
            f"There is no user named {name!r}, or you don't have permission to see them.", code="unknown_user"
        )
    user, account = await asyncio.gather(lab.users.get(person, name), lab.accounts.get(person, name))
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
            "verified": user.email_verified,
            "role": "admin" if {"admin", "manager"} & set(user.roles) else "user",
            "qpu_seconds": UNLIMITED_S if seconds is None else max(0, math.floor(seconds)),
            "created": stamp(user.created_at),
            "updated": stamp(user.seen_at or user.created_at),
        },
    )


async def _allocate(call: Call, name: str, seconds: float) -> None:
    """Set what is left, as QPI does; so many seconds as QPI gives its administrators mean no limit."""
    _require_grants(call)
    limited = seconds < UNLIMITED_S
    before = await call.lab.accounts.get(call.person, name)
    if before.limited != limited:
        await call.lab.accounts.change(call.person, name, AccountChange(limited=limited))
    if limited:
        await call.lab.accounts.set_balance(call.person, name, seconds, "Set through QPI's surface.")


def _require_grants(call: Call) -> None:
    if not allows(call.person, P.TIME_GRANT):
        raise Forbidden("QPU time is granted by managers: ask for some.", code="not_yours", field="qpu_seconds")


async def _records(lab: Lab, person: Principal) -> list[Record]:
    if not allows(person, P.PEOPLE_MANAGE):
        return [await the_user(lab, person, person.name)]
    users: list[UserModel] = await every("users", lab.users.list, person)
    accounts = {account.name: account for account in await every("accounts", lab.accounts.list, person)}
    return [user_record(user, accounts.get(user.name) or await lab.accounts.get(person, user.name)) for user in users]


api.serve(
    Route("qpi_list_users", "GET", "collections/users/records", P.PEOPLE_READ, {200: RecordPage},
          "A page of everybody, for managers; others find themselves.",
          lambda c: paged(c, _records(c.lab, c.person), USER_FIELDS), query=Listing),
    Route("qpi_get_user", "GET", "collections/users/records/{id}", P.PEOPLE_READ, {200: JSON},
          "One person.", picked(lambda c: the_user(c.lab, c.person, c.path["id"])), query=View),
)  # fmt: skip
