"""Services: names of operations that QPUs offer and programs use, each with the gates that it stands for.

A service is not run as such: the gates of its expansion are. So what a QPU offers follows from its operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import pi

from .words import counted

MAX_OPERANDS = 256
"""Qubits of one service: a Fourier transform has a gate for each pair of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation: a gate of stdgates.inc, ``measure`` or ``reset``.

    ``qubits`` counts the operands first and then the ancillas. An angle is a number (rad) or the name of one that the
    service is given. ``bit``: where a measurement goes. ``when``: the bit that has to read 1 for it to happen.
    """

    gate: str
    qubits: tuple[int, ...]
    angles: tuple[float | str, ...] = ()
    bit: int | None = None
    when: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What a service is on so many operands. Ancillas begin in ``|0>``; each measurement has a bit of its own."""

    num_qubits: int
    steps: tuple[Step, ...]

    @property
    def num_ancillas(self) -> int:
        """Qubits beyond the operands."""
        return max(max(step.qubits) for step in self.steps) + 1 - self.num_qubits

    @property
    def num_bits(self) -> int:
        """Classical bits that it measures into."""
        return sum(step.bit is not None for step in self.steps)

    @property
    def operations(self) -> frozenset[str]:
        """Gates, and ``measure``, that it is made of."""
        return frozenset(step.gate for step in self.steps)

    @property
    def feed_forward(self) -> bool:
        """Whether a gate depends on what was measured before: the QPU has to have branches."""
        return any(step.when is not None for step in self.steps)


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service of the vocabulary.

    ``name`` is what a QPU offers, ``word`` what a program writes. ``operands`` says what several qubits are, ``counts``
    how many there can be; with one count alone, registers are gone through qubit by qubit, else they are one list.
    Of ``angles`` the last ``num_optional`` can be left out: they are 0 then. ``source`` is where the circuit is from.
    """

    name: str
    word: str
    operands: str
    counts: Sequence[int]
    summary: str
    source: str
    steps: Callable[[int], list[Step]]
    angles: tuple[str, ...] = ()
    num_optional: int = 0

    def expand(self, num_qubits: int) -> Expansion:
        """What it is on so many qubits.

        Raises
        ------
        ValueError
            it has no meaning there; `takes` says where it has one.
        """
        if num_qubits not in self.counts:
            raise ValueError(f"'{self.word}' takes {self.takes}, not {num_qubits}.")
        return Expansion(num_qubits=num_qubits, steps=tuple(self.steps(num_qubits)))

    @property
    def takes(self) -> str:
        """How many qubits, in words."""
        first, *others = self.counts
        if not others:
            return counted(first, "qubit")
        if len(others) > 2:
            return f"{first:,} to {others[-1]:,} qubits"
        return f"{', '.join(str(count) for count in self.counts[:-1])} or {others[-1]} qubits"

    @property
    def takes_angles(self) -> str:
        """How many angles, in words."""
        most = len(self.angles)
        return (
            f"{most - self.num_optional} or {counted(most, 'angle')}" if self.num_optional else counted(most, "angle")
        )

    def given(self, angles: Sequence[object]) -> Mapping[str, object]:
        """The angles of a call by their names.

        Raises
        ------
        ValueError
            there are too few or too many.
        """
        most = len(self.angles)
        if not most - self.num_optional <= len(angles) <= most:
            raise ValueError(f"'{self.word}' takes {self.takes_angles}, not {len(angles)}.")
        return {**dict.fromkeys(self.angles, 0.0), **dict(zip(self.angles, angles, strict=False))}

    @cached_property
    def usual(self) -> Expansion:
        """On two qubits, or on the fewest where it does not take two: what a QPU has to have for it."""
        return self.expand(2 if 2 in self.counts else self.counts[0])

    @property
    def unitary(self) -> bool:
        """Whether it is made of gates alone, so that it can be controlled, inverted, and used inside of gates."""
        return not self.usual.num_bits


def _one(gate: str, num_qubits: int, *angles: str) -> Callable[[int], list[Step]]:
    return lambda _: [Step(gate=gate, qubits=tuple(range(num_qubits)), angles=angles)]


def _qft(count: int) -> list[Step]:
    steps = []
    for high in reversed(range(count)):
        steps.append(Step(gate="h", qubits=(high,)))
        steps += [
            Step(gate="cp", qubits=(high, low), angles=(pi / 2 ** (high - low),)) for low in reversed(range(high))
        ]
    return steps + [Step(gate="swap", qubits=(k, count - 1 - k)) for k in range(count // 2)]


def _bell_pair(first: int, second: int) -> list[Step]:
    return [Step(gate="h", qubits=(first,)), Step(gate="cx", qubits=(first, second))]


def _teleport(_: int) -> list[Step]:
    source, target, near, far = range(4)
    return [
        *_bell_pair(near, far),
        Step(gate="cx", qubits=(source, near)),
        Step(gate="h", qubits=(source,)),
        Step(gate="measure", qubits=(near,), bit=0),
        Step(gate="measure", qubits=(source,), bit=1),
        Step(gate="x", qubits=(far,), when=0),
        Step(gate="z", qubits=(far,), when=1),
        Step(gate="x", qubits=(source,), when=1),
        Step(gate="swap", qubits=(far, target)),
    ]


def _syndrome(count: int) -> list[Step]:
    parity = [Step(gate="cx", qubits=(k, count)) for k in range(count)]
    return [*parity, Step(gate="measure", qubits=(count,), bit=0)]


def _distillation(count: int) -> list[Step]:
    if count == 1:
        return [
            Step(gate="h", qubits=(1,)),
            Step(gate="ch", qubits=(1, 0)),
            Step(gate="h", qubits=(1,)),
            Step(gate="measure", qubits=(1,), bit=0),
        ]
    spent = (2, 3)
    return [
        *(_bell_pair(*spent) if count == 2 else ()),
        *(Step(gate="cx", qubits=(kept, spent[kept])) for kept in (0, 1)),
        *(Step(gate="measure", qubits=(spent[bit],), bit=bit) for bit in (0, 1)),
    ]


def _feed_forward(count: int) -> list[Step]:
    corrected = range(1, count) if count > 1 else range(1)
    return [
        Step(gate="measure", qubits=(0,), bit=0),
        *(Step(gate="x", qubits=(k,), when=0) for k in corrected),
    ]


_NIELSEN = "Nielsen and Chuang, Quantum Computation and Quantum Information (2010)"
_QISKIT = "Qiskit's"

SERVICES = (
    Service(
        name="hadamard", word="hadamard", operands="", counts=(1,), steps=_one("h", 1),
        summary="The Hadamard gate, h.", source=f"{_NIELSEN}, section 4.2",
    ),
    Service(
        name="cnot", word="cnot", operands="control, target", counts=(2,), steps=_one("cx", 2),
        summary="The controlled NOT, cx.", source=f"{_NIELSEN}, section 4.3",
    ),
    Service(
        name="cz", word="cz", operands="control, target", counts=(2,), steps=_one("cz", 2),
        summary="The controlled Z, with or without the include of standard gates.", source=f"{_NIELSEN}, section 4.3",
    ),
    Service(
        name="controlled_unitary", word="controlled_unitary", operands="control, target", counts=(2,),
        angles=("theta", "phi", "lambda", "gamma"), num_optional=1,
        steps=_one("cu", 2, "theta", "phi", "lambda", "gamma"),
        summary="Any one-qubit gate, controlled: cu of three angles, and the phase gamma that the control gets.",
        source=f"{_QISKIT} CUGate",
    ),
    Service(
        name="programmable_gate", word="programmable_gate", operands="", counts=(1,),
        angles=("theta", "phi", "lambda"), steps=_one("u3", 1, "theta", "phi", "lambda"),
        summary="Any one-qubit gate, by its three angles: u3.", source=f"{_QISKIT} U3Gate",
    ),
    Service(
        name="qft", word="qft", operands="qubits, least significant first", counts=range(1, MAX_OPERANDS + 1),
        steps=_qft, summary="The quantum Fourier transform with its final swaps, exact.",
        source=f"{_NIELSEN}, section 5.1; {_QISKIT} QFTGate",
    ),
    Service(
        name="teleportation", word="teleport", operands="source, target", counts=(2,), steps=_teleport,
        summary=(
            "The state of the source moves to the target over a Bell pair of two ancillas, with corrections by what "
            "was measured. The source is left in |0>; what the target held is lost."
        ),
        source="Bennett et al., Physical Review Letters 70, 1895 (1993)",
    ),
    Service(
        name="bell_pair", word="bell_pair", operands="first, second", counts=(2,), steps=lambda _: _bell_pair(0, 1),
        summary="Makes (|00> + |11>)/sqrt(2) of two qubits in |0>.", source=f"{_NIELSEN}, section 1.3.6",
    ),
    Service(
        name="syndrome_extraction", word="syndrome_extraction", operands="qubits of one Z check",
        counts=range(1, MAX_OPERANDS + 1), steps=_syndrome,
        summary=(
            "Measures the parity of its qubits (the stabilizer Z...Z) by an ancilla, and leaves them otherwise as they "
            "were. Its bit is the syndrome."
        ),
        source="Fowler et al., Physical Review A 86, 032324 (2012), figure 1; Nielsen and Chuang, section 10.5.8",
    ),
    Service(
        name="distillation", word="distillation", operands="qubit, pair, or kept pair and spent pair",
        counts=(1, 2, 4), steps=_distillation,
        summary=(
            "A check that leaves a better state where it passes. Of one qubit: whether it holds the magic state "
            "cos(pi/8)|0> + sin(pi/8)|1>, by measuring H with an ancilla; passed if the bit is 0. Of a pair: whether "
            "it is a Bell pair, by a second one that is spent (two ancillas, or the last two of four operands); "
            "passed if its two bits are equal."
        ),
        source=(
            "one qubit: Knill, arXiv:quant-ph/0402171 (2004); pairs: Bennett et al., Physical Review Letters 76, 722 "
            "(1996)"
        ),
    ),
    Service(
        name="measurement_feedforward", word="measurement_feedforward", operands="measured qubit, corrected qubits",
        counts=range(1, MAX_OPERANDS + 1), steps=_feed_forward,
        summary=(
            "Measures the first qubit, and applies x to each of the others if it was 1. Of one qubit alone: to itself, "
            "which resets it to |0>."
        ),
        source=f"{_NIELSEN}, section 4.4",
    ),
)  # fmt: skip
"""All services, in the order of the reference page."""

WORDS = {word: service for service in SERVICES for word in (service.name, service.word)}
"""The services by what programs write: the word, or the name where that differs."""
