"""A child process: one executor, opened and warm. ``python -m qpi_agent.child SOCKET LIFELINE PARENT ROLE``.

A run child measures; a check child parses, validates and estimates, and opens no instrument. It ends with the agent in
any case: by the kernel's parent-death signal, and when the lifeline, a pipe that only the agent holds open, ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn

import xarray as xr

from qpi_executors import Executor, RunCancelled, load, run_program
from qpi_jupyter.core import Faulted, Program, ProgramError, QpiError, Rejected, TooLarge, programs_fault
from qpi_jupyter.core.plugins import passing
from qpi_jupyter.data.build import bits_dataset, counts_dataset
from qpi_jupyter.data.codec import encode, encode_to_file
from qpi_jupyter.data.conventions import CircuitInfo
from qpi_jupyter.data.header import result_header
from qpi_jupyter.wire.results import encode_header, prefix

from .messages import Cancel, Channel, Check, Checked, Failed, Key, Measured, Open, Progress, Ready, Run, Spooled
from .partial import Partials
from .spool import PART, sync_folder

_PR_SET_PDEATHSIG = 1
_PROGRESS_EVERY_S = 0.1
_TRACEBACK_CHARS = 8_000
"""So much of the end of a traceback."""
_IN_MEMORY_BYTES = 16 << 20
"""Up to here the blob is made in memory; above it passes through a file."""


def write_result(path: str | Path, datasets: Sequence[xr.Dataset]) -> None:
    """Write the result (see `qpi_jupyter.wire.results`); when this returns, ``path`` is on disk, whole.

    Raises
    ------
    OSError
        the disk is full, or the like; no ``path`` is left.
    """
    target = Path(path)
    part = target.with_name(target.name + PART)
    try:
        with part.open("wb") as file:
            if sum(dataset.nbytes for dataset in datasets) <= _IN_MEMORY_BYTES:
                blob = encode(datasets)
                file.write(_head(datasets, hashlib.sha256(blob).hexdigest(), len(blob)) + blob)
            else:
                _write_large(file, part.with_name(part.name + "-blob"), datasets)
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _warm_up() -> None:
    """Encode something small once, for what that loads."""
    info = CircuitInfo(name="warm-up", shots=1, memory_slots=1, n_qubits=1, creg_sizes=(("c", 1),))
    datasets = [counts_dataset(info, {0: 1}), bits_dataset(info, [[1]])]
    result_header(datasets)
    encode(datasets)


def _head(datasets: Sequence[xr.Dataset], sha256: str, nbytes: int) -> bytes:
    return prefix(encode_header(result_header(datasets), sha256=sha256, nbytes=nbytes))


def _write_large(file: BinaryIO, blob_path: Path, datasets: Sequence[xr.Dataset]) -> None:
    try:
        encode_to_file(datasets, blob_path)
        with blob_path.open("rb") as blob:
            sha256 = hashlib.file_digest(blob, "sha256").hexdigest()
            size = blob.seek(0, os.SEEK_END)
            file.write(_head(datasets, sha256, size))
            file.flush()
            offset = 0
            while offset < size:
                offset += os.sendfile(file.fileno(), blob.fileno(), offset, size - offset)
    finally:
        blob_path.unlink(missing_ok=True)


class Worker:
    """Answers commands, one after the other."""

    def __init__(self, channel: Channel, executor: Executor) -> None:
        self._channel = channel
        self._executor = executor
        self._cancelled = False
        self._progress_at = 0.0
        self._partials = Partials(channel.send)

    def serve(self) -> None:
        """Until the agent hangs up."""
        while True:
            command = self._channel.receive()
            if isinstance(command, Run):
                self._run(command)
            elif isinstance(command, Check):
                self._channel.send(self._check(command.program.to_program()))
            # A Cancel that comes here is about an attempt that has just ended.

    def _check(self, program: Program) -> Checked:
        try:
            self._executor.validate(program)
            return Checked(estimate=self._executor.estimate(program))
        except QpiError as error:
            return Checked(error=error.to_dict())
        except MemoryError:
            message = "Checking the program needs more memory than its place has."
            return Checked(error=TooLarge(message, code="out_of_memory").to_dict())
        except Exception as error:
            message = f"The executor failed while it checked the program: {type(error).__name__}: {error}"
            if passing(error):
                return Checked(error=Faulted(message, code="check_failed").to_dict())
            return Checked(error=ProgramError(message, code="check_failed").to_dict())

    def _run(self, command: Run) -> None:
        # As batch systems do: an executor that writes a log of its own can say there what it is about.
        os.environ.update(QPI_JOB_ID=command.key.job_id, QPI_ATTEMPT=str(command.key.attempt))
        self._cancelled, self._progress_at = False, 0.0
        start = time.perf_counter()
        try:
            program = command.program.to_program()
            self._partials.begin(program)
            datasets = run_program(
                self._executor,
                program,
                progress=self._progress,
                cancelled=lambda: self._asked_to_stop(command.key),
                partial=self._partials.heard,
            )
            busy_s = time.perf_counter() - start
            self._channel.send(Measured(busy_s=busy_s))
            write_result(command.path, datasets)
        except RunCancelled:
            self._channel.send(Failed(outcome="aborted", busy_s=time.perf_counter() - start))
        except (QpiError, OSError, MemoryError) as error:
            self._channel.send(_failed(error, time.perf_counter() - start))
        else:
            self._channel.send(Spooled(busy_s=busy_s))

    def _progress(self, fraction: float) -> None:
        self._partials.offer()
        now = time.monotonic()
        if now - self._progress_at >= _PROGRESS_EVERY_S and fraction < 1:
            self._progress_at = now
            self._channel.send(Progress(fraction=min(1.0, max(0.0, fraction))))

    def _asked_to_stop(self, key: Key) -> bool:
        self._partials.offer()
        while not self._cancelled and self._channel.waiting():
            command = self._channel.receive()
            self._cancelled = isinstance(command, Cancel) and command.key == key
        return self._cancelled


def _failed(error: BaseException, busy_s: float) -> Failed:
    cause = error.__cause__ or error
    if isinstance(cause, MemoryError) or "bad_alloc" in str(error):
        error = TooLarge("The program needs more memory than its place has.", code="out_of_memory")
    elif isinstance(error, OSError):
        error = Faulted(f"The driver cannot keep the result: {error}", code="spool_failed")
    assert isinstance(error, QpiError)
    return Failed(
        outcome="errored" if programs_fault(error) else "interrupted", error=error.to_dict(), busy_s=busy_s,
        traceback="".join(traceback.format_exception(cause)).rstrip()[-_TRACEBACK_CHARS:],
    )  # fmt: skip


def _open(command: Open) -> Executor:
    executor = load(command.executor, **command.options)
    manifest = executor.manifest
    if not (manifest.simulator or command.instrument_allowed):
        message = (
            f"{command.executor} drives an instrument: that has one place, "
            "and a driver of its own beside it that no server starts."
        )
        raise Rejected(message, code="instrument")
    for form in executor.formats:
        # Only for what it loads on the way: an executor may well refuse it, and a guest's example be none.
        with contextlib.suppress(Exception):
            if form.name in manifest.formats and (example := form.example()):
                program = Program(format=form.name, sources=(example,))
                executor.validate(program)
                executor.estimate(program)
    if command.role == "run":
        executor.open()
        _warm_up()
    if command.memory_cap_bytes is not None:
        _cap_memory(command.memory_cap_bytes)
    return executor


def _cap_memory(cap: int) -> None:
    """Let a program take ``cap`` bytes beyond what this process has when it is idle.

    RLIMIT_DATA counts private writable memory. RLIMIT_AS would also count what is only reserved, which the libraries'
    thread pools do by the gigabyte; and they have written promises of as much before any program comes, hence the sum.
    """
    status = Path("/proc/self/status").read_text()
    idle = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:"))
    resource.setrlimit(resource.RLIMIT_DATA, (idle + cap, idle + cap))


def _die_with(parent: int, lifeline: int) -> None:
    """End when the agent ends, however it ends and whatever this process does then."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it had ended before the line above
        os._exit(1)

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _terminated(signum: int, stack: object) -> NoReturn:
    raise SystemExit(128 + signum)


def main() -> None:
    """Serve the agent on the inherited socket."""
    sock, lifeline, parent = map(int, sys.argv[1:4])  # the role is there for people who look at the processes
    _die_with(parent, lifeline)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the agent's to interpret
    signal.signal(signal.SIGTERM, _terminated)
    channel = Channel(socket.socket(fileno=sock))
    executor = None
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            command = channel.receive()
            assert isinstance(command, Open)
            executor = _open(command)
            # What is loaded now stays: no collection has to look at it again.
            gc.collect()
            gc.freeze()
            channel.send(Ready(manifest=executor.manifest))
            Worker(channel, executor).serve()
        except QpiError as error:
            channel.send(_failed(error, 0.0))
        except Exception as error:
            problem = f"The executor failed: {type(error).__name__}: {error}"
            kind = Faulted if passing(error) else QpiError
            channel.send(_failed(kind(problem, code="executor_failed"), 0.0))
            raise
        finally:
            if executor is not None:
                executor.close()


if __name__ == "__main__":
    main()
