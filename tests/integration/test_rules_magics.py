"""The magics about bookings, QPU time and notices in an IPython shell, against a scripted lab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import qpi_jupyter.client.connecting as connecting
from qpi_jupyter.client.http import Http
from qpi_jupyter.core.errors import QpiError
from qpi_jupyter.wire.jobs import JobPage
from qpi_jupyter.wire.people import NoticeModel
from tests.faults.scripted_rest import NOW, TOKEN
from tests.faults.scripted_rules import RulesLab

BELL = "OPENQASM 3.0;\nqubit q;\nbit c;\nc = measure q;\n"
MONDAY = datetime(2030, 5, 6, 9, tzinfo=UTC)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RulesLab]:
    with RulesLab() as server:
        for name, value in {"QPI_LAB_URL": server.url, "QPI_LAB_TOKEN": TOKEN, "TZ": "UTC"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(connecting, "_current", None)
        yield server
        with suppress(QpiError):
            connecting.connect().close()


@pytest.fixture
def shell(server: RulesLab) -> Iterator[InteractiveShell]:
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "qpi_jupyter")
    yield shell
    shell.history_manager.end_session()


def test_book_takes_time_length_and_people(server: RulesLab, shell: InteractiveShell) -> None:
    line = "sim-a 2030-05-06 9:00 --for 90min --title 'T1 & T2' --invite bo --invite cy --mode exclusive --to mine"
    booking = shell.run_line_magic("qpi_book", line)
    assert (booking.start_at, booking.end_at) == (MONDAY, MONDAY + timedelta(minutes=90))
    assert (booking.model.title, booking.model.invited, booking.model.mode) == ("T1 & T2", ["bo", "cy"], "exclusive")
    assert shell.user_ns["mine"] is booking
    assert shell.run_line_magic("qpi_book", "sim-a").start_at == NOW, "without a time, the next free one"
    assert len(shell.run_line_magic("qpi_book", "sim-b tomorrow 9:00 --until 10:00 --repeat FREQ=WEEKLY")) == 3


def test_a_conflict_is_told_without_a_traceback(server: RulesLab, shell: InteractiveShell) -> None:
    server.book(MONDAY, MONDAY + timedelta(hours=1))
    with pytest.raises(UsageError, match=r"booked then. Type lab.book\('sim-a', '2030-05-06 10:00'"):
        shell.run_line_magic("qpi_book", "sim-a 2030-05-06 9:00")
    with pytest.raises(UsageError, match="Cannot read"):
        shell.run_line_magic("qpi_book", "sim-a soon")
    with pytest.raises(UsageError, match="required: QPU"):
        shell.run_line_magic("qpi_book", "")


def test_bookings_and_calendar(server: RulesLab, shell: InteractiveShell) -> None:
    server.book(MONDAY, MONDAY + timedelta(hours=1), mine=True)
    server.book(MONDAY, MONDAY + timedelta(hours=1), qpu="sim-b")
    assert [b.id for b in shell.run_line_magic("qpi_bookings", "")] == ["b1"]
    assert [b.id for b in shell.run_line_magic("qpi_bookings", "sim-b --all --from 2030-05-06")] == ["b2"]
    calendar = shell.run_line_magic("qpi_calendar", "sim-b")
    assert calendar.qpu == "sim-b"
    assert "sim-b" in calendar._repr_mimebundle_()[0]["text/plain"]
    with pytest.raises(UsageError, match="one QPU"):
        shell.run_line_magic("qpi_calendar", "a b")


def test_balance_and_notices(server: RulesLab, shell: InteractiveShell) -> None:
    assert "15 min available" in repr(shell.run_line_magic("qpi_balance", ""))
    assert "group:qed" in repr(shell.run_line_magic("qpi_balance", "--group qed"))
    server.notices["n1"] = NoticeModel(
        id="n1", title="Warm-up", body="", created_by="mia", created_at=NOW, people=[], groups=[]
    )
    assert len(shell.run_line_magic("qpi_notices", "")) == 1
    assert len(shell.run_line_magic("qpi_notices", "dismiss")) == 0
    with pytest.raises(UsageError, match="takes no arguments"):
        shell.run_line_magic("qpi_notices", "away")


def test_jobs_are_looked_for(server: RulesLab, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    async def send(lab: object, method: str, path: str, kind: type[object], **options: object) -> JobPage:
        asked.append(options)
        return JobPage(jobs=[])

    connecting.connect()
    monkeypatch.setattr(Http, "call", send)
    shell.run_line_magic("qpi_jobs", "--name bell --tag a --tag 'b c' --project T1 --group qed --all --limit 5")
    assert sorted(pair for pair in asked[0]["params"] if pair[1] is not None) == [
        ("group", "qed"), ("limit", 5), ("mine", False), ("name", "bell"), ("project", "T1"), ("tag", "a"),
        ("tag", "b c"),
    ]  # fmt: skip


def test_submit_says_for_whom(server: RulesLab, shell: InteractiveShell) -> None:
    shell.run_cell_magic("qpi_submit", "--project T1 --group qed --share-with qed --priority -3", BELL)
    sent = server.submits[0]
    assert (sent.project, sent.group, sent.shared_with, sent.priority) == ("T1", "qed", "qed", -3)


@pytest.mark.parametrize(
    ("magic", "said"),
    [
        ("qpi_book", "--until"), ("qpi_bookings", "--all"), ("qpi_balance", "--group"),
        ("qpi_calendar", "The week of a QPU"), ("qpi_notices", "dismiss"),
    ],
)  # fmt: skip
def test_each_explains_itself(
    shell: InteractiveShell, magic: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell(f"%{magic}?")
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%qpi_book s", {"sim-a", "sim-b"}),
        ("%qpi_book sim-a tom", {"tomorrow"}),
        ("%qpi_book sim-a --mo", {"--mode"}),
        ("%qpi_book sim-a --mode ex", {"exclusive"}),
        ("%qpi_bookings --a", {"--all"}),
        ("%qpi_calendar s", {"sim-a", "sim-b"}),
        ("%qpi_balance --g", {"--group"}),
        ("%qpi_jobs --st", {"--status"}),
        ("%%qpi_submit --sha", {"--share-with"}),
    ],
)
def test_completion(shell: InteractiveShell, text: str, expected: set[str]) -> None:
    with provisionalcompleter():
        found = {completion.text for completion in shell.Completer.completions(text, len(text))}
    assert found >= expected


def test_unloading_takes_them_away(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "qpi_jupyter")
    assert shell.find_line_magic("qpi_book") is None
