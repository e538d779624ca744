"""``python -m benchmarks.demo``: a lab, a notebook and what came out, on a terminal.

Starts ``jupyter qpi --demo`` on a free loopback port with an empty data folder, executes a notebook against it, writes
the executed notebook and prints a line for every job. The exit status is 0 only if every cell ran, every job completed
and every circuit's counts add up to its shots.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from qpi_jupyter.core import counted

START_S = 60.0
CELL_S = 120


def main(argv: list[str] | None = None) -> int:
    """Run the demo; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--notebook", type=Path, required=True, help="the notebook to execute")
    parser.add_argument("--out", type=Path, default=Path(".demo"), help="folder of the executed notebook and the log")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    executed = args.out / args.notebook.name
    with tempfile.TemporaryDirectory(prefix="qpi-demo-") as folder, demo_lab(Path(folder), args.out / "lab.log") as lab:
        print(f"lab        {lab.url}")
        failure = execute(args.notebook, executed, lab)
        jobs = lab.get("qpi/v1/jobs?limit=200")["jobs"]
        problems = [failure] if failure else []
        problems += [problem for job in reversed(jobs) for problem in report(job, lab)]
    if not jobs:
        problems.append("the notebook submitted no job")
    print(f"notebook   {executed}")
    for problem in problems:
        print(f"wrong      {problem}", file=sys.stderr)
    print("demo       " + ("failed" if problems else f"all right: {counted(len(jobs), 'job')}"))
    return 1 if problems else 0


class DemoLab:
    """A running demo lab: its address, token, data folder and process id, and GET."""

    def __init__(self, url: str, token: str, folder: Path, pid: int) -> None:
        self.url, self.token, self.folder, self.pid = url, token, folder, pid

    def get(self, path: str) -> Any:
        request = Request(f"{self.url}{path}", headers={"Authorization": f"token {self.token}"})
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextmanager
def demo_lab(
    folder: Path, log: Path, module: str = "qpi_server.tools.standalone", options: Sequence[str] = ()
) -> Iterator[DemoLab]:
    """``jupyter qpi --demo`` (or what ``module`` makes of it) in a process of its own, until the block ends."""
    token = secrets.token_hex(16)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("QPI_", "JPY_"))}
    env |= {
        "QPI_LAB_DIR": str(folder / "lab"),
        "JUPYTER_TOKEN": token,
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
    }
    command = [sys.executable, "-m", module, "--demo", "--port", "0", "--ServerApp.ip=127.0.0.1", *options]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    with log.open("wb") as stream:
        server = subprocess.Popen(command, env=env, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
        try:
            yield _when_ready(server, folder, token, log)
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _when_ready(server: subprocess.Popen[bytes], folder: Path, token: str, log: Path) -> DemoLab:
    """The lab once both demo QPUs are online."""
    deadline = time.monotonic() + START_S
    owner = folder / "lab" / "owner.json"
    seen = "no address yet"
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit(f"the server ended with status {server.returncode}:\n{log.read_text()}")
        try:
            lab = DemoLab(json.loads(owner.read_text())["url"], token, folder, server.pid)
            qpus = lab.get("qpi/v1/qpus")["qpus"]
            if qpus and all(qpu["status"] == "online" for qpu in qpus):
                return lab
            seen = ", ".join(f"{qpu['name']} {qpu['status']}" for qpu in qpus)
        except (OSError, ValueError, KeyError) as error:
            seen = str(error)
        time.sleep(0.05)
    raise SystemExit(f"the demo lab was not ready within {START_S:g} s ({seen}):\n{log.read_text()}")


def execute(notebook: Path, executed: Path, lab: DemoLab) -> str | None:
    """Run every cell of ``notebook`` against ``lab`` and write the outcome; what went wrong, or None."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    book = nbformat.read(notebook, as_version=4)
    env = {**os.environ, "QPI_LAB_URL": lab.url, "QPI_LAB_TOKEN": lab.token}
    resources = {"metadata": {"path": str(executed.parent)}}
    client = NotebookClient(book, timeout=CELL_S, kernel_name="python3", resources=resources)
    try:
        client.execute(env=env)
    except CellExecutionError as error:
        return str(error)
    finally:
        nbformat.write(book, executed)
    return None


def report(job: dict[str, Any], lab: DemoLab) -> list[str]:
    """Print one job's line; what is wrong with it."""
    problems: list[str] = []
    shown = ""
    if job["status"] != "completed":
        why = (job.get("error") or {}).get("message", "")
        problems.append(f"job {job['id']} is {job['status']}: {why}")
    else:
        results = lab.get(f"qpi/v1/jobs/{job['id']}/result")["results"]
        for result in results:
            counts = result["data"].get("counts")
            if result["meas_level"] == 2 and sum((counts or {}).values()) != result["shots"]:
                problems.append(f"job {job['id']}: the counts do not add up to {result['shots']} shots")
        shown = _shown(lab.get(f"qpi/v1/jobs/{job['id']}"))
    took = f"{job['busy_s']:.3f} s" if job.get("busy_s") is not None else "-"
    print(f"job        {job['id']}  {job['qpu'] or '-':8} {job['status']:10} {took:>9}  {shown}")
    return problems


def _shown(job: dict[str, Any]) -> str:
    """The first circuit's counts, in a few words."""
    if not job["counts"] or not job["counts"][0]:
        return "no counts: see the dataset"
    counts = job["counts"][0]
    top = sorted(counts.items(), key=lambda item: -item[1])[:4]
    more = "" if len(counts) <= len(top) else f" and {len(counts) - len(top)} more"
    return ", ".join(f"{key}: {n}" for key, n in top) + more


if __name__ == "__main__":
    sys.exit(main())
