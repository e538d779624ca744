"""A child process: one executor, opened and warm. ``python -m qpi_agent.child SOCKET LIFELINE PARENT``.

A run child measures; a check child parses, validates and estimates, and opens no instrument. It ends with the agent in
any case: by the kernel's parent-death signal, and when the lifeline, a pipe that only the agent holds open, ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import qpi_executors.programs as _qiskit_too  # noqa: F401 - what the first run would load while its time counts
from qpi_executors import Executor, RunCancelled, load, run_program
from qpi_jupyter.core.errors import Faulted, ProgramError, QpiError, Rejected, TooLarge
from qpi_jupyter.core.programs import Program, ProgramFormat

from . import encoding
from .messages import Cancel, Channel, Check, Checked, Failed, Key, Measured, Open, Progress, Ready, Run, Spooled

_PR_SET_PDEATHSIG = 1
_PROGRESS_EVERY_S = 0.1
_AT_FAULT = (Rejected, TooLarge)
"""Errors that the program is to blame for."""
_WARM_UP = {
    ProgramFormat.OPENQASM2: b'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; x q[0]; measure q[0]->c[0];',
    ProgramFormat.OPENQASM3: b'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit[1] c; x q[0]; c = measure q;',
}


class Worker:
    """Answers commands, one after the other."""

    def __init__(self, channel: Channel, executor: Executor) -> None:
        self._channel = channel
        self._executor = executor
        self._cancelled = False
        self._progress_at = 0.0

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
            return Checked(error=ProgramError(message, code="check_failed").to_dict())

    def _run(self, command: Run) -> None:
        # As batch systems do: an executor that writes a log of its own can say there what it is about.
        os.environ.update(QPI_JOB_ID=command.key.job_id, QPI_ATTEMPT=str(command.key.attempt))
        self._cancelled, self._progress_at = False, 0.0
        start = time.perf_counter()
        try:
            datasets = run_program(
                self._executor,
                command.program.to_program(),
                progress=self._progress,
                cancelled=lambda: self._asked_to_stop(command.key),
            )
            busy_s = time.perf_counter() - start
            self._channel.send(Measured(busy_s=busy_s))
            encoding.write_result(command.path, datasets)
        except RunCancelled:
            self._channel.send(Failed(outcome="aborted", busy_s=time.perf_counter() - start))
        except (QpiError, OSError, MemoryError) as error:
            self._channel.send(_failed(error, time.perf_counter() - start))
        else:
            self._channel.send(Spooled(busy_s=busy_s))

    def _progress(self, fraction: float) -> None:
        now = time.monotonic()
        if now - self._progress_at >= _PROGRESS_EVERY_S and fraction < 1:
            self._progress_at = now
            self._channel.send(Progress(fraction=min(1.0, max(0.0, fraction))))

    def _asked_to_stop(self, key: Key) -> bool:
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
        outcome="errored" if isinstance(error, _AT_FAULT) else "interrupted", error=error.to_dict(), busy_s=busy_s
    )


def _open(command: Open) -> Executor:
    executor = load(command.executor, **command.options)
    manifest = executor.capabilities()
    if not (manifest.simulator or command.instrument_allowed):
        message = (
            f"{command.executor} drives an instrument: that has one place, "
            "and a driver of its own beside it that no server starts."
        )
        raise Rejected(message, code="instrument")
    for form, source in _WARM_UP.items():
        if form in manifest.formats:
            # Only for what it loads on the way: an executor may well refuse it.
            with contextlib.suppress(QpiError):
                program = Program(format=form, sources=(source,))
                executor.validate(program)
                executor.estimate(program)
    if command.role == "run":
        executor.open()
        encoding.warm_up()
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
    sock, lifeline, parent = map(int, sys.argv[1:4])
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
            channel.send(Ready(manifest=executor.capabilities()))
            Worker(channel, executor).serve()
        except QpiError as error:
            channel.send(_failed(error, 0.0))
        except Exception as error:
            problem = f"The executor failed: {type(error).__name__}: {error}"
            channel.send(_failed(Faulted(problem, code="executor_failed"), 0.0))
            raise
        finally:
            if executor is not None:
                executor.close()


if __name__ == "__main__":
    main()
