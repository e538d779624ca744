"""What widgets and saved notebooks show of a result: pure functions, no display and no matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from qpi_jupyter.core import Rejected, counted

from . import conventions as c

if TYPE_CHECKING:
    import xarray as xr

MAX_BARS = 32
MAX_POINTS = 800
"""IQ points that are drawn: enough to see two clouds, few enough to be saved with the notebook."""
FIRST_COLOUR = "var(--jp-brand-color1, #1976d2)"
"""JupyterLab's where a page has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a histogram; ``rest`` is true for the one that sums up all outcomes without a bar of their own."""

    label: str
    count: int
    share: float
    rest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IqView:
    """One qubit's points in the IQ plane, told apart.

    ``bits`` are as discriminated; ``centres`` are those of 0 and 1 and ``line`` two ends of the threshold, as
    ``(I, Q)``; ``fidelity`` is the chance to read a bit right, None if unknown.  ``total`` counts all shots, of which
    ``i`` and ``q`` may be an even selection.
    """

    qubit: int
    clbit: int
    i: list[float]
    q: list[float]
    bits: list[int]
    total: int
    averaged: bool
    centres: tuple[tuple[float, float], tuple[float, float]]
    line: tuple[tuple[float, float], tuple[float, float]]
    fidelity: float | None
    units: str


def histogram(counts: Mapping[str, int], limit: int = MAX_BARS) -> list[Bar]:
    """At most ``limit`` bars: all outcomes by key, or the most frequent ones by count, and one for the rest."""
    total = sum(counts.values()) or 1
    if len(counts) <= limit:
        return [Bar(label=key, count=count, share=count / total) for key, count in sorted(counts.items())]
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    top, others = ranked[: limit - 1], ranked[limit - 1 :]
    bars = [Bar(label=key, count=count, share=count / total) for key, count in top]
    left = sum(count for _, count in others)
    bars.append(Bar(label=f"{len(others):,} other outcomes", count=left, share=left / total, rest=True))
    return bars


def measured_qubits(dataset: xr.Dataset) -> list[int]:
    """The qubits with points in a level-1 Dataset."""
    return sorted({int(qubit) for qubit in dataset.variables[c.QUBIT].values})


def last_slot(dataset: xr.Dataset, qubit: int | None = None) -> tuple[int, int]:
    """A qubit, by default the first, and the slot of its last measurement.

    Raises
    ------
    Rejected
        it is not measured.
    """
    qubits = dataset.variables[c.QUBIT].values.tolist()
    chosen = qubits[0] if qubit is None else qubit
    if chosen not in qubits:
        listed = ", ".join(map(str, sorted(set(qubits))))
        raise Rejected(f"Qubit {chosen} is not measured; measured: {listed}.", code="no_qubit")
    order = dataset.variables[c.ACQ_INDEX].values.__getitem__
    return chosen, max((slot for slot, own in enumerate(qubits) if own == chosen), key=order)


def mean_signal(dataset: xr.Dataset, name: str, qubit: int | None = None) -> xr.DataArray:
    """The mean signal of one qubit's last measurement, along what is neither shot, slot nor time."""
    _, slot = last_slot(dataset, qubit)
    signal = dataset[name].isel({c.SLOT: slot})
    mean = signal.mean([dim for dim in (c.SHOT, c.SAMPLE) if dim in signal.dims])
    return mean.assign_attrs(c.VARIABLE_ATTRS[name] | {"long_name": "Signal"})


def iq_points(dataset: xr.Dataset, qubit: int | None = None, max_points: int = MAX_POINTS) -> IqView:
    """The IQ view of one qubit (by default the first), with its last measurement.

    Raises
    ------
    Rejected
        the Dataset is not of level 1, or it has no such qubit.
    """
    import numpy as np

    from .bits import complex_iq
    from .discrimination import discriminator

    signal = complex_iq(dataset)
    chosen, slot = last_slot(dataset, qubit)
    points = np.atleast_1d(signal[..., slot])
    rule = discriminator(dataset, slot)
    shown = points[:: max(1, -(-len(points) // max_points))]
    reach = max(abs(rule.centre_1 - rule.centre_0), float(np.ptp(points.real)) / 2, float(np.ptp(points.imag)) / 2)
    ends = rule.line(reach or 1.0)
    return IqView(
        qubit=chosen,
        clbit=int(dataset.variables[c.CLBIT].values[slot]),
        i=shown.real.tolist(),
        q=shown.imag.tolist(),
        bits=rule.bits(shown).tolist(),
        total=len(points),
        averaged=signal.ndim == 1,
        centres=(_pair(rule.centre_0), _pair(rule.centre_1)),
        line=(_pair(ends[0]), _pair(ends[1])),
        fidelity=rule.fidelity,
        units=c.VARIABLE_ATTRS[c.IQ]["units"],
    )


def counts_text(counts: Mapping[str, int], limit: int = 16, width: int = 40) -> str:
    """The histogram in characters, one line an outcome; what has no line is said below."""
    bars, rest = _shown(histogram(counts, limit))
    longest = max((len(bar.label) for bar in bars), default=0)
    digits = max((len(f"{bar.count:,}") for bar in bars), default=0)
    highest = max((bar.count for bar in bars), default=0) or 1
    lines = [
        f"{bar.label:>{longest}}  {bar.count:>{digits},}  {'█' * round(width * bar.count / highest)}" for bar in bars
    ]
    return "\n".join([*lines, *([rest] if rest else [])])


def counts_html(counts: Mapping[str, int], limit: int = MAX_BARS) -> str:
    """The histogram as a small table with bars, in the page's own colours; safe to put anywhere."""
    bars, rest = _shown(histogram(counts, limit))
    highest = max((bar.count for bar in bars), default=0) or 1
    rows = "".join(
        f"<tr><th scope='row' style='text-align:right;font-family:monospace'>{escape(bar.label)}</th>"
        f"<td style='text-align:right'>{bar.count:,}</td><td style='text-align:right'>{bar.share:.1%}</td>"
        f"<td style='width:16em;text-align:left'><div style='height:0.8em;width:{100 * bar.count / highest:.1f}%;"
        f"background:{FIRST_COLOUR}'></div></td></tr>"
        for bar in bars
    )
    head = "<tr><th scope='col'>Outcome</th><th scope='col'>Shots</th><th scope='col'>Share</th><td></td></tr>"
    said = f"<tfoot><tr><td colspan='4' style='text-align:left'>{escape(rest)}</td></tr></tfoot>" if rest else ""
    return f"<table class='qpi-counts'><thead>{head}</thead><tbody>{rows}</tbody>{said}</table>"


def rest_of(label: str, count: int, share: float) -> str:
    """What is said of the outcomes without a bar of their own."""
    return f"And {label} with {counted(count, 'shot')} together ({share:.1%})."


def _shown(bars: list[Bar]) -> tuple[list[Bar], str]:
    """The bars of outcomes, and what is said of the rest."""
    return [bar for bar in bars if not bar.rest], "".join(
        rest_of(bar.label, bar.count, bar.share) for bar in bars if bar.rest
    )


def _pair(point: complex) -> tuple[float, float]:
    return point.real, point.imag
