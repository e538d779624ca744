"""Where client and ui meet: the client knows no widgets, and is given here what shows its things."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle, Lab, NewToken

    from .calendar import CalendarWidget
    from .job_widget import JobWidget
    from .submit_form import SubmitForm
    from .telemetry_widget import TelemetryWidget


def client() -> ModuleType:
    """`qpi_jupyter.client`, whose things show themselves as notebooks can."""
    from qpi_jupyter import client

    client.JobHandle.renderer = client.NewToken.renderer = client.Lab.widgets = Renderer()
    return client


class Renderer:
    """The ui room, loaded when there is something to show."""

    def show(self, job: JobHandle) -> None:
        from .display import show

        show(job)

    def meanwhile(self, job: JobHandle, work: Future[Any] | None) -> None:
        from .display import in_kernel

        if in_kernel():
            from .follow import meanwhile

            meanwhile(job, work)

    def mimebundle(self, job: JobHandle) -> dict[str, Any]:
        from .display import mimebundle

        return mimebundle(job)

    def job_widget(self, job: JobHandle) -> JobWidget:
        from .job_widget import JobWidget

        return JobWidget(job)

    def show_token(self, token: NewToken) -> None:
        from .token_view import show_token

        show_token(token)

    def calendar(self, lab: Lab, qpu: str | None) -> CalendarWidget:
        from .calendar import CalendarWidget

        return CalendarWidget(lab.http, qpu)

    def submit_form(self, lab: Lab, circuits: object, **filled: object) -> SubmitForm:
        from .submit_form import SubmitForm

        return SubmitForm(lab.http, circuits, **filled)

    def telemetry_widget(self, lab: Lab, qpu: str, channels: Sequence[str]) -> TelemetryWidget:
        from .telemetry_widget import TelemetryWidget

        return TelemetryWidget(lab.http, qpu, channels)
