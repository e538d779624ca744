"""The children of drivers, who are not below them in the tree of processes, among all others."""

from __future__ import annotations

from contextlib import suppress

import psutil

ROLES = ("run", "check", "read")


def role_of(process: psutil.Process) -> str:
    """What a child does; empty for every other process."""
    with suppress(psutil.Error):
        kind, _, role = process.name().partition("-")
        return role if kind == "qpi" and role in ROLES else ""
    return ""


def children_below(pid: int, *roles: str) -> list[psutil.Process]:
    """The drivers' children among all that a process has started."""
    with suppress(psutil.NoSuchProcess):
        return [one for one in psutil.Process(pid).children(recursive=True) if role_of(one) in (roles or ROLES)]
    return []
