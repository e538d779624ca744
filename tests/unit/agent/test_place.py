"""When a place says that a program runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pytest

from qpi_agent.messages import Answer, Key, Measured, Open, Progress, Spooled
from qpi_agent.place import Place, Ticket
from qpi_agent.spool import Spool
from qpi_jupyter.core import Manifest
from qpi_jupyter.wire.frames import ProgramRef
from qpi_jupyter.wire.rest import OptionsIn
from tests.support.waiting import until

END = (Measured(busy_s=0.01), Spooled(busy_s=0.01))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (END, ["ended"]),
        ((Progress(fraction=0.5), *END), ["started", "progressed", "ended"]),
        ((Progress(fraction=0.5), Progress(fraction=0.7), *END), ["started", "progressed", "progressed", "ended"]),
        (None, ["started"]),
    ],
    ids=["at-once", "with-progress", "more-progress", "goes-on"],
)
def test_a_run_is_told_of_once_it_goes_on_or_gets_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: tuple[Answer, ...] | None, said: list[str]
) -> None:
    async def story() -> list[str]:
        waiting: asyncio.Queue[Answer] = asyncio.Queue()
        for answer in answers or ():
            waiting.put_nowait(answer)
        exited = asyncio.get_running_loop().create_future()
        child = Mock(alive=True, exited=exited, receive=waiting.get)
        manifest = Manifest(executor="stub", executor_version="1", num_qubits=1, basis_gates=(), simulator=True)

        async def spawn(*_: object) -> tuple[Mock, Manifest]:
            return child, manifest

        monkeypatch.setattr("qpi_agent.place.spawn_in_the_end", spawn)
        spool, listener = Spool(tmp_path), Mock()
        place = Place(Open(role="run", executor="stub"), Mock(), spool, listener, None)
        place.wanted.set()
        life = asyncio.create_task(place.live())
        await until(lambda: place.free)
        listener.reset_mock()
        key = Key("job-1", 1)
        program = ProgramRef(format="openqasm3", sha256="0" * 64, options=OptionsIn(), sources=[b"x"])
        place.begin(Ticket(key=key, program=program, timeout_s=60.0))
        await until(lambda: len(listener.method_calls) >= len(said))
        words = [call[0] for call in listener.method_calls if call[0] != "available"]
        for answer in END if answers is None else ():
            waiting.put_nowait(answer)
        await until(lambda: place.ticket is None)
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life
        spool.close()
        return words

    assert asyncio.run(story()) == said
