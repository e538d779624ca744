"""The states of the twin's qubits over all that measurements read: by density matrices, or shot by shot."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]
Bits = NDArray[np.int8]
Part = Callable[[float, float], float]
_NEGLIGIBLE = 1e-15
"""A way that the measurements go less often than so is no way."""
_TRACE = np.array([1, 0, 0, 1], dtype=np.complex128)
_MIX: Matrix = np.outer(_TRACE / 2, _TRACE)
_RESET: Matrix = np.outer(np.eye(1, 4), _TRACE).astype(np.complex128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """What a time does to a qubit: 1 decays to 0 with probability ``decay``, coherence is multiplied by ``kept``."""

    decay: float
    kept: float

    @classmethod
    def after(cls, elapsed_s: float, t1_s: float | None, t2_s: float | None) -> Decay:
        """T1 and T2 for a time; T2 of None is what T1 alone gives."""
        decay = 0.0 if t1_s is None else -math.expm1(-elapsed_s / t1_s)
        return cls(decay=decay, kept=math.exp(-elapsed_s / (t2_s or 2 * (t1_s or math.inf))))


class Ensemble(ABC):
    """Qubits by their index, all 0 at first. With a ``trigger`` a change happens only where that one was sent."""

    @abstractmethod
    def decay(self, qubit: int, decay: Decay) -> None:
        """Relax one qubit."""

    @abstractmethod
    def turn(self, qubit: int, unitary: Matrix, error: float, trigger: str = "") -> None:
        """Multiply by a 2 x 2 matrix; with probability ``error`` nothing is known of the qubit afterwards."""

    @abstractmethod
    def turn_pair(self, one: int, other: int, phases: Matrix, error: float, trigger: str = "") -> None:
        """Multiply by ``phases[bit of one, bit of other]``; with probability ``error`` nothing is known of the two."""

    @abstractmethod
    def reset(self, qubit: int) -> None:
        """Put one qubit to 0."""

    @abstractmethod
    def measure(self, qubit: int) -> None:
        """Have one qubit be 0 or 1, and hold which."""

    @abstractmethod
    def forget(self, qubit: int) -> None:
        """Hold no longer what the qubit read."""

    @abstractmethod
    def holds(self, qubit: int) -> bool:
        """Whether it was measured."""

    @abstractmethod
    def keep(self, label: str, qubit: int, errors: tuple[float, float] = (0.0, 0.0), trigger: str = "") -> None:
        """Record what the qubit holds under a label, read wrongly with these probabilities for 0 and 1; with
        ``trigger`` that is what comes of the trigger."""


class Branches(Ensemble):
    """Each way that measurements go has its density matrix and its share of the whole, in shots or in probability.

    ``part(share, p)`` is how much of a share goes one of two ways that has the probability ``p``.
    """

    def __init__(self, qubits: int, whole: float, part: Part) -> None:
        state = np.eye(1, 4**qubits, dtype=np.complex128).reshape((4,) * qubits)
        self._ways, self._part = [_Way(state=state, share=whole, bits={}, held={}, sent={})], part

    def decay(self, qubit: int, decay: Decay) -> None:
        """As `Ensemble.decay`."""
        change = np.diag([1.0, decay.kept, decay.kept, 1 - decay.decay]).astype(np.complex128)
        change[0, 3] = decay.decay
        self._apply(change, qubit)

    def turn(self, qubit: int, unitary: Matrix, error: float, trigger: str = "") -> None:
        """As `Ensemble.turn`."""
        mixed = (1 - error) * np.eye(4, dtype=np.complex128) + error * _MIX
        self._apply(mixed @ np.kron(unitary, unitary.conj()), qubit, trigger)

    def turn_pair(self, one: int, other: int, phases: Matrix, error: float, trigger: str = "") -> None:
        """As `Ensemble.turn_pair`."""
        change = np.einsum("ij,kl->ikjl", phases, phases.conj()).reshape(4, 4)
        for way in self._sent(trigger):
            way.turn_pair(change, error, one, other)

    def reset(self, qubit: int) -> None:
        """As `Ensemble.reset`."""
        self._apply(_RESET, qubit)

    def measure(self, qubit: int) -> None:
        """As `Ensemble.measure`."""
        self._ways = [
            way.went(share, state=way.projected(qubit, bit), held={**way.held, qubit: bit})
            for way in self._ways
            for bit, share in self._halves(way.share, way.probability(qubit))
        ]

    def forget(self, qubit: int) -> None:
        """As `Ensemble.forget`."""
        for way in self._ways:
            way.held.pop(qubit, None)

    def holds(self, qubit: int) -> bool:
        """As `Ensemble.holds`."""
        return all(qubit in way.held for way in self._ways)

    def keep(self, label: str, qubit: int, errors: tuple[float, float] = (0.0, 0.0), trigger: str = "") -> None:
        """As `Ensemble.keep`."""
        ways = []
        for way in self._ways:
            held = way.held[qubit]
            for wrong, share in self._halves(way.share, errors[held]):
                read = held ^ wrong
                sent = {**way.sent, trigger: read} if trigger else way.sent
                ways.append(way.went(share, bits={**way.bits, label: read}, sent=sent))
        self._ways = ways

    def outcomes(self, later: Mapping[str, int]) -> Iterator[tuple[dict[str, int], float]]:
        """What was kept by label, with its share; ``later`` are qubits to be read now, each under its labels."""
        qubits = sorted(set(later.values()))
        for way in self._ways:
            for found, share in self._split(way.populations(qubits), way.share):
                read = dict(zip(qubits, found, strict=True))
                yield {**way.bits, **{label: read[qubit] for label, qubit in later.items()}}, share

    def _halves(self, share: float, p: float) -> Iterator[tuple[int, float]]:
        """The two ways on, 1 with probability ``p``, without those that do not happen."""
        ones = self._part(share, p)
        yield from ((bit, part) for bit, part in ((0, share - ones), (1, ones)) if part > _NEGLIGIBLE)

    def _split(self, populations: NDArray[np.float64], share: float) -> Iterator[tuple[tuple[int, ...], float]]:
        """How a share falls on the outcomes, qubit after qubit."""
        if populations.ndim == 0:
            yield (), share
            return
        for bit, rest in self._halves(share, float(populations[1].sum() / populations.sum())):
            for found, count in self._split(populations[bit], rest):
                yield (bit, *found), count

    def _apply(self, change: Matrix, qubit: int, trigger: str = "") -> None:
        for way in self._sent(trigger):
            way.apply(change, qubit)

    def _sent(self, trigger: str) -> list[_Way]:
        return self._ways if not trigger else [way for way in self._ways if way.sent.get(trigger)]


@dataclass(slots=True, kw_only=True)
class _Way:
    """One way that the measurements went so far: the normalised state, one axis of 4 (a row-major 2 x 2 density matrix)
    a qubit; its share; what was kept, by label; what each qubit holds; and which triggers were sent."""

    state: Matrix
    share: float
    bits: dict[str, int]
    held: dict[int, int]
    sent: dict[str, int]

    def went(
        self, share: float, *, state: Matrix | None = None, held: dict[int, int] | None = None,
        bits: dict[str, int] | None = None, sent: dict[str, int] | None = None,
    ) -> _Way:  # fmt: skip
        """One way on from here."""
        return _Way(
            state=self.state if state is None else state, share=share, bits=dict(self.bits) if bits is None else bits,
            held=dict(self.held) if held is None else held, sent=dict(self.sent) if sent is None else sent,
        )  # fmt: skip

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


class Trajectories(Ensemble):
    """Each shot has a state vector of its own, and chance decides what happens to it.

    This costs the same however many ways measurements go, and the square root of the memory for each. Method: quantum
    jumps (K. Molmer, Y. Castin, J. Dalibard, J. Opt. Soc. Am. B 10, 524 (1993)).
    """

    def __init__(self, qubits: int, shots: int, rng: np.random.Generator) -> None:
        self._states = np.zeros((shots, 2**qubits), dtype=np.complex128)
        self._states[:, 0] = 1.0
        self._qubits, self._rng, self._shots = qubits, rng, shots
        self._held: dict[int, Bits] = {}
        self._sent: dict[str, NDArray[np.bool_]] = {}
        self._bits: dict[str, Bits] = {}

    def decay(self, qubit: int, decay: Decay) -> None:
        """As `Ensemble.decay`."""
        halves = self._halves(qubit)
        if decay.decay:
            jumps = self._rng.random(self._shots) < decay.decay * self._ones(qubit)
            halves[:, :, 1] *= np.where(jumps, 1.0, math.sqrt(1 - decay.decay))[:, None, None]
            self._fall(qubit, np.flatnonzero(jumps))
            self._normalise()
        flips = self._rng.random(self._shots) < (1 - decay.kept / math.sqrt(1 - decay.decay)) / 2
        halves[np.flatnonzero(flips), :, 1] *= -1

    def turn(self, qubit: int, unitary: Matrix, error: float, trigger: str = "") -> None:
        """As `Ensemble.turn`."""
        where, halves = self._where(trigger), self._halves(qubit)
        halves[where] = np.einsum("ij,sljr->slir", unitary, halves[where])
        self._lose((qubit,), error, where)

    def turn_pair(self, one: int, other: int, phases: Matrix, error: float, trigger: str = "") -> None:
        """As `Ensemble.turn_pair`."""
        shape = [1] * self._qubits
        shape[one] = shape[other] = 2
        change = np.broadcast_to((phases if one < other else phases.T).reshape(shape), (2,) * self._qubits)
        where = self._where(trigger)
        self._states[where] *= change.reshape(-1)
        self._lose((one, other), error, where)

    def reset(self, qubit: int) -> None:
        """As `Ensemble.reset`."""
        self._fall(qubit, np.flatnonzero(self._project(qubit)))

    def measure(self, qubit: int) -> None:
        """As `Ensemble.measure`."""
        self._held[qubit] = self._project(qubit)

    def forget(self, qubit: int) -> None:
        """As `Ensemble.forget`."""
        self._held.pop(qubit, None)

    def holds(self, qubit: int) -> bool:
        """As `Ensemble.holds`."""
        return qubit in self._held

    def keep(self, label: str, qubit: int, errors: tuple[float, float] = (0.0, 0.0), trigger: str = "") -> None:
        """As `Ensemble.keep`."""
        held = self._held[qubit]
        wrong = self._rng.random(self._shots) < np.where(held == 1, errors[1], errors[0])
        self._bits[label] = np.where(wrong, 1 - held, held).astype(np.int8)
        if trigger:
            self._sent[trigger] = self._bits[label] == 1

    def outcomes(self, later: Mapping[str, int]) -> dict[str, Bits]:
        """What each shot kept, by label; ``later`` are qubits to be read now, each under its labels."""
        read = {qubit: self._project(qubit) for qubit in sorted(set(later.values()))}
        return {**self._bits, **{label: read[qubit] for label, qubit in later.items()}}

    def _halves(self, qubit: int) -> Matrix:
        """A view of all states, shape ``(shots, before, 2, after)``, the bit of one qubit apart."""
        return self._states.reshape(self._shots, 2**qubit, 2, -1)

    def _ones(self, qubit: int) -> NDArray[np.float64]:
        """That the qubit reads 1, by shot."""
        ones = self._halves(qubit)[:, :, 1].reshape(self._shots, -1)
        found: NDArray[np.float64] = (ones.real**2 + ones.imag**2).sum(axis=1)
        return found

    def _project(self, qubit: int) -> Bits:
        """Have the qubit be 0 or 1 in each shot."""
        bits = (self._rng.random(self._shots) < self._ones(qubit)).astype(np.int8)
        halves = self._halves(qubit)
        halves[np.flatnonzero(bits == 0), :, 1] = 0
        halves[np.flatnonzero(bits == 1), :, 0] = 0
        self._normalise()
        return bits

    def _fall(self, qubit: int, where: NDArray[np.intp]) -> None:
        """Move 1 to 0."""
        halves = self._halves(qubit)
        halves[where, :, 0], halves[where, :, 1] = halves[where, :, 1], 0

    def _normalise(self) -> None:
        self._states /= np.linalg.norm(self._states, axis=1, keepdims=True)

    def _lose(self, qubits: Sequence[int], error: float, where: NDArray[np.intp]) -> None:
        """With this probability nothing is known of the qubits: each gets one of the four Paulis, by chance."""
        lost = where[self._rng.random(where.size) < error]
        for qubit in qubits:
            halves = self._halves(qubit)
            signs = lost[self._rng.random(lost.size) < 0.5]
            halves[signs, :, 1] *= -1
            swaps = lost[self._rng.random(lost.size) < 0.5]
            halves[swaps] = halves[swaps][:, :, ::-1]

    def _where(self, trigger: str) -> NDArray[np.intp]:
        """The shots that a change is for."""
        sent = self._sent.get(trigger, np.full(self._shots, not trigger))
        return np.flatnonzero(sent)
