"""Plots with matplotlib: the histogram of the counts, the IQ plane with its discrimination line."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import conventions as c
from .discrimination import counts_of
from .selection import whole
from .views import IqView, histogram, iq_points

MAX_PANELS = 12
_COLUMNS = 3
_COLOURS = ("C0", "C1")


def plot(dataset: xr.Dataset, ax: Axes | None = None, *, qubit: int | None = None) -> Axes:
    """Draw the Dataset's natural plot and return its axes; without ``ax`` in a new pyplot figure."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots()
    if c.IQ in dataset.variables:
        draw_iq(ax, iq_points(dataset, qubit))
    else:
        draw_counts(ax, counts_of(whole(dataset)))
    return ax


def plot_all(datasets: Sequence[xr.Dataset], *, qubit: int | None = None) -> list[Axes]:
    """The plots of the first `MAX_PANELS` circuits in one pyplot figure."""
    import matplotlib.pyplot as plt

    shown = datasets[:MAX_PANELS]
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(5 * columns, 3.6 * rows), squeeze=False, layout="constrained")
    panels: list[Axes] = list(grid.flat)
    for index, (panel, dataset) in enumerate(zip(panels, shown, strict=False)):
        plot(dataset, panel, qubit=qubit)
        panel.set_title(f"{index}: {c.circuit_info(dataset.attrs).name}")
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    if len(datasets) > len(shown):
        figure.suptitle(f"The first {len(shown)} of {len(datasets)} circuits")
    return panels[: len(shown)]


def to_png(dataset: xr.Dataset, *, qubit: int | None = None, dpi: int = 100) -> bytes:
    """The plot as a PNG picture, without pyplot and so without any open figure left behind."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    plot(dataset, figure.subplots(), qubit=qubit)
    return _png(figure, dpi)


def counts_png(counts: Mapping[str, int], *, dpi: int = 100) -> bytes:
    """The histogram of counts as a PNG picture."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    draw_counts(figure.subplots(), counts)
    return _png(figure, dpi)


def draw_counts(ax: Axes, counts: Mapping[str, int]) -> None:
    """The histogram of `views.histogram` on these axes."""
    bars = histogram(counts)
    positions = range(len(bars))
    ax.bar(positions, [bar.count for bar in bars], color=["0.6" if bar.rest else "C0" for bar in bars])
    longest = max((len(bar.label) for bar in bars), default=0)
    ax.set_xticks(positions, [bar.label for bar in bars], rotation=0 if longest * len(bars) < 60 else 90)
    ax.set_xlabel("Outcome")
    ax.set_ylabel("Shots")
    ax.set_title(f"{sum(counts.values()):,} shots")


def draw_iq(ax: Axes, view: IqView) -> None:
    """The points by their bit, the centres and the line between them."""
    for bit, colour in enumerate(_COLOURS):
        chosen = [k for k, value in enumerate(view.bits) if value == bit]
        if chosen:
            ax.scatter([view.i[k] for k in chosen], [view.q[k] for k in chosen], s=6, alpha=0.5, c=colour, label=bit)
    ax.plot(*zip(*view.line, strict=True), color="0.5", linestyle="--", linewidth=1, label="threshold")
    ax.plot(*zip(*view.centres, strict=True), color="black", marker="x", linestyle="none")
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel(f"I ({view.units})")
    ax.set_ylabel(f"Q ({view.units})")
    known = "" if view.fidelity is None else f", assignment fidelity {view.fidelity:.2%}"
    ax.set_title(f"Qubit {view.qubit}{' (average)' if view.averaged else ''}{known}")
    ax.legend(loc="best", fontsize="small")


def _png(figure: Figure, dpi: int) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()
