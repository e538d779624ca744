"""A process that is kept for questions: warm while there are some, gone when it is late, dead or idle."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from qpi_jupyter.core import Unavailable
from qpi_server.service.base import Worker
from tests.faults.lab import FrozenClock


async def asked(worker: Worker, question: bytes, *, timeout_s: float = 30.0) -> tuple[int, bytes]:
    """Who answered, and what."""
    pid, _, answer = (await worker.ask(question, timeout_s=timeout_s)).partition(b" ")
    return int(pid), answer


def test_one_process_answers_question_after_question() -> None:
    async def run() -> None:
        worker = Worker("tests.faults.echo_worker", FrozenClock(), idle_s=60.0)
        answers = await asyncio.gather(*(asked(worker, b"x" * size) for size in (0, 1, 1 << 20)))
        assert len({pid for pid, _ in answers}) == 1
        assert [len(answer) for _, answer in answers] == [0, 1, 1 << 20]
        await worker.close()
        assert not psutil.pid_exists(answers[0][0])

    asyncio.run(run())


def test_what_is_late_or_dies_ends_and_the_next_question_has_another() -> None:
    async def run() -> None:
        worker = Worker("tests.faults.echo_worker", FrozenClock(), idle_s=60.0)
        first, _ = await asked(worker, b"a")
        with pytest.raises(TimeoutError):
            await worker.ask(b"hang", timeout_s=0.05)
        assert not psutil.pid_exists(first)
        second, answer = await asked(worker, b"b")
        assert (second != first, answer) == (True, b"b")
        with pytest.raises(Unavailable):
            await worker.ask(b"die", timeout_s=30.0)
        third, _ = await asked(worker, b"c")
        waiting = asyncio.ensure_future(worker.ask(b"hang", timeout_s=30.0))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not psutil.pid_exists(third)
        assert (await asked(worker, b"d"))[1] == b"d"
        await worker.close()

    asyncio.run(run())


def test_it_ends_when_nobody_has_asked_for_a_while() -> None:
    async def run() -> None:
        clock = FrozenClock()
        worker = Worker("tests.faults.echo_worker", clock, idle_s=60.0)
        first, _ = await asked(worker, b"a")
        clock.advance(59.0)
        assert (await asked(worker, b"b"))[0] == first
        clock.advance(61.0)
        second, _ = await asked(worker, b"c")
        assert second != first
        await worker.close()
        assert not psutil.pid_exists(first)

    asyncio.run(run())
