"""A real ``qpi-agent`` process under test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil

from tests.support.children import children_below
from tests.support.waiting import survivors

from .scripted_lab import PATIENCE_S, TOKEN

ROOT = Path(__file__).parents[2]
OURS = ("mock", "qblox", "quantify", "qiskit_aer")
"""The product's own executors, which keep no diary."""


class AgentProcess:
    """``python -m qpi_agent start`` with the test's arguments; what it logs is in ``log``."""

    def __init__(
        self, folder: Path, url: str, *arguments: str, executor: str, env: dict[str, str] | None = None
    ) -> None:
        self.data_dir = folder / "data"
        self.diary = folder / "diary.jsonl"
        self.log_path = folder / "agent.log"
        command = [sys.executable, "-m", "qpi_agent", "start", "--qpi-addr", url, "--name", "test"]
        command += [
            "--executor",
            executor if ":" in executor or executor in OURS else f"tests.faults.executors:{executor}",
        ]
        kept = [] if executor in OURS else ["-o", f"diary={self.diary}"]
        command += ["--data-dir", str(self.data_dir), *kept, *arguments]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "QPI_ACCESS_TOKEN": TOKEN, "PYTHONPATH": _path(), **(env or {})},
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def children(self, *roles: str) -> list[psutil.Process]:
        """Its children now."""
        return children_below(self.process.pid, *roles)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit status, when it has ended."""
        return await asyncio.to_thread(self.process.wait, PATIENCE_S)

    def spooled(self) -> list[str]:
        return sorted(path.name for path in (self.data_dir / "spool").iterdir())

    def archived(self) -> list[str]:
        return sorted(path.name for path in (self.data_dir / "archive").iterdir())


@contextlib.asynccontextmanager
async def agent(
    folder: Path, url: str, *arguments: str, executor: str = "RecordingExecutor"
) -> AsyncIterator[AgentProcess]:
    """An agent that is gone, children and all, after the block; a failed test shows its log."""
    running = AgentProcess(folder, url, *arguments, executor=executor)
    try:
        yield running
    except BaseException:
        print(running.log)
        raise
    finally:
        with ended_with(running):
            pass


@contextlib.contextmanager
def ended_with(running: AgentProcess) -> Iterator[None]:
    """Kill the agent after the block if it still runs, and prove that its children end with it."""
    try:
        yield
    finally:
        alive = running.process.poll() is None
        children = psutil.Process(running.process.pid).children(recursive=True) if alive else []
        running.process.kill()
        running.process.wait(PATIENCE_S)
        orphans = survivors(children, 10)
        for orphan in orphans:
            orphan.kill()
        assert not orphans, f"orphans: {orphans}"


def _path() -> str:
    extra = [str(ROOT), str(ROOT / "executors"), str(ROOT / "server_extension")]
    return os.pathsep.join([*extra, *filter(None, [os.environ.get("PYTHONPATH")])])
