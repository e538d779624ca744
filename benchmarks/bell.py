"""One Bell pair from submit to result in hand, against Aer called directly."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from .bare import SHOTS, Bare, bell
from .harness import Figure, interleaved, lab


def run(*, quick: bool) -> Iterator[Figure]:
    """The round trip's p50."""
    circuit = bell()
    bare = Bare(circuit)
    with lab() as client:

        def ours() -> object:
            return client.submit(circuit, qpu="sim-a", shots=SHOTS).counts()

        interleaved(ours, bare, 20)
        times = interleaved(ours, bare, 50 if quick else 300)
    p50 = [1e3 * statistics.median(side) for side in times]
    yield Figure(
        name="Bell round trip, p50, against bare Aer",
        ratio=p50[0] / p50[1],
        goal=8,
        ours=p50[0],
        bare=p50[1],
        unit=" ms",
        note=f"p95 {1e3 * statistics.quantiles(times[0], n=20)[-1]:.1f} ms",
    )
