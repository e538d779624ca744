"""A child process: one executor, opened and warm; forked by `forkserver`.

A run child measures (`runs`); a check child parses, validates and estimates, and opens no instrument. It ends with
the agent in any case: the kernel kills it when its lifeline, a pipe that only the agent holds open, ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from qpi_executors import Executor, load
from qpi_executors.primitives import for_program, offered
from qpi_executors.registry import is_ours, require
from qpi_jupyter.core import Faulted, Manifest, Preview, Program, ProgramError, QpiError, Rejected, TooLarge
from qpi_jupyter.core.plugins import passing

from .messages import Channel, Check, Checked, Failed, Look, Looked, Open, Ready, Role, told
from .readings import Readings, reads

log = logging.getLogger(__name__)
if TYPE_CHECKING:
    from qpi_executors.compiling import Compiler
    from qpi_jupyter.core.reservations import Compiled

    from .runs import Runs

_IN_PARALLEL = "QISKIT_IN_PARALLEL"
"""While it is TRUE, Qiskit starts no threads."""


class Checks:
    """Validates and estimates, or previews, one program after the other."""

    def __init__(self, channel: Channel, executor: Executor) -> None:
        self._channel = channel
        self._executor = executor
        self._compiler: Compiler | None = None

    def serve(self) -> None:
        """Until the agent hangs up."""
        while True:
            command = self._channel.receive()
            if isinstance(command, Check | Look):
                self._channel.send(self._said(command))

    def _said(self, command: Check | Look) -> Checked | Looked:
        answer = Checked if isinstance(command, Check) else Looked
        try:
            return self._check(command) if isinstance(command, Check) else self._look(command.program.to_program())
        except QpiError as error:
            return answer(error=told(error))
        except MemoryError:
            what = "Checking" if isinstance(command, Check) else "Previewing"
            message = f"{what} the program needs more memory than its place has."
            return answer(error=told(TooLarge(message, code="out_of_memory")))
        except Exception as error:
            did = "checked" if isinstance(command, Check) else "previewed"
            message = f"The executor failed while it {did} the program: {type(error).__name__}: {error}"
            if passing(error):
                return answer(error=told(Faulted(message, code="check_failed")))
            return answer(error=told(ProgramError(message, code="check_failed")))

    def _check(self, command: Check) -> Checked:
        program = command.program.to_program()
        executor = for_program(self._executor, program)
        executor.validate(program)
        estimate = executor.estimate(program)
        if command.target is None:
            return Checked(estimate=estimate)
        return Checked(estimate=estimate, compiled=self._compile(program, command.target, command.seed))

    def _compile(self, program: Program, target: Manifest, seed: int) -> Compiled | None:
        """None where that cannot be said: the executor has its own ways, and has just said that it can run it."""
        from qpi_executors.compiling import Compiler

        self._compiler = self._compiler or Compiler()
        try:
            return self._compiler.compile(program, target, seed)
        except Exception:
            log.warning("a program was not compiled for the calibration of today", exc_info=True)
            return None

    def _look(self, program: Program) -> Looked:
        preview = for_program(self._executor, program).preview(program)
        if not isinstance(preview, Preview):
            raise TypeError(f"preview() returned {type(preview).__name__}, and no Preview.")
        return Looked(preview=preview)


def _open(command: Open) -> Executor:
    executor = load(command.executor, **command.options)
    manifest = executor.manifest
    if not (manifest.simulator or command.instrument_allowed):
        message = (
            f"{command.executor} drives an instrument: that has one place, "
            "and a driver of its own beside it that no server starts."
        )
        raise Rejected(message, code="instrument")
    if command.role != "read":
        _rehearse(executor)
    if command.role == "run":
        from .runs import warm_up

        require(command.executor)
        executor.open()
        warm_up()
    if command.memory_cap_bytes is not None:
        _cap_memory(command.memory_cap_bytes)
    return executor


def _rehearse(executor: Executor) -> None:
    """Check an example of each format, only for what that loads: an executor may well refuse it, and a guest's example
    be none."""
    for form in executor.formats:
        with contextlib.suppress(Exception):
            if form.name in executor.manifest.formats and (example := form.example()):
                program = Program(format=form.name, sources=(example,))
                executor.validate(program)
                executor.estimate(program)


def load_ahead(executors: Sequence[str]) -> None:
    """Load what all children need, and what those of the project's own executors do: called where they are forked.

    Nothing is opened, and no circuit run: libraries that have started threads cannot be forked. Guests are loaded in
    the children alone, where what does not load is also said.
    """
    with contextlib.suppress(Exception):
        from .runs import warm_up

        warm_up()
    # An executor may transpile what it checks, and Qiskit would start a pool of threads for that: its children, which
    # have none of these threads, would wait for them for ever.
    before = os.environ.get(_IN_PARALLEL)
    os.environ[_IN_PARALLEL] = "TRUE"
    try:
        for name in filter(is_ours, executors):
            with contextlib.suppress(Exception):
                _rehearse(load(name))
    finally:
        if before is None:
            del os.environ[_IN_PARALLEL]
        else:
            os.environ[_IN_PARALLEL] = before


def _worker(role: Role, channel: Channel, executor: Executor) -> Checks | Readings | Runs:
    if role == "check":
        return Checks(channel, executor)
    if role == "read":
        return Readings(channel, executor)
    from .runs import Runs

    return Runs(channel, executor)


def _cap_memory(cap: int) -> None:
    """Let a program take ``cap`` bytes beyond what this process has when it is idle.

    RLIMIT_DATA counts private writable memory. RLIMIT_AS would also count what is only reserved, which the libraries'
    thread pools do by the gigabyte; and they have written promises of as much before any program comes, hence the sum.
    """
    status = Path("/proc/self/status").read_text()
    idle = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:"))
    resource.setrlimit(resource.RLIMIT_DATA, (idle + cap, idle + cap))


def _end_with(lifeline: int) -> None:
    """Have the kernel kill this process when that pipe ends, whatever it does then: a simulator holds the GIL."""
    # Whom to signal belongs to an open file, and this one is shared with the other children.
    own = os.open(f"/proc/self/fd/{lifeline}", os.O_RDONLY)
    os.close(lifeline)
    fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(own, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(own, fcntl.F_SETFL, os.O_ASYNC)
    ended = select.poll()
    ended.register(own, 0)
    if ended.poll(0):  # before the lines above
        os._exit(1)


def _scatter() -> None:
    """No child draws the random numbers of another one: numpy's have no seed of their own after a fork."""
    if (numpy := sys.modules.get("numpy.random")) is not None:
        numpy.seed()


def _terminated(signum: int, stack: object) -> NoReturn:
    raise SystemExit(128 + signum)


def serve(sock: int, lifeline: int) -> None:
    """Serve the agent on that socket until it hangs up; SIGINT stays ignored, as where this process was forked."""
    _end_with(lifeline)
    _scatter()
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
            channel.send(Ready(manifest=executor.calibration().into(offered(executor)), reads=reads(executor)))
            _worker(command.role, channel, executor).serve()
        except QpiError as error:
            channel.send(Failed.of(error, 0.0))
        except Exception as error:
            problem = f"The executor failed: {type(error).__name__}: {error}"
            kind = Faulted if passing(error) else QpiError
            channel.send(Failed.of(kind(problem, code="executor_failed"), 0.0))
            raise
        finally:
            if executor is not None:
                executor.close()
