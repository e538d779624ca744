"""Who may do what: roles and their permissions, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """What a route asks for. ``_own`` and ``_any`` differ in whose things are meant."""

    HEALTH = "health"
    """Needs no sign-in."""
    QPUS_READ = "qpus:read"
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
    PEOPLE_READ = "people:read"
    """Names and groups of the lab's people."""
    PEOPLE_MANAGE = "people:manage"
    ROLES_GRANT = "roles:grant"
    TOKENS_OWN = "tokens"
    """Make, list and end one's own API tokens."""
    TOKENS_ANY = "tokens:any"
    NOTICES_READ = "notices:read"
    NOTICES_WRITE = "notices:write"
    AUDIT_READ = "audit:read"
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
    _P.TOKENS_OWN, _P.NOTICES_READ,
}  # fmt: skip
_MANAGER = _USER | {
    _P.JOBS_READ_ANY, _P.JOBS_CANCEL_ANY, _P.JOBS_EDIT_ANY, _P.BOOKINGS_WRITE_ANY, _P.BOOKING_RULES, _P.TIME_READ_ANY,
    _P.TIME_GRANT, _P.PEOPLE_MANAGE, _P.NOTICES_WRITE, _P.AUDIT_READ, _P.QPUS_OPERATE, _P.PRIORITY_RAISE,
}  # fmt: skip
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.USER: _USER,
    Role.MANAGER: _MANAGER,
    Role.ADMIN: _MANAGER | {_P.QPUS_MANAGE, _P.DRIVERS_MANAGE, _P.ROLES_GRANT, _P.TOKENS_ANY},
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking. A driver is bound to one QPU; ``scopes``, where set, narrow what its roles allow."""

    name: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()
    scopes: frozenset[Permission] | None = None
    qpu: str | None = None

    @property
    def is_driver(self) -> bool:
        return Role.DRIVER in self.roles


ANONYMOUS = Principal(name="", roles=frozenset())


def permissions(principal: Principal) -> frozenset[Permission]:
    """Everything ``principal`` may ask for."""
    granted: frozenset[Permission] = frozenset().union(*(PERMISSIONS[r] for r in principal.roles))
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
