"""When each native operation happens: in parallel, on the grid, as late as possible, with branches as soon."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from qiskit import QuantumCircuit
from qiskit.circuit import Bit, CircuitInstruction, Clbit

from .device import Device
from .front import DT_S, GRID_NS, on_grid, readout_ns

TRIGGER_NS = 364
"""How long a bit takes from the end of its measurement to the sequencers that branch on it."""
MAX_TRIGGERS = 15
"""The qubits whose measurements can decide branches: addresses in a cluster."""
MAX_BRANCH_NS = 65_000
"""The longest branch: a sequencer skips it by one instruction."""
_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "dt": DT_S}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One operation on the device's qubits; times in ns from the end of the initial reset.

    ``name`` is ``rz``, ``sx``, ``x``, ``cz``, ``measure``, ``reset`` or ``delay``, and in a branch ``turn`` or
    ``flux``; ``angle`` is that of ``rz`` and ``turn`` in radians, ``axis`` where in the equator ``turn`` has its axis.
    ``flux`` is the pulse of ``cz`` alone, without the phases that complete it. ``label`` names the acquisition of
    ``measure``, each of a schedule another one. ``condition`` is the label of the acquisition that has to read 1 for it
    to be played.
    """

    name: str
    qubits: tuple[str, ...]
    start_ns: int
    duration_ns: int
    angle: float = 0.0
    axis: float = 0.0
    label: str = ""
    condition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A circuit in time: its operations by their start, and what its measurements are called.

    ``labels`` are the acquisitions whose results stand in the classical bits at the end, by bit. ``acquisitions`` are
    the labels of each qubit in order. ``reset_ns`` is the initial passive reset, before 0; ``duration_ns`` comes after
    it. ``rounded`` are delays that were not on the grid: asked for and taken, in seconds. ``decides`` has the qubit of
    each acquisition that decides a branch, by label; those of active resets are in no other list.
    """

    operations: tuple[Timed, ...]
    duration_ns: int
    reset_ns: int
    labels: Mapping[int, str]
    acquisitions: Mapping[str, tuple[str, ...]]
    rounded: tuple[tuple[float, float], ...] = ()
    decides: Mapping[str, str] = field(default_factory=dict)

    @property
    def qubits(self) -> tuple[str, ...]:
        """Those that anything touches, in the device's order."""
        return tuple(self.acquisitions)

    @property
    def shot_s(self) -> float:
        """How long one shot takes, its reset included."""
        return (self.reset_ns + self.duration_ns) * 1e-9

    @property
    def steps(self) -> int:
        """How many operations it has."""
        return len(self.operations)

    @property
    def splits(self) -> int:
        """The measurements that something on their qubit follows, those that decide branches counted twice."""
        last: dict[str, int] = {}
        for place, operation in enumerate(self.operations):
            if operation.name not in ("rz", "delay"):
                last.update(dict.fromkeys(operation.qubits, place))
        midway = (
            operation.label in self.decides or last[operation.qubits[0]] != place
            for place, operation in enumerate(self.operations)
            if operation.name == "measure"
        )
        return sum(midway) + len(self.decides)

    @property
    def bins(self) -> int:
        """The acquisitions of the qubit that has most."""
        found: dict[str, int] = dict.fromkeys(self.qubits, 0)
        for operation in self.operations:
            if operation.name == "measure":
                found[operation.qubits[0]] += 1
        return max(found.values(), default=0)


def timeline(circuit: QuantumCircuit, device: Device, *, active_reset: bool = False) -> Timeline:
    """When the operations of a native circuit happen (`Front.native`).

    As late as possible where nothing branches, nothing before it has to; with branches as soon as possible. Operations
    wait for others on their qubits, a measurement also for earlier ones into its classical bit. All that end a circuit
    without branches end together: final measurements begin at the same time where they take equally long.

    ``active_reset`` has each reset, the initial one too, measure the qubit and turn it where it reads 1.

    Raises
    ------
    ValueError
        the instrument cannot carry out its branches; the message says why.
    """
    plan = _Plan(circuit, device, active_reset=active_reset)
    pieces = plan.pieces()
    placed = _as_soon_as_possible if circuit.count_ops().get("if_else") else _as_late_as_possible
    starts, total = placed(pieces)
    timed = [
        replace(operation, start_ns=start + operation.start_ns)
        for piece, start in zip(pieces, starts, strict=True)
        for operation in piece.operations
    ]
    timed.sort(key=lambda operation: operation.start_ns)  # stable: what begins together stays in order
    return Timeline(
        operations=tuple(timed),
        duration_ns=total,
        reset_ns=0 if active_reset else max((on_grid(device.qubits[name].reset_s) for name in plan.used), default=0),
        labels=dict(sorted(plan.labels.items())),
        acquisitions={name: tuple(plan.acquisitions[name]) for name in device.names if name in plan.used},
        rounded=tuple(plan.rounded),
        decides=plan.decides,
    )


_TRIGGERS = Clbit()
"""Held by a measurement that decides and by its branch: the instrument has one such pair at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What belongs together: the wires it holds and how long, and what it plays, from 0 (nothing for a barrier).

    ``beside`` are wires that it only holds: nothing on them has to come before it or after it. ``decides`` is the label
    of a measurement that a branch waits for, ``condition`` the same of the branch.
    """

    wires: tuple[Bit, ...]
    duration_ns: int
    operations: tuple[Timed, ...] = ()
    beside: tuple[Bit, ...] = ()
    decides: str = ""
    condition: str = ""


class _Plan:
    """The pieces of a native circuit, and what is found on the way: see `Timeline`."""

    def __init__(self, circuit: QuantumCircuit, device: Device, *, active_reset: bool) -> None:
        self._circuit, self._device, self._active = circuit, device, active_reset
        self.used: set[str] = {
            self._name(bit)
            for instruction in circuit.data
            if instruction.name not in ("barrier", "delay")
            for bit in instruction.qubits
        }
        self.acquisitions: dict[str, list[str]] = {name: [] for name in device.names}
        self.labels: dict[int, str] = {}
        self.decides: dict[str, str] = {}
        self.rounded: list[tuple[float, float]] = []
        self._resets = 0
        self._branching = self._found_branches()
        self._partners = self._found_partners()

    def pieces(self) -> list[_Piece]:
        """All of them, in an order in which each branch comes before the next measurement that decides one."""
        made: list[_Piece] = []
        if self._active:
            begun = tuple(bit for bit in self._circuit.qubits if self._name(bit) in self.used)
            made = [piece for bit in begun for piece in self._active_reset(bit)]
            made.append(_Piece(wires=begun, duration_ns=0))  # none waits for another reset in anything but 0
        for place, instruction in enumerate(self._circuit.data):
            made += self._pieces_of(place, instruction)
        if len(set(self.decides.values())) > MAX_TRIGGERS:
            raise _refused(f"branches on more than {MAX_TRIGGERS} qubits, the most that a cluster can tell apart")
        return list(_paired(made)) if self.decides else made

    def _pieces_of(self, place: int, instruction: CircuitInstruction) -> Iterator[_Piece]:
        wires, name = (*instruction.qubits, *instruction.clbits), instruction.name
        if name == "if_else":
            bit = instruction.clbits[0]
            label = self.labels[self._circuit.find_bit(bit).index]
            yield self._branch(self._body(instruction.operation.blocks[0], instruction), wires, label)
        elif name == "measure":
            yield self._measurement(instruction, deciding=place in self._partners)
        elif name == "reset" and self._active:
            yield from self._active_reset(instruction.qubits[0])
        else:
            operations = self._timed(instruction)
            duration_ns = operations[0].duration_ns if operations else 0
            yield _Piece(wires=wires, duration_ns=duration_ns, operations=operations)

    def _measurement(self, instruction: CircuitInstruction, *, deciding: bool) -> _Piece:
        (bit,) = instruction.qubits
        name = self._name(bit)
        label = f"{name}_m{len(self.acquisitions[name])}"
        self.acquisitions[name].append(label)
        self.labels[self._circuit.find_bit(instruction.clbits[0]).index] = label
        return self._read(bit, (*instruction.qubits, *instruction.clbits), label, deciding=deciding)

    def _read(self, bit: Bit, wires: tuple[Bit, ...], label: str, *, deciding: bool) -> _Piece:
        """A measurement. Those of qubits that decide branches come one by one: each sends its trigger. One that decides
        holds the qubits that wait for it, whose sequencers forget earlier triggers meanwhile."""
        name = self._name(bit)
        duration_ns = readout_ns(self._device.qubits[name])
        read = Timed(name="measure", qubits=(name,), start_ns=0, duration_ns=duration_ns, label=label)
        beside: tuple[Bit, ...] = (_TRIGGERS,) if name in self._branching else ()
        if deciding:
            self.decides[label] = name
            beside = (*beside, *self._branching[name])
        held_ns = on_grid((duration_ns + TRIGGER_NS) * 1e-9) if deciding else duration_ns
        return _Piece(
            wires=wires, beside=beside, duration_ns=held_ns, operations=(read,), decides=label if deciding else ""
        )  # fmt: skip

    def _branch(self, body: tuple[Timed, ...], wires: tuple[Bit, ...], label: str) -> _Piece:
        end_ns = max((operation.start_ns + operation.duration_ns for operation in body), default=0)
        if end_ns > MAX_BRANCH_NS:
            raise _refused(f"has a branch of {end_ns} ns; the instrument plays at most {MAX_BRANCH_NS} ns in one")
        operations = tuple(replace(operation, condition=label) for operation in body)
        # One step more: the instrument needs it to leave the branch.
        return _Piece(
            wires=wires, beside=(_TRIGGERS,), duration_ns=end_ns + GRID_NS, operations=operations, condition=label
        )  # fmt: skip

    def _active_reset(self, bit: Bit) -> Iterator[_Piece]:
        name = self._name(bit)
        label = f"{name}_r{self._resets}"
        self._resets += 1
        yield self._read(bit, (bit,), label, deciding=True)
        yield self._branch((self._turn(name, math.pi, 0.0, 0),), (bit,), label)

    def _body(self, block: QuantumCircuit, outside: CircuitInstruction) -> tuple[Timed, ...]:
        """What a branch plays, by its own start. It changes no frame, which the other way would lack: pulses after a
        ``rz`` have another axis, and in the end two half turns make up for it."""
        frames: dict[str, float] = {}
        pieces = []
        names = dict(zip(block.qubits, map(self._name, outside.qubits), strict=True))
        for instruction in block.data:
            qubits = tuple(names[bit] for bit in instruction.qubits)
            operations: tuple[Timed, ...] = ()
            match instruction.name:
                case "rz":
                    frames[qubits[0]] = frames.get(qubits[0], 0.0) + float(instruction.params[0])
                    continue
                case "sx" | "x":
                    angle = math.pi if instruction.name == "x" else math.pi / 2
                    operations = (self._turn(qubits[0], angle, -frames.get(qubits[0], 0.0), 0),)
                case "cz":
                    pair = self._device.edge(*qubits)
                    edge = self._device.edges[pair]
                    operations = (Timed(name="flux", qubits=pair, start_ns=0, duration_ns=on_grid(edge.duration_s)),)
                    for name, phase in zip(pair, (edge.parent_phase_deg, edge.child_phase_deg), strict=True):
                        frames[name] = frames.get(name, 0.0) - math.radians(phase)
                case _:
                    operations = self._timed(instruction, qubits)
            wires = instruction.qubits
            pieces.append(
                _Piece(wires=wires, duration_ns=operations[0].duration_ns if operations else 0, operations=operations)
            )
        for bit, name in names.items():
            turns = self._phase(name, frames.get(name, 0.0))
            pieces += [_Piece(wires=(bit,), duration_ns=turn.duration_ns, operations=(turn,)) for turn in turns]
        starts, _ = _as_soon_as_possible(pieces)
        return tuple(
            replace(operation, start_ns=start)
            for piece, start in zip(pieces, starts, strict=True)
            for operation in piece.operations
        )

    def _phase(self, name: str, angle: float) -> tuple[Timed, ...]:
        """``rz`` by pulses: half turns about two axes, half its angle apart."""
        if abs(math.remainder(angle, 2 * math.pi)) < 1e-12:
            return ()
        return self._turn(name, math.pi, 0.0, 0), self._turn(name, math.pi, angle / 2, 0)

    def _turn(self, name: str, angle: float, axis: float, start_ns: int) -> Timed:
        duration_ns = on_grid(self._device.qubits[name].drive.duration_s)
        return Timed(
            name="turn", qubits=(name,), start_ns=start_ns, duration_ns=duration_ns, angle=angle, axis=axis
        )  # fmt: skip

    def _timed(self, instruction: CircuitInstruction, qubits: tuple[str, ...] = ()) -> tuple[Timed, ...]:
        """What plays for an instruction that nothing else depends on: itself, or nothing."""
        names = qubits or tuple(map(self._name, instruction.qubits))
        name, device = instruction.name, self._device
        if name == "barrier" or not names:
            return ()
        qubit, angle = device.qubits[names[0]], 0.0
        match name:
            case "rz":
                duration_ns, angle = 0, float(instruction.params[0])
            case "sx" | "x":
                duration_ns = on_grid(qubit.drive.duration_s)
            case "cz":
                names = device.edge(*names)
                duration_ns = on_grid(device.edges[names].duration_s)
            case "reset":
                duration_ns = on_grid(qubit.reset_s)
            case "delay":
                duration_ns = self._delay(float(instruction.params[0]) * _UNITS[instruction.operation.unit])
            case _:
                raise _refused(f"has {name!r}, which the instrument does not play")
        return (Timed(name=name, qubits=names, start_ns=0, duration_ns=duration_ns, angle=angle),)

    def _delay(self, asked_s: float) -> int:
        duration_ns = round(asked_s * 1e9 / GRID_NS) * GRID_NS
        if abs(asked_s - duration_ns * 1e-9) > 1e-15 + 1e-9 * asked_s:
            self.rounded.append((asked_s, duration_ns * 1e-9))
        return duration_ns

    def _found_partners(self) -> set[int]:
        """The places of measurements that a branch waits for."""
        last: dict[Bit, int] = {}
        found = set()
        for place, instruction in enumerate(self._circuit.data):
            if instruction.name == "measure":
                last[instruction.clbits[0]] = place
            elif instruction.name == "if_else":
                found.add(last[instruction.clbits[0]])
        return found

    def _found_branches(self) -> dict[str, tuple[Bit, ...]]:
        """The qubits that wait for measurements of each qubit that decides."""
        read: dict[Bit, str] = {}
        found: dict[str, dict[Bit, None]] = {}
        for instruction in self._circuit.data:
            if instruction.name == "measure":
                read[instruction.clbits[0]] = self._name(instruction.qubits[0])
            elif instruction.name == "if_else":
                found.setdefault(read[instruction.clbits[0]], {}).update(dict.fromkeys(instruction.qubits))
        if self._active:
            for bit in self._circuit.qubits:
                if self._name(bit) in self.used:
                    found.setdefault(self._name(bit), {})[bit] = None
        return {name: tuple(waiting) for name, waiting in found.items()}

    def _name(self, bit: Bit) -> str:
        name: str = self._device.names[self._circuit.find_bit(bit).index]
        return name


def _paired(pieces: list[_Piece]) -> Iterator[_Piece]:
    """The pieces in another order that their wires allow: after a measurement that decides comes its branch before the
    next such measurement."""
    waiting = list(pieces)
    while waiting:
        for deciding in (None, *(piece for piece in waiting if piece.decides)):
            taken, left = _ready(waiting, deciding)
            closed = deciding is None or any(piece.condition == deciding.decides for piece in taken)
            if taken and closed:
                yield from taken
                waiting = left
                break
        else:
            labels = ", ".join(piece.decides for piece in waiting if piece.decides)
            raise _refused(
                f"has branches that need several measurements at once ({labels}); the instrument decides one branch "
                "before it measures for the next"
            )


def _ready(pieces: list[_Piece], deciding: _Piece | None) -> tuple[list[_Piece], list[_Piece]]:
    """What can go before any measurement that decides, but for this one, and what is left, both in their order.

    Between it and its branch its qubit is not measured again: that would send a trigger, too.
    """
    taken, left, blocked, open_for = [], [], set[Bit](), ""
    for piece in pieces:
        again = bool(open_for) and any(one.name == "measure" and one.qubits == (open_for,) for one in piece.operations)
        if again or (piece.decides and piece is not deciding) or not blocked.isdisjoint(piece.wires):
            blocked.update(piece.wires)
            left.append(piece)
            continue
        taken.append(piece)
        if piece is deciding:
            open_for = piece.operations[0].qubits[0]
        elif deciding is not None and piece.condition == deciding.decides:
            open_for = ""
    return taken, left


def _as_late_as_possible(pieces: list[_Piece]) -> tuple[list[int], int]:
    """The start of each piece, and the end of all."""
    _, total = _as_soon_as_possible(pieces)
    backwards, _ = _as_soon_as_possible(reversed(pieces))
    ends = [total - start for start in reversed(backwards)]
    return [end - piece.duration_ns for end, piece in zip(ends, pieces, strict=True)], total


def _as_soon_as_possible(pieces: Iterable[_Piece]) -> tuple[list[int], int]:
    free: dict[Bit, int] = {}
    starts = []
    for piece in pieces:
        wires = (*piece.wires, *piece.beside)
        start = max((free.get(wire, 0) for wire in wires), default=0)
        starts.append(start)
        free.update(dict.fromkeys(wires, start + piece.duration_ns))
    return starts, max(free.values(), default=0)


def _refused(what: str) -> ValueError:
    return ValueError(f"it {what}.")
