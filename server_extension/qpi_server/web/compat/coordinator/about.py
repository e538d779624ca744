"""The coordinator itself: what it is, whether it works."""

from __future__ import annotations

import time
from typing import Literal

from qpi_jupyter._version import __version__
from qpi_jupyter.core import Permission as P
from qpi_jupyter.core import QpiError
from qpi_jupyter.wire.rest import Answer
from qpi_server.web.errors import status_of
from qpi_server.web.table import Call, Reply

from .base import API, SERVICE, coordinator

_BEGAN = time.monotonic()


class About(Answer):
    """``GET /``."""

    service: str
    version: str
    api: str
    """The path of everything else, from here."""
    docs: str
    """The path of the lab's own description, from the server's address."""


class Reachable(Answer):
    """Whether a dependency answers."""

    mode: Literal["ready", "down"]
    reachable: bool


class CoordinatorHealth(Answer):
    """``GET health``: ``degraded`` is a lab that cannot store anything, ``down`` one that is not open."""

    status: Literal["ok", "degraded", "down"]
    service: str
    version: str
    uptime_seconds: float
    """Of the process that answers (s)."""
    persistence: dict[str, Reachable]
    error: str | None = None


class CoordinatorReadiness(Answer):
    """``GET ready``."""

    status: Literal["ready", "not_ready"]
    service: str
    version: str
    persistence: dict[str, Reachable]


@coordinator.route("GET", "", P.HEALTH, {200: About})
async def coordinator_about(call: Call) -> About:
    """What this is."""
    return About(service=SERVICE, version=__version__, api=API, docs="qpi/v1/openapi.json")


def _reachable(*, database: bool, bus: bool) -> dict[str, Reachable]:
    return {
        name: Reachable(mode="ready" if up else "down", reachable=up)
        for name, up in (("database", database), ("bus", bus))
    }


def _health(status: Literal["ok", "degraded", "down"], parts: dict[str, Reachable], error: str | None = None) -> Reply:
    body = CoordinatorHealth(
        status=status, service=SERVICE, version=__version__, uptime_seconds=time.monotonic() - _BEGAN,
        persistence=parts, error=error,
    )  # fmt: skip
    return Reply(body=body, status=200 if status == "ok" else 503)


def _closed(error: QpiError) -> Reply:
    return _health("down", _reachable(database=False, bus=False), error.message)


@coordinator.route(
    "GET", f"{API}health", P.HEALTH, {200: CoordinatorHealth, 503: CoordinatorHealth}, closed=_closed
)  # fmt: skip
async def coordinator_health(call: Call) -> Reply:
    """Whether the lab works."""
    found = await call.lab.health(None)
    parts = _reachable(database=found.services.database == "up", bus=found.services.bus == "up")
    return _health("ok" if found.status == "up" else "degraded", parts)


def _readiness(parts: dict[str, Reachable], status: int = 200) -> Reply:
    word: Literal["ready", "not_ready"] = "ready" if status == 200 else "not_ready"
    return Reply(
        body=CoordinatorReadiness(status=word, service=SERVICE, version=__version__, persistence=parts), status=status
    )


@coordinator.route(
    "GET", f"{API}ready", P.HEALTH, {200: CoordinatorReadiness, 503: CoordinatorReadiness},
    closed=lambda error: _readiness(_reachable(database=False, bus=False), status_of(error)),
)  # fmt: skip
async def coordinator_ready(call: Call) -> Reply:
    """Whether the lab takes jobs: its database and its bus answer."""
    found = await call.lab.health(None)
    parts = _reachable(database=found.services.database == "up", bus=found.services.bus == "up")
    return _readiness(parts, 200 if found.status == "up" else 503)
