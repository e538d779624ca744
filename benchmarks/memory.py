"""What the demo holds in memory, all in all: JupyterLab's server, the lab in it, its drivers and a notebook's kernel.

Memory that processes share is counted once (PSS: each process has its part of it). The most is what counts: a
container of Binder's ends when it is exceeded.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import Request, urlopen

import psutil

from .harness import Figure

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "notebooks" / "01_quickstart.ipynb"
LIMIT_MIB = 1024.0
SAMPLE_S = 0.2
START_S = 120.0
RUN = """
import json, sys
from nbclient import NotebookClient
import nbformat
book = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(book, timeout=300, kernel_name="python3").execute()
"""


def run(*, quick: bool) -> Iterator[Figure]:
    """The quick start, as Binder starts it."""
    with tempfile.TemporaryDirectory(prefix="qpi-memory-") as folder, demo(Path(folder)) as (server, env):
        family = [server]
        started_s = cpu_s(family)
        idle = sum(pss_mib(family).values())
        with sampled(family) as seen:
            reader = subprocess.Popen([sys.executable, "-c", RUN, str(QUICKSTART)], env=env, cwd=folder)
            family.append(psutil.Process(reader.pid))
            if reader.wait() != 0:
                raise SystemExit("the quick start failed")
        most = max(seen, key=lambda sample: sum(sample.values()))
    yield Figure(name="demo until its simulators are online, CPU s in all", ratio=started_s, goal=None)
    yield Figure(name="demo before its first job, MiB in all", ratio=idle, goal=None)
    note = ", ".join(f"{name} {mib:.0f}" for name, mib in sorted(most.items(), key=lambda item: -item[1]))
    yield Figure(name="demo in the quick start, MiB in all", ratio=sum(most.values()), goal=LIMIT_MIB, note=note)


@contextmanager
def demo(folder: Path) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """JupyterLab with the demo in it, by ``binder/start``; the process, and the environment of a kernel of it."""
    token = secrets.token_hex(16)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("QPI_", "JPY_", "JUPYTER_"))}
    env |= {
        "QPI_LAB_DIR": str(folder / "lab"), "JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"), "HOME": str(folder),
    }  # fmt: skip
    command = [str(ROOT / "binder" / "start"), sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(["bash", *command], env=env, stdout=log, stderr=log, cwd=folder)
    try:
        owner = folder / "lab" / "owner.json"
        deadline = time.monotonic() + START_S
        while not _online(owner):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the demo did not start:\n{(folder / 'log').read_text()}")
            time.sleep(SAMPLE_S)
        record = json.loads(owner.read_text())
        yield psutil.Process(server.pid), env | {"QPI_LAB_URL": record["url"], "QPI_LAB_TOKEN": record["secret"]}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _online(owner: Path) -> bool:
    """Whether both QPUs are there."""
    with suppress(OSError, ValueError, KeyError):
        record = json.loads(owner.read_text())
        request = Request(f"{record['url']}qpi/v1/qpus", headers={"Authorization": f"Bearer {record['secret']}"})
        with urlopen(request, timeout=10) as answer:
            qpus = json.load(answer)["qpus"]
        return bool(qpus) and all(qpu["status"] == "online" for qpu in qpus)
    return False


@contextmanager
def sampled(roots: list[psutil.Process]) -> Iterator[list[dict[str, float]]]:
    """What the processes and all below them hold, again and again, until the block ends."""
    seen: list[dict[str, float]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(SAMPLE_S):
            seen.append(pss_mib(roots))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def cpu_s(roots: list[psutil.Process]) -> float:
    """What the processes and all below them have used of processors (s), with those of theirs that have ended."""
    used = 0.0
    for root in roots:
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                used += sum(process.cpu_times()[:4])
    return used


def pss_mib(roots: list[psutil.Process]) -> dict[str, float]:
    """MiB by what a process is."""
    found: dict[str, float] = {}
    for root in roots:
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error, OSError, StopIteration):
                text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                kib = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
                if (name := _name(process.cmdline())) is not None:
                    found[name] = found.get(name, 0.0) + kib / 1024
    return found


def _name(words: list[str]) -> str | None:
    """What a process of the demo is called; None for who runs the notebook, in the place of a browser."""
    line = " ".join(words)
    if RUN in line:
        return None
    for mark, name in (
        ("qpi_agent.forkserver", "children"), ("qpi_agent", "drivers"), ("ipykernel", "kernel"),
        ("jupyterlab", "server"), ("jupyter-lab", "server"),
    ):  # fmt: skip
        if mark in line:
            return name
    return "others"
