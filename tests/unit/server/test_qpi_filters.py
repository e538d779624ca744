"""PocketBase's filter expressions."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core.errors import Rejected
from qpi_server.web.compat.qpi.filters import MAX_CHARS, MAX_DEPTH, MAX_TESTS, Equal, parse_filter

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)
RECORD: dict[str, Any] = {
    "id": "job-1", "status": "completed", "shots": 100, "name": "Bell's \"pair\"", "enabled": True, "note": None,
    "people": ["ann", "bob"], "nobody": [], "created": "2030-05-01 10:00:00.000Z",
}  # fmt: skip
FIELDS = frozenset(RECORD)


def holds(text: str) -> bool:
    return parse_filter(text, FIELDS, NOW)(RECORD)


@pytest.mark.parametrize(
    "text",
    [
        "", "status = 'completed'", 'status="completed" && shots>=100', "shots < 100 || shots = 100",
        "(status = 'failed' || shots > 1.5) && enabled = true", "status != 'failed'", "name ~ 'BELL'",
        "name !~ 'ghz'", "name ~ '%pair%'", "name ~ 'bell%\"'", r"name = 'Bell\'s \"pair\"'", "note = null",
        "note = ''", "enabled != false", "created < @now", "created >= '2030-05-01'",
        "created > '2030-05-01T09:59:59Z'", "created = '2030-05-01 12:00:00.000+02:00'", "'completed' = status",
        "people ?= 'ann'", "people ~ 'bo'", "people !~ 'eve'", "people != 'eve'", "shots > -1", "id = id",
        "status = 'failed' || status = 'x' || id = 'job-1'", "id='x' && id='y' || id='job-1'",
    ],
)  # fmt: skip
def test_what_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "status = 'failed'", "shots > 100", "name ~ 'ghz'", "name ~ 'pair%'", "note != null", "created > @now",
        "people = 'ann'", "people ?= 'eve'", "nobody = 'ann'", "nobody ?= 'ann'", "shots = '100'",
        "id = 'job-1' && (shots = 1 || shots = 2)", "status > 100",
    ],
)  # fmt: skip
def test_what_does_not(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "status", "status =", "= 'x'", "status = 'x' OR 1=1", "status = 'x'; DROP TABLE jobs", "status = 'x' --",
        "status = 'completed' 1", "(status = 'x'", "status = 'x')", "status == 'x'", "secret = 1",
        "__class__ = 1", "status.x = 1", "@request.auth.id = 'x'", "status = 'x", "status = `x`", "shots = 1e5x",
        "status ~ ('x')", "&& status = 'x'", "status = 'x' && ", "\x00", "status = 'x' UNION SELECT",
        "strftime('%s', created) = 1", "created = '2030-99-99'",
        "(" * (MAX_DEPTH + 2) + "id = 1" + ")" * (MAX_DEPTH + 2), " && ".join(["id = 1"] * (MAX_TESTS + 1)),
        "id = '" + "x" * MAX_CHARS + "'",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        holds(text)
    assert caught.value.data["field"] == "filter"


@given(st.text(alphabet="ids=~!?<>&|()'\"\\%@ now1.\n", max_size=40))
def test_anything_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Rejected):
        assert holds(text) in (True, False)


@given(st.text(max_size=20))
def test_any_value_finds_itself_and_nothing_else(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    found = parse_filter(f"id = '{quoted}'", FIELDS, NOW)
    assert found({**RECORD, "id": value})
    assert found.demands == (Equal("id", value),)
    assert not found({**RECORD, "id": value + "x"})


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)), st.integers(-1439, 1439))
def test_any_time_is_compared_or_refused(at: datetime, minutes: int) -> None:
    zone = f"{'+' if minutes >= 0 else '-'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    for sign in ("=", "<", ">", "~"):
        with contextlib.suppress(Rejected):
            assert holds(f"created {sign} '{at.isoformat(timespec='seconds')}{zone}'") in (True, False)


@pytest.mark.parametrize("text", ["2030-05-01", "2030-05-01T10:00:00Z", "9999-12-31T23:59:59-23:59", "2030-02-31"])
def test_a_text_that_looks_like_a_time_stays_a_text(text: str) -> None:
    assert parse_filter(f"name = '{text}'", FIELDS, NOW)({**RECORD, "name": text})


def test_what_it_demands_is_for_the_index() -> None:
    assert parse_filter("status = 'a' && (id = 'b')", FIELDS, NOW).demands == (Equal("status", "a"), Equal("id", "b"))
    assert parse_filter("status = 'a' && id = 'b'", FIELDS, NOW).whole
    assert not parse_filter("status = 'a' && shots > 1", FIELDS, NOW).whole
    assert parse_filter("status = 'a' || id = 'b'", FIELDS, NOW).demands == ()
    assert not parse_filter("status = 'a' || id = 'b'", FIELDS, NOW).whole


def test_like_takes_linear_time() -> None:
    record = {**RECORD, "name": "a" * 20_000}
    assert not parse_filter("name ~ '" + "%a" * 500 + "%b%'", FIELDS, NOW)(record)


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:59", "9999-12-31 23:59:59.999Z", "0001-01-01 00:00:00Z"])
def test_a_time_beyond_the_calendar_is_refused(time: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_filter(f"created > '{time}'", frozenset({"created"}), NOW)
    assert (caught.value.code, caught.value.data["field"]) == ("bad_time", "filter")
