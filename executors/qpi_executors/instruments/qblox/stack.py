"""qblox-scheduler's `HardwareAgent` on a cluster, or on a dummy of one."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import qblox_scheduler
from qblox_scheduler import (
    ConditionalOperation,
    HardwareAgent,
    Measure,
    Operation,
    Schedule,
)
from qblox_scheduler.schedules.schedule import TimeableSchedule

from qpi_executors.instruments.cluster import forget, inject_bins, inject_trace, private_assembler
from qpi_executors.instruments.device import Device, Hardware
from qpi_executors.instruments.stack import ControlStack, Points
from qpi_executors.instruments.timing import Timed

from .elements import quantum_device
from .mends import keep_frames


class QbloxStack(ControlStack):
    """One cluster through qblox-scheduler."""

    gates = qblox_scheduler

    def __init__(self, device: Device, hardware: Hardware, *, dummy: bool) -> None:
        super().__init__(device, hardware, dummy=dummy)
        self._agent: HardwareAgent | None = None

    def open(self) -> None:
        """As `ControlStack.open`."""
        if self._agent is not None:
            return
        keep_frames()
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
        super().close()
        self._agent = None

    def read(self, source: str) -> Any:
        """As `ControlStack.read`."""
        return TimeableSchedule.from_json(source)

    def schedule(self, shots: int) -> Schedule:
        """As `ControlStack.schedule`."""
        return Schedule("circuit", repetitions=shots)

    def measure(self, operation: Timed, *, average: bool, trace: str, trigger: str | None) -> Operation:
        """As `ControlStack.measure`."""
        if operation.label == trace:
            return Measure(*operation.qubits, acq_label=operation.label, acq_protocol="Trace")
        return Measure(
            *operation.qubits, acq_label=operation.label, feedback_trigger_label=trigger,
            acq_protocol="ThresholdedIQIntegration" if trigger else "IQIntegration",
            average_segment_repetitions=average or bool(trace),
        )  # fmt: skip

    def branch(self, body: Any, trigger: str) -> Any:
        """As `ControlStack.branch`."""
        return ConditionalOperation(body=body, feedback_trigger_label=trigger)

    def compiled(self, schedule: Schedule) -> Any:
        """As `ControlStack.compiled`."""
        return self._connected.compile(schedule)

    def inject(self, compiled: Any, points: Points) -> None:
        """As `ControlStack.inject`."""
        for cluster, slot, module in self._modules(compiled):
            for sequencer, mapping in module["acq_hardware_mapping"].items():
                forget(cluster, slot, sequencer)
                program = module["sequencers"][sequencer]
                bins = {
                    facts["index"]: (name, facts["num_bins"])
                    for name, facts in program.sequence["acquisitions"].items()
                }
                for label in mapping.non_binned:
                    inject_trace(cluster, slot, points[label])
                for binned in mapping.binned:
                    name, size = bins[binned.qblox_acq_index]
                    values = np.zeros(size, dtype=np.complex128)
                    labels = list(_labels(binned.tree))
                    for place, label in enumerate(labels):
                        values[binned.qblox_acq_bin_offset + place :: len(labels)][: points[label].size] = points[label]
                    inject_bins(cluster, slot, sequencer, name, values, program.integration_length_acq)

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


def _labels(node: Any) -> Iterator[str]:
    """The acquisitions of one pass, in the order of their bins."""
    for child in node.children:
        if hasattr(child, "children"):
            yield from _labels(child)
        else:
            yield child.acq_label
