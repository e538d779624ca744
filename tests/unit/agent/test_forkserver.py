"""Where a driver's children come from: what they share, what they must not, and what its end leaves of them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

import numpy as np
import psutil
import pytest

from qpi_agent.messages import Check, Checked, Key, Measured, Open, Role, Run, Spooled
from qpi_agent.process import Child, ForkServer, spawn
from qpi_executors import CircuitExecutor
from qpi_jupyter.core import Faulted, Manifest
from qpi_jupyter.wire.frames import ProgramRef
from qpi_jupyter.wire.rest import OptionsIn
from qpi_jupyter.wire.results import MAGIC, PREFIX_BYTES, read_header
from tests.support.children import role_of
from tests.support.waiting import PATIENCE_S, lives, until

pytestmark = pytest.mark.slow

LOADED_BY = os.getpid()
DRAWN = int(np.random.randint(1 << 30))
GUEST = f"{__name__}:Guest"
FORKS = 50
WIDE = 15
"""So many qubits that Aer shares a circuit out to its threads."""


class Guest(CircuitExecutor):
    """Says which process has loaded it, and which random number that process has drawn."""

    def capabilities(self) -> Manifest:
        return Manifest(
            executor=str(LOADED_BY), executor_version=str(DRAWN), num_qubits=1, basis_gates=(), simulator=True
        )

    def run(self, *_: object, **__: object) -> NoReturn:
        raise AssertionError("nobody runs anything on it")


@asynccontextmanager
async def forking(executor: str = GUEST, given: int | None = None) -> AsyncIterator[ForkServer]:
    forks = ForkServer(executor, given)
    try:
        yield forks
    finally:
        forks.close()


async def child_of(forks: ForkServer, role: Role = "check", executor: str = GUEST) -> Child:
    child, _ = await spawn(Open(role=role, executor=executor), forks)
    return child


def parent_of(child: Child) -> psutil.Process:
    parent = psutil.Process(child.pid).parent()
    assert parent is not None
    return parent


async def gone(*pids: int) -> None:
    def left(pid: int) -> bool:
        with suppress(psutil.NoSuchProcess):
            return lives(psutil.Process(pid))
        return False

    await until(lambda: not any(map(left, pids)))


def program(qubits: int = 1, shots: int = 100) -> ProgramRef:
    gates = "\n".join(f"h q[{n}]; ry(0.1 * {n}) q[{n}];" for n in range(qubits))
    text = f'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[{qubits}] q;\nbit[{qubits}] c;\n{gates}\nc = measure q;\n'
    options = OptionsIn(shots=shots, seed_simulator=7)
    return ProgramRef(format="openqasm3", sha256="0" * 64, options=options, sources=[text.encode()])


def test_what_is_loaded_ahead_starts_no_threads() -> None:
    """A child that is forked beside the threads of Qiskit's pool would wait for them for ever."""

    async def story() -> None:
        async with forking("qblox") as forks:
            child = await child_of(forks, executor="mock")
            tasks = Path(f"/proc/{parent_of(child).pid}/task")
            names = [(tasks / task / "comm").read_text().strip() for task in os.listdir(tasks)]
            assert sorted(name for name in names if name != "jemalloc_bg_thd") == ["qpi-fork"]
            await child.stop(0.5)

    asyncio.run(story())


def test_a_child_has_only_what_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPI_ACCESS_TOKEN", "a secret")

    async def story() -> None:
        async with forking("mock") as forks:
            first, second = [await child_of(forks, executor="mock") for _ in range(2)]
            for child in (first, second):
                folder = Path(f"/proc/{child.pid}/fd")
                kinds = {number: os.readlink(folder / number).partition(":")[0] for number in os.listdir(folder)}
                assert kinds.pop("0") == "/dev/null"
                assert kinds.pop("1") == kinds.pop("2")
                assert sorted(kinds.values()) == ["pipe", "socket"]
                assert role_of(psutil.Process(child.pid)) == "check"
                assert len(os.listdir(f"/proc/{child.pid}/task")) == 1
            for process in (psutil.Process(first.pid), parent_of(first)):
                assert "QPI_ACCESS_TOKEN" not in process.environ()
            await asyncio.gather(first.stop(0.5), second.stop(0.5))

    asyncio.run(story())


def test_a_guest_is_loaded_by_each_child_for_itself() -> None:
    async def story() -> None:
        async with forking() as forks:
            found = [await spawn(Open(role="check", executor=GUEST), forks) for _ in range(2)]
            assert [manifest.executor for _, manifest in found] == [str(child.pid) for child, _ in found]
            drawn = {manifest.executor_version for _, manifest in found}
            assert len(drawn) == 2, "both drew the same random numbers"
            for child, _ in found:
                await child.stop(0.5)

    asyncio.run(story())


def test_how_a_child_ended_is_told() -> None:
    async def story() -> None:
        async with forking() as forks:
            for number, code in ((signal.SIGKILL, -9), (signal.SIGSEGV, -11), (signal.SIGTERM, 128 + 15)):
                child = await child_of(forks)
                assert forks.pids() == [child.pid]
                child.signal(number)
                died = await child.exited
                assert died.code == code
                assert died.from_outside is (number is not signal.SIGSEGV)
                assert 10 << 20 < died.peak_bytes < 1 << 30
                assert forks.pids() == []

    asyncio.run(story())


def test_children_outlive_the_fork_server_and_the_next_one_is_forked_by_a_new_one() -> None:
    async def story() -> None:
        async with forking("mock") as forks:
            child = await child_of(forks, executor="mock")
            first = parent_of(child)
            first.kill()
            await gone(first.pid)
            child.send(Check(program=program()))
            answer = await child.receive()
            assert isinstance(answer, Checked)
            assert answer.error is None
            other = await child_of(forks, executor="mock")
            assert parent_of(other).pid != first.pid
            child.signal(signal.SIGKILL)
            died = await child.exited
            assert (died.code, died.from_outside, str(died)) == (None, True, "the child process ended")
            await other.stop(0.5)

    asyncio.run(story())


def test_a_fork_server_that_dies_while_it_is_asked_leaves_nothing_behind() -> None:
    async def story() -> None:
        async with forking() as forks:
            child = await child_of(forks)
            server = parent_of(child)
            server.suspend()
            asked = [asyncio.create_task(child_of(forks)) for _ in range(3)]
            asked[0].cancel()
            await asyncio.sleep(0)
            server.kill()
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, Faulted, Faulted]
            await (await child_of(forks)).stop(0.5)
            await child.stop(0.5)

    asyncio.run(story())


def test_a_halted_fork_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with forking() as forks:
            child, other = [await child_of(forks) for _ in range(2)]
            server = parent_of(child)
            server.suspend()
            monkeypatch.setattr("qpi_agent.process.FORK_S", 0.1)
            child.signal(signal.SIGKILL)
            assert (await child.exited).code is None
            with pytest.raises(Faulted, match="does not answer"):
                await child_of(forks)
            await gone(server.pid)
            monkeypatch.setattr("qpi_agent.process.FORK_S", PATIENCE_S)
            assert other.alive
            await (await child_of(forks)).stop(0.5)
            await other.stop(0.5)

    monkeypatch.setattr("qpi_agent.process.NEWS_S", 0.1)
    asyncio.run(story())


def test_a_child_that_nobody_waits_for_any_more_ends() -> None:
    async def story() -> None:
        async with forking() as forks:
            child = await child_of(forks)
            parent_of(child).suspend()
            asked = asyncio.create_task(forks.fork("check"))
            await asyncio.sleep(0)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            parent_of(child).resume()
            other = await child_of(forks)  # its answer is not the other one's
            await until(lambda: sorted(forks.pids()) == sorted([child.pid, other.pid]))
            await asyncio.gather(child.stop(0.5), other.stop(0.5))

    asyncio.run(story())


def test_the_end_of_the_lifeline_kills_whatever_a_child_does() -> None:
    async def story() -> None:
        async with forking() as forks:
            halted, deaf = [await child_of(forks) for _ in range(2)]
            halted.signal(signal.SIGSTOP)
            await until(lambda: halted.halted)
            pids = halted.pid, deaf.pid, parent_of(deaf).pid
            parent_of(deaf).kill()  # so that only the kernel is left to see to it
        await gone(*pids)

    asyncio.run(story())


def test_drivers_share_a_fork_server_and_nothing_else() -> None:
    """As those of a server do."""

    async def story() -> None:
        owner, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "qpi_agent.forkserver", str(theirs.fileno())]
        with theirs:
            server = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

        def join() -> int:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                socket.send_fds(owner, [b"join"], [theirs.fileno()])
            return ours.detach()

        with owner:
            async with forking(given=join()) as ones:
                async with forking(given=join()) as others:
                    one, other = await child_of(ones), await child_of(others)
                    assert {parent_of(child).pid for child in (one, other)} == {server.pid}
                    assert (ones.pids(), others.pids()) == ([one.pid], [other.pid])
                await gone(other.pid)
                owner.close()
                assert await asyncio.to_thread(server.wait, PATIENCE_S) == 0
                assert one.alive
                child = await until_forked(ones)
                assert parent_of(child).ppid() == os.getpid()
                await asyncio.gather(one.stop(0.5), child.stop(0.5))

    async def until_forked(forks: ForkServer) -> Child:
        while True:
            try:
                return await child_of(forks)
            except Faulted:  # it was asked before its end was heard of
                continue

    asyncio.run(story())


@pytest.mark.slow
def test_threads_of_simulators_work_in_every_child(tmp_path: Path) -> None:
    """Counts are those of a child that has loaded everything by itself."""

    async def counts(forks: ForkServer, name: str) -> bytes:
        child = await child_of(forks, "run", "qiskit_aer")
        path = tmp_path / name
        child.send(Run(key=Key(name, 1), program=program(WIDE, shots=2000), path=str(path)))
        assert isinstance(await child.receive(), Measured)
        assert isinstance(await child.receive(), Spooled)
        assert len(os.listdir(f"/proc/{child.pid}/task")) > 1
        await child.stop(0.5)
        return path.read_bytes()

    async def story() -> None:
        async with forking("") as alone, forking("qiskit_aer") as forks, asyncio.timeout(PATIENCE_S):
            wanted = only_counts(await counts(alone, "alone"))
            assert len(wanted) > 1
            for number in range(FORKS):
                assert only_counts(await counts(forks, str(number))) == wanted

    asyncio.run(story())


def only_counts(result: bytes) -> object:
    size = int.from_bytes(result[len(MAGIC) : PREFIX_BYTES], "big")
    return read_header(result[PREFIX_BYTES:][:size]).circuits[0].counts
