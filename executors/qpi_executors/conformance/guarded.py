"""Pytest in a process that the executor may end: whoever started it hears that, and never takes it as passed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
from typing import BinaryIO

import pytest

PR_SET_PDEATHSIG = 1
FINISHED = b"\n"
"""What stands behind the last test where pytest came to its own end."""


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

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Pytest comes to its end, whatever it found."""
        self.write(FINISHED)


def forked(config: pytest.Config) -> int | None:
    """Go on in a child, where None is returned; in the process that was started, return the status of the run.

    That status is the child's own, except where the child ended before pytest came to its end: then it is never 0.
    """
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # both processes keep it to their end
    child = os.fork()
    if not child:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        config.pluginmanager.register(Told(file))
        return None
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child hears Ctrl-C itself, and ends as pytest does
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    file.seek(0)
    told = file.read()
    if told == FINISHED:
        return status
    place = f"in {told.decode()}" if told else "before the first test"
    ended = f"exited with status {status}" if status >= 0 else f"was ended by {signal.Signals(-status).name}"
    print(f"\nERROR: The process of the tests {ended} {place}: nothing is checked. "
          "An executor must not end its process, for example by os._exit.", file=sys.stderr)  # fmt: skip
    return pytest.ExitCode.INTERRUPTED
