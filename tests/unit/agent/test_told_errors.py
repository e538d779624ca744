"""What an executor says of a failure comes to the lab, of whatever length it is and whatever is in it."""

from __future__ import annotations

import pytest

from qpi_agent.child import Checks
from qpi_agent.messages import Channel, Check, Checked, Failed, Look, Looked, frame
from qpi_executors import load
from qpi_jupyter.core import ProgramError, QpiError
from qpi_jupyter.core.bounds import MAX_MESSAGE
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES, ProgramRef
from qpi_jupyter.wire.rest import OptionsIn

PROGRAM = ProgramRef(format="openqasm3", sha256="1" * 64, sources=[b"bell"], options=OptionsIn())


class OneQuestion(Channel):
    """An agent that asks once, and keeps the answer."""

    def __init__(self, question: Check | Look) -> None:
        self.questions, self.answers = [question], []  # type: ignore[var-annotated]

    def receive(self) -> Check | Look:  # type: ignore[override]
        if not self.questions:
            raise EOFError
        return self.questions.pop()

    def send(self, message: Checked | Looked) -> None:  # type: ignore[override]
        assert len(frame(message)) < MAX_FRAME_BYTES
        self.answers.append(message)


@pytest.mark.parametrize("kind", [ProgramError, ValueError])
@pytest.mark.parametrize("question", [Check(program=PROGRAM), Look(program=PROGRAM)], ids=["check", "preview"])
def test_an_executors_error_fits_into_a_frame(question: Check | Look, kind: type[Exception]) -> None:
    executor = load("mock")

    def refuse(_program: object) -> None:
        raise kind("\ud800" + "x" * (2 * MAX_FRAME_BYTES))

    executor.validate = executor.preview = refuse  # type: ignore[method-assign, assignment]
    channel = OneQuestion(question)
    with pytest.raises(EOFError):
        Checks(channel, executor).serve()
    [answer] = channel.answers
    assert answer.error["kind"] == "ProgramError"
    assert "xxx" in answer.error["message"]
    assert len(answer.error["message"]) == MAX_MESSAGE


def test_what_is_no_preview_is_the_executors_failure() -> None:
    executor = load("mock")
    executor.preview = lambda _program: None  # type: ignore[method-assign, assignment, return-value]
    channel = OneQuestion(Look(program=PROGRAM))
    with pytest.raises(EOFError):
        Checks(channel, executor).serve()
    [answer] = channel.answers
    assert "preview() returned NoneType, and no Preview" in answer.error["message"]


def test_a_runs_error_fits_into_a_frame() -> None:
    failed = Failed.of(ProgramError("x" * (2 * MAX_FRAME_BYTES), figures=[0.5] * MAX_FRAME_BYTES), 0.0)
    assert failed.outcome == "errored"
    assert len(frame(failed)) < MAX_FRAME_BYTES
    assert failed.error is not None
    assert isinstance(QpiError.from_dict(failed.error), ProgramError)
