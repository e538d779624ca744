"""Drivers that the server starts itself: simulators, each a process of its own, defined in the database.

A driver runs in its own session, so that Ctrl-C in the terminal reaches the server alone, and ends with the server: it
is told to (SIGTERM), and if the server dies without a word, the pipe that only the server holds open ends. What their
executors need is loaded once, by the one process that all their children are forked from (`ForkServer`).
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from qpi_jupyter.core import QpiError, Rejected, Unavailable
from qpi_server.service import EmbeddedDriver, Lab
from qpi_server.service.bench import option_flags

log = logging.getLogger(__name__)
DRAIN_S = 5.0
"""How long a driver may finish what it runs when the server ends."""
BACKOFF_MIN_S, BACKOFF_MAX_S = 0.5, 30.0
CHECK_S = 60.0
"""How long an executor may take to say whether it takes its options."""
STEADY_S = 60.0
"""A driver that lived this long starts again without a pause."""
TURN_S = 10.0
"""How long a driver that starts with the server waits for the one before it."""
_TAIL_BYTES = 16 << 10
_SAID = re.compile(r"^(?:qpi-agent: |\S+ \S+ ERROR )(.+)$", re.MULTILINE)
"""What a driver's log says of what is wrong."""


def demo_drivers() -> list[EmbeddedDriver]:
    """The demo lab: an ideal all-to-all simulator with two places, and a line of five qubits."""
    return [
        EmbeddedDriver(
            name="sim-a", qpu="sim-a", executor="qiskit_aer", options={"num_qubits": 24}, places=2,
            description="Qiskit Aer, ideal, all-to-all",
        ),
        EmbeddedDriver(
            name="sim-b", qpu="sim-b", executor="mock", options={"num_qubits": 5, "coupling": "line"}, places=1,
            description="A line of five qubits",
        ),
    ]  # fmt: skip


def environment(token: str, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a driver sees: the server's environment without its own settings, and its token."""
    inherited = os.environ if inherited is None else inherited
    kept = {k: v for k, v in inherited.items() if not k.startswith(("QPI_", "JUPYTER_TOKEN", "JPY_"))}
    return {**kept, "QPI_ACCESS_TOKEN": token, "PYTHONUNBUFFERED": "1"}


class ForkServer:
    """The process that the children of all embedded drivers are forked from (`qpi_agent.forkserver`).

    It is started with the first driver, and again with the next one if it has ended; drivers that it was given to help
    themselves then. It has no token.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._link: socket.socket | None = None
        self._starting = asyncio.Lock()

    async def join(self, executors: Iterable[str]) -> socket.socket:
        """A socket for a driver, by which it has its children forked; what they need is loaded at the start."""
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                await self._start(executors)
        assert self._link is not None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, suppress(OSError):  # it has just ended: so the driver finds out
            socket.send_fds(self._link, [b"join"], [theirs.fileno()])
        return ours

    async def stop(self) -> None:
        """End it, when the drivers have ended."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._link is not None:
            self._link.close()

    async def _start(self, executors: Iterable[str]) -> None:
        if self._link is not None:
            self._link.close()
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._link.setblocking(False)
        own = {name: value for name, value in environment("").items() if name != "QPI_ACCESS_TOKEN"}
        with theirs, (self._folder / "forkserver.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "qpi_agent.forkserver", str(theirs.fileno()), *executors,
                env=own, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=(theirs.fileno(),), start_new_session=True, cwd=self._folder,
            )  # fmt: skip


class EmbeddedDrivers:
    """The processes of every embedded driver of a lab.

    Parameters
    ----------
    address
        where the drivers find the lab.
    trust
        options of ``qpi-agent`` that say what to trust there, for https.
    """

    def __init__(self, lab: Lab, *, lab_dir: Path, address: str, trust: tuple[str, ...] = ()) -> None:
        self._lab, self._address, self._trust = lab, address, trust
        self._folder = lab_dir / "agents"
        self._forks = ForkServer(self._folder)
        self._kept: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}
        """Who keeps each driver alive, and what tells them to end it."""
        self._executors: set[str] = set()
        self._begun: dict[str, int] = {}
        """Where in each driver's log that of its present, or latest, process begins."""

    async def start(self) -> None:
        """Start every one that the database defines, and from now on those that people ask for."""
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self._lab.embedded.run_by(self)
        before = None
        drivers = await self._lab.embedded.definitions()
        self._executors = {driver.executor for driver in drivers}
        for driver in drivers:
            self.add(driver, after=before)
            before = driver.qpu

    def add(self, driver: EmbeddedDriver, *, after: str | None = None) -> None:
        """Keep ``driver`` running from now on, or as soon as that QPU has its driver: side by side they would all be
        late. One of an instrument ends by itself: it must not end with a notebook server."""
        self._executors.add(driver.executor)
        stopping = asyncio.Event()
        task = asyncio.create_task(self._keep(driver, stopping, after), name=f"embedded driver {driver.name}")
        self._kept[driver.name] = (task, stopping)

    async def check(self, driver: EmbeddedDriver) -> None:
        """Refuse an executor that is no simulator, and options that it does not take. A process of its own asks it,
        which takes some seconds: half of Qiskit is loaded for that.

        Raises
        ------
        Rejected
            what is wrong, and what would be right.
        Unavailable
            it takes too long.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "qpi_agent", "check", "--json", "--simulator",
                "--executor", driver.executor, *option_flags(driver.options),
                env=environment(""), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, cwd=self._folder,
            )  # fmt: skip
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.E2BIG:
                raise
            raise Rejected(
                "The options do not fit on a command line: one has a null character, or they are too long.",
                code="bad_executor_option", field="options", option="",
            ) from error  # fmt: skip
        try:
            async with asyncio.timeout(CHECK_S):
                said, _ = await process.communicate()
        except TimeoutError:
            raise Unavailable(
                f"{driver.executor} did not say within {CHECK_S:g} s whether it takes these options: try again.",
                code="check_timeout",
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise _refusal(driver, said)

    def keeps(self, name: str) -> bool:
        """Whether that driver is being kept alive."""
        return name in self._kept and not self._kept[name][0].done()

    async def problem(self, name: str) -> str:
        """The last that the log of that driver's present process says of what is wrong; empty where it says nothing."""
        return await asyncio.to_thread(self._read_problem, name)

    def _read_problem(self, name: str) -> str:
        path = self._folder / f"{name}.log"
        with suppress(OSError), path.open("rb") as file:
            file.seek(max(self._begun.get(name, 0), path.stat().st_size - _TAIL_BYTES))
            said = _SAID.findall(file.read().decode("utf-8", "replace"))
            return str(said[-1]) if said else ""
        return ""

    async def remove(self, name: str) -> None:
        """End that driver, if it is kept; returns when its process has gone."""
        if name in self._kept:
            task, stopping = self._kept.pop(name)
            stopping.set()
            await self._ended(task)

    async def stop(self) -> None:
        """End them all; returns when no process is left."""
        self._lab.embedded.run_by(None)
        kept = list(self._kept.values())
        self._kept.clear()
        for _, stopping in kept:
            stopping.set()
        await self._ended(*(task for task, _ in kept))
        await self._forks.stop()

    async def _ended(self, *tasks: asyncio.Task[None]) -> None:
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.error("an embedded driver: %s", outcome)

    async def _keep(self, driver: EmbeddedDriver, stopping: asyncio.Event, after: str | None) -> None:
        if after is not None:
            await _any(self._lab.embedded.linked(after), stopping.wait(), timeout_s=TURN_S)
        pause = BACKOFF_MIN_S
        while not stopping.is_set():
            since = time.monotonic()
            status = await self._run(driver, stopping)
            if stopping.is_set():
                return
            if time.monotonic() - since > STEADY_S:
                pause = BACKOFF_MIN_S
            log.warning(
                "The embedded driver %s ended with status %s (see %s); it starts again in %g s.",
                driver.name, status, self._log_file(driver), pause,
            )  # fmt: skip
            await _any(stopping.wait(), timeout_s=pause)
            pause = min(2 * pause, BACKOFF_MAX_S)

    async def _run(self, driver: EmbeddedDriver, stopping: asyncio.Event) -> int:
        """One life of the driver's process; its exit status."""
        token = await self._lab.embedded.token(driver.name)
        child_end, parent_end = os.pipe()  # a driver reads from its end, for the end of what the server holds open
        try:
            link = await self._forks.join(sorted(self._executors))
            with link, self._log_file(driver).open("ab") as output:
                self._begun[driver.name] = output.tell()
                # asyncio spawns from the thread of the loop, which in a Jupyter server is the main one: the kernel
                # takes the end of the spawning thread for the end of the parent.
                process = await asyncio.create_subprocess_exec(
                    *self._command(driver, child_end, link.fileno()),
                    env=environment(token), stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                    pass_fds=(child_end, link.fileno()), start_new_session=True, cwd=self._folder,
                )  # fmt: skip
            os.close(child_end)
            child_end = -1
            return await self._until_end(process, stopping)
        finally:
            os.close(parent_end)
            if child_end >= 0:
                os.close(child_end)

    async def _until_end(self, process: asyncio.subprocess.Process, stopping: asyncio.Event) -> int:
        ended = asyncio.ensure_future(process.wait())
        try:
            await _any(asyncio.shield(ended), stopping.wait())
            if not ended.done():
                process.terminate()
                await asyncio.wait([ended], timeout=DRAIN_S)
        finally:
            # Whatever is left of its session goes with it: no process outlives its driver.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return await ended

    def _command(self, driver: EmbeddedDriver, parent_fd: int, fork_fd: int) -> list[str]:
        return [
            sys.executable, "-m", "qpi_agent", "start",
            "--qpi-addr", self._address, "--name", driver.name, "--executor", driver.executor,
            "--places", str(driver.places), "--data-dir", str(self._folder / driver.name),
            "--parent-fd", str(parent_fd), "--fork-fd", str(fork_fd), *self._trust, *option_flags(driver.options),
        ]  # fmt: skip

    def _log_file(self, driver: EmbeddedDriver) -> Path:
        return self._folder / f"{driver.name}.log"


async def _any(*waits: Awaitable[object], timeout_s: float | None = None) -> None:
    """Until one of them is over, or that time is; the others end with it."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _refusal(driver: EmbeddedDriver, said: bytes) -> Rejected:
    """Why an executor refused; ``said`` is what it printed, nothing where it crashed."""
    try:
        error = QpiError.from_dict(json.loads(said))
    except ValueError:
        error = QpiError(f"{driver.executor} fails with these options.")
    named, message = error.data.get("field"), error.message
    if error.code == "unknown_executor":
        known = ", ".join(map(str, error.data.get("known", ()))) or "none"
        message = (
            f"This lab's server has no executor {driver.executor!r}. Installed: {known}. To get it: install its "
            "package where the server runs."
        )
    return Rejected(
        message, code="bad_executor_option", field="executor" if named == "executor" else "options", option=named
    )
