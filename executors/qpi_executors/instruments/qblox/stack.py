"""qblox-scheduler's `HardwareAgent` on a cluster, or on a dummy of one."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np
from qblox_instruments import DummyBinnedAcquisitionData, DummyScopeAcquisitionData
from qblox_scheduler import (
    CZ,
    HardwareAgent,
    IdlePulse,
    Measure,
    Operation,
    Reset,
    Schedule,
    ShiftClockPhase,
    X,
    X90,
)

from qpi_jupyter.core import Faulted, Rejected

from ..device import Device, Hardware
from ..dummy import private_assembler
from ..front import GRID_NS
from ..pulses import Acquire, Event, Play, ResetPhase, ShiftPhase, Wait
from ..stack import ControlStack, Points
from ..timing import Timed, Timeline
from .elements import quantum_device

_TRACE_SAMPLES = 16384
"""What a module's scope keeps, one a nanosecond."""


class QbloxStack(ControlStack):
    """One cluster through qblox-scheduler."""

    libraries: ClassVar[tuple[str, ...]] = ("qblox-scheduler", "qblox-instruments")

    def __init__(self, device: Device, hardware: Hardware, *, dummy: bool) -> None:
        super().__init__(device, hardware, dummy=dummy)
        self._agent: HardwareAgent | None = None

    def open(self) -> None:
        """As `ControlStack.open`."""
        if self._agent is not None:
            return
        if self.dummy:
            private_assembler()
        self._output = tempfile.TemporaryDirectory(prefix="qpi-qblox-")
        agent = HardwareAgent(
            dict(self.hardware), quantum_device(self.device),
            create_dummy_connections=self.dummy, output_dir=self._output.name,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it makes a dummy
            agent.connect_clusters()
        self._agent = agent

    def close(self) -> None:
        """As `ControlStack.close`."""
        if self._agent is None:
            return
        for cluster in self._agent.get_clusters().values():
            with suppress(KeyError):
                cluster.close()
        self._agent.instrument_coordinator.close()
        self._agent = None
        self._output.cleanup()

    def compile(self, timeline: Timeline, shots: int, *, average: bool, trace: str = "") -> Any:
        """As `ControlStack.compile`."""
        schedule = Schedule("circuit", repetitions=shots)
        first, *others = timeline.qubits
        start = schedule.add(Reset(first))
        for name in others:
            schedule.add(Reset(name), ref_op=start, ref_pt="start")
        for operation in timeline.operations:
            if (made := _made(operation, average=average, trace=trace)) is not None:
                at_s = (timeline.reset_ns + operation.start_ns) * 1e-9
                schedule.add(made, ref_op=start, ref_pt="start", rel_time=at_s)
        # Time ends with an operation that takes some: a change of phase at the very end would not compile.
        at_s = (timeline.reset_ns + timeline.duration_ns) * 1e-9
        schedule.add(IdlePulse(GRID_NS * 1e-9), ref_op=start, ref_pt="start", rel_time=at_s)
        return self._connected.compile(schedule)

    def events(self, compiled: Any) -> list[Event]:
        """As `ControlStack.events`."""
        return list(_events(compiled, 0.0))

    def inject(self, compiled: Any, points: Points) -> None:
        """As `ControlStack.inject`."""
        for cluster, slot, module in self._modules(compiled):
            for sequencer, mapping in module["acq_hardware_mapping"].items():
                program = module["sequencers"][sequencer]
                bins = {facts["index"]: (name, facts["num_bins"]) for name, facts in program.sequence["acquisitions"].items()}
                for label in mapping.non_binned:
                    _inject_trace(cluster, slot, points[label])
                for binned in mapping.binned:
                    name, size = bins[binned.qblox_acq_index]
                    values = np.zeros(size, dtype=np.complex128)
                    labels = list(_labels(binned.tree))
                    for place, label in enumerate(labels):
                        values[binned.qblox_acq_bin_offset + place :: len(labels)][: points[label].size] = points[label]
                    # The module adds up over the integration, and what reads it divides again.
                    values *= program.integration_length_acq
                    data = [DummyBinnedAcquisitionData((z.real, z.imag), 0, 1) for z in values.tolist()]
                    cluster.set_dummy_binned_acquisition_data(slot, int(sequencer.removeprefix("seq")), name, data)

    def run(self, compiled: Any, timeout_s: float) -> Points:
        """As `ControlStack.run`."""
        found = self._connected.run(
            compiled, timeout=math.ceil(timeout_s), save_to_experiment=False, save_snapshot=False
        )
        return {str(label): np.ravel(found[label].values).astype(np.complex128) for label in found.data_vars}

    @property
    def _connected(self) -> HardwareAgent:
        assert self._agent is not None, "open it first"
        return self._agent

    def _modules(self, compiled: Any) -> Iterator[tuple[Any, int, Mapping[str, Any]]]:
        """The modules that acquire: their cluster, their slot, and what they run."""
        clusters = self._connected.get_clusters()
        for name, parts in compiled.compiled_instructions.items():
            for part, module in parts.items() if isinstance(parts, Mapping) else ():
                if isinstance(module, Mapping) and "acq_hardware_mapping" in module:
                    yield clusters[name], int(part.removeprefix(f"{name}_module")), module


def _made(operation: Timed, *, average: bool, trace: str) -> Operation | None:
    """The library's operation; none for a delay, which is nothing but time."""
    match operation.name:
        case "rz":
            # A later pulse about the axis phi - theta is what rz(theta) before it comes to. The library's own Rz has had
            # both signs in its history.
            (qubit,) = operation.qubits
            return ShiftClockPhase(phase_shift=-math.degrees(operation.angle), clock=f"{qubit}.01")
        case "sx":
            return X90(*operation.qubits)
        case "x":
            return X(*operation.qubits)
        case "cz":
            return CZ(*operation.qubits)
        case "reset":
            return Reset(*operation.qubits)
        case "measure":
            protocol = "Trace" if operation.label == trace else "IQIntegration"
            own = {} if operation.label == trace else {"average_segment_repetitions": average or bool(trace)}
            return Measure(*operation.qubits, acq_label=operation.label, acq_protocol=protocol, **own)
    return None


def _labels(node: Any) -> Iterator[str]:
    """The acquisitions of one pass, in the order of their bins."""
    for child in node.children:
        if hasattr(child, "children"):
            yield from _labels(child)
        else:
            yield child.acq_label


def _inject_trace(cluster: Any, slot: int, points: np.ndarray[Any, np.dtype[np.complex128]]) -> None:
    samples = np.zeros(_TRACE_SAMPLES, dtype=np.complex128)
    samples[: points.size] = points
    data = DummyScopeAcquisitionData([(z.real, z.imag) for z in samples.tolist()], (False, False), (1, 1))
    cluster.set_dummy_scope_acquisition_data(slot, None, data)


def _events(schedule: Any, start_s: float) -> Iterator[Event]:
    """What a schedule plays; of its repetitions one."""
    offsets: dict[str, tuple[float, float, str]] = {}
    for schedulable in schedule.schedulables.values():
        operation, at_s = schedule.operations[schedulable["operation_id"]], start_s + schedulable["abs_time"]
        if hasattr(operation, "schedulables"):
            yield from _events(operation, at_s)
            continue
        body = operation.data.get("control_flow_info", {}).get("body")
        if body is not None:
            yield from _events(body, at_s)
            continue
        gate, acquisition = operation.data.get("gate_info") or {}, operation.data.get("acquisition_info") or {}
        if acquisition:
            yield Acquire(
                start_s=at_s + acquisition.get("t0", 0.0), duration_s=acquisition["duration"],
                port=acquisition["port"], label=str(acquisition["acq_label"]),
            )  # fmt: skip
        pulse = operation.data.get("pulse_info") or {}
        if gate.get("operation_type") == "reset":
            yield Wait(start_s=at_s, duration_s=pulse["duration"], qubits=tuple(gate["device_elements"]))
        elif pulse:
            yield from _played(pulse, at_s + pulse.get("t0", 0.0), offsets)


def _played(pulse: Mapping[str, Any], at_s: float, offsets: dict[str, tuple[float, float, str]]) -> Iterator[Event]:
    """One pulse. A long one is an offset that is set and taken back (``offsets``: start, height and clock by port)."""
    if "phase_shift" in pulse:
        yield ShiftPhase(start_s=at_s, clock=pulse["clock"], phase_deg=pulse["phase_shift"])
    elif pulse.get("reset_clock_phase"):
        yield ResetPhase(start_s=at_s, clock=pulse["clock"])
    elif "offset_path_I" in pulse:
        port, height = pulse["port"], math.hypot(pulse["offset_path_I"], pulse["offset_path_Q"])
        if port in offsets:
            begun_s, before, clock = offsets.pop(port)
            yield Play(start_s=begun_s, duration_s=at_s - begun_s, port=port, clock=clock, amplitude=before)
        if height:
            offsets[port] = (at_s, height, pulse["clock"])
    elif pulse.get("port"):
        yield Play(
            start_s=at_s, duration_s=pulse["duration"], port=pulse["port"], clock=pulse["clock"],
            amplitude=float(np.real(pulse["amplitude"])), phase_deg=pulse.get("phase", 0.0),
            shape=_shape(pulse["wf_func"]),
        )  # fmt: skip


def _shape(function: str) -> str:
    shape = {"square": "square", "drag": "gaussian"}.get(function.rpartition(".")[2])
    if shape is None:
        raise Rejected(f"The twin of a device knows no pulse of the shape {function!r}.", code="unknown_pulse")
    return shape
