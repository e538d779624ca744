"""People, groups, API tokens, notices and the audit log, as the native surface sends them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from .rest import Answer, Name, Request
from .validation import EMAIL, PERSON

RoleName = Literal["user", "manager", "admin", "service"]
ScopeName = Literal["read", "submit", "manage", "drive"]
NewPassword = Annotated[str, Meta(min_length=10, max_length=256)]
_Text = Annotated[str, Meta(max_length=200)]
_Email = Annotated[str, Meta(max_length=200, pattern=EMAIL)]
"""Empty: none."""
_Roles = Annotated[list[RoleName], Meta(max_length=16)]
PersonName = Annotated[str, Meta(min_length=1, max_length=64, pattern=PERSON)]
_People = Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=1000)]


class UserModel(Answer):
    """A person. Others than managers and oneself see the names and the groups alone."""

    name: str
    display_name: str
    roles: list[str]
    groups: list[str]
    source: str
    email: str = ""
    email_verified: bool = False
    """A provider verified it, or a manager entered it: it leads to the person."""
    suspended_at: datetime | None = None
    created_at: datetime | None = None
    seen_at: datetime | None = None


TIMEZONE_HEADER = "QPI-Timezone"


class Me(Answer):
    """``GET me``: who one is, and what one may do."""

    user: UserModel
    permissions: list[str]
    timezone: str | None = None
    """The IANA name of one's clock, as the panel said it; every answer has it as the header `TIMEZONE_HEADER`."""


class UserList(Answer):
    """By name; ``next`` goes into ``?after=``."""

    users: list[UserModel]
    next: str | None = None


class UserIn(Request):
    """``POST users``: a person before their first visit; with ``password`` a local account."""

    name: PersonName
    display_name: _Text = ""
    email: _Email = ""
    roles: _Roles = []
    groups: _People = []
    password: NewPassword | None = None


class UserChange(Request):
    """``PATCH users/{name}``; what is left out stays. ``roles`` needs an admin."""

    display_name: _Text | UnsetType = UNSET
    email: _Email | UnsetType = UNSET
    roles: _Roles | UnsetType = UNSET
    groups: _People | UnsetType = UNSET
    suspended: bool | UnsetType = UNSET
    password: NewPassword | UnsetType | None = UNSET


class ClockIn(Request):
    """``PUT me/timezone``: by which clock one is told times, an IANA name; until the lab starts again."""

    timezone: Annotated[str, Meta(min_length=1, max_length=64)]


class PasswordChange(Request):
    """``POST me/password``."""

    current: Annotated[str, Meta(max_length=256)]
    new: NewPassword


class SignIn(Request):
    """``POST sign-in``: a local account's name (or e-mail) and password for a token that ends after some hours."""

    name: _Text
    password: Annotated[str, Meta(max_length=256)]


class SignedIn(Answer):
    token: str
    expires_at: datetime
    user: UserModel


class JoinLinkIn(Request):
    """``POST join-links``: an address where ``uses`` people make their own accounts within ``days``; each gets into
    the group, and has ``allowance_s`` of QPU time and no more."""

    name: _Text = ""
    """What it is for."""
    group: _Text | None = None
    allowance_s: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    uses: Annotated[int, Meta(ge=1, le=1000)] = 1
    days: Annotated[float, Meta(gt=0, le=90)] = 7.0


class JoinLinkModel(Answer):
    """A join link; ``url`` only where it was just made."""

    id: str
    name: str
    group: str | None
    allowance_s: float | None
    uses: int
    used: int
    created_by: str
    created_at: datetime
    expires_at: datetime
    url: str | None = None


class JoinLinkList(Answer):
    """Those that still count, the newest first."""

    links: list[JoinLinkModel]
    local_accounts: bool = True
    """Whether the lab has local accounts; without them, nobody can join by a link."""


class GroupModel(Answer):
    name: str
    description: str
    members: list[str]
    created_at: datetime


class GroupList(Answer):
    groups: list[GroupModel]


class GroupIn(Request):
    """``POST groups``."""

    name: Name
    description: Annotated[str, Meta(max_length=1000)] = ""
    members: _People = []


class GroupChange(Request):
    """``PATCH groups/{name}``; ``members`` is the whole list."""

    description: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    members: _People | UnsetType = UNSET


class TokenModel(Answer):
    """An API token, without the token itself."""

    id: str
    name: str
    owner: str
    scopes: list[str] | None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    session: bool = False
    """Made by ``POST sign-in``."""


class TokenList(Answer):
    tokens: list[TokenModel]


class TokenChange(Request):
    """``PATCH tokens/{id}``; what is left out stays."""

    name: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    expires_at: datetime | UnsetType | None = UNSET


class NoticeIn(Request):
    """``POST notices``: for everybody, or for people and groups; within its time window."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    body: Annotated[str, Meta(max_length=10_000)] = ""
    people: _People = []
    groups: _People = []
    start_at: datetime | None = None
    end_at: datetime | None = None


class NoticeChange(Request):
    """``PATCH notices/{id}``; what is left out stays."""

    title: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    body: Annotated[str, Meta(max_length=10_000)] | UnsetType = UNSET
    people: _People | UnsetType = UNSET
    groups: _People | UnsetType = UNSET
    start_at: datetime | UnsetType | None = UNSET
    end_at: datetime | UnsetType | None = UNSET


class NoticeModel(Answer):
    id: str
    title: str
    body: str
    created_by: str
    created_at: datetime
    people: list[str]
    groups: list[str]
    start_at: datetime | None = None
    end_at: datetime | None = None
    dismissed: bool = False


class NoticeList(Answer):
    notices: list[NoticeModel]


class AuditData(Answer):
    """Who did what to whom."""

    who: str
    action: str
    subject: str


class AuditEntry(AuditData, kw_only=True):
    """A line of the audit log."""

    seq: int
    at: datetime
    data: dict[str, Any] = {}


class AuditPage(Answer):
    """Newest first; ``next`` goes into ``?after=``."""

    entries: list[AuditEntry]
    next: str | None = None
