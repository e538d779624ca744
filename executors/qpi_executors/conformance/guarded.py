"""Pytest in a process that the executor may end: whoever started it hears that, and never takes it as passed."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from types import FrameType
from typing import BinaryIO, NoReturn

import pytest

PR_SET_PDEATHSIG = 1
FINISHED = b"\n"
"""What stands before the status of the run, once pytest came to its own end."""
ONE_INTERRUPT_S = 1.0
"""Ctrl-C reaches a child by its terminal and once more by its parent: within this time that is one interrupt."""


class Told:
    """A plugin of the process that runs the tests: it writes down at which it is, where its parent can read it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def write(self, text: bytes) -> None:
        """Let this alone stand in the file."""
        self.file.seek(0)
        self.file.truncate()
        self.file.write(text)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self.write(nodeid.encode())


def is_child(config: pytest.Config) -> bool:
    """Whether this is the process that runs the tests."""
    return any(isinstance(plugin, Told) for plugin in config.pluginmanager.get_plugins())


def forked(config: pytest.Config) -> int:
    """Run the tests in a child; return the status of the run.

    That is what pytest says there, except where the child ended before pytest came to its end: then it is never 0.
    The child never comes back to the caller, and an interrupt of this process reaches it.
    """
    with tempfile.TemporaryFile(buffering=0) as file:
        flush()  # what waits to be written is the caller's: the child would write it, too
        child = os.fork()
        if not child:
            run(config, Told(file))
        ended = waited_for(child)
        file.seek(0)
        told = file.read()
    if told.startswith(FINISHED):
        return int(told)
    place = f"in {told.decode()}" if told else "before the first test"
    how = f"exited with status {ended}" if ended >= 0 else f"was ended by {signal.Signals(-ended).name}"
    print(f"\nERROR: The process of the tests {how} {place}: the run is incomplete. "
          "An executor must not end its process, for example by os._exit.", file=sys.stderr)  # fmt: skip
    return pytest.ExitCode.INTERRUPTED


def waited_for(child: int) -> int:
    """How the child ends: its status, or the negative number of the signal. Until then interrupts are passed on."""

    def forward(number: int, _: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    before = signal.getsignal(signal.SIGINT)
    if callable(before):
        signal.signal(signal.SIGINT, forward)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        signal.signal(signal.SIGINT, before)


def run(config: pytest.Config, told: Told) -> NoReturn:
    """What the child does, from its fork to its end."""
    status: int = pytest.ExitCode.INTERNAL_ERROR
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        atexit._clear()  # noqa: SLF001  # those of the caller: they are not the child's to run
        hear_once()
        config.pluginmanager.register(told)
        status = config.hook.pytest_cmdline_main(config=config)
    except pytest.UsageError as error:
        status = pytest.ExitCode.USAGE_ERROR
        print(*(f"ERROR: {line}\n" for line in error.args), sep="", file=sys.stderr)
    except BaseException:  # nothing may pass into the caller
        traceback.print_exc()
    finally:
        try:
            told.write(FINISHED + str(int(status)).encode())
            atexit._run_exitfuncs()  # noqa: SLF001  # the executor's
            flush()
        finally:
            os._exit(status)


def hear_once() -> None:
    """Let interrupts that come together be one."""
    before, heard = signal.getsignal(signal.SIGINT), float("-inf")

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        last, heard = heard, time.monotonic()
        if heard - last > ONE_INTERRUPT_S and callable(before):
            before(number, frame)

    if callable(before):
        signal.signal(signal.SIGINT, hear)


def flush() -> None:
    """Write out what was printed."""
    sys.stdout.flush()
    sys.stderr.flush()
