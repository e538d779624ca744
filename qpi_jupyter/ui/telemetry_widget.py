"""`TelemetryWidget`: what a QPU and its drivers measure, live."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, ClassVar

import traitlets
from traitlets import default

from qpi_jupyter.client.http import Http
from qpi_jupyter.client.http import path as quoted
from qpi_jupyter.core import QpiError
from qpi_jupyter.data import drawings
from qpi_jupyter.wire.telemetry import ChannelList, Series

from .widget import LabWidget

_EVERY_S = 5.0
_PICTURED = timedelta(minutes=15)
_MOST = 4
"""So many channels are in the picture."""


class TelemetryWidget(LabWidget):
    """The readings of a QPU over time: temperatures, the driver's load, and channels of the calibration by name.

    ``channels`` are those that are shown, and can be set; ``value`` is the latest reading of each channel, by name
    and in its own unit, every few seconds.
    """

    bundle: ClassVar[str] = "telemetry"

    qpu = traitlets.Unicode(read_only=True).tag(sync=True)
    channels: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    value: traitlets.Dict[str, float] = traitlets.Dict(read_only=True)

    def __init__(self, http: Http, qpu: str, channels: Sequence[str] = ()) -> None:
        self._name = qpu
        self._path = f"qpus/{quoted(qpu)}"
        self.asks = (("GET", f"{self._path}(/channels|/readings|/drivers)?"), ("GET", "bookings|events"))
        super().__init__(http, channels=list(channels))
        self.observe(lambda change: self.redraw(), "channels")
        self.start(self._follow())

    @default("qpu")
    def _qpu(self) -> str:
        return self._name

    async def _follow(self) -> None:
        while True:
            try:
                found = await asyncio.wrap_future(self.http.portal.start(self._latest()))
            except QpiError:
                pass  # `lab_away` says so
            else:
                self.set_trait("value", {one.name: one.value for one in found.channels if one.value is not None})
                self.redraw()
            await asyncio.sleep(_EVERY_S)

    async def _latest(self) -> ChannelList:
        return await self.http.call("GET", f"v1/{self._path}/channels", ChannelList)

    async def _series(self, since: datetime) -> list[Series]:
        names = self.channels[:_MOST]
        asked = [{"channel": name, "start": since.isoformat(), "points": "300"} for name in names]
        where = f"v1/{self._path}/readings"
        return await asyncio.gather(*(self.http.call("GET", where, Series, params=one) for one in asked))

    def draw(self) -> dict[str, Any]:
        now = datetime.now(UTC)
        found = self.http.portal.run(self._series(now - _PICTURED))
        text = [f"Telemetry of {self.qpu}"]
        html = f"<p>{escape(text[0])}</p>"
        for series in found:
            if series.points:
                text.append(f"{series.name}: {series.points[-1].mean:.4g} {series.unit}")
                html += _picture(series, now)
        return {"text/plain": "\n".join(text), "text/html": html}


def _picture(series: Series, now: datetime) -> str:
    minutes = [(point.at - now).total_seconds() / 60 for point in series.points]
    means = [point.mean for point in series.points]
    unit = f" ({series.unit})" if series.unit else ""
    name = f"{series.name}{unit}"
    drawing = drawings.lines(minutes, {series.name: means}, x_label="time (min)", y_label=name, label=series.name)
    return f'<img alt="{escape(series.name)}" src="data:image/png;base64,{_png(drawing)}">'


def _png(drawing: drawings.Drawing) -> str:
    from matplotlib.figure import Figure

    from qpi_jupyter.data.plots import draw

    figure = Figure(figsize=(5, 2.4), layout="constrained")
    draw(figure.subplots(), drawing)
    figure.savefig(into := io.BytesIO(), format="png")
    return base64.b64encode(into.getvalue()).decode()
