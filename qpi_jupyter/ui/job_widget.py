"""`JobWidget`: one job as a widget, with traits to observe."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets
from traitlets import Bunch, default

from qpi_jupyter.client.http import delays
from qpi_jupyter.client.http import path as quoted
from qpi_jupyter.core import QpiError, Unavailable

from . import shown
from .display import mimebundle
from .widget import LabWidget

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle


class JobWidget(LabWidget):
    """A job as it goes: its state, its place in the queue, its progress, a Cancel button; then its result.

    ``status``, ``phase`` and ``progress`` (0 to 1) are those of the lab; ``result`` is the Dataset (a DataTree for
    several circuits) once the job has completed, and ``error`` why there is none.
    """

    bundle: ClassVar[str] = "job"

    job_id = traitlets.Unicode(read_only=True).tag(sync=True)
    status = traitlets.Unicode(read_only=True).tag(sync=True)
    phase = traitlets.Unicode(read_only=True).tag(sync=True)
    progress = traitlets.Float(read_only=True).tag(sync=True)
    result = traitlets.Any(None, read_only=True, allow_none=True)
    error = traitlets.Instance(QpiError, None, read_only=True, allow_none=True)

    def __init__(self, job: JobHandle) -> None:
        self.job = job
        one = f"jobs/{quoted(job.id)}"
        self.asks = (("GET", f"{one}(/result|/dataset|/partial)?"), ("POST", f"{one}/cancel"), ("GET", "events"))
        super().__init__(job.http)
        self.start(self._follow())

    @default("job_id")
    def _id(self) -> str:
        return self.job.id

    @default("status")
    def _status_now(self) -> str:
        return self.job.model.status

    @default("phase")
    def _phase_now(self) -> str:
        return self.job.model.phase

    @default("progress")
    def _progress_now(self) -> float:
        return self.job.model.progress

    def _take(self) -> None:
        for name in ("progress", "phase", "status"):
            self.set_trait(name, getattr(self.job.model, name))

    def _give(self, data: Any) -> None:
        """Set the result; traitlets asks whether ``None == data``, and a Dataset answers that with a Dataset."""
        self.set_trait("result", data)
        self.notify_change(Bunch(name="result", old=None, new=data, owner=self, type="change"))

    async def _follow(self) -> None:
        """Keep the traits as the lab says, until the job has ended."""
        pauses = delays()
        while not self.job.final:
            try:
                await self.job.changed.aio()
            except Unavailable:
                await asyncio.sleep(next(pauses))
            else:
                pauses = delays()
                if not self.job.final:
                    self._take()
        try:
            if self.job.model.status == "completed":
                self._give(await self.job.dataset.aio())
            else:
                self.set_trait("error", self.job.error)
        except QpiError as error:
            self.set_trait("error", error)
        self._take()  # the last, so that who observes the status finds the result
        await shown.refresh(self)

    def draw(self) -> dict[str, Any]:
        return mimebundle(self.job)
