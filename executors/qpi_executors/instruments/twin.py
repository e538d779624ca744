"""The physical twin of a device: evolves its qubits under compiled pulses, with the noise of the device file.

It sees the events of a compiled schedule and the `Device`, and never a circuit. The state of the touched qubits is a
density matrix; relaxation and dephasing follow T1 and T2 exactly between events, each pulse acts at its start, and a
depolarizing channel behind it adds the gate's own error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qpi_jupyter.core import Rejected

from .device import PORTS, Device, Edge, Qubit, Readout
from .pulses import Acquire, Event, Play, ResetPhase, ShiftPhase, Wait

MAX_QUBITS = 9
"""Touched qubits of one schedule: a density matrix of 4**9 numbers, and 16 MiB for each way its measurements went."""
_AREA = {"square": 1.0, "gaussian": math.sqrt(2 * math.pi) / 8 * math.erf(4 / math.sqrt(2))}
"""The mean of each shape over its duration, at amplitude 1."""
_NEGLIGIBLE = 1e-15
"""A way that the measurements go less often than so is no way."""
_HALF_DISTANCE, _WIDTH = 0.01, 1 / 6
"""Of blobs that the device file doesn't place: volts to the threshold, and the width as a share of it."""
_RISE = 0.2
"""The time in which a trace comes to 63 % of its height, as a share of its length."""
Matrix = NDArray[np.complex128]
_TRACE = np.array([1, 0, 0, 1], dtype=np.complex128)
_MIX: Matrix = np.outer(_TRACE / 2, _TRACE)
_RESET: Matrix = np.outer(np.eye(1, 4), _TRACE).astype(np.complex128)
Part = Callable[[float, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shots:
    """What each acquisition reads: by label one bit a shot, the qubit, and how strong its readout pulse was (1 as in
    the device file, 0 without one)."""

    qubits: Mapping[str, str]
    bits: Mapping[str, NDArray[np.int8]]
    strength: Mapping[str, float]


def sample(events: Sequence[Event], device: Device, shots: int, rng: np.random.Generator) -> Shots:
    """One bit for each shot and acquisition, with the readout errors of the device.

    Raises
    ------
    Rejected
        the schedule plays what the twin knows no physics for, or touches more than `MAX_QUBITS` qubits.
    """
    walk = Walk(events, device)
    columns = {label: np.zeros(shots, dtype=np.int8) for label in walk.labels}
    first = 0
    for outcome, count in walk.run(shots, lambda count, p: int(rng.binomial(int(count), min(max(p, 0.0), 1.0)))):
        for label, bit in outcome.items():
            columns[label][first : first + int(count)] = bit
        first += int(count)
    order = rng.permutation(shots)
    for label, qubit in walk.labels.items():
        bits, readout = columns[label][order], device.qubits[qubit].readout
        wrong = rng.random(shots) < np.where(bits == 1, readout.p10, readout.p01)
        columns[label] = np.where(wrong, 1 - bits, bits).astype(np.int8)
    return Shots(qubits=walk.labels, bits=columns, strength=walk.strength)


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
    """One point of the IQ plane (volts at the input) for each shot, by acquisition; raises as `sample`."""
    found = sample(events, device, shots, rng)
    points = {}
    for label, bits in found.bits.items():
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


class Walk:
    """One pass over the events of a shot, along all ways that its measurements go."""

    def __init__(self, events: Sequence[Event], device: Device) -> None:
        self._device = device
        self._events = sorted(events, key=lambda event: round(event.start_s * 1e9, 3))
        self._ports = {device.port(kind, name): (kind, name) for name in device.names for kind in PORTS}
        acquires = [event for event in self._events if isinstance(event, Acquire)]
        self.labels = {event.label: self._at(event.port)[1] for event in acquires}
        """The acquisitions in order of time, and the qubit that each reads."""
        self.strength: dict[str, float] = {}
        touched = {name for event in self._events for name in self._touches(event)} | set(self.labels.values())
        self._qubits = [name for name in device.names if name in touched]
        check_size(self._qubits)
        self._axis = {name: axis for axis, name in enumerate(self._qubits)}
        self._last = {name: k for k, event in enumerate(self._events) for name in self._touches(event)}

    def run(self, whole: float, part: Part) -> Iterator[tuple[dict[str, int], float]]:
        """Each outcome by label with its share of ``whole``; ``part(share, p)`` is how much of a share reads 1."""
        size = (4,) * len(self._qubits)
        ways = [_Way(state=np.eye(1, 4 ** len(size), dtype=np.complex128).reshape(size), share=whole, bits={}, held={})]
        self._phases: dict[str, float] = {}
        self._since = dict.fromkeys(self._qubits, self._events[0].start_s if self._events else 0.0)
        self._reading: dict[str, tuple[float, float]] = {}
        later: dict[str, str] = {}  # acquisitions of qubits that nothing touches any more: read at the end
        for index, event in enumerate(self._events):
            match event:
                case ShiftPhase():
                    self._phases[event.clock] = self._phases.get(event.clock, 0.0) + event.phase_deg
                case ResetPhase():
                    self._phases[event.clock] = 0.0
                case Wait():
                    for name in event.qubits:
                        self._wait(ways, name, event.start_s)
                case Acquire():
                    self._acquire(ways, event, later)
                case Play():
                    ways = self._play(ways, event, part, last=index)
        for way in ways:
            yield from self._outcomes(way, later, part)

    def _play(self, ways: list[_Way], pulse: Play, part: Part, *, last: int) -> list[_Way]:
        kind, name = self._at(pulse.port)
        if kind == "microwave":
            self._drive(ways, pulse, name)
        elif kind == "flux":
            self._flux(ways, pulse, name)
        else:
            end_s = pulse.start_s + pulse.duration_s
            _, until = self._reading.get(name, (0.0, -math.inf))
            strength = pulse.amplitude / self._device.qubits[name].readout.amplitude
            self._reading[name] = (strength, end_s)
            if pulse.start_s > until + 1e-10 and self._last[name] != last:  # no continuation, and not the qubit's end
                self._relax(ways, name, pulse.start_s)
                return [half for way in ways for half in self._measured(way, name, part)]
            if pulse.start_s > until + 1e-10:
                self._relax(ways, name, pulse.start_s)
                for way in ways:
                    way.held.pop(name, None)
        return ways

    def _drive(self, ways: list[_Way], pulse: Play, name: str) -> None:
        """A turn about an axis in the equator: by pi where the pulse has the area of the device file's."""
        drive = self._device.qubits[name].drive
        full = drive.amp180 * drive.duration_s * _AREA["gaussian"]
        half = math.pi / 2 * pulse.amplitude * pulse.duration_s * _AREA[pulse.shape] / full
        axis = math.radians(pulse.phase_deg + self._phases.get(pulse.clock, 0.0))
        c, s = math.cos(half), -1j * math.sin(half)
        unitary = np.array([[c, s * np.exp(-1j * axis)], [s * np.exp(1j * axis), c]])
        self._relax(ways, name, pulse.start_s)
        change = _depolarizing(2 * self._device.qubits[name].gate_error) @ np.kron(unitary, unitary.conj())
        for way in ways:
            way.apply(change, self._axis[name])

    def _flux(self, ways: list[_Way], pulse: Play, parent: str) -> None:
        """A phase on 11, pi where the pulse has the area of the edge's, and on each qubit what the edge corrects."""
        (one, other), edge = self._edge_at(pulse, parent)
        share = pulse.amplitude * pulse.duration_s / (edge.amplitude * edge.duration_s)
        a, b = math.radians(edge.parent_phase_deg), math.radians(edge.child_phase_deg)
        phases = np.exp(1j * share * np.array([[0.0, b], [a, a + b + math.pi]]))
        change = np.einsum("ij,kl->ikjl", phases, phases.conj()).reshape(4, 4)
        for name in (one, other):
            self._relax(ways, name, pulse.start_s)
        error = 4 / 3 * edge.gate_error * share
        for way in ways:
            way.turn_pair(change, error, self._axis[one], self._axis[other])

    def _wait(self, ways: list[_Way], name: str, start_s: float) -> None:
        """A reset waits for T1; of a qubit whose T1 nobody knows it is taken to work."""
        self._relax(ways, name, start_s)
        if self._device.qubits[name].t1_s is None:
            for way in ways:
                way.apply(_RESET, self._axis[name])

    def _acquire(self, ways: list[_Way], event: Acquire, later: dict[str, str]) -> None:
        name = self.labels[event.label]
        strength, until = self._reading.get(name, (0.0, -math.inf))
        self.strength[event.label] = strength if event.start_s < until else 0.0
        for way in ways:
            if name in way.held:
                way.bits[event.label] = way.held[name]
        if not all(event.label in way.bits for way in ways):
            later[event.label] = name

    def _measured(self, way: _Way, name: str, part: Part) -> Iterator[_Way]:
        """The two ways on from a measurement, each with the state that it leaves."""
        axis = self._axis[name]
        p = way.probability(axis)
        ones = part(way.share, p)
        for bit, share in ((0, way.share - ones), (1, ones)):
            if share > _NEGLIGIBLE:
                state = way.projected(axis, bit)
                yield _Way(state=state, share=share, bits=dict(way.bits), held={**way.held, name: bit})

    def _outcomes(self, way: _Way, later: dict[str, str], part: Part) -> Iterator[tuple[dict[str, int], float]]:
        """What the qubits read that were measured last, all at once: how they relax afterwards changes nothing."""
        names = sorted(set(later.values()))
        for found, share in _split(way.populations([self._axis[name] for name in names]), way.share, part):
            read = dict(zip(names, found, strict=True))
            yield {**way.bits, **{label: read[name] for label, name in later.items()}}, share

    def _relax(self, ways: list[_Way], name: str, now_s: float) -> None:
        qubit, elapsed_s = self._device.qubits[name], now_s - self._since[name]
        self._since[name] = now_s
        if elapsed_s > 0 and (qubit.t1_s or qubit.t2_s):
            change = _relaxation(qubit, elapsed_s)
            for way in ways:
                way.apply(change, self._axis[name])

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


@dataclass(slots=True, kw_only=True)
class _Way:
    """One way that the measurements went so far: the normalised state, one axis of 4 (a row-major 2 x 2 density matrix)
    a qubit; its share; what was acquired, by label; and what each qubit read last."""

    state: Matrix
    share: float
    bits: dict[str, int]
    held: dict[str, int]

    def apply(self, change: Matrix, axis: int) -> None:
        """Change one qubit by a 4 x 4 matrix."""
        self.state = np.moveaxis(np.tensordot(change, self.state, axes=(1, axis)), 0, axis)

    def turn_pair(self, change: Matrix, error: float, one: int, other: int) -> None:
        """Multiply by ``change[i, j]`` along two axes, then depolarize both qubits."""
        shape = [1] * self.state.ndim
        shape[one] = shape[other] = 4
        self.state = self.state * (change if one < other else change.T).reshape(shape)
        if error:
            mixed = self.state
            for axis in (one, other):
                mixed = np.moveaxis(np.tensordot(_MIX, mixed, axes=(1, axis)), 0, axis)
            self.state = (1 - error) * self.state + error * mixed

    def populations(self, axes: list[int]) -> NDArray[np.float64]:
        """The joint probabilities of these qubits, one axis of 2 each in this order."""
        every = range(self.state.ndim)
        state = self.state[tuple(slice(None, None, 3) if axis in axes else slice(None) for axis in every)]
        for axis in reversed([axis for axis in every if axis not in axes]):
            state = np.tensordot(state, _TRACE, axes=(axis, 0))
        kept = sorted(axes)
        found: NDArray[np.float64] = np.transpose(state.real, [kept.index(axis) for axis in axes])
        return found

    def probability(self, axis: int) -> float:
        """That the qubit reads 1."""
        zero, one = self.populations([axis])
        return float(one / (zero + one))

    def projected(self, axis: int, bit: int) -> Matrix:
        """The state after the qubit read ``bit``."""
        keep = np.zeros((4, 4), dtype=np.complex128)
        keep[3 * bit, 3 * bit] = 1.0
        state = np.moveaxis(np.tensordot(keep, self.state, axes=(1, axis)), 0, axis)
        found: Matrix = state / self.populations([axis])[bit]
        return found


def _split(populations: NDArray[np.float64], share: float, part: Part) -> Iterator[tuple[tuple[int, ...], float]]:
    """How a share falls on the outcomes, qubit after qubit."""
    if share <= _NEGLIGIBLE:
        return
    if populations.ndim == 0:
        yield (), share
        return
    ones = part(share, float(populations[1].sum() / populations.sum()))
    for bit, rest in ((0, share - ones), (1, ones)):
        for found, count in _split(populations[bit], rest, part):
            yield (bit, *found), count


def _relaxation(qubit: Qubit, elapsed_s: float) -> Matrix:
    """Amplitude damping and dephasing for a time: T2 of None is what T1 alone gives."""
    decay = 0.0 if qubit.t1_s is None else -math.expm1(-elapsed_s / qubit.t1_s)
    t2_s = qubit.t2_s or 2 * (qubit.t1_s or math.inf)
    change = np.diag([1.0, *[math.exp(-elapsed_s / t2_s)] * 2, 1 - decay]).astype(np.complex128)
    change[0, 3] = decay
    return change


def _depolarizing(p: float) -> Matrix:
    change: Matrix = (1 - p) * np.eye(4, dtype=np.complex128) + p * _MIX
    return change
