"""How long anything holds the server's event loop, while 22-qubit jobs run and 1 MiB programs arrive."""

from __future__ import annotations

from collections.abc import Iterator

import qpi_jupyter

from .bare import layered
from .harness import Figure, watched


def run(*, quick: bool) -> Iterator[Figure]:
    """The longest callback of the server, in seconds, against the goal of 50 ms."""
    with watched("loop") as (demo, seen):
        client = qpi_jupyter.connect(demo.url, token=demo.token)
        seen()
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
        worst = seen()
        client.close()
    yield Figure(
        name="longest hold of the server's event loop, seconds",
        ratio=worst["wall_s"],
        goal=0.05,
        unit=" s",
        note=f"{1e3 * worst['cpu_s']:.1f} ms of it on the CPU: {worst['what'][:80]}",
    )
