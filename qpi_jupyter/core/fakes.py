"""IBM's fake backends at a lab: what they are called there, how they run, and which executor runs them so."""

from __future__ import annotations

from typing import NamedTuple


class Way(NamedTuple):
    """One way to run a fake backend: by which executor, and what is said of it."""

    executor: str
    told: str


HOST = "fake_backends"
"""The executor that runs nothing else."""
NOISY, IDEAL, GPU = "aer", "ideal", "gpu"
WAYS = {
    NOISY: Way(HOST, "with the noise of its calibration"),
    IDEAL: Way(HOST, "without noise"),
    GPU: Way("gpu", "on a GPU, with the noise of its calibration"),
}
"""By what stands behind the ``@`` of a name: ``fake_manila@aer``."""
ALIASES = {"custatevec": GPU}
"""Other words there."""
STATEVECTOR, STATEVECTOR_QUBITS = "lab_statevector", 26
"""An ideal simulator for circuits as they are, without a device's gates and edges; it runs beside `NOISY`."""
MAX_SHOTS = 1_000_000
"""Of a circuit on any of them."""
MOCK = "mock"
"""What the name of a dry run begins with, as IBM's client makes it: ``mock_manila@aer``."""


def ways_of(executor: str) -> tuple[str, ...]:
    """The words behind the ``@`` that an executor runs."""
    own = [word for word, way in WAYS.items() if way.executor == executor]
    return (*own, *(word for word, meant in ALIASES.items() if meant in own))
