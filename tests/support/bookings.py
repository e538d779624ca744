"""A lab with QPUs to book, in one process, and what its bookings are asked for in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import QpiError
from qpi_jupyter.wire.bookings import (
    BookingIn,
    BookingModel,
)
from qpi_jupyter.wire.rest import QpuIn
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, FrozenClock, open_lab

BOSS = Principal(name="boss", roles=frozenset({Role.MANAGER}))
START = datetime(2030, 1, 1, tzinfo=UTC)  # where FrozenClock begins
HOUR = 3600.0


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def span(start: float, end: float, **more: Any) -> BookingIn:
    """A request for these hours of q1."""
    return BookingIn(**{"qpu": "q1", "start_at": at(start), "end_at": at(end)} | more)


def play(folder: Path, dialogue: Callable[[Lab, FrozenClock], Awaitable[Any]], **settings: Any) -> Any:
    """What ``dialogue`` returns, held in a lab with the QPUs q1 and q2."""

    async def run() -> Any:
        clock = FrozenClock()
        async with open_lab(folder, clock=clock, **settings) as lab:
            for name in ("q1", "q2"):
                await lab.qpus.create(ADMIN, QpuIn(name=name))
            return await dialogue(lab, clock)

    return asyncio.run(run())


async def made(lab: Lab, who: Principal, request: BookingIn) -> BookingModel:
    [booking] = (await lab.bookings.create(who, request)).bookings
    return booking


async def refusal(work: Awaitable[Any]) -> QpiError:
    with pytest.raises(QpiError) as caught:
        await work
    return caught.value


async def fails(work: Awaitable[Any], kind: type[QpiError], code: str, field: str | None = None) -> QpiError:
    error = await refusal(work)
    assert (type(error), error.code, error.data.get("field")) == (kind, code, field)
    return error


# --- what QPI's end-to-end list of time slots asks for
