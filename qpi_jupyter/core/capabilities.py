"""What a QPU offers: services, derived from its manifest; how well, from its calibration; and whether it is there.

The manifest is the advertisement: nobody says twice what a QPU can do. A service is offered where the QPU has the
qubits (with the ancillas of the service's expansion), the gates, and, where the service needs them, measurements in
mid-circuit and control flow.

**Fidelity.** ``F = (1 - e1)^n1 * (1 - e2)^n2 * (1 - er)^m``: a service's one-qubit gates, two-qubit gates and
measurements (`profile_of`), each with the median error of the QPU's calibration; virtual gates, of no duration, are
left out. It is the estimated success probability (ESP; Nishio et al., arXiv:1903.10963) of a typical place on the
chip. A simulator without figures is ideal; of a device without them nothing is known.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import Any, NamedTuple

from .formats import BUILT_IN
from .groups import groups_of
from .manifest import Manifest
from .services import SERVICES, Service

MISSED_HEARTBEATS = 3
"""After so many an advertisement is stale."""
_TWO_QUBIT = frozenset((
    "cx", "cy", "cz", "ch", "cp", "cu", "cu1", "cu3", "crx", "cry", "crz", "csx", "ecr", "swap", "iswap", "dcx", "rxx",
    "ryy", "rzz", "rzx", "xx_plus_yy", "xx_minus_yy",
))  # fmt: skip
_NO_GATES = frozenset(("measure", "reset", "delay", "id", "barrier"))


class Availability(StrEnum):
    AVAILABLE = "available"
    """It has a free place."""
    BUSY = "busy"
    """All its places run jobs: one more waits."""
    UNAVAILABLE = "unavailable"
    """Offline, held, in maintenance, disabled, not trusted, or not heard of."""


class Profile(NamedTuple):
    """What a service takes on its usual qubits: one-qubit gates, two-qubit gates as CX, and measurements."""

    one: int
    two: int
    measured: int


_CX = {"cx": 1, "cz": 1, "ch": 1, "cp": 2, "cu": 2, "swap": 3}
"""How many CX the gates of services on several qubits take."""
_BELL_MEASURED, _QUBIT_MEASURED = Profile(1, 1, 2), Profile(1, 0, 1)


def profile_of(service: Service) -> Profile:
    """The operations of its usual expansion."""
    steps = service.usual.steps
    measured = sum(step.gate == "measure" for step in steps)
    joining = [step.gate for step in steps if len(step.qubits) > 1]
    return Profile(len(steps) - measured - len(joining), sum(_CX[gate] for gate in joining), measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A service that a QPU offers on so many operands; ``fidelity`` is None where nothing is known of it."""

    service: str
    min_qubits: int
    max_qubits: int
    fidelity: float | None


@dataclass(frozen=True, slots=True)
class Errors:
    """The median errors of a QPU, as probabilities; None: unknown."""

    one: float | None = None
    two: float | None = None
    readout: float | None = None

    def fidelity(self, profile: Profile) -> float | None:
        """The product of 1 - error over the operations; None where an error that it needs is unknown."""
        found = 1.0
        for error, count in zip((self.one, self.two, self.readout), profile, strict=True):
            if count == 0:
                continue
            if error is None:
                return None
            found *= (1 - error) ** count
        return found


def errors_of(manifest: Manifest) -> Errors:
    """The median errors of its calibration."""
    by_width: dict[int, list[float]] = {1: [], 2: []}
    for gate in manifest.gates:
        if gate.error is not None and gate.gate not in _NO_GATES and gate.duration_s != 0.0:
            by_width.setdefault(len(gate.qubits), []).append(gate.error)
    readout = [qubit.readout_error for qubit in manifest.qubits if qubit.readout_error is not None]
    if manifest.simulator and not (readout or any(by_width.values())):
        return Errors(0.0, 0.0, 0.0)
    return Errors(_median(by_width[1]), _median(by_width[2]), _median(readout))


def offers(manifest: Manifest) -> tuple[Offer, ...]:
    """The services of a QPU, in the order of `SERVICES`; none where it runs no circuits."""
    if not any(name in BUILT_IN for name in manifest.formats):
        return ()
    errors, width = errors_of(manifest), connected_qubits(manifest)
    return tuple(offer for service in SERVICES if (offer := _offer(service, manifest, errors, width)) is not None)


def _offer(service: Service, manifest: Manifest, errors: Errors, width: int) -> Offer | None:
    usual, profile = service.usual, profile_of(service)
    if (usual.num_bits and not manifest.mid_circuit_measurement) or (usual.feed_forward and not manifest.control_flow):
        return None
    spare = (width if profile.two else manifest.num_qubits) - usual.num_ancillas
    if spare < usual.num_qubits:
        return None
    return Offer(
        service=service.name, min_qubits=service.counts[0],
        max_qubits=max(count for count in service.counts if count <= spare), fidelity=errors.fidelity(profile),
    )  # fmt: skip


def qpu_fidelity(manifest: Manifest) -> float | None:
    """One figure for a QPU: a Bell pair, prepared and measured; of a QPU without two-qubit gates, one qubit."""
    return errors_of(manifest).fidelity(_BELL_MEASURED if connected_qubits(manifest) > 1 else _QUBIT_MEASURED)


def summary(manifest: Manifest, now: Availability) -> dict[str, Any]:
    """What a driver says of itself on its bus (JSON): the manifest in short, and whether a job would start ``now``."""
    return {
        "num_qubits": manifest.num_qubits, "fidelity": qpu_fidelity(manifest),
        "calibration_id": manifest.calibration_id, "availability": now.value,
        "services": [asdict(offer) for offer in offers(manifest)],
    }  # fmt: skip


def connected_qubits(manifest: Manifest) -> int:
    """The most qubits that two-qubit gates connect; 1 without such gates."""
    entangles = any(gate in _TWO_QUBIT for gate in manifest.basis_gates) or any(
        len(gate.qubits) == 2 for gate in manifest.gates
    )
    if not entangles:
        return 1
    if manifest.coupling_map is None:
        return manifest.num_qubits
    return max(Counter(groups_of(manifest.coupling_map).values()).values(), default=1)


def stale(seen_at: datetime | None, now: datetime, heartbeat_s: float) -> bool:
    """Whether a QPU has missed its heartbeats; ``seen_at`` is None where nobody has ever heard it."""
    return seen_at is None or (now - seen_at).total_seconds() > MISSED_HEARTBEATS * heartbeat_s


def availability(*, open_: bool, stale_: bool, running: int, places: int) -> Availability:
    """Whether a job would start there now; ``open_``: jobs may start at all."""
    if not open_ or stale_ or places < 1:
        return Availability.UNAVAILABLE
    return Availability.BUSY if running >= places else Availability.AVAILABLE


def _median(errors: list[float]) -> float | None:
    return median(errors) if errors else None
