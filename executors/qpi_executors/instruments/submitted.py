"""Schedules that people submit: read as JSON and checked against the device; only the stack makes objects of them.

Whatever a schedule names must be known here: classes and pulse shapes by a table, qubits, ports and clocks by the
device. A schedule is run as it is written, no reset before it, with the job's shots and measurement level.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from qpi_jupyter.core import Program, ProgramError, Rejected, RunOptions, SweepAxis, TooLarge
from qpi_jupyter.data.conventions import CircuitInfo
from qpi_jupyter.data.schedules import ScheduleFormat

from .device import PORTS, Device
from .front import on_grid, readout_ns
from .timing import Timeline

MAX_OPERATIONS = 10_000
MAX_SHAPED_S = 16_384e-9
"""What a sequencer can keep of pulses that are not square: the library would compute a longer one whole, in vain."""
_BASEBAND = frozenset({"cl0.baseband", "digital"})
_GATES = frozenset({"Rxy", "X", "X90", "Y", "Y90", "Rz", "CZ", "Reset", "Measure"})
_PULSES = frozenset({"IdlePulse", "SquarePulse", "DRAGPulse", "GaussPulse", "ShiftClockPhase", "ResetClockPhase"})
_RESOURCES = frozenset({"ClockResource", "BasebandClockResource", "DigitalClockResource"})
_SHAPES = frozenset({"square", "drag"})
_VALUES = frozenset({"float", "int", "complex", "complex128", "int64", "int32", "BinMode"})
_MODULES = {
    "schedules.schedule": frozenset({"Schedule", "TimeableSchedule", "Schedulable", "TimingConstraint"}),
    "operations.gate_library": _GATES,
    "operations.pulse_library": _PULSES,
    "resources": _RESOURCES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted(Timeline):
    """A submitted schedule as the executors' paths take it: what it acquires and how long it may take, no operations.

    ``source`` is its JSON, all of it known; ``placed`` is how many operations it has, and ``midway`` how many of its
    acquisitions something on their qubit follows.
    """

    source: str
    placed: int = 0
    midway: int = 0

    @property
    def steps(self) -> int:
        """As of `Timeline`."""
        return self.placed

    @property
    def splits(self) -> int:
        """As of `Timeline`."""
        return self.midway

    @property
    def bins(self) -> int:
        """As of `Timeline`."""
        return max(map(len, self.acquisitions.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRun:
    """One schedule, measured ``shots`` times; as `programs.Run` is of a circuit."""

    circuit_index: int
    name: str
    plan: Submitted
    shots: int
    n_qubits: int
    row_index: None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    axes: tuple[SweepAxis, ...] = ()

    @property
    def num_clbits(self) -> int:
        """One classical bit an acquisition."""
        return len(self.plan.labels)

    def info(self, options: RunOptions, *, seed: int | None = None) -> CircuitInfo:
        """What the result says about it."""
        return CircuitInfo(
            name=self.name, circuit=self.circuit_index, shots=self.shots, meas_level=options.meas_level,
            meas_return=options.meas_return, creg_sizes=(("acquisitions", self.num_clbits),),
            memory_slots=self.num_clbits, n_qubits=self.n_qubits,
            seed=options.seed_simulator if seed is None else seed,
        )  # fmt: skip


def read(program: Program, form: ScheduleFormat, device: Device) -> list[ScheduleRun]:
    """The schedules of a program.

    Raises
    ------
    ProgramError, Rejected, TooLarge
        what is wrong, with the schedule's index; what the device doesn't have, by name.
    """
    runs = []
    for index, source in enumerate(program.sources):
        own = program.circuit_options(index)
        if own.parameter_values:
            raise Rejected(
                f"Schedule {index} has no parameters: submit a schedule for each row.", code="bad_parameters"
            )
        plan, name = _Reader(index, form.library, device).plan(source)
        shots = program.options.shots if own.shots is None else own.shots
        runs.append(ScheduleRun(circuit_index=index, name=name, plan=plan, shots=shots, n_qubits=len(device.names)))
    return runs


class _Reader:
    """Reads one schedule."""

    def __init__(self, index: int, library: str, device: Device) -> None:
        self._index, self._library, self._device = index, library, device
        self._classes = _VALUES | {f"{library}.{module}.{kind}" for module, kinds in _MODULES.items() for kind in kinds}
        self._ports = {device.port(kind, name): name for name in device.names for kind in PORTS}
        self._clocks = {
            f"{name}.{clock}": frequency
            for name, qubit in device.qubits.items()
            for clock, frequency in (("01", qubit.f01_hz), ("12", qubit.f12_hz), ("ro", qubit.readout_hz))
        }

    def plan(self, source: bytes) -> tuple[Submitted, str]:
        """What it acquires, and what it is called."""
        try:
            return self._read(source)
        except RecursionError:
            self._refuse("is nested too deeply.", "bad_program")
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            self._refuse(f"cannot be read: {error}.", "bad_program")

    def _read(self, source: bytes) -> tuple[Submitted, str]:
        tree = self._tree(source)
        self._check(tree)
        schedule = self._data(tree, {"Schedule", "TimeableSchedule"}, "schedules.schedule")
        operations = {key: self._operation(one) for key, one in _mapping(schedule.get("operation_dict")).items()}
        for resource in _mapping(schedule.get("resource_dict")).values():
            self._resource(self._data(resource, _RESOURCES, "resources"))
        labels: dict[str, list[str]] = {name: [] for name in self._device.names}
        order, length_ns, placed = [], 0, list(self._placed(schedule, operations))
        ends: dict[str, bool] = {}  # of each qubit that is touched: whether its last operation measures it
        for operation in placed:
            ends.update({name: name in operation.measured for name in operation.qubits})
            length_ns += operation.length_ns
            for name in operation.measured:
                labels[name].append(f"{name}_m{len(labels[name])}")
                order.append(labels[name][-1])
        if not order:
            self._refuse("measures nothing: add a Measure.", "no_measurement")
        plan = Submitted(
            operations=(), duration_ns=length_ns, reset_ns=0, labels=dict(enumerate(order)),
            acquisitions={name: tuple(labels[name]) for name in self._device.names if name in ends},
            source=json.dumps(tree), placed=len(placed), midway=len(order) - sum(ends.values()),
        )  # fmt: skip
        return plan, str(schedule.get("name", "schedule"))[:256]

    def _tree(self, source: bytes) -> Any:
        def number(text: str) -> NoReturn:
            self._refuse(f"has the number {text}.", "bad_program")

        try:
            return json.loads(source, parse_constant=number)
        except (ValueError, RecursionError) as error:
            self._refuse(f"is not JSON: {error}.", "bad_program")

    def _placed(self, schedule: Mapping[str, Any], operations: Mapping[str, _Operation]) -> Iterator[_Operation]:
        """The operations in the order in which they were added."""
        placed = schedule.get("schedulables")
        pairs = list(placed.items()) if isinstance(placed, dict) else placed
        if not isinstance(pairs, list):
            self._refuse("has no schedulables.", "bad_program")
        if len(pairs) > MAX_OPERATIONS:
            raise TooLarge(
                f"Schedule {self._index} has {len(pairs):,} operations; the limit is {MAX_OPERATIONS:,}.",
                code="program_too_complex", limit=MAX_OPERATIONS,
            )  # fmt: skip
        for pair in pairs:
            if not (isinstance(pair, list | tuple) and len(pair) == 2):
                self._refuse("has a schedulable that is no pair of name and facts.", "bad_program")
            facts = self._data(pair[1], {"Schedulable"}, "schedules.schedule")
            for constraint in facts.get("timing_constraints") or ():
                self._data(constraint, {"TimingConstraint"}, "schedules.schedule")
            if facts.get("operation_id") not in operations:
                self._refuse(f"has no operation {facts.get('operation_id')!r}.", "bad_program")
            yield operations[facts["operation_id"]]

    def _operation(self, tree: Any) -> _Operation:
        kind = self._kind(tree)
        module = "gate_library" if kind in _GATES else "pulse_library"
        data = self._data(tree, _GATES | _PULSES, f"operations.{module}")
        gate = _mapping(data.get("gate_info"))
        if data.get("acquisition_info") or any(data.get("logic_info") or ()):
            self._refuse(f"has a {kind} with an acquisition of its own: use Measure.", "unknown_class")
        pulses = data.get("pulse_info") or []
        pulses = pulses if isinstance(pulses, list) else [pulses]
        if (kind == "Measure") != (gate.get("operation_type") == "measure") or (gate and kind in _PULSES):
            self._refuse(f"has a {kind} that says it is {gate.get('operation_type')!r}.", "unknown_class")
        if kind in _GATES:
            if pulses or gate.get("feedback_trigger_label"):
                self._refuse(f"has a {kind} with pulses or feedback of its own.", "unknown_class")
            return self._gate(kind, gate)
        return self._pulse([_mapping(pulse) for pulse in pulses])

    def _gate(self, kind: str, gate: Mapping[str, Any]) -> _Operation:
        names = gate.get("device_elements") or ()
        if unknown := [name for name in names if name not in self._device.qubits]:
            known = ", ".join(self._device.names)
            self._refuse(f"uses the qubit {unknown[0]!r}; the device has {known}.", "unknown_qubit")
        if kind == "CZ" and (len(names) != 2 or self._device.edge(*names) not in self._device.edges):
            self._refuse(f"has a CZ between {' and '.join(map(str, names))}, where no edge is.", "unknown_edge")
        if not names:
            self._refuse(f"has a {kind} of no qubit.", "bad_program")
        overrides = _mapping(gate.get("device_overrides"))
        if any(isinstance(value, str) for value in overrides.values()) or (overrides and kind == "Measure"):
            self._refuse(f"has a {kind} with other {', '.join(overrides)} than the device.", "unknown_class")
        if kind == "CZ":
            length_ns = on_grid(self._device.edges[self._device.edge(*names)].duration_s)
        else:
            length_ns = max(self._length_ns(kind, name) for name in names)
        return _Operation(
            qubits=frozenset(names), measured=tuple(names) if kind == "Measure" else (), length_ns=length_ns
        )

    def _length_ns(self, kind: str, name: str) -> int:
        qubit = self._device.qubits[name]
        if kind == "Measure":
            return readout_ns(qubit)
        return on_grid(qubit.reset_s if kind == "Reset" else qubit.drive.duration_s)

    def _pulse(self, pulses: list[dict[str, Any]]) -> _Operation:
        qubits, length_ns = set(), 0
        for pulse in pulses:
            port, clock, shape = pulse.get("port"), pulse.get("clock"), pulse.get("wf_func")
            if port is not None and port not in self._ports:
                known = ", ".join(sorted(self._ports))
                self._refuse(
                    f"uses the port {port!r}, which the device does not have; it has: {known}.", "unknown_port"
                )
            if clock is not None and clock not in self._clocks and clock not in _BASEBAND:
                known = ", ".join(sorted(self._clocks))
                self._refuse(
                    f"uses the clock {clock!r}, which the device does not have; it has: {known}.", "unknown_clock"
                )
            if shape is not None and shape not in {f"{self._library}.waveforms.{one}" for one in _SHAPES}:
                self._refuse(f"has a pulse of the shape {str(shape)[:80]!r}; known are: drag, square.", "unknown_pulse")
            if port is not None:
                qubits.add(self._ports[port])
            if odd := [name for name, value in pulse.items() if self._is_odd(name, value)]:
                self._refuse(f"has a pulse whose {odd[0][:80]!r} is not a number.", "bad_program")
            duration_s = pulse.get("duration") or 0
            if shape is not None and not shape.endswith(".square") and duration_s > MAX_SHAPED_S:
                self._refuse(
                    f"has a shaped pulse of {duration_s:g} s; a sequencer has room for {MAX_SHAPED_S:g} s.", "too_long"
                )
            length_ns = max(length_ns, on_grid(duration_s + (pulse.get("t0") or 0)))
        return _Operation(qubits=frozenset(qubits), measured=(), length_ns=length_ns)

    def _is_odd(self, name: str, value: Any) -> bool:
        """Whether no pulse has such a value there: the library would compile some of them, and fail when they play."""
        if name in ("duration", "t0"):
            return value is not None and (isinstance(value, bool) or not isinstance(value, int | float))
        return isinstance(value, list) or (isinstance(value, dict) and not self._kind(value))

    def _resource(self, data: Mapping[str, Any]) -> None:
        """A clock must be one of the device's, at the device's frequency."""
        name = data.get("name")
        if name in _BASEBAND:
            return
        frequency = self._clocks.get(str(name))
        if frequency is None or data.get("freq") != frequency:
            self._refuse(
                f"sets the clock {str(name)[:80]!r} to {data.get('freq')!r} Hz; the device has other clocks.",
                "unknown_clock",
            )

    def _check(self, tree: Any) -> None:
        """The library's decoder makes an object of whatever says that it is one: it must be known, wherever it is."""
        if isinstance(tree, dict):
            kind = tree.get("deserialization_type")
            if "deserialization_type" in tree and not (isinstance(kind, str) and kind in self._classes):
                self._unknown(kind)
            if "mode" in tree and (tree["mode"] != "__init__" or kind not in _VALUES):
                self._unknown(kind)
            for picture in ("unitary", "plot_func"):
                if picture in tree:
                    tree[picture] = None  # how a gate is drawn, and what it is in theory: nothing that is run
            for value in tree.values():
                self._check(value)
        elif isinstance(tree, list):
            for value in tree:
                self._check(value)
        elif isinstance(tree, float) and not math.isfinite(tree):
            self._refuse("has a number that is too large.", "bad_program")

    def _data(self, tree: Any, kinds: set[str] | frozenset[str], module: str) -> dict[str, Any]:
        """What an object of one of these classes holds."""
        if (
            self._kind(tree) not in kinds
            or tree["deserialization_type"] != f"{self._library}.{module}.{self._kind(tree)}"
        ):
            self._unknown(tree.get("deserialization_type") if isinstance(tree, dict) else tree)
        return _mapping(tree.get("data"))

    def _kind(self, tree: Any) -> str:
        named = tree.get("deserialization_type") if isinstance(tree, dict) else None
        return named.rpartition(".")[2] if isinstance(named, str) else ""

    def _unknown(self, found: object) -> NoReturn:
        known = ", ".join(sorted(_GATES | _PULSES))
        self._refuse(f"has an object of the class {str(found)[:120]!r}; operations are: {known}.", "unknown_class")

    def _refuse(self, message: str, code: str) -> NoReturn:
        raise ProgramError(f"Schedule {self._index} {message}", code=code, circuit=self._index)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    qubits: frozenset[str]
    measured: tuple[str, ...]
    length_ns: int


def _mapping(tree: Any) -> dict[str, Any]:
    return tree if isinstance(tree, dict) else {}
