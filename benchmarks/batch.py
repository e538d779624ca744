"""A batch that keeps the simulator busy for seconds: what the lab adds to it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from .bare import SHOTS, Bare, layered
from .harness import Figure, interleaved, lab, median_ratio


def run(*, quick: bool) -> Iterator[Figure]:
    """Four circuits of 21 qubits as one job."""
    circuits = [layered(21, 8, seed=seed) for seed in (3, 5, 7, 11)]
    bare = Bare(circuits)
    with lab() as client:

        def ours() -> object:
            return client.submit(circuits, qpu="sim-a", shots=SHOTS).counts()

        ours()
        times = interleaved(ours, bare, 3 if quick else 5)
    yield Figure(
        name="21-qubit batch, median of interleaved pairs",
        ratio=median_ratio(*times),
        goal=1.08,
        ours=statistics.median(times[0]),
        bare=statistics.median(times[1]),
        unit=" s",
    )
