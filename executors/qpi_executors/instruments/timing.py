"""When each native operation happens: in parallel, on the grid, as late as possible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from qiskit import QuantumCircuit
from qiskit.circuit import Bit, CircuitInstruction

from .device import Device
from .front import DT_S, GRID_NS, on_grid, readout_ns

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "dt": DT_S}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One operation on the device's qubits; times in ns from the end of the initial reset.

    ``name`` is ``rz``, ``sx``, ``x``, ``cz``, ``measure``, ``reset`` or ``delay``; ``angle`` is that of ``rz`` in
    radians; ``label`` names the acquisition of ``measure``, each of a schedule another one.
    """

    name: str
    qubits: tuple[str, ...]
    start_ns: int
    duration_ns: int
    angle: float = 0.0
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A circuit in time: its operations by their start, and what its measurements are called.

    ``labels`` are the acquisitions whose results stand in the classical bits at the end, by bit. ``acquisitions`` are
    the labels of each qubit in order. ``reset_ns`` is the initial reset, before 0; ``duration_ns`` comes after it.
    ``rounded`` are delays that were not on the grid: asked for and taken, in seconds.
    """

    operations: tuple[Timed, ...]
    duration_ns: int
    reset_ns: int
    labels: Mapping[int, str]
    acquisitions: Mapping[str, tuple[str, ...]]
    rounded: tuple[tuple[float, float], ...] = ()

    @property
    def qubits(self) -> tuple[str, ...]:
        """Those that anything touches, in the device's order."""
        return tuple(self.acquisitions)

    @property
    def shot_s(self) -> float:
        """How long one shot takes, its reset included."""
        return (self.reset_ns + self.duration_ns) * 1e-9


def timeline(circuit: QuantumCircuit, device: Device) -> Timeline:
    """When the operations of a native circuit happen (`Front.native`): as late as possible, nothing before it has to.

    Operations wait for others on their qubits, a measurement also for earlier ones into its classical bit. All that end
    a circuit end together: final measurements begin at the same time where they take equally long.
    """
    rounded: list[tuple[float, float]] = []
    pieces = [_piece(circuit, instruction, device, rounded) for instruction in circuit.data]
    starts, total = _as_late_as_possible(pieces)
    labels: dict[int, str] = {}
    used = {name for piece in pieces for name in piece.touched}
    acquisitions: dict[str, list[str]] = {name: [] for name in device.names if name in used}
    timed = []
    for piece, start in zip(pieces, starts, strict=True):
        if piece.operation is None:
            continue
        operation = replace(piece.operation, start_ns=start)
        if operation.name == "measure":
            (qubit,) = operation.qubits
            label = f"{qubit}_m{len(acquisitions[qubit])}"
            acquisitions[qubit].append(label)
            labels[piece.clbit] = label
            operation = replace(operation, label=label)
        timed.append(operation)
    timed.sort(key=lambda operation: operation.start_ns)  # stable: what begins together stays in order
    return Timeline(
        operations=tuple(timed),
        duration_ns=total,
        reset_ns=max((on_grid(device.qubits[name].reset_s) for name in used), default=0),
        labels=dict(sorted(labels.items())),
        acquisitions={name: tuple(found) for name, found in acquisitions.items()},
        rounded=tuple(rounded),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """An instruction: what it holds while it lasts, and what it plays (nothing for a barrier)."""

    wires: tuple[Bit, ...]
    duration_ns: int
    operation: Timed | None = None
    clbit: int = -1
    touched: tuple[str, ...] = field(default=())


def _piece(
    circuit: QuantumCircuit, instruction: CircuitInstruction, device: Device, rounded: list[tuple[float, float]]
) -> _Piece:
    names = tuple(device.names[circuit.find_bit(bit).index] for bit in instruction.qubits)
    wires = (*instruction.qubits, *instruction.clbits)
    name, qubit = instruction.name, device.qubits[names[0]] if names else None
    if name == "barrier" or qubit is None:
        return _Piece(wires=wires, duration_ns=0)
    angle = 0.0
    match name:
        case "rz":
            duration_ns, angle = 0, float(instruction.params[0])
        case "sx" | "x":
            duration_ns = on_grid(qubit.drive.duration_s)
        case "cz":
            names = device.edge(*names)
            duration_ns = on_grid(device.edges[names].duration_s)
        case "measure":
            duration_ns = readout_ns(qubit)
        case "reset":
            duration_ns = on_grid(qubit.reset_s)
        case "delay":
            asked_s = float(instruction.params[0]) * _UNITS[instruction.operation.unit]
            duration_ns = round(asked_s * 1e9 / GRID_NS) * GRID_NS
            if abs(asked_s - duration_ns * 1e-9) > 1e-15 + 1e-9 * asked_s:
                rounded.append((asked_s, duration_ns * 1e-9))
    operation = Timed(name=name, qubits=names, start_ns=0, duration_ns=duration_ns, angle=angle)
    clbit = circuit.find_bit(instruction.clbits[0]).index if instruction.clbits else -1
    return _Piece(
        wires=wires, duration_ns=duration_ns, operation=operation, clbit=clbit,
        touched=() if name == "delay" else names,
    )  # fmt: skip


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
        start = max((free.get(wire, 0) for wire in piece.wires), default=0)
        starts.append(start)
        free.update(dict.fromkeys(piece.wires, start + piece.duration_ns))
    return starts, max(free.values(), default=0)
