"""Plots with matplotlib: of a drawing, or of what the kind of a Dataset draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from qpi_jupyter.core import Rejected, counted

from . import conventions as c
from . import drawings
from .curves import drawing_of
from .drawings import Drawing, rest_in, text_of
from .selection import whole

MAX_PANELS = 12
_COLUMNS = 3
_COLOURS = ("C0", "C1")
_MARKED = 101
"""Up to so many points of a line each has a dot."""


def plot(
    dataset: xr.Dataset,
    ax: Axes | None = None,
    *,
    qubit: int | None = None,
    sort: str = "outcome",
    probability: bool = False,
) -> Axes:
    """Draw the Dataset's natural plot and return its axes; without ``ax`` in a new pyplot figure.

    A histogram is sorted by ``"outcome"`` or ``"count"``, of shots or of their shares.
    """
    if sort not in ("outcome", "count"):
        raise Rejected(f"A histogram is sorted by 'outcome' or 'count', not {sort!r}.", code="bad_sort")
    ax = ax or new_axes()
    draw(ax, {**drawing_of(whole(dataset), qubit), "sort": sort, "probability": probability})
    return ax


def new_axes() -> Axes:
    """Those of a new pyplot figure."""
    import matplotlib.pyplot as plt

    ax: Axes = plt.subplots(layout="constrained")[1]
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


def draw(ax: Axes, drawing: Drawing) -> None:
    """The drawing on these axes; what has no picture is written there."""
    _FORMS.get(drawing["draw"], _written)(ax, drawing)


def _counts(ax: Axes, drawing: Drawing) -> None:
    bars = [bar for bar in drawing["bars"] if not bar["rest"]]
    if drawing.get("sort") == "count":
        bars.sort(key=lambda bar: (-bar["count"], bar["label"]))
    elif drawing.get("sort") == "outcome":
        bars.sort(key=lambda bar: str(bar["label"]))
    share = bool(drawing.get("probability"))
    positions = range(len(bars))
    ax.bar(positions, [bar["share" if share else "count"] for bar in bars], color="C0")
    longest = max((len(bar["label"]) for bar in bars), default=0)
    ax.set_xticks(positions, [bar["label"] for bar in bars], rotation=0 if longest * len(bars) < 60 else 90)
    ax.set_xlabel("Outcome")
    ax.set_ylabel("Probability" if share else "Shots")
    ax.yaxis.set_major_locator(MaxNLocator(integer=not share, nbins=6))
    told = counted(drawing["shots"], "shot")
    ax.set_title(f"{told}. {rest}" if (rest := rest_in(drawing)) else told, fontsize="medium")


def bars_side_by_side(ax: Axes, drawing: Drawing, names: Sequence[str], y_label: str) -> None:
    """A table of values as bars: a group for each row, a bar for each of the first columns."""
    width = 0.8 / len(names)
    labels = [row[0] for row in drawing["rows"]]
    for k, name in enumerate(names):
        places = [place + (k - (len(names) - 1) / 2) * width for place in range(len(labels))]
        ax.bar(places, [float(row[1 + k]) for row in drawing["rows"]], width, label=name)
    longest = max((len(label) for label in labels), default=0)
    ax.set_xticks(range(len(labels)), labels, rotation=0 if longest * len(labels) < 60 else 90)
    ax.set_xlabel(drawing["columns"][0])
    ax.set_ylabel(y_label)
    ax.set_title(drawing["note"], fontsize="medium")
    ax.legend(loc="best", fontsize="small")


def _iq(ax: Axes, drawing: Drawing) -> None:
    """The points by their bit, the centres and the line between them."""
    i, q = drawing["i"], drawing["q"]
    for bit, colour in enumerate(_COLOURS):
        chosen = [k for k, value in enumerate(drawing["bits"]) if value == bit]
        if chosen:
            ax.scatter([i[k] for k in chosen], [q[k] for k in chosen], s=6, alpha=0.5, c=colour, label=bit)
    ax.plot(*zip(*drawing["line"], strict=True), color="0.5", linestyle="--", linewidth=1, label="threshold")
    ax.plot(*zip(*drawing["centres"], strict=True), color="black", marker="x", linestyle="none")
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel(f"I ({drawing['units']})")
    ax.set_ylabel(f"Q ({drawing['units']})")
    known = "" if drawing["fidelity"] is None else f", assignment fidelity {drawing['fidelity']:.2%}"
    ax.set_title(f"Qubit {drawing['label'].removeprefix('q')}{' (average)' if drawing['averaged'] else ''}{known}")
    ax.legend(loc="best", fontsize="small")


def _lines(ax: Axes, drawing: Drawing) -> None:
    marker = "o" if len(drawing["x"]) <= _MARKED else None
    for line in drawing["lines"]:
        points = [
            (x, math.nan if y is None else y)
            for x, y in zip(drawing["x"], line["y"], strict=True)
            if y is not None or not drawing.get("joined")
        ]
        dots = {"linestyle": "none", "marker": "o"} if line.get("dots") else {"marker": marker}
        ax.plot([x for x, _ in points], [y for _, y in points], label=line["label"], markersize=4, **dots)
    ax.set_xlabel(drawing["x_label"])
    ax.set_ylabel(drawing["y_label"])
    ax.set_title(" · ".join(filter(None, [drawing["label"], drawing["note"]])), fontsize="small", wrap=True)
    ax.grid(alpha=0.3)
    if len(drawing["lines"]) > 1:
        ax.legend(loc="best", fontsize="small")


def _heat_map(ax: Axes, drawing: Drawing) -> None:
    z = [[math.nan if value is None else value for value in row] for row in drawing["z"]]
    mesh = ax.pcolormesh(drawing["x"], drawing["y"], z, shading="nearest")
    ax.set_xlabel(drawing["x_label"])
    ax.set_ylabel(drawing["y_label"])
    ax.set_title(" · ".join(filter(None, [drawing["label"], drawing["note"]])), fontsize="medium")
    ax.figure.colorbar(mesh, ax=ax, label=drawing["z_label"])


def _error_bars(ax: Axes, drawing: Drawing) -> None:
    points = [point for point in drawing["points"] if point["value"] is not None]
    errors = [point["error"] or 0.0 for point in points]
    ax.errorbar(range(len(points)), [point["value"] for point in points], yerr=errors, fmt="o", capsize=3)
    longest = max((len(point["label"]) for point in points), default=0)
    rotation = 0 if longest * len(points) < 60 else 90
    ax.set_xticks(range(len(points)), [point["label"] for point in points], rotation=rotation)
    ax.set_xlabel(drawing["x_label"])
    ax.set_ylabel(drawing["y_label"])
    ax.set_title(drawing["note"])


def _written(ax: Axes, drawing: Drawing) -> None:
    ax.set_axis_off()
    ax.text(0, 1, text_of(drawing), va="top", family="monospace", fontsize="small", wrap=True)


_FORMS: dict[str, Callable[[Axes, Drawing], None]] = {
    drawings.COUNTS: _counts,
    drawings.IQ: _iq,
    drawings.LINES: _lines,
    drawings.HEAT_MAP: _heat_map,
    drawings.ERROR_BARS: _error_bars,
}
