"""What a call looks like, and what is said when it goes wrong."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import pickle
from collections.abc import Iterator

import pytest
from qiskit.providers import JobStatus
from qiskit.providers.jobstatus import JOB_FINAL_STATES

from qpi_jupyter.client import Lab, Session
from qpi_jupyter.client.backend import QpiBackend
from qpi_jupyter.client.job_handle import FINAL
from qpi_jupyter.client.jobs import Jobs
from qpi_jupyter.client.programs import options_of
from qpi_jupyter.client.status import Status
from qpi_jupyter.core import Unavailable
from qpi_jupyter.wire.jobs import SubmitRequest


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("http://127.0.0.1:9", retry_s=0.0) as lab:
        yield lab


def keywords(call: object) -> set[str]:
    assert callable(call)
    return {p.name for p in inspect.signature(call).parameters.values() if p.kind is p.KEYWORD_ONLY}


def test_every_field_of_a_request_is_a_keyword() -> None:
    wanted = {*SubmitRequest.__struct_fields__, *inspect.signature(options_of).parameters, "format"}
    plans = {"stale"}
    """What a plan is submitted with, beside its labels."""
    assert keywords(Jobs.submit) == (wanted | plans) - {"program", "options", "circuits", "extra"}


def test_what_passes_keywords_on_shows_them_with_their_meaning(lab: Lab) -> None:
    session = lab.session("sim-a")
    for call in (session.run, session.run.aio, session.submit, QpiBackend.run):
        assert keywords(call) == keywords(lab.submit) - {"qpu"}
        text = inspect.getdoc(call) or ""
        assert "makes a simulator's counts repeatable" in text
        assert "**options\n    what the QPU's executor" in text
        assert "\nqpu\n" not in text


def test_both_ways_to_call_have_the_same_signature(lab: Lab) -> None:
    calls = [name for name in dir(Lab) if hasattr(getattr(lab, name, None), "aio")]
    assert {"submit", "jobs", "book", "health", "sessions"} <= set(calls)
    for name in calls:
        blocking, awaited = getattr(lab, name), getattr(lab, name).aio
        assert inspect.signature(blocking) == inspect.signature(awaited)
        assert not inspect.iscoroutinefunction(blocking)
        assert inspect.iscoroutinefunction(awaited)
        assert (text := inspect.getdoc(blocking))
        assert text == inspect.getdoc(awaited) == inspect.getdoc(getattr(Lab, name))
        assert next(iter(inspect.signature(getattr(Lab, name)).parameters)) == "self"
        assert "'" not in str(inspect.signature(blocking).return_annotation)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("shotz", "shots"),
        ("seed", "seed_simulator"),
        ("parameters", "parameter_values"),
        ("parameter_binds", "parameter_values"),
        ("parameter_value", "parameter_values"),
        ("meas", "meas_level or meas_return"),
        ("backend", "qpu"),
        ("job_name", "name"),
        ("tag", "tags"),
        ("share_with", "shared_with"),
    ],
)
def test_a_near_word_is_met_with_the_right_one(lab: Lab, word: str, meant: str) -> None:
    with pytest.raises(TypeError) as caught:
        lab.submit("OPENQASM 3.0;", **{word: 1})
    assert str(caught.value) == f"submit() has no option {word!r}. Did you mean {meant}?"


def refused(lab: Lab, name: str, *args: object, **options: object) -> str:
    return asyncio.run(refused_twice(lab, name, *args, **options))


async def refused_twice(lab: Lab, name: str, *args: object, **options: object) -> str:
    call = getattr(lab, name)
    with pytest.raises(TypeError) as blocking:
        call(*args, **options)
    with pytest.raises(TypeError) as awaited:
        await call.aio(*args, **options)
    assert str(blocking.value) == str(awaited.value)
    assert pickle.loads(pickle.dumps(blocking.value)).args == blocking.value.args
    return str(blocking.value)


def test_arguments_that_do_not_fit_are_told_with_those_that_do(lab: Lab) -> None:
    assert refused(lab, "book", "q1", strat="9:00") == "book() has no option 'strat'. Did you mean start?"
    assert refused(lab, "book", "q1", until="9:00") == "book() has no option 'until'. Did you mean end?"
    assert refused(lab, "balance", x=1) == "balance() has no option 'x'. There are: group."
    assert refused(lab, "health", 1) == (
        "health() takes 1 positional argument but 2 were given. It is health(*, retry_s=None)."
    )
    assert refused(lab, "booking") == (
        "booking() missing 1 required positional argument: 'booking_id'. It is booking(booking_id)."
    )


def test_errors_have_the_caller_s_frames_and_no_cause(lab: Lab) -> None:
    with pytest.raises(Unavailable) as caught:
        lab.qpus()
    assert [entry.name for entry in caught.traceback][1:] == ["call"]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_session_s_methods_are_seen_on_the_class() -> None:
    assert list(inspect.signature(Session.run).parameters)[:2] == ["self", "circuits"]
    assert inspect.isfunction(Session.run)


def test_a_status_is_a_word_that_can_be_called() -> None:
    word = Status("completed")
    assert word == word() == "completed" == str(word)
    assert word != "failed"
    assert {word: 1}["completed"] == 1
    assert word in FINAL
    assert (repr(word), f"{word}", word.upper()) == ("'completed'", "completed", "COMPLETED")


def test_a_status_is_stored_as_plain_text() -> None:
    word = Status("running")
    for stored in (pickle.loads(pickle.dumps(word)), copy.deepcopy(word), json.loads(json.dumps(word)), str(word)):
        assert type(stored) is str
        assert stored == "running"


@pytest.mark.parametrize(
    ("word", "theirs"),
    [
        ("pending", "QUEUED"),
        ("running", "RUNNING"),
        ("completed", "DONE"),
        ("failed", "ERROR"),
        ("cancelled", "CANCELLED"),
    ],
)
def test_loops_that_were_written_for_qiskit_end(word: str, theirs: str) -> None:
    status = Status(word)
    assert status == JobStatus[theirs]
    assert JobStatus[theirs] == status
    assert status == theirs == status.name
    assert [status == other for other in JobStatus].count(True) == 1
    assert (status in JOB_FINAL_STATES) == (word in FINAL)
    assert status != 3
