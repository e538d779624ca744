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
_USER = frozenset({
    _P.HEALTH, _P.QPUS_READ, _P.JOBS_SUBMIT, _P.JOBS_READ, _P.JOBS_CANCEL, _P.EVENTS_READ, _P.METRICS_READ,
    _P.SPEC_READ,
})  # fmt: skip
_MANAGER = _USER | {_P.JOBS_READ_ANY, _P.JOBS_CANCEL_ANY}
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.USER: _USER,
    Role.MANAGER: _MANAGER,
    Role.ADMIN: _MANAGER | {_P.QPUS_MANAGE, _P.DRIVERS_MANAGE},
    Role.DRIVER: frozenset({_P.HEALTH, _P.DRIVE}),
    Role.SERVICE: frozenset({_P.HEALTH, _P.METRICS_READ, _P.SPEC_READ}),
}
_ANY = {_P.JOBS_READ: _P.JOBS_READ_ANY, _P.JOBS_CANCEL: _P.JOBS_CANCEL_ANY}


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
    if permission is Permission.HEALTH:
        return True
    granted = permissions(principal)
    if permission not in granted:
        return False
    if owner is None or owner == principal.name:
        return True
    return permission in _ANY and _ANY[permission] in granted
