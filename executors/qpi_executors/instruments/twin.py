"""The physical twin of a device: evolves its qubits under compiled pulses, with the noise of the device file.

It sees the events of a compiled schedule and the `Device`, and never a circuit. Relaxation and dephasing follow T1 and
T2 between events, each pulse acts at its start, and a depolarizing channel behind it adds the gate's own error. The
state of the touched qubits is one density matrix for each way that measurements midway go, or where there would be too
many a state vector for each shot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qpi_jupyter.core import Rejected

from .device import PORTS, Device, Edge, Readout
from .ensembles import Branches, Decay, Ensemble, Matrix, Part, Trajectories
from .pulses import Acquire, Event, Play, ResetPhase, ShiftPhase, Wait

MAX_QUBITS = 9
"""Touched qubits of one schedule: a density matrix of 4**9 numbers, and 16 MiB for each way its measurements went."""
_AREA = {"square": 1.0, "gaussian": math.sqrt(2 * math.pi) / 8 * math.erf(4 / math.sqrt(2))}
"""The mean of each shape over its duration, at amplitude 1."""
_HALF_DISTANCE, _WIDTH = 0.01, 1 / 6
"""Of blobs that the device file doesn't place: volts to the threshold, and the width as a share of it."""
_RISE = 0.2
"""The time in which a trace comes to 63 % of its height, as a share of its length."""
_BATCH_NUMBERS = 1 << 21
"""Amplitudes of the shots that are computed at once: 32 MiB."""
_MOST_NUMBERS = 1 << 24
"""Numbers of all density matrices together: 256 MiB."""
_PER_WAY_S, _PER_NUMBER_S = 15e-6, 10e-9
_PER_BATCH_S, _PER_AMPLITUDE_S = 100e-6, 20e-9
"""What one change of a state costs, fitted on one core of 2.5 GHz."""
_CHANGES = 2.5
"""Of the state, by one operation: of itself, and the decay of its qubits before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shots:
    """What each acquisition reads: by label one bit a shot, the qubit, and how strong its readout pulse was (1 as in
    the device file, 0 without one); ``decided`` are those that the instrument itself makes bits of."""

    qubits: Mapping[str, str]
    bits: Mapping[str, NDArray[np.int8]]
    strength: Mapping[str, float]
    decided: Set[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the twin's changes of a state cost: seconds each, and bytes in all; ``by_shot`` is how it goes about it."""

    change_s: float
    memory_bytes: int
    by_shot: bool


def cost(qubits: int, splits: int, shots: int) -> Cost:
    """The cheaper way of computing a schedule that touches so many qubits.

    ``splits`` counts the measurements midway; one that decides a branch counts twice: what the qubit is, and what it
    reads.
    """
    ways = min(2.0 ** min(splits, 60), shots)
    exact_s = ways * (_PER_WAY_S + _PER_NUMBER_S * 4**qubits)
    batches = math.ceil(shots * 2**qubits / _BATCH_NUMBERS)
    by_shot_s = batches * _PER_BATCH_S + shots * 2**qubits * _PER_AMPLITUDE_S
    if exact_s <= by_shot_s and ways * 4**qubits <= _MOST_NUMBERS:
        return Cost(change_s=exact_s, memory_bytes=int(ways * 4**qubits * 32), by_shot=False)
    return Cost(change_s=by_shot_s, memory_bytes=4 * 16 * min(shots * 2**qubits, _BATCH_NUMBERS), by_shot=True)


def duration_s(operations: int, qubits: int, splits: int, shots: int) -> float:
    """How long the twin computes for a circuit of so many operations."""
    return _CHANGES * operations * cost(qubits, splits, shots).change_s


def sample(
    events: Sequence[Event], device: Device, shots: int, rng: np.random.Generator, *, blurred: bool = False
) -> Shots:
    """One bit for each shot and acquisition, with the readout errors of the device; where they are to be ``blurred``,
    only with those that no blob has yet.

    Raises
    ------
    Rejected
        the schedule plays what the twin knows no physics for, or touches more than `MAX_QUBITS` qubits.
    """
    walk = Walk(events, device)
    drawn = walk.by_shot if cost(len(walk.qubits), walk.splits, shots).by_shot else walk.by_way
    columns = drawn(shots, rng)
    for label, qubit in walk.labels.items():
        if label in walk.decided:
            continue  # read where it decided
        p01, p10 = flips(device.qubits[qubit].readout) if blurred else errors(device.qubits[qubit].readout)
        bits = columns[label]
        wrong = rng.random(shots) < np.where(bits == 1, p10, p01)
        columns[label] = np.where(wrong, 1 - bits, bits).astype(np.int8)
    return Shots(qubits=walk.labels, bits=columns, strength=walk.strength, decided=walk.decided)


def check_size(qubits: Sequence[str]) -> None:
    """Refuse more touched qubits than the twin computes.

    Raises
    ------
    Rejected
        there are more than `MAX_QUBITS`.
    """
    if len(qubits) > MAX_QUBITS:
        raise Rejected(
            f"The circuit uses {len(qubits)} qubits; the twin of a device computes at most {MAX_QUBITS}.",
            code="too_many_qubits", limit=MAX_QUBITS,
        )  # fmt: skip


def answer(events: Sequence[Event], device: Device, shots: int, rng: np.random.Generator) -> dict[str, Matrix]:
    """One point of the IQ plane (volts at the input) for each shot, by acquisition; raises as `sample`.

    Of an acquisition that decides a branch it is the instrument's bit, 0 or 1.
    """
    found = sample(events, device, shots, rng, blurred=True)
    points = {}
    for label, bits in found.bits.items():
        if label in found.decided:
            points[label] = bits.astype(np.complex128)
            continue
        (zero, one), sigma = blobs(device.qubits[found.qubits[label]].readout)
        noise = rng.normal(scale=sigma, size=(bits.size, 2)).view(np.complex128)[:, 0]
        points[label] = found.strength[label] * np.where(bits == 1, one, zero) + noise
    return points


def trace(points: Matrix, samples: int, rng: np.random.Generator, sigma: float) -> Matrix:
    """The mean signal over time of shots with these points, as a resonator that rings up has it; its mean is theirs."""
    rising = 1 - np.exp(-(np.arange(samples) + 0.5) / (_RISE * samples))
    width = sigma * math.sqrt(samples / points.size)
    noise = rng.normal(scale=width, size=(samples, 2)).view(np.complex128)[:, 0]
    found: Matrix = points.mean() * rising / rising.mean() + noise - noise.mean()
    return found


def blobs(readout: Readout) -> tuple[tuple[complex, complex], float]:
    """The points of 0 and 1 and the width around them; where the file has none, on both sides of the threshold."""
    axis = complex(np.exp(-1j * math.radians(readout.rotation_deg)))
    near, far = (readout.threshold + side for side in (-_HALF_DISTANCE, _HALF_DISTANCE))
    centres, sigma = readout.centres or (near * axis, far * axis), readout.sigma
    return centres, abs(centres[1] - centres[0]) / 2 * _WIDTH if sigma is None else sigma


def overlaps(readout: Readout) -> tuple[float, float]:
    """The share of each blob, of 0 and of 1, that lies on the other side of the threshold."""
    (zero, one), sigma = blobs(readout)
    if sigma <= 0:
        return 0.0, 0.0
    turn = complex(np.exp(1j * math.radians(readout.rotation_deg)))
    far = [((centre * turn).real - readout.threshold) / (math.sqrt(2) * sigma) for centre in (zero, one)]
    return math.erfc(-far[0]) / 2, math.erfc(far[1]) / 2


def errors(readout: Readout) -> tuple[float, float]:
    """How often 0 and 1 are read wrongly: as the device file says, and no less than its blobs overlap."""
    return max(readout.p01, overlaps(readout)[0]), max(readout.p10, overlaps(readout)[1])


def flips(readout: Readout) -> tuple[float, float]:
    """How often a qubit answers from the other blob, so that with the overlap its errors are those of the device."""
    (zero, one), (p01, p10) = overlaps(readout), errors(readout)
    apart = 1 - zero - one
    return ((p01 - zero) / apart, (p10 - one) / apart) if apart > 0 else (0.0, 0.0)


class Walk:
    """One pass over the events of a shot, along all ways that its measurements go."""

    def __init__(self, events: Sequence[Event], device: Device) -> None:
        self._device = device
        self._events = sorted(events, key=lambda event: round(event.start_s * 1e9, 3))
        self._ports = {device.port(kind, name): (kind, name) for name in device.names for kind in PORTS}
        acquires = [event for event in self._events if isinstance(event, Acquire)]
        self.labels = {event.label: self._at(event.port)[1] for event in acquires}
        """The acquisitions in order of time, and the qubit that each reads."""
        self.decided = {event.label for event in acquires if event.trigger}
        """Those that send a trigger where they read 1."""
        self._deciding = {self.labels[label] for label in self.decided}
        self.strength: dict[str, float] = {}
        touched = {name for event in self._events for name in self._touches(event)} | set(self.labels.values())
        self.qubits = [name for name in device.names if name in touched]
        """Those that it plays on or reads."""
        check_size(self.qubits)
        self._axis = {name: axis for axis, name in enumerate(self.qubits)}
        self._begins = self._readouts()
        self._last = {
            name: k
            for k, event in enumerate(self._events)
            if k in self._begins or self._reads(event) is None
            for name in self._touches(event)
        }
        self.splits = len(self.decided) + sum(map(self._midway, range(len(self._events))))
        """How many measurements midway there are, those that decide counted twice."""

    def run(self, whole: float, part: Part) -> Iterator[tuple[dict[str, int], float]]:
        """Each outcome by label with its share of ``whole``; ``part(share, p)`` is how much of a share reads 1."""
        branches = Branches(len(self.qubits), whole, part)
        yield from branches.outcomes(self._through(branches))

    def by_way(self, shots: int, rng: np.random.Generator) -> dict[str, NDArray[np.int8]]:
        """What each qubit is at each acquisition, by label; from density matrices."""
        columns = {label: np.zeros(shots, dtype=np.int8) for label in self.labels}
        first = 0
        for outcome, count in self.run(shots, lambda count, p: int(rng.binomial(int(count), min(max(p, 0.0), 1.0)))):
            for label, bit in outcome.items():
                columns[label][first : first + int(count)] = bit
            first += int(count)
        order = rng.permutation(shots)
        return {label: bits[order] for label, bits in columns.items()}

    def by_shot(self, shots: int, rng: np.random.Generator) -> dict[str, NDArray[np.int8]]:
        """The same, shot by shot."""
        batch = max(_BATCH_NUMBERS >> len(self.qubits), 1)
        parts = []
        for first in range(0, shots, batch):
            trajectories = Trajectories(len(self.qubits), min(batch, shots - first), rng)
            parts.append(trajectories.outcomes(self._through(trajectories)))
        return {label: np.concatenate([part[label] for part in parts]) for label in self.labels}

    def _through(self, states: Ensemble) -> dict[str, int]:
        """Take the states through the events. What comes back are the acquisitions, and their qubits, that nothing
        touches any more: how those relax changes nothing, they are read at the end."""
        self._phases: dict[str, float] = {}
        self._since = dict.fromkeys(self.qubits, self._events[0].start_s if self._events else 0.0)
        self._reading: dict[str, tuple[float, float]] = {}
        later: dict[str, int] = {}
        for index, event in enumerate(self._events):
            match event:
                case ShiftPhase():
                    self._phases[event.clock] = self._phases.get(event.clock, 0.0) + event.phase_deg
                case ResetPhase():
                    self._phases[event.clock] = 0.0
                case Wait():
                    for name in event.qubits:
                        self._wait(states, name, event.start_s)
                case Acquire():
                    self._acquire(states, event, later)
                case Play():
                    self._play(states, event, index)
        return later

    def _play(self, states: Ensemble, pulse: Play, index: int) -> None:
        kind, name = self._at(pulse.port)
        if kind == "microwave":
            self._drive(states, pulse, name)
        elif kind == "flux":
            self._flux(states, pulse, name)
        else:
            self._readout(states, pulse, name, index)

    def _readout(self, states: Ensemble, pulse: Play, name: str, index: int) -> None:
        strength = pulse.amplitude / self._device.qubits[name].readout.amplitude
        self._reading[name] = (strength, pulse.start_s + pulse.duration_s)
        if index not in self._begins:
            return
        self._relax(states, name, pulse.start_s)
        if self._midway(index):
            states.measure(self._axis[name])
        else:
            states.forget(self._axis[name])

    def _readouts(self) -> set[int]:
        """The events that begin a readout; others go on with one."""
        until: dict[str, float] = {}
        found = set()
        for index, event in enumerate(self._events):
            name = self._reads(event)
            if name is not None and isinstance(event, Play):
                if event.start_s > until.get(name, -math.inf) + 1e-10:
                    found.add(index)
                until[name] = event.start_s + event.duration_s
        return found

    def _reads(self, event: Event) -> str | None:
        """The qubit that a pulse reads out."""
        if not isinstance(event, Play):
            return None
        kind, name = self._at(event.port)
        return name if kind == "readout" else None

    def _midway(self, index: int) -> bool:
        """Whether an event is a readout that changes what comes after it, so that it cannot wait for the end."""
        name = self._reads(self._events[index])
        return index in self._begins and name is not None and (self._last[name] != index or name in self._deciding)

    def _drive(self, states: Ensemble, pulse: Play, name: str) -> None:
        """A turn about an axis in the equator: by pi where the pulse has the area of the device file's."""
        drive = self._device.qubits[name].drive
        full = drive.amp180 * drive.duration_s * _AREA["gaussian"]
        half = math.pi / 2 * pulse.amplitude * pulse.duration_s * _AREA[pulse.shape] / full
        axis = math.radians(pulse.phase_deg + self._phases.get(pulse.clock, 0.0))
        c, s = math.cos(half), -1j * math.sin(half)
        unitary = np.array([[c, s * np.exp(-1j * axis)], [s * np.exp(1j * axis), c]])
        self._relax(states, name, pulse.start_s)
        states.turn(self._axis[name], unitary, 2 * self._device.qubits[name].gate_error, pulse.trigger)

    def _flux(self, states: Ensemble, pulse: Play, parent: str) -> None:
        """A phase on 11, pi where the pulse has the area of the edge's, and on each qubit what the edge corrects."""
        (one, other), edge = self._edge_at(pulse, parent)
        share = pulse.amplitude * pulse.duration_s / (edge.amplitude * edge.duration_s)
        a, b = math.radians(edge.parent_phase_deg), math.radians(edge.child_phase_deg)
        phases = np.exp(1j * share * np.array([[0.0, b], [a, a + b + math.pi]]))
        for name in (one, other):
            self._relax(states, name, pulse.start_s)
        error = 4 / 3 * edge.gate_error * share
        states.turn_pair(self._axis[one], self._axis[other], phases, error, pulse.trigger)

    def _wait(self, states: Ensemble, name: str, start_s: float) -> None:
        """A reset waits for T1; of a qubit whose T1 nobody knows it is taken to work."""
        self._relax(states, name, start_s)
        if self._device.qubits[name].t1_s is None:
            states.reset(self._axis[name])

    def _acquire(self, states: Ensemble, event: Acquire, later: dict[str, int]) -> None:
        name = self.labels[event.label]
        strength, until = self._reading.get(name, (0.0, -math.inf))
        self.strength[event.label] = strength if event.start_s < until else 0.0
        if not states.holds(self._axis[name]):
            later[event.label] = self._axis[name]
            return
        wrong = errors(self._device.qubits[name].readout) if event.trigger else (0.0, 0.0)
        states.keep(event.label, self._axis[name], wrong, event.trigger)

    def _relax(self, states: Ensemble, name: str, now_s: float) -> None:
        qubit, elapsed_s = self._device.qubits[name], now_s - self._since[name]
        self._since[name] = now_s
        if elapsed_s > 0 and (qubit.t1_s or qubit.t2_s):
            states.decay(self._axis[name], Decay.after(elapsed_s, qubit.t1_s, qubit.t2_s))

    def _touches(self, event: Event) -> tuple[str, ...]:
        """The qubits whose state an event changes."""
        match event:
            case Wait():
                return event.qubits
            case Play():
                kind, name = self._at(event.port)
                return self._edge_at(event, name)[0] if kind == "flux" else (name,)
            case _:
                return ()

    def _at(self, port: str) -> tuple[str, str]:
        try:
            return self._ports[port]
        except KeyError:
            known = ", ".join(sorted(self._ports))
            message = f"The schedule uses the port {port!r}, which the device does not have; it has: {known}."
            raise Rejected(message, code="unknown_port") from None

    def _edge_at(self, pulse: Play, parent: str) -> tuple[tuple[str, str], Edge]:
        """The edge that a flux pulse on this qubit's port works on: that with the nearest amplitude."""
        edges = [(pair, edge) for pair, edge in self._device.edges.items() if pair[0] == parent]
        if not edges:
            raise Rejected(f"The schedule plays a flux pulse on {pulse.port!r}, where no edge is.", code="unknown_port")
        return min(edges, key=lambda item: abs(item[1].amplitude - pulse.amplitude))
