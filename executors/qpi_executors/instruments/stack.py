"""The port to a library that drives a control stack: four verbs between a timeline and the points that come back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .device import Device, Hardware
from .pulses import Event
from .timing import Timeline

Points = Mapping[str, NDArray[np.complex128]]
"""By acquisition label one point a shot, or one in all where the instrument averages; of a trace one a nanosecond.
Of an acquisition that decides a branch it is the instrument's bit, 0 or 1, and less than 0 where it has none."""


class ControlStack(ABC):
    """A device behind a library, in one process; what it is made of is imported when it is made."""

    def __init__(self, device: Device, hardware: Hardware, *, dummy: bool) -> None:
        self.device, self.hardware, self.dummy = device, hardware, dummy

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

    @abstractmethod
    def close(self) -> None:
        """Let go of the instruments."""

    @abstractmethod
    def compile(self, timeline: Timeline, shots: int, *, average: bool, trace: str = "") -> Any:
        """The library's compiled schedule (Any: its own type) of a timeline.

        ``average`` has the instrument add up the shots; ``trace`` is the label of the one acquisition of which the
        signal itself is kept, and then all are averaged.
        """

    @abstractmethod
    def events(self, compiled: Any) -> list[Event]:
        """What one shot of a compiled schedule plays."""

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
