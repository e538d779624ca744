"""Which failed starts of a child are tried again, and which end the driver."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from importlib.metadata import EntryPoint
from typing import Any, NoReturn

import pytest

from qpi_agent import process
from qpi_agent.messages import Open
from qpi_agent.process import ForkServer, spawn_in_the_end
from qpi_executors import load
from qpi_jupyter.core.errors import Faulted, QpiError, Rejected, Unavailable
from qpi_jupyter.core.plugins import passing

OUT_OF = (errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE)


class NoWait:
    def __init__(self, **_: Any) -> None: ...

    def next(self) -> float:
        return 0.0


@pytest.mark.parametrize("number", OUT_OF, ids=errno.errorcode.get)
def test_a_machine_that_is_out_of_something_is_asked_again(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    failures: list[QpiError] = []

    def popen(*_: Any, **__: Any) -> NoReturn:
        if len(failures) == 3:
            raise Rejected("There is no such executor.", code="unknown_executor")
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(process, "Backoff", NoWait)

    async def story() -> None:
        forks = ForkServer("mock")
        opening = Open(role="check", executor="mock")
        try:
            with pytest.raises(Rejected):
                await spawn_in_the_end(opening, forks, lambda problem, _: failures.append(problem), patient=False)
        finally:
            forks.close()

    asyncio.run(story())
    assert {type(problem) for problem in failures} == {Faulted}
    assert failures[0].message == f"The machine starts no process: {os.strerror(number)}."


@pytest.mark.parametrize("kind", [Rejected, QpiError, Unavailable, Faulted])
def test_what_a_repeat_cannot_change_ends_the_first_start_only(
    monkeypatch: pytest.MonkeyPatch, kind: type[QpiError]
) -> None:
    tries = 0

    async def spawn(*_: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise kind("no")
        return "child"

    monkeypatch.setattr(process, "spawn", spawn)
    monkeypatch.setattr(process, "Backoff", NoWait)
    lost: Any = None

    def start(*, patient: bool) -> Any:
        nonlocal tries
        tries = 0
        return asyncio.run(spawn_in_the_end(lost, lost, lambda *_: None, patient=patient))

    assert start(patient=True) == "child"
    if kind is Faulted:
        assert start(patient=False) == "child"
    else:
        with pytest.raises(kind):
            start(patient=False)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        *[(OSError(number, os.strerror(number)), True) for number in (*OUT_OF, errno.EIO, errno.ESTALE, errno.ENOSPC)],
        *[(ImportError(f"libx.so: cannot open shared object: {os.strerror(number)}"), True) for number in OUT_OF],
        (ImportError("libx.so: failed to map segment from shared object"), True),
        (MemoryError(), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (ModuleNotFoundError("No module named 'x'"), False),
        (ImportError("cannot import name 'x' from 'y'"), False),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "device.json"), False),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES)), False),
        (TypeError("x"), False),
        (SystemExit(1), False),
    ],
    ids=repr,
)
def test_what_may_be_gone_the_next_time(monkeypatch: pytest.MonkeyPatch, error: BaseException, passes: bool) -> None:
    assert passing(error) is passes

    def load_point(_: EntryPoint) -> NoReturn:
        raise error

    monkeypatch.setattr(EntryPoint, "load", load_point)
    with pytest.raises(Faulted if passes else Rejected, match="cannot be loaded"):
        load("x:Y")
