"""Executors that misbehave, and one that keeps a diary: named doubles for tests of drivers.

``tests.faults.executors:SlowExecutor`` and so on is what ``--executor`` takes, with the repository's root as the
current folder. None of them looks at the program, so none needs Qiskit to be quick.

Every run is first appended, synced, to the file that the option ``diary`` names: what really ran is counted there and
not in anybody's database. A line is JSON: ``{"job_id", "attempt", "label", "sha256", "pid", "event"}``; the label is
the program's first line.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from qpi_executors import CircuitExecutor, ExecutorOptions, RunCancelled
from qpi_jupyter.core.calibrations import Calibration
from qpi_jupyter.core.errors import Faulted, ProgramError
from qpi_jupyter.core.manifest import Estimate, GateProperties, Manifest, QubitProperties
from qpi_jupyter.core.programs import Program
from qpi_jupyter.data.build import counts_dataset
from qpi_jupyter.data.conventions import CircuitInfo

Progress = Callable[[float], None]
Cancelled = Callable[[], bool]


def read_diary(path: Path) -> list[dict[str, Any]]:
    """Every line of a diary; none where nothing ran."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class RecordingExecutor(CircuitExecutor):
    """Writes its diary, measures for ``seconds`` and hears cancels; all shots give ``0x3``.

    A program whose first line ends with ``ERR`` is refused while it runs.
    """

    class Options(ExecutorOptions, frozen=True, kw_only=True):
        diary: str | None = None
        """The file that every run is appended to."""
        seconds: float = 0.0
        """How long a run takes."""
        simulator: bool = True
        memory_bytes: int = 1
        """What the estimate says."""
        check_s: float = 0.0
        """How long a check takes."""

    def capabilities(self) -> Manifest:
        return Manifest(
            executor="recording",
            executor_version="1",
            num_qubits=2,
            basis_gates=("h", "cx"),
            simulator=self.options.simulator,
        )

    def validate(self, program: Program) -> None:
        if program.sources[0].startswith(b"BAD"):
            raise ProgramError("The program starts with BAD.", circuit=0, line=1, column=1)
        time.sleep(self.options.check_s)

    def estimate(self, program: Program) -> Estimate:
        seconds = self.options.seconds
        return Estimate(estimate_s=seconds, upper_s=2 * seconds + 1, memory_bytes=self.options.memory_bytes)

    def run(self, program: Program, *, progress: Progress, cancelled: Cancelled) -> list[xr.Dataset]:
        self.record(program, "run")
        if program.sources[0].splitlines()[0].endswith(b"ERR"):
            raise ProgramError("The program ends with ERR.", circuit=0, line=1)
        self.work(progress, cancelled)
        return [
            counts_dataset(
                CircuitInfo(
                    name="bell", circuit=index, shots=shots, memory_slots=2, n_qubits=2, creg_sizes=(("c", 2),)
                ),
                {3: shots},
            )
            for index, shots in enumerate(
                program.circuit_options(i).shots or program.options.shots for i in range(len(program.sources))
            )
        ]

    def work(self, progress: Progress, cancelled: Cancelled) -> None:
        """What a run does besides writing the diary."""
        start = time.monotonic()
        while (passed := time.monotonic() - start) < self.options.seconds:
            if cancelled():
                raise RunCancelled
            progress(passed / self.options.seconds)
            time.sleep(0.005)

    def record(self, program: Program, event: str) -> None:
        if self.options.diary is None:
            return
        label = program.sources[0].splitlines()[0].decode("utf-8", "replace")
        line = json.dumps({
            "job_id": os.environ["QPI_JOB_ID"], "attempt": int(os.environ["QPI_ATTEMPT"]), "label": label,
            "sha256": program.sha256, "pid": os.getpid(), "event": event,
        })  # fmt: skip
        fd = os.open(self.options.diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(fd, line.encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)


class ThermometerExecutor(RecordingExecutor):
    """Reads the file of the option ``fridge``: a temperature, or what is to go wrong (raise, exit, hang, odd, new)."""

    class Options(RecordingExecutor.Options, frozen=True, kw_only=True):
        fridge: str = ""
        """The file."""

    calls = 0

    def readings(self) -> dict[str, tuple[float | None, str]]:
        word = Path(self.options.fridge).read_text()
        match word:
            case "raise":
                raise OSError("the fridge does not answer")
            case "exit":
                os._exit(3)
            case "hang":
                signal.pause()
            case "new":  # names that never were before
                self.calls += 1
                return {f"{self.calls}/{n}": (1.0, "") for n in range(150)}
            case "odd":
                return {"mxc/temperature": (0.02, "K"), "driver/cpu": (1.0, "%"), "still": 0.9, "p1": ("low", "mbar")}  # type: ignore[dict-item]
        return {"mxc/temperature": (float(word), "K"), "compressor": (None, "bar")}


class SlowExecutor(RecordingExecutor):
    """Runs for an hour unless told otherwise, and stops when asked."""

    class Options(RecordingExecutor.Options, frozen=True, kw_only=True):
        seconds: float = 3600.0


class NeverExecutor(RecordingExecutor):
    """Never ends and never asks whether to: only SIGTERM stops it."""

    def work(self, progress: Progress, cancelled: Cancelled) -> None:
        while True:
            signal.pause()


class BlockedExecutor(RecordingExecutor):
    """Sits in C code like a simulator or a vendor's library: only SIGKILL stops it."""

    def work(self, progress: Progress, cancelled: Cancelled) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        while True:
            ctypes.CDLL(None).pause()


class CrashingExecutor(RecordingExecutor):
    """Takes its process down in the middle of a run."""

    def work(self, progress: Progress, cancelled: Cancelled) -> None:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)


class MemoryHog(RecordingExecutor):
    """Takes all the memory that it can get."""

    def work(self, progress: Progress, cancelled: Cancelled) -> None:
        hoard = []
        while True:
            hoard.append(b"\1" * (16 << 20))


class FaultyExecutor(RecordingExecutor):
    """An instrument that reports a fault in every run."""

    def work(self, progress: Progress, cancelled: Cancelled) -> None:
        raise Faulted("The mixer does not answer.", code="mixer")


class BombExecutor(RecordingExecutor):
    """Its check never ends for programs that start with BOMB."""

    def validate(self, program: Program) -> None:
        super().validate(program)
        while program.sources[0].startswith(b"BOMB"):
            ctypes.CDLL(None).pause()


class GatedExecutor(RecordingExecutor):
    """The check of a program that starts with GATE goes on once the file of the option ``gate`` is there; whoever
    begins one writes its process into that file's ``.asked``. CRASH takes the process down."""

    class Options(RecordingExecutor.Options, frozen=True, kw_only=True):
        gate: str = ""
        """The file that opens the gate."""

    def validate(self, program: Program) -> None:
        super().validate(program)
        source, gate = program.sources[0], Path(self.options.gate)
        if source.startswith(b"CRASH"):
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        if source.startswith(b"GATE"):
            with gate.with_suffix(".asked").open("a") as asked:
                print(os.getpid(), file=asked)
            while not gate.exists():
                time.sleep(0.01)


class DriftingExecutor(RecordingExecutor):
    """Has another calibration after each run: ``drift-0``, ``drift-1``, ..., and T1 in microseconds grows with it.

    One in ten bits is read wrong; a cx gate errs once in a hundred times.
    """

    class Options(RecordingExecutor.Options, frozen=True, kw_only=True):
        breaks_after: int = -1
        """After so many runs it calibrates a qubit that it does not have."""

    runs = 0

    def calibration(self) -> Calibration:
        if self.runs == self.options.breaks_after:
            return Calibration(id="broken", qubits=(QubitProperties(),) * 3)
        qubit = QubitProperties(t1_s=1e-6 * (1 + self.runs), readout_error=0.1)
        cx = GateProperties(gate="cx", qubits=(0, 1), error=0.01, duration_s=1e-9)
        return Calibration(id=f"drift-{self.runs}", qubits=(qubit, qubit), gates=(cx,))

    def work(self, progress: Progress, cancelled: Cancelled) -> None:
        super().work(progress, cancelled)
        self.runs += 1


class HeldExecutor(RecordingExecutor):
    """A run goes on until the file of the option ``gate`` is there."""

    class Options(RecordingExecutor.Options, frozen=True, kw_only=True):
        gate: str = ""
        """The file that ends every run."""

    def work(self, progress: Progress, cancelled: Cancelled) -> None:
        while not Path(self.options.gate).exists():
            if cancelled():
                raise RunCancelled
            time.sleep(0.01)


class ColdExecutor(HeldExecutor, ThermometerExecutor):
    """A run goes on until a file is there, and another file is the fridge."""

    class Options(HeldExecutor.Options, frozen=True, kw_only=True):
        fridge: str = ""
        """The file of the temperature."""
