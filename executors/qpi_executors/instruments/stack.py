"""The port to a library that drives a control stack: four verbs between a timeline and the points that come back."""

from __future__ import annotations

import math
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .cluster import close_all
from .device import Device, Hardware
from .front import readout_ns
from .pulses import Event
from .scheduled import events, fill, give_labels
from .submitted import Submitted
from .timing import Timed, Timeline

Points = Mapping[str, NDArray[np.complex128]]
"""By acquisition label one point a shot, or one in all where the instrument averages; of a trace one a nanosecond.
Of an acquisition that decides a branch it is the instrument's bit, 0 or 1, and less than 0 where it has none."""


class ControlStack(ABC):
    """A device behind a library, in one process; what it is made of is imported when it is made."""

    gates: ClassVar[Any]
    """Where the library has its operations (Any: its module)."""

    def __init__(self, device: Device, hardware: Hardware, *, dummy: bool) -> None:
        self.device, self.hardware, self.dummy = device, hardware, dummy
        self._output: tempfile.TemporaryDirectory[str] | None = None
        """Where the library writes, while it is open."""

    @abstractmethod
    def open(self) -> None:
        """Connect to the instruments, or make dummies.

        Raises
        ------
        Faulted
            an instrument does not answer.
        Rejected
            the hardware configuration does not suit it.
        """

    def close(self) -> None:
        """Let go of the instruments."""
        if self._output is None:
            return
        close_all()
        self._output.cleanup()
        self._output = None

    def compile(self, timeline: Timeline, shots: int, *, average: bool, trace: str = "") -> Any:
        """The library's compiled schedule (Any: its own type) of a timeline.

        ``average`` has the instrument add up the shots; ``trace`` is the label of the one acquisition of which the
        signal itself is kept, and then all are averaged.
        """
        schedule = self.schedule(shots)

        def made(operation: Timed) -> Any:
            trigger = timeline.decides.get(operation.label)
            return self.operation(operation, average=average, trace=trace, trigger=trigger)

        fill(schedule, timeline, made, self.branch)
        return self.compiled(schedule)

    def compile_submitted(self, plan: Submitted, shots: int, *, average: bool, trace: str = "") -> Any:
        """As `compile`, of a schedule that somebody wrote; its measurements get the labels of the plan."""
        schedule = self.read(plan.source)
        schedule.data["repetitions"] = shots
        give_labels(
            schedule, iter(plan.labels.values()), lambda name: readout_ns(self.device.qubits[name]),
            lambda measure: self.operation(measure, average=average, trace=trace, trigger=None),
        )  # fmt: skip
        return self.compiled(schedule)

    @abstractmethod
    def read(self, source: str) -> Any:
        """A schedule of the library's, from its own JSON, which has been checked."""

    @abstractmethod
    def schedule(self, shots: int) -> Any:
        """An empty schedule of the library's (Any: its own type), repeated ``shots`` times."""

    def operation(self, operation: Timed, *, average: bool, trace: str, trigger: str | None) -> Any:
        """The library's operation for one of ours; a measurement that decides a branch sends its ``trigger``, the rest
        as in `compile`."""
        gates, qubits = self.gates, operation.qubits
        match operation.name:
            case "rz":
                # A later pulse about the axis phi - theta is what rz(theta) before it comes to. The libraries' own Rz
                # turns the other way.
                return gates.ShiftClockPhase(phase_shift=-math.degrees(operation.angle), clock=f"{qubits[0]}.01")
            case "sx":
                return gates.X90(*qubits)
            case "x":
                return gates.X(*qubits)
            case "turn":
                return gates.Rxy(math.degrees(operation.angle), math.degrees(operation.axis), *qubits)
            case "cz":
                return gates.CZ(*qubits)
            case "flux":
                edge, port = self.device.edges[qubits[0], qubits[1]], self.device.port("flux", qubits[0])
                return gates.SquarePulse(edge.amplitude, edge.duration_s, port, "cl0.baseband")
            case "reset":
                return gates.Reset(*qubits)
            case "measure":
                return self.measure(operation, average=average, trace=trace, trigger=trigger)
            case _:
                return gates.IdlePulse(operation.duration_ns * 1e-9)

    @abstractmethod
    def measure(self, operation: Timed, *, average: bool, trace: str, trigger: str | None) -> Any:
        """As `operation`, of a measurement."""

    @abstractmethod
    def branch(self, body: Any, trigger: str) -> Any:
        """The library's operation that plays a schedule where a trigger came."""

    @abstractmethod
    def compiled(self, schedule: Any) -> Any:
        """The library's compiled schedule of one of its schedules."""

    def events(self, compiled: Any) -> list[Event]:
        """What one shot of a compiled schedule plays."""
        return list(events(compiled))

    @abstractmethod
    def inject(self, compiled: Any, points: Points) -> None:
        """Have the dummy instruments answer these points; as many as `run` is to give."""

    @abstractmethod
    def run(self, compiled: Any, timeout_s: float) -> Points:
        """Run it, and return what was acquired.

        Raises
        ------
        TimeoutError
            it did not end in time.
        """
