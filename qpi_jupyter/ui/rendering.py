"""Where client and ui meet: the client knows no widgets, and is given here what shows its things."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle, Lab, NewToken

    from .calendar import CalendarWidget
    from .job_widget import JobWidget


def client() -> ModuleType:
    """`qpi_jupyter.client`, whose things show themselves as notebooks can."""
    from qpi_jupyter import client

    client.JobHandle.renderer = client.NewToken.renderer = client.Lab.calendars = Renderer()
    return client


class Renderer:
    """The ui room, loaded when there is something to show."""

    def show(self, job: JobHandle) -> None:
        from .display import show

        show(job)

    def mimebundle(self, job: JobHandle) -> dict[str, Any]:
        from .display import mimebundle

        return mimebundle(job)

    def job_widget(self, job: JobHandle) -> JobWidget:
        from .job_widget import JobWidget

        return JobWidget(job)

    def show_token(self, token: NewToken) -> None:
        from .token_view import show_token

        show_token(token)

    def calendar(self, lab: Lab, qpu: str) -> CalendarWidget:
        from .calendar import open_calendar

        return open_calendar(lab, qpu)
