"""Telemetry and calibration over time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire import telemetry
from qpi_server.service.telemetry import MAX_POINTS
from qpi_server.web.table import Call, Reply

from .base import Query, Text, v1


class ReadingsQuery(Query):
    """``GET qpus/{name}/readings``: one channel in ``[start, end)``, in about ``points`` steps; default: one hour."""

    channel: Text
    start: datetime | None = None
    end: datetime | None = None
    points: Annotated[int, Meta(ge=1, le=MAX_POINTS)] = 500


@v1.route("GET", "qpus/{name}/channels", P.QPUS_READ, {200: telemetry.ChannelList})
async def list_channels(call: Call) -> Reply:
    """What a QPU has readings of, with the newest of each."""
    return Reply(body=await call.lab.telemetry.channels(call.person, call.path["name"]))


@v1.route("GET", "qpus/{name}/readings", P.QPUS_READ, {200: telemetry.Series}, query=ReadingsQuery)
async def get_readings(call: Call) -> Reply:
    """One channel over time."""
    q: ReadingsQuery = call.query
    series = await call.lab.telemetry.series(
        call.person, call.path["name"], q.channel, start=q.start, end=q.end, points=q.points
    )
    return Reply(body=series)
