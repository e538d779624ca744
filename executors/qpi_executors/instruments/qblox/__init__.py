"""``qblox``: a Qblox cluster through qblox-scheduler, or a physical twin of the device on a dummy cluster."""

from __future__ import annotations

from typing import ClassVar

from qpi_executors.instruments.executor import PulseExecutor
from qpi_executors.instruments.stack import ControlStack
from qpi_jupyter.core import ProgramFormat
from qpi_jupyter.data.schedules import QBLOX_SCHEDULE, ScheduleFormat


class QbloxExecutor(PulseExecutor):
    """A Qblox cluster through qblox-scheduler; in dummy mode a physical twin behind a dummy cluster."""

    name: ClassVar[str] = "qblox"
    schedules: ClassVar[ScheduleFormat] = QBLOX_SCHEDULE
    formats: ClassVar[tuple[ProgramFormat, ...]] = (*PulseExecutor.formats, QBLOX_SCHEDULE)
    library: ClassVar[str] = "qblox-scheduler"
    needs: ClassVar[tuple[str, ...]] = ("qblox_scheduler",)

    def stack(self, *, dummy: bool) -> ControlStack:
        """As `PulseExecutor.stack`."""
        from .stack import QbloxStack

        return QbloxStack(self.device, self.hardware, dummy=dummy)
