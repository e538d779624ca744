"""The live view of a job, and the task on the kernel's loop that keeps it up to date; no thread touches a widget."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from qpi_jupyter.client.http import delays
from qpi_jupyter.core import QpiError, Unavailable

from .assets import Mimebundle, beside, module, style
from .bundle import bundle, picture
from .pending import Pending
from .state import state_of, tabs_of

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle

_tasks: set[asyncio.Task[None]] = set()
"""A loop holds its tasks weakly."""


class JobView(anywidget.AnyWidget):
    """A job as it goes: state, place in the queue, progress, time, Cancel; then its result.

    The traits are written from the kernel's own loop only, by the task below.
    """

    _esm = module("dom", "job")
    _css = style("job")

    state = traitlets.Dict().tag(sync=True)
    tabs: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)

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

    def _repr_mimebundle_(self, **kwargs: Any) -> Mimebundle:
        """The widget, and beside it what those see who have no widgets."""
        html = bundle(self.state, self.tabs)["text/html"]
        text = bundle(self.state, [])["text/plain"]
        return beside(super()._repr_mimebundle_(**kwargs), {"text/plain": text, "text/html": html})


def follow(job: JobHandle, pending: Pending | None = None, namespace: dict[str, Any] | None = None) -> JobView:
    """Display a live view of the job, and replace it by a lasting one when the job has ended.

    A ``pending`` name in ``namespace`` is given the job's data then.
    """
    from IPython.display import display

    namespace = {} if namespace is None else namespace
    if pending is not None:
        namespace[pending.name] = pending
    view = JobView(job)
    view.on_msg(lambda widget, content, buffers: start_task(_cancel(view)) if content == {"do": "cancel"} else None)
    shown = display(view, display_id=True)
    start_task(_follow(view, shown, pending, namespace))
    return view


async def _follow(view: JobView, shown: Any, pending: Pending | None, namespace: dict[str, Any]) -> None:
    job = view.job
    try:
        await _until_final(view)
        if job.model.status != "completed":
            view.refresh()
            _replace(shown, bundle(state_of(job), []))
            return
        tabs, total = await tabs_of(job)
        view.finish(tabs, total)
        _replace(shown, bundle(view.state, tabs))
        if pending is not None:
            await _bind(pending, namespace)
        # matplotlib's first start takes a second or many, so nothing waits for the picture.
        if (png := await picture(tabs)) is not None:
            _replace(shown, bundle(view.state, tabs, png))
    except QpiError as error:
        view.refresh(lost=error.message)


def _replace(shown: Any, data: dict[str, Any]) -> None:
    """Put ``data`` where the widget was. The widget itself stays: a page that was loaded again meanwhile has only it.

    The message is sent in the name of the cell that runs now, by leaving this task's context, which remembers the
    cell that began it: JupyterLab looks at the display's id only, but nbclient drops what finished cells say.
    """
    if shown is not None:
        contextvars.Context().run(shown.update, data, raw=True)


async def _until_final(view: JobView) -> None:
    pauses = delays()
    while not view.job.final:
        try:
            await view.job.changed.aio()
        except Unavailable as error:
            view.refresh(lost=error.message)
            await asyncio.sleep(next(pauses))
        else:
            pauses = delays()
            if not view.job.final:
                view.refresh()


async def _cancel(view: JobView) -> None:
    try:
        await view.job.cancel.aio()
    except QpiError as error:
        view.refresh(lost=error.message)


def bind_later(pending: Pending, namespace: dict[str, Any]) -> None:
    """Let its name hold ``pending`` now, and the job's data as soon as it is there."""
    namespace[pending.name] = pending
    start_task(_bind(pending, namespace))


async def _bind(pending: Pending, namespace: dict[str, Any]) -> None:
    try:
        data = await pending
    except QpiError:
        # The view shows it, and so does whoever uses the name.
        return
    # Somebody may have given the name to something else meanwhile.
    if namespace.get(pending.name) is pending:
        namespace[pending.name] = data


def start_task(work: Coroutine[Any, Any, None]) -> None:
    """Let ``work`` run on the kernel's own loop."""
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
