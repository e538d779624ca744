"""Every kind of event: its JSON, its row, and what becomes of one that cannot be read."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from qpi_jupyter.wire import events as e
from tests.support.events import EXAMPLES

ROOT = Path(__file__).parents[3]
BY_KIND = {event.kind: event for event in EXAMPLES}


def plain(event: e.LabEvent) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    return found


def test_there_is_an_example_of_every_kind() -> None:
    assert list(BY_KIND) == list(e.KINDS)


@pytest.mark.parametrize("event", EXAMPLES, ids=list(BY_KIND))
def test_what_is_written_is_read(event: e.LabEvent) -> None:
    whole = plain(event)
    assert set(whole) == {"kind", "seq", "prev", "at", "job_id", "qpu", "data"}
    assert e.read_event(whole) == event
    page = msgspec.json.encode(e.EventPage(events=[event], cursor=event.seq))
    assert msgspec.json.decode(page, type=e.EventPage).events == [event]
    assert msgspec.json.decode(page, type=e.UnreadEventPage).read().events == [event]


@pytest.mark.parametrize("event", EXAMPLES, ids=list(BY_KIND))
def test_a_row_says_the_same(event: e.LabEvent) -> None:
    row = e.row_of(event)
    row["data"] = msgspec.json.decode(msgspec.json.encode(row["data"]))  # as a JSON column keeps it
    assert row.pop("booking_id") == (event.data.booking_id if isinstance(event, e.BookingChanged) else None)
    assert e.read_event({**row, "seq": event.seq, "prev": event.prev}) == event


@pytest.mark.parametrize("event", EXAMPLES, ids=list(BY_KIND))
def test_what_a_newer_lab_adds_is_passed_over(event: e.LabEvent) -> None:
    whole = plain(event)
    whole["data"]["added"] = whole["added"] = {"later": 1}
    assert e.read_event(whole) == event


def test_a_kind_that_is_not_known_does_not_break_a_page() -> None:
    known = plain(EXAMPLES[0])
    newer = {**known, "seq": 43, "prev": 42, "kind": "cryostat.changed", "data": {"kelvin": 4.0}}
    sent = msgspec.json.encode({"events": [known, newer], "cursor": 43})
    first, second = msgspec.json.decode(sent, type=e.UnreadEventPage).read().events
    assert first == EXAMPLES[0]
    assert isinstance(second, e.OtherEvent)
    assert (second.kind, second.data, second.prev) == ("cryostat.changed", {"kelvin": 4.0}, 42)
    assert plain(second) == newer


@pytest.mark.parametrize("data", [{}, [], None, "torn"])
def test_data_that_cannot_be_read_keeps_its_place(data: object) -> None:
    whole = {**plain(BY_KIND["job.changed"]), "data": data}
    event = e.read_event(whole)
    assert isinstance(event, e.OtherEvent)
    assert plain(event) == whole


def test_rows_of_before_are_read() -> None:
    """An event written when a job's events said less, and times were written with an offset."""
    old = {"status": "completed", "phase": "completed", "attempt": 1, "version": 7}
    event = e.read_event({**plain(BY_KIND["job.changed"]), "data": old})
    assert isinstance(event, e.JobChanged)
    assert (event.data.name, event.data.ledger) == ("", msgspec.UNSET)
    moved = plain(BY_KIND["booking.changed"])
    moved["data"]["after"]["end_at"] = "2030-01-07T11:30:00+00:00"
    assert e.read_event(moved) == BY_KIND["booking.changed"]


def test_jupyters_schema_has_the_fields_of_an_event() -> None:
    schema = yaml.safe_load((ROOT / "server_extension/qpi_server/events/lab.yaml").read_text())
    assert set(schema["properties"]) == set(plain(EXAMPLES[0]))


def test_every_kind_is_written_by_the_lab() -> None:
    classes = {kind.__name__: name for name, kind in e.KINDS.items()}
    called: set[str] = set()
    for path in (ROOT / "server_extension/qpi_server/service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) != "isinstance":
                used = (ast.unparse(part).rpartition(".")[2] for part in (node.func, *node.args))
                called |= {classes[name] for name in used if name in classes}
    assert called == set(e.KINDS)


@pytest.mark.parametrize("package", ["qpi_jupyter", "server_extension/qpi_server"])
def test_nobody_reads_events_by_keys(package: str) -> None:
    by_key = re.compile(r"\bevents?(\[[^]]*\])?\.data(\[|\.get\()")
    texts = {path: path.read_text() for path in (ROOT / package).rglob("*.py")}
    assert len(texts) > 20
    assert [str(path) for path, text in texts.items() if by_key.search(text)] == []
