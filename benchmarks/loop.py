"""How long anything holds the server's event loop, while 22-qubit jobs run and 1 MiB programs arrive."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import qpi_jupyter

from .bare import layered
from .harness import Figure, server


def run(*, quick: bool) -> Iterator[Figure]:
    """The longest callback of the server, in seconds, against the goal of 50 ms."""
    with tempfile.TemporaryDirectory(prefix="qpi-loop-") as folder:
        target = Path(folder) / "loop.json"
        os.environ["BENCH_LOOP_FILE"] = str(target)
        with server("benchmarks.watched") as demo:
            client = qpi_jupyter.connect(demo.url, token=demo.token)
            _worst(demo.pid, target)
            heavy = layered(22, 6)
            running = [client.submit(heavy, qpu="sim-a", shots=1024) for _ in range(2 if quick else 6)]
            big = (
                "OPENQASM 2.0;\n"
                + "// "
                + "x" * 1_040_000
                + '\ninclude "qelib1.inc";\nqreg q[1]; creg c[1]; measure q -> c;\n'
            )
            arriving = [client.submit(big, qpu="sim-b", shots=10) for _ in range(8 if quick else 40)]
            for job in running + arriving:
                job.counts()
            worst = _worst(demo.pid, target)
            client.close()
    yield Figure(
        name="longest hold of the server's event loop, seconds",
        ratio=worst["wall_s"],
        goal=0.05,
        unit=" s",
        note=f"{1e3 * worst['cpu_s']:.1f} ms of it on the CPU: {worst['what'][:80]}",
    )


def _worst(pid: int, target: Path) -> dict[str, Any]:
    target.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR2)
    deadline = time.monotonic() + 10
    while not target.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the watched server did not answer SIGUSR2")
        time.sleep(0.01)
    found: dict[str, Any] = json.loads(target.read_text())
    return found
