"""``quantify``: a Qblox cluster through quantify-scheduler, which its makers no longer mend; labs still run it."""

from __future__ import annotations

import warnings
from typing import ClassVar

from qpi_executors.instruments.executor import PulseExecutor
from qpi_executors.instruments.stack import ControlStack
from qpi_jupyter.core import ProgramFormat
from qpi_jupyter.data.schedules import QUANTIFY_SCHEDULE, ScheduleFormat


class QuantifyExecutor(PulseExecutor):
    """A Qblox cluster through quantify-scheduler; in dummy mode a physical twin behind a dummy cluster."""

    name: ClassVar[str] = "quantify"
    schedules: ClassVar[ScheduleFormat] = QUANTIFY_SCHEDULE
    formats: ClassVar[tuple[ProgramFormat, ...]] = (*PulseExecutor.formats, QUANTIFY_SCHEDULE)
    library: ClassVar[str] = "quantify-scheduler"
    needs: ClassVar[tuple[str, ...]] = ("quantify_scheduler",)

    def stack(self, *, dummy: bool) -> ControlStack:
        """As `PulseExecutor.stack`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its end of life: whoever names it knows
            from .stack import QuantifyStack

        return QuantifyStack(self.device, self.hardware, dummy=dummy)
