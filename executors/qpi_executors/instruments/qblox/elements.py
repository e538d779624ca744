"""Transmons and edges of qblox-scheduler, which has none of its own since 1.0: it finds them by their class's name."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator
from qblox_scheduler import (
    BasebandClockResource,
    DeviceCompilationConfig,
    DeviceElement,
    DRAGPulse,
    Edge,
    IdlePulse,
    IQIntegration,
    Parameter,
    QuantumDevice,
    ResetClockPhase,
    SchedulerSubmodule,
    SquarePulse,
    ThresholdedIQIntegration,
    Trace,
)
from qblox_scheduler import OperationCompilationConfig as Operation
from qblox_scheduler.operations.pulse_factories import composite_square_pulse, phase_shift, rxy_drag_pulse
from qblox_scheduler.schedules.schedule import TimeableSchedule
from qblox_scheduler.structure.types import NDArray

from qpi_executors.instruments.device import Device


class RxyDRAG(SchedulerSubmodule):
    amp180: float = Parameter(initial_value=0.25)
    beta: float = Parameter(initial_value=0.0, unit="s")
    duration: float = Parameter(initial_value=20e-9, unit="s")


class IdlingReset(SchedulerSubmodule):
    duration: float = Parameter(initial_value=200e-6, unit="s")


class Ports(SchedulerSubmodule):
    microwave: str = Parameter(initial_value="")
    flux: str = Parameter(initial_value="")
    readout: str = Parameter(initial_value="")


class ClocksFrequencies(SchedulerSubmodule):
    f01: float = Parameter(initial_value=float("nan"), unit="Hz", vals={"allow_nan": True})
    f12: float = Parameter(initial_value=float("nan"), unit="Hz", vals={"allow_nan": True})
    readout: float = Parameter(initial_value=float("nan"), unit="Hz", vals={"allow_nan": True})


def _no_weights(given: NDArray) -> NDArray:
    if len(given):
        raise ValueError("acquisition weights are not used here: the signal is integrated evenly")
    return given


NoWeights = Annotated[NDArray, AfterValidator(_no_weights)]


class DispersiveMeasurement(SchedulerSubmodule):
    """A square pulse and an even integration; the other choices that files of the library have are refused."""

    pulse_type: Literal["SquarePulse"] = "SquarePulse"
    acq_label: str | int = ""
    reset_clock_phase: Literal[True] = True
    acq_weight_type: Literal["SSB"] = "SSB"
    acq_weights_a: NoWeights = Parameter(initial_value=lambda: np.array([]))
    acq_weights_b: NoWeights = Parameter(initial_value=lambda: np.array([]))
    pulse_amp: float = Parameter(initial_value=0.25)
    pulse_duration: float = Parameter(initial_value=1e-6, unit="s")
    acq_delay: float = Parameter(initial_value=100e-9, unit="s")
    integration_time: float = Parameter(initial_value=1e-6, unit="s")
    acq_rotation: float = Parameter(initial_value=0.0, unit="degrees")
    acq_threshold: float = Parameter(initial_value=0.0)


class CZSquare(SchedulerSubmodule):
    square_amp: float = Parameter(initial_value=0.5)
    square_duration: float = Parameter(initial_value=20e-9, unit="s")
    parent_phase_correction: float = Parameter(initial_value=0.0, unit="degrees")
    child_phase_correction: float = Parameter(initial_value=0.0, unit="degrees")


def dispersive_measurement(
    *, port: str, clock: str, acq_label: str | int, pulse_amp: float, pulse_duration: float, acq_delay: float,
    acq_duration: float, acq_rotation: float, acq_threshold: float, acq_label_override: str | None = None,
    coords: dict[str, Any] | None = None, acq_protocol: str | None = None, average_segment_repetitions: bool = True,
    feedback_trigger_label: str | None = None,
) -> TimeableSchedule:  # fmt: skip
    """A readout pulse, and behind a delay the integration (``IQIntegration``), the bit that the instrument makes of it
    (``ThresholdedIQIntegration``) or the record (``Trace``) of the signal.

    The names are those that the library's ``Measure`` hands over.
    """
    schedule = TimeableSchedule("measure")
    schedule.add(ResetClockPhase(clock=clock))
    schedule.add(SquarePulse(amplitude=pulse_amp, duration=pulse_duration, port=port, clock=clock), ref_pt="start")
    kept = {
        "port": port, "clock": clock, "duration": acq_duration, "acq_label": acq_label_override or acq_label,
        "coords": coords,
    }  # fmt: skip
    if acq_protocol == "Trace":
        acquisition = Trace(**kept)
    elif acq_protocol == "ThresholdedIQIntegration":
        acquisition = ThresholdedIQIntegration(
            average_segment_repetitions=average_segment_repetitions, feedback_trigger_label=feedback_trigger_label,
            acq_rotation=acq_rotation, acq_threshold=acq_threshold, **kept,
        )  # fmt: skip
    else:
        acquisition = IQIntegration(average_segment_repetitions=average_segment_repetitions, **kept)
    schedule.add(acquisition, rel_time=acq_delay, ref_pt="start")
    return schedule


def drag_pulse(
    *, amp180: float, beta: float, theta: float, phi: float, port: str, duration: float, clock: str
) -> DRAGPulse:
    """The library's own pulse of a turn, with its phase in the amplitude.

    Around a pulse that names its phase the library takes back whatever the clock's phase was shifted by before
    (1.0.1), so that no virtual Z would have an effect on an instrument.
    """
    pulse = rxy_drag_pulse(
        amp180=amp180, beta=beta, theta=theta, phi=0.0, port=port, duration=duration, clock=clock
    )  # fmt: skip
    played = pulse.data["pulse_info"]
    del played["phase"]
    if phi:
        played["amplitude"] *= np.exp(1j * math.radians(phi))
    return pulse


class BasicTransmonElement(DeviceElement):
    """A transmon of fixed readout, turned by DRAG pulses and reset by waiting."""

    element_type: Literal["BasicTransmonElement"] = "BasicTransmonElement"
    reset: IdlingReset
    rxy: RxyDRAG
    measure: DispersiveMeasurement
    ports: Ports
    clock_freqs: ClocksFrequencies

    def generate_device_config(self) -> DeviceCompilationConfig:
        """What its gates are made of."""
        name, rxy = self.name, self.rxy
        drag = {
            "amp180": rxy.amp180, "beta": rxy.beta, "duration": rxy.duration,
            "port": self.ports.microwave, "clock": f"{name}.01",
        }  # fmt: skip
        operations = {
            "reset": Operation(factory_func=IdlePulse, factory_kwargs={"duration": self.reset.duration}),
            "Rxy": Operation(factory_func=drag_pulse, factory_kwargs=drag, gate_info_factory_kwargs=["theta", "phi"]),
            "X": Operation(factory_func=drag_pulse, factory_kwargs={**drag, "theta": 180, "phi": 0}),
            "X90": Operation(factory_func=drag_pulse, factory_kwargs={**drag, "theta": 90, "phi": 0}),
            "Y": Operation(factory_func=drag_pulse, factory_kwargs={**drag, "theta": 180, "phi": 90}),
            "Y90": Operation(factory_func=drag_pulse, factory_kwargs={**drag, "theta": 90, "phi": 90}),
            "Rz": Operation(
                factory_func=phase_shift, factory_kwargs={"clock": f"{name}.01"}, gate_info_factory_kwargs=["theta"]
            ),
            "measure": self._measurement(),
        }
        return DeviceCompilationConfig.model_validate(
            {
                "elements": {name: operations},
                "edges": {},
                "clocks": {
                    f"{name}.01": self.clock_freqs.f01,
                    f"{name}.12": self.clock_freqs.f12,
                    f"{name}.ro": self.clock_freqs.readout,
                },
            }
        )

    def _measurement(self) -> Operation:
        measure = self.measure
        return Operation(
            factory_func=dispersive_measurement,
            factory_kwargs={
                "port": self.ports.readout, "clock": f"{self.name}.ro",
                "acq_label": self.name if measure.acq_label == "" else measure.acq_label,
                "pulse_amp": measure.pulse_amp, "pulse_duration": measure.pulse_duration,
                "acq_delay": measure.acq_delay, "acq_duration": measure.integration_time,
                "acq_rotation": measure.acq_rotation, "acq_threshold": measure.acq_threshold,
            },
            gate_info_factory_kwargs=[
                "acq_label_override", "coords", "acq_protocol", "average_segment_repetitions", "feedback_trigger_label",
            ],
        )  # fmt: skip


class CompositeSquareEdge(Edge):
    """A CZ by a square flux pulse on the parent, and a phase on each of the two."""

    edge_type: Literal["CompositeSquareEdge"] = "CompositeSquareEdge"
    cz: CZSquare

    @property
    def flux_port(self) -> str:
        """The parent's."""
        parent = self.parent_element
        assert isinstance(parent, BasicTransmonElement)
        return parent.ports.flux

    def generate_edge_config(self) -> dict[str, dict[str, Operation]]:
        """What its CZ is made of."""
        parent, child, cz = self.parent_element_name, self.child_element_name, self.cz
        made_of = {
            "square_amp": cz.square_amp, "square_duration": cz.square_duration,
            "square_port": self.flux_port, "square_clock": BasebandClockResource.IDENTITY,
            "virt_z_parent_qubit_phase": cz.parent_phase_correction, "virt_z_parent_qubit_clock": f"{parent}.01",
            "virt_z_child_qubit_phase": cz.child_phase_correction, "virt_z_child_qubit_clock": f"{child}.01",
        }  # fmt: skip
        return {self.name: {"CZ": Operation(factory_func=composite_square_pulse, factory_kwargs=made_of)}}


def quantum_device(device: Device) -> QuantumDevice:
    """The device as the library takes it."""
    made = QuantumDevice("device")
    elements = {}
    for name, qubit in device.qubits.items():
        parts = device.element(name)
        del parts["rxy"]["motzoi"]
        parts["rxy"]["beta"] = qubit.drive.beta_s
        elements[name] = BasicTransmonElement.model_validate({"name": name, **parts})
        made.add_element(elements[name])
    for (parent, child), edge in device.edges.items():
        made.add_edge(CompositeSquareEdge(parent_element=elements[parent], child_element=elements[child], cz=edge.cz))
    return made
