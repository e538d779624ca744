"""Every time that comes in goes through the one check, and the store refuses what found another way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

import msgspec
import pytest
from msgspec import Struct
from sqlalchemy.dialects import sqlite

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire.validation import Timed, time_fields
from qpi_server.store.schema import Moment, metadata
from qpi_server.web import ROUTES

BAD = [
    "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z",
    "2200-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2030-01-01T00:00:00",
]  # fmt: skip
SENT = sorted({kind for route in ROUTES for kind in (route.body, route.query) if kind}, key=lambda kind: kind.__name__)


def structs_in(kind: Any) -> Iterator[type[Struct]]:
    """The struct and all that it may hold."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from structs_in(field.type)
    for inner in get_args(kind):
        yield from structs_in(inner)


EVERY = sorted({inner for kind in SENT for inner in structs_in(kind)}, key=lambda kind: kind.__name__)


def test_whatever_holds_a_time_checks_it() -> None:
    with_times = [kind for kind in EVERY if time_fields(kind)]
    assert len(with_times) > 8
    assert [kind for kind in with_times if not issubclass(kind, Timed)] == []


@pytest.mark.parametrize("text", BAD)
def test_no_request_takes_a_time_beyond_the_calendar(text: str) -> None:
    for kind in EVERY:
        for _, sent_as in time_fields(kind):
            needed = {f.encode_name: "2030-01-01T00:00:00Z" for f in msgspec.structs.fields(kind) if f.required}
            sent = {**needed, sent_as: text}
            known = {"title": "x", "policies": [{"name": "x"}], "channel": "x", "qpu": "q", "seconds": 60}
            sent |= {name: value for name, value in known.items() if name in needed}
            with pytest.raises(Rejected) as caught:
                msgspec.convert(sent, kind, strict=False)
            assert (caught.value.code, caught.value.data["field"]) == ("bad_time", sent_as), kind


@pytest.mark.parametrize("text", BAD)
def test_the_store_keeps_none_either(text: str) -> None:
    at = datetime.fromisoformat(text)
    columns = [column for table in metadata.tables.values() for column in table.columns]
    moments = [column for column in columns if isinstance(column.type, Moment)]
    assert len(moments) > 40
    for column in moments:
        with pytest.raises(Rejected):
            column.type.bind_processor(sqlite.dialect())(at)  # type: ignore[no-untyped-call]


def test_no_column_keeps_times_in_another_way() -> None:
    columns = [column for table in metadata.tables.values() for column in table.columns]
    odd = [str(c) for c in columns if c.name.endswith("_at") or c.name == "at" if not isinstance(c.type, Moment)]
    assert odd == ["readings.at"]  # whole milliseconds, the lab's own
