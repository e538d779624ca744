"""`JobView`: the live view of one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from .assets import module, style
from .display import bundle
from .state import state_of

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle


class JobView(anywidget.AnyWidget):
    """A job as it goes: state, place in the queue, progress, time, Cancel; then its result.

    The traits are written from the kernel's own loop only, by the task in `follow`.
    """

    _esm = module("dom", "job")
    _css = style("job")

    state = traitlets.Dict().tag(sync=True)
    tabs = traitlets.List().tag(sync=True)

    def __init__(self, job: JobHandle) -> None:
        self.job = job
        super().__init__(state=state_of(job))

    def refresh(self, lost: str = "") -> None:
        """Show what the handle knows now; ``lost`` says that the lab does not answer."""
        self.state = state_of(self.job, lost)

    def finish(self, tabs: list[dict[str, Any]], total: int) -> None:
        """Show the result."""
        with self.hold_sync():
            self.tabs = tabs
            self.state = {**state_of(self.job), "tabs_total": total}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The widget, and beside it what those see who have no widgets."""
        found = super()._repr_mimebundle_(**kwargs)
        if found is None:
            return None
        data, metadata = found if isinstance(found, tuple) else (found, {})
        return {**bundle(self.state, self.tabs), **data, "text/plain": bundle(self.state, [])["text/plain"]}, metadata
