"""A pytest plugin: what a test leaves behind fails it. Tasks of its loops, threads, child processes, sockets.

What fixtures of a module or of the session keep outlives a test on purpose. Where one is in use, threads, processes
and sockets are looked at when the module ends; tasks always belong to the test whose loop was closed.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from .waiting import PAUSE_S

DESCRIPTORS = Path("/proc/self/fd")

KEPT_THREADS = {
    "pytest_timeout": "the clock of the test that runs",
    "ThreadPoolExecutor-": "pools without a name are libraries' (Aer's: one a process); the project's have names",
    "IPythonHistorySavingThread": "one a shell of IPython, which keeps it until the interpreter ends",
}
"""How the names of threads begin that libraries keep for good, and why."""
KEPT_PROCESSES = {
    "multiprocessing.resource_tracker": "one a process, from the first spawned child until the process ends",
}
"""What the command lines of processes say that libraries keep for good, and why."""


class LeftTasks:
    """The tasks that a loop still had when it was closed, and that nobody had cancelled."""

    def __init__(self) -> None:
        self._left: list[str] = []

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """From now on, look at every loop that is closed: a runner would cancel its tasks without a word."""
        close_runner, close_loop = asyncio.Runner.close, BaseEventLoop.close

        def runner_closes(runner: asyncio.Runner) -> None:
            self._look(runner.get_loop())
            close_runner(runner)

        def loop_closes(loop: BaseEventLoop) -> None:
            self._look(loop)
            close_loop(loop)

        patch.setattr(asyncio.Runner, "close", runner_closes)
        patch.setattr(BaseEventLoop, "close", loop_closes)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed() and asyncio.all_tasks(loop):
            loop.run_until_complete(asyncio.sleep(0))  # those that are done but for a turn
            self._left += [f"{task!r}" for task in asyncio.all_tasks(loop) if not task.cancelling()]

    def take(self) -> list[str]:
        """Those since the last time."""
        left, self._left = self._left, []
        return left


@dataclass(frozen=True, slots=True)
class Living:
    """What this process has at one moment."""

    threads: frozenset[threading.Thread]
    processes: frozenset[psutil.Process]
    sockets: frozenset[str]

    @classmethod
    def now(cls) -> Living:
        return cls(frozenset(threading.enumerate()), _children(), _sockets())

    def left(self, grace_s: float) -> list[str]:
        """What is there now, was not then, and does not end by itself either."""
        deadline = time.monotonic() + grace_s
        now = Living.now()
        threads = [thread for thread in now.threads - self.threads if not thread.name.startswith(tuple(KEPT_THREADS))]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        processes = [child for child in now.processes - self.processes if not _kept(child)]
        psutil.wait_procs(processes, max(0.0, deadline - time.monotonic()))
        while _sockets() - self.sockets and time.monotonic() < deadline:
            time.sleep(PAUSE_S)  # ZeroMQ closes its own in a thread
        return [
            *(f"{thread!r}" for thread in threads if thread.is_alive()),
            *(f"{child!r}" for child in processes if child.is_running()),
            *_described(_sockets() - self.sockets),
        ]


def _children() -> frozenset[psutil.Process]:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # there is none: no need to read all of /proc
        return frozenset()
    return frozenset(psutil.Process().children())


def _kept(process: psutil.Process) -> bool:
    try:
        command = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return True
    return any(sign in command for sign in KEPT_PROCESSES)


def _sockets() -> frozenset[str]:
    found = []
    for descriptor in os.listdir(DESCRIPTORS):
        try:
            found.append(os.readlink(DESCRIPTORS / descriptor))
        except FileNotFoundError:  # the one of the listing itself
            continue
    return frozenset(target for target in found if target.startswith("socket:"))


def _described(sockets: frozenset[str]) -> list[str]:
    if not sockets:
        return []
    known = {os.readlink(DESCRIPTORS / str(found.fd)): found for found in psutil.Process().net_connections("all")}
    return [f"{socket} {known.get(socket, '')}" for socket in sorted(sockets)]


_tasks = LeftTasks()
_patch = pytest.MonkeyPatch()
_shared: dict[pytest.FixtureDef[Any], str] = {}
"""The project's fixtures that more than one test uses, as far as they are alive, and how long they live."""
_failed = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("leak_grace_s", "how long what has been told to end may take to be gone", default="5")


def pytest_sessionstart() -> None:
    _tasks.watch(_patch)


def pytest_sessionfinish() -> None:
    _patch.undo()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    ours = not fixturedef.func.__module__.startswith(("_pytest.", "pytest", __name__))
    if ours and fixturedef.scope != "function":
        _shared[fixturedef] = fixturedef.scope
    return (yield)


def pytest_fixture_post_finalizer(fixturedef: pytest.FixtureDef[Any]) -> None:
    _shared.pop(fixturedef, None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    for node in item.iter_parents():
        node.stash[_failed] = report.failed or node.stash.get(_failed, False)
    return report


@pytest.fixture(autouse=True)
def nothing_left_by_a_test(request: pytest.FixtureRequest) -> Iterator[None]:
    yield from _nothing_left(request, "The test leaves behind", but_if=lambda: bool(_shared))


@pytest.fixture(autouse=True, scope="module")
def nothing_left_by_a_module(request: pytest.FixtureRequest) -> Iterator[None]:
    yield from _nothing_left(request, "The module leaves behind", but_if=lambda: "session" in _shared.values())


def _nothing_left(request: pytest.FixtureRequest, what: str, *, but_if: Callable[[], bool]) -> Iterator[None]:
    before = Living.now()
    yield
    left = _tasks.take()
    if request.node.stash[_failed]:
        return  # it has said what is wrong, and had no chance to tidy up
    if not but_if():
        left += before.left(float(request.config.getini("leak_grace_s")))
    if left:
        pytest.fail(f"{what}:\n" + "\n".join(left), pytrace=False)
