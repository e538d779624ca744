"""Who may do what: roles and their permissions, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache


class Permission(StrEnum):
    """What a route asks for. ``_own`` and ``_any`` differ in whose things are meant."""

    HEALTH = "health"
    """Needs no sign-in."""
    QPUS_READ = "qpus:read"
    QPUS_ENROLL = "qpus:enroll"
    """Ask that a QPU of one's own becomes one of the lab's."""
    QPUS_MANAGE = "qpus:manage"
    JOBS_SUBMIT = "jobs:submit"
    JOBS_READ = "jobs:read"
    JOBS_READ_ANY = "jobs:read:any"
    JOBS_CANCEL = "jobs:cancel"
    JOBS_CANCEL_ANY = "jobs:cancel:any"
    JOBS_EDIT = "jobs:edit"
    """Rename, tag, share and delete."""
    JOBS_EDIT_ANY = "jobs:edit:any"
    SESSIONS_OPEN = "sessions:open"
    BOOKINGS_READ = "bookings:read"
    BOOKINGS_WRITE = "bookings:write"
    BOOKINGS_WRITE_ANY = "bookings:write:any"
    """Also maintenance, and what the booking rules forbid others."""
    BOOKING_RULES = "bookings:rules"
    TIME_READ = "time:read"
    TIME_READ_ANY = "time:read:any"
    TIME_REQUEST = "time:request"
    TIME_GRANT = "time:grant"
    TIME_GRANT_OWN = "time:grant:own"
    """Decide about one's own QPU time, too."""
    PEOPLE_READ = "people:read"
    """Names and groups of the lab's people."""
    PEOPLE_MANAGE = "people:manage"
    ROLES_GRANT = "roles:grant"
    PROFILE_EDIT = "profile:edit"
    """One's own display name, e-mail, password and dismissed notices."""
    TOKENS_OWN = "tokens"
    """Make, list and end one's own API tokens."""
    TOKENS_ANY = "tokens:any"
    NOTICES_READ = "notices:read"
    NOTICES_WRITE = "notices:write"
    AUDIT_READ = "audit:read"
    POLICIES_TRY = "policies:try"
    """Replay the past under other policies."""
    QPUS_OPERATE = "qpus:operate"
    """Enable, hold, put into maintenance."""
    PRIORITY_RAISE = "priority:raise"
    """Submit with a priority above 0."""
    FEEDS_OPEN = "feeds:open"
    """Needs no sign-in: the feed's secret address is the credential."""
    SIGN_IN = "sign-in"
    """Needs no sign-in: it is one."""
    EVENTS_READ = "events:read"
    METRICS_READ = "metrics:read"
    DRIVERS_MANAGE = "drivers:manage"
    DRIVE = "drive"
    """Claim jobs of one QPU and deliver their results."""
    SPEC_READ = "spec:read"
    LABS_CHOOSE = "labs:choose"
    """Which lab the person's own Jupyter server shows: asked of Jupyter's sign-in alone."""


class Role(StrEnum):
    USER = "user"
    MANAGER = "manager"
    ADMIN = "admin"
    DRIVER = "driver"
    SERVICE = "service"


_P = Permission
OPEN_TO_ALL = frozenset({_P.HEALTH, _P.SIGN_IN, _P.FEEDS_OPEN})
"""What nobody signs in for."""
_USER = OPEN_TO_ALL | {
    _P.QPUS_READ, _P.JOBS_SUBMIT, _P.JOBS_READ, _P.JOBS_CANCEL, _P.JOBS_EDIT, _P.EVENTS_READ, _P.METRICS_READ,
    _P.SPEC_READ, _P.SESSIONS_OPEN, _P.BOOKINGS_READ, _P.BOOKINGS_WRITE, _P.TIME_READ, _P.TIME_REQUEST, _P.PEOPLE_READ,
    _P.PROFILE_EDIT, _P.TOKENS_OWN, _P.NOTICES_READ, _P.QPUS_ENROLL,
}  # fmt: skip
_MANAGER = _USER | {
    _P.JOBS_READ_ANY, _P.JOBS_CANCEL_ANY, _P.JOBS_EDIT_ANY, _P.BOOKINGS_WRITE_ANY, _P.BOOKING_RULES, _P.TIME_READ_ANY,
    _P.TIME_GRANT, _P.PEOPLE_MANAGE, _P.NOTICES_WRITE, _P.AUDIT_READ, _P.POLICIES_TRY, _P.QPUS_OPERATE,
    _P.PRIORITY_RAISE,
}  # fmt: skip
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.USER: _USER,
    Role.MANAGER: _MANAGER,
    Role.ADMIN: _MANAGER
    | {_P.QPUS_MANAGE, _P.DRIVERS_MANAGE, _P.ROLES_GRANT, _P.TOKENS_ANY, _P.TIME_GRANT_OWN, _P.LABS_CHOOSE},
    Role.DRIVER: OPEN_TO_ALL | {_P.DRIVE},
    Role.SERVICE: OPEN_TO_ALL | {_P.METRICS_READ, _P.SPEC_READ},
}
_ANY = {
    _P.JOBS_READ: _P.JOBS_READ_ANY,
    _P.JOBS_CANCEL: _P.JOBS_CANCEL_ANY,
    _P.JOBS_EDIT: _P.JOBS_EDIT_ANY,
    _P.BOOKINGS_WRITE: _P.BOOKINGS_WRITE_ANY,
    _P.TIME_READ: _P.TIME_READ_ANY,
    _P.TOKENS_OWN: _P.TOKENS_ANY,
}


class Scope(StrEnum):
    """What an API token is for; it never allows more than its owner may."""

    READ = "read"
    SUBMIT = "submit"
    MANAGE = "manage"
    DRIVE = "drive"


_READ = OPEN_TO_ALL | {
    _P.QPUS_READ, _P.JOBS_READ, _P.JOBS_READ_ANY, _P.EVENTS_READ, _P.METRICS_READ, _P.SPEC_READ, _P.BOOKINGS_READ,
    _P.TIME_READ, _P.TIME_READ_ANY, _P.PEOPLE_READ, _P.NOTICES_READ, _P.AUDIT_READ,
}  # fmt: skip
SCOPES: dict[Scope, frozenset[Permission]] = {
    Scope.READ: _READ,
    Scope.SUBMIT: _READ | {
        _P.JOBS_SUBMIT, _P.JOBS_CANCEL, _P.JOBS_EDIT, _P.SESSIONS_OPEN, _P.BOOKINGS_WRITE, _P.TIME_REQUEST,
        _P.PRIORITY_RAISE,
    },
    Scope.MANAGE: PERMISSIONS[Role.ADMIN],
    Scope.DRIVE: OPEN_TO_ALL | {_P.DRIVE},
}  # fmt: skip
_SCOPE_NEEDS = {
    Scope.READ: _P.JOBS_READ,
    Scope.SUBMIT: _P.JOBS_SUBMIT,
    Scope.MANAGE: _P.PEOPLE_MANAGE,
    Scope.DRIVE: _P.DRIVE,
}
"""What somebody must be able to ask for before a token of theirs may have the scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking. A driver is bound to one QPU; ``scopes``, where set, narrow what its roles allow.

    ``token`` and ``expires_at`` are of the API token one asks with, if with one; they say nothing about who one is.
    ``recheck_s`` is how long a request may last before whoever signed the person in is asked again.
    """

    name: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()
    scopes: frozenset[Permission] | None = None
    qpu: str | None = None
    token: str | None = field(default=None, compare=False)
    recheck_s: float | None = field(default=None, compare=False)
    expires_at: datetime | None = field(default=None, compare=False)

    @property
    def is_driver(self) -> bool:
        return Role.DRIVER in self.roles


def permissions(principal: Principal) -> frozenset[Permission]:
    """Everything ``principal`` may ask for."""
    granted = _granted(principal.roles)
    return granted if principal.scopes is None else granted & principal.scopes


def allows(principal: Principal, permission: Permission, owner: str | None = None) -> bool:
    """Whether ``principal`` may; ``owner`` says whose thing it is, where that matters."""
    if permission in OPEN_TO_ALL:
        return True
    granted = permissions(principal)
    if permission not in granted:
        return False
    if owner is None or owner == principal.name:
        return True
    return permission in _ANY and _ANY[permission] in granted


def within(roles: Iterable[Role], bound: Iterable[Role]) -> frozenset[Role]:
    """The greatest roles that both ``roles`` and ``bound`` cover: a user's token stays one when its owner rises."""
    allowed = _granted(frozenset(roles)) & _granted(frozenset(bound))
    covered = [role for role in Role if PERMISSIONS[role] <= allowed]
    return frozenset(r for r in covered if not any(PERMISSIONS[r] < PERMISSIONS[other] for other in covered))


def scope_for(permission: Permission) -> Scope:
    """The narrowest scope that has ``permission``."""
    return min((scope for scope in Scope if permission in SCOPES[scope]), key=lambda scope: len(SCOPES[scope]))


def may_scope(principal: Principal, scope: Scope) -> bool:
    """Whether a token that ``principal`` makes may have ``scope``."""
    if principal.scopes is not None and not SCOPES[scope] <= principal.scopes:
        return False
    return _SCOPE_NEEDS[scope] in permissions(principal)


def greatest_scopes(permitted: frozenset[Permission]) -> frozenset[Scope]:
    """The scopes that lie within ``permitted``, without those that another of them covers."""
    covered = [scope for scope in Scope if SCOPES[scope] <= permitted]
    return frozenset(s for s in covered if not any(SCOPES[s] < SCOPES[other] for other in covered))


@lru_cache
def _granted(roles: frozenset[Role]) -> frozenset[Permission]:
    return frozenset[Permission]().union(*(PERMISSIONS[role] for role in roles))


def may_read_job(principal: Principal, *, owner: str, shared_with: str | None) -> bool:
    """Whether ``principal`` may read a job and what belongs to it: its owner, whoever reads everybody's, and the
    members of the group that it is shared with. To change it takes its owner, or who may change everybody's."""
    if allows(principal, Permission.JOBS_READ, owner):
        return True
    return shared_with in principal.groups and allows(principal, Permission.JOBS_READ)
