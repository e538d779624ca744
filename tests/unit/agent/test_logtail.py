"""A driver's log on its way to the lab: bounded, counted where it is cut, and without secrets."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec
import pytest

from qpi_agent.telemetry import LogTail, secrets_of
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES, MAX_LOG_LINES, MAX_LOG_MESSAGE, MAX_LOG_NAME, Log

OWN = "the-token-of-this-driver"
OTHER = "qpi_" + "x" * 43


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, LogTail]]:
    logger, tail = logging.Logger("qpi_agent.test"), LogTail(secrets_of(OWN, {"api_key": "k-123", "num": 5}.items()))
    logger.addHandler(tail)
    yield logger, tail
    tail.close()


def test_a_line_is_taken_once_with_its_level_and_name(log: tuple[logging.Logger, LogTail]) -> None:
    logger, tail = log
    logger.debug("not for the lab")
    logger.info("job %s, attempt %d", "j1", 2)
    logger.warning("hm")
    logger.error("no")
    logger.critical("oh no")
    lines = tail.take()
    assert [(line.level, line.message) for line in lines] == [
        ("info", "job j1, attempt 2"), ("warning", "hm"), ("error", "no"), ("critical", "oh no"),
    ]  # fmt: skip
    assert {line.logger for line in lines} == {"qpi_agent.test"}
    assert all(line.at.tzinfo is not None for line in lines)
    assert tail.take() == []


def test_an_exception_is_its_last_line(log: tuple[logging.Logger, LogTail]) -> None:
    logger, tail = log
    try:
        raise ValueError("the fridge is warm")
    except ValueError:
        logger.exception("cannot run")
    [line] = tail.take()
    assert line.message == "cannot run: ValueError: the fridge is warm"


def test_secrets_never_leave(log: tuple[logging.Logger, LogTail]) -> None:
    logger, tail = log
    logger.info("token %s, key %s, another's %s, num %d", OWN, "k-123", OTHER, 5)
    logger.error("qpi_executors.mock:MockExecutor is no secret")
    first, second = tail.take()
    assert first.message == "token [hidden], key [hidden], another's [hidden], num 5"
    assert second.message == "qpi_executors.mock:MockExecutor is no secret"


def test_too_much_keeps_the_latest_and_counts_the_rest(log: tuple[logging.Logger, LogTail]) -> None:
    logger, tail = log
    for number in range(MAX_LOG_LINES + 7):
        logger.info("line %d", number)
    lines = tail.take()
    assert len(lines) == MAX_LOG_LINES
    assert (lines[0].message, lines[0].dropped) == ("line 7", 7)
    assert sum(line.dropped for line in lines) == 7
    logger.info("later")
    assert [line.dropped for line in tail.take()] == [0]


def test_what_tells_of_trouble_outlasts_what_does_not(log: tuple[logging.Logger, LogTail]) -> None:
    logger, tail = log
    logger.warning("a job has failed")
    for number in range(2 * MAX_LOG_LINES):
        logger.info("job %d: completed", number)
    lines = tail.take()
    assert [lines[0].message, lines[1].message] == ["a job has failed", f"job {MAX_LOG_LINES + 1}: completed"]


def test_a_long_traceback_is_several_lines(log: tuple[logging.Logger, LogTail]) -> None:
    logger, tail = log
    frames = [f'  File "{number}.py", line {number}, in run' for number in range(60)]
    logger.warning("%s", "\n".join(frames))
    lines = tail.take()
    assert "\n".join(line.message for line in lines) == "\n".join(frames)
    assert 1 < len(lines) < 10


def test_the_worst_batch_fits_into_a_frame(log: tuple[logging.Logger, LogTail]) -> None:
    _, tail = log
    endless = logging.Logger("\x00" * 1000)
    endless.addHandler(tail)
    for _ in range(MAX_LOG_LINES):
        endless.error("\x00" * 100_000)  # six bytes each in JSON
    lines = tail.take()
    assert all(len(line.message) == MAX_LOG_MESSAGE and len(line.logger) == MAX_LOG_NAME for line in lines)
    assert len(msgspec.json.encode(Log(epoch=1, lines=lines))) < MAX_FRAME_BYTES - 1000


def test_a_record_that_cannot_be_written_disturbs_nobody(
    log: tuple[logging.Logger, LogTail], capsys: pytest.CaptureFixture[str]
) -> None:
    logger, tail = log
    logger.info("%d jobs", "many")
    assert tail.take() == []
    assert "Logging error" in capsys.readouterr().err
