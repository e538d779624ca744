"""quantify-scheduler's compiler and `InstrumentCoordinator` on a cluster, or on a dummy of one."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from qblox_instruments import Cluster, ClusterType
from quantify_core.data.handling import set_datadir
from quantify_scheduler import (
    BasicTransmonElement,
    CompositeSquareEdge,
    InstrumentCoordinator,
    QuantumDevice,
    Schedule,
    SerialCompiler,
    operations,
)
from quantify_scheduler.backends.qblox_backend import QbloxHardwareCompilationConfig
from quantify_scheduler.enums import BinMode
from quantify_scheduler.operations.control_flow_library import ConditionalOperation
from quantify_scheduler.operations.gate_library import Measure
from quantify_scheduler.operations.operation import Operation
from quantify_scheduler.qblox import ClusterComponent

from qpi_executors.instruments.cluster import forget, inject_bins, inject_trace, private_assembler
from qpi_executors.instruments.device import Device, Hardware
from qpi_executors.instruments.front import GRID_NS
from qpi_executors.instruments.stack import ControlStack, Points
from qpi_executors.instruments.timing import Timed

_numbers = itertools.count()
"""The library knows its instruments by name, all over the process."""


class QuantifyStack(ControlStack):
    """One cluster through quantify-scheduler."""

    gates = operations

    def __init__(self, device: Device, hardware: Hardware, *, dummy: bool) -> None:
        super().__init__(device, hardware, dummy=dummy)
        self._clusters: dict[str, Cluster] = {}
        self._elements: list[Any] = []  # kept alive: the library knows them by weak references

    def open(self) -> None:
        """As `ControlStack.open`."""
        if self._clusters:
            return
        self._output = tempfile.TemporaryDirectory(prefix="qpi-quantify-")
        set_datadir(self._output.name)
        hardware = QbloxHardwareCompilationConfig.model_validate(dict(self.hardware))
        number = next(_numbers)
        made = QuantumDevice(f"device_{number}")
        self._add_elements(made)
        made.hardware_config(hardware)
        if self.dummy:
            private_assembler()
        self._coordinator = InstrumentCoordinator(f"coordinator_{number}", add_default_generic_icc=False)
        for name, facts in hardware.hardware_description.items():
            if facts.instrument_type == "Cluster":
                self._clusters[name] = self._cluster(name, facts)
                self._coordinator.add_component(ClusterComponent(self._clusters[name]))
        self._compiler = SerialCompiler(f"compiler_{number}", quantum_device=made)

    def close(self) -> None:
        """As `ControlStack.close`."""
        super().close()
        self._elements, self._clusters = [], {}

    def read(self, source: str) -> Any:
        """As `ControlStack.read`."""
        return Schedule.from_json(source)

    def schedule(self, shots: int) -> Schedule:
        """As `ControlStack.schedule`."""
        return Schedule("circuit", repetitions=shots)

    def measure(self, operation: Timed, *, average: bool, trace: str, trigger: str | None) -> Operation:
        """As `ControlStack.measure`."""
        traced, protocol = operation.label == trace, "SSBIntegrationComplex"
        return Measure(
            *operation.qubits,
            acq_channel=operation.label,
            acq_protocol="Trace" if traced else "ThresholdedAcquisition" if trigger else protocol,
            bin_mode=BinMode.AVERAGE if average or trace else BinMode.APPEND,
            feedback_trigger_label=None if traced else trigger,
        )

    def branch(self, body: Any, trigger: str) -> Any:
        """As `ControlStack.branch`."""
        return ConditionalOperation(body=body, qubit_name=trigger, hardware_buffer_time=GRID_NS * 1e-9)

    def compiled(self, schedule: Schedule) -> Any:
        """As `ControlStack.compiled`."""
        return self._compiler.compile(schedule)

    def inject(self, compiled: Any, points: Points) -> None:
        """As `ControlStack.inject`."""
        for cluster, slot, module in self._modules(compiled):
            for sequencer, channels in module["acq_hardware_mapping"].items():
                forget(cluster, slot, sequencer)
                program = module["sequencers"][sequencer]
                names = {
                    facts["index"]: (name, facts["num_bins"])
                    for name, facts in program.sequence["acquisitions"].items()
                }
                for label, kept in channels.items():
                    if not isinstance(kept, Mapping):
                        inject_trace(cluster, slot, points[label])
                        continue
                    (place,) = kept.values()  # each measurement has a channel of its own
                    name, size = names[place.index]
                    values = np.zeros(size, dtype=np.complex128)
                    values[place.bin :: place.stride or 1][: points[label].size] = points[label]
                    inject_bins(cluster, slot, sequencer, name, values, program.integration_length_acq)

    def run(self, compiled: Any, timeout_s: float) -> Points:
        """As `ControlStack.run`."""
        self._coordinator.prepare(compiled)
        self._coordinator.start()
        self._coordinator.wait_done(math.ceil(timeout_s))
        found = self._coordinator.retrieve_acquisition()
        return {str(label): np.ravel(found[label].values).astype(np.complex128) for label in found.data_vars}

    def _cluster(self, name: str, facts: Any) -> Cluster:
        if not self.dummy:
            return Cluster(name, identifier=self.hardware["hardware_description"][name]["ip"])
        modules = {int(slot): getattr(ClusterType, f"CLUSTER_{m.instrument_type}") for slot, m in facts.modules.items()}
        return Cluster(name, dummy_cfg=modules)

    def _add_elements(self, made: QuantumDevice) -> None:
        for name in self.device.names:
            element = BasicTransmonElement(name)
            self._elements.append(element)
            for section, values in self.device.element(name).items():
                for key, value in values.items():
                    element.submodules[section].parameters[key](value)
            element.measure.acq_channel(name)
            made.add_element(element)
        for (parent, child), pulse in self.device.edges.items():
            edge = CompositeSquareEdge(parent_element_name=parent, child_element_name=child)
            self._elements.append(edge)
            edge.cz.square_amp(pulse.amplitude)
            edge.cz.square_duration(pulse.duration_s)
            edge.cz.parameters[f"{parent}_phase_correction"](pulse.parent_phase_deg)
            edge.cz.parameters[f"{child}_phase_correction"](pulse.child_phase_deg)
            made.add_edge(edge)

    def _modules(self, compiled: Any) -> Iterator[tuple[Cluster, int, Mapping[str, Any]]]:
        """The modules that acquire: their cluster, their slot, and what they run."""
        for name, cluster in self._clusters.items():
            for part, module in compiled.compiled_instructions.get(name, {}).items():
                if isinstance(module, Mapping) and "acq_hardware_mapping" in module:
                    yield cluster, int(part.removeprefix(f"{name}_module")), module
