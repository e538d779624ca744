"""A lab in a process of its own, while it is needed."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from qpi_jupyter.client import Lab, connect
from qpi_jupyter.core import Faulted, fakes
from qpi_jupyter.wire.bench import SimulatorIn, SimulatorList

START_S = 120.0
"""How long a lab may take to start, on a machine that has other things to do."""
_PAUSE_S = 0.05
_STOP_S = 20.0
_FAKES = SimulatorIn(name="fakes", executor=fakes.HOST)
_COMMAND = (
    sys.executable, "-m", "qpi_server.tools.standalone", "--port=0", "--ServerApp.ip=127.0.0.1", "--allow-root"
)  # fmt: skip
T = TypeVar("T")


@contextmanager
def local_lab(folder: Path) -> Iterator[Lab]:
    """A lab with the simulated QPUs ``sim-a`` and ``sim-b`` and with IBM's fake backends, which `connect` finds.

    Everything of it lies in ``folder``: of the labs, settings and accounts of this machine it uses and changes nothing.

    Raises
    ------
    Faulted
        it did not start; the message ends with what its log says.
    """
    with served(folder, "--demo") as served_lab:
        lab = served_lab.lab
        made = lab.http.call("POST", "v1/simulators", SimulatorList, body=_FAKES, once=True)
        served_lab.wait_online({one.qpu for one in lab.http.portal.run(made).simulators})
        yield lab


@dataclass(frozen=True)
class ServedLab:
    """A lab, and the process that serves it."""

    lab: Lab
    process: subprocess.Popen[bytes]
    log: Path

    def wait_online(self, qpus: Collection[str | None]) -> None:
        """Wait until these take jobs.

        Raises
        ------
        Faulted
            they do not, or the lab has ended.
        """
        names = set(qpus)
        _wait(lambda: names <= {qpu.name for qpu in self.lab.qpus() if qpu.status == "online"}, self.process, self.log)


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[ServedLab]:
    """A lab in a process of its own, with the arguments of ``jupyter qpi``, which `connect` finds.

    Raises
    ------
    Faulted
        as `local_lab`.
    """
    token, log = secrets.token_hex(16), folder / "lab.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_COMMAND, *arguments], env=_environment(folder, token), cwd=folder, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        file = folder / "runtime" / f"jpserver-{process.pid}.json"
        url: str = _wait(lambda: _written(file), process, log)["url"]
        lab = connect(url, token, retry_s=START_S)
        try:
            yield ServedLab(lab, process, log)
        finally:
            lab.close()
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and end it where it does not."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment(folder: Path, token: str) -> dict[str, str]:
    """This process's own, without what it says of other labs and of other Jupyter servers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QPI_", "JUPYTER", "JPY_"))}
    places = {f"JUPYTER_{kind.upper()}_DIR": str(folder / kind) for kind in ("runtime", "config", "data")}
    return {**kept, **places, "QPI_LAB_DIR": str(folder / "lab"), "JUPYTER_TOKEN": token, "JUPYTER_NO_CONFIG": "1"}


def _written(file: Path) -> dict[str, str] | None:
    try:
        found: dict[str, str] = json.loads(file.read_text())
    except (OSError, ValueError):  # not yet, or not wholly
        return None
    return found


def _wait(there: Callable[[], T | None], process: subprocess.Popen[bytes], log: Path) -> T:
    end = time.monotonic() + START_S
    while not (found := there()):
        if process.poll() is not None or time.monotonic() > end:
            raise Faulted(f"The lab did not start:\n{log.read_text(errors='replace')[-4000:]}", code="no_start")
        time.sleep(_PAUSE_S)
    return found
