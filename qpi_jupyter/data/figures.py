"""Static pictures of drawings: plain SVG with axes, in the page's own ink, for wherever no script runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

Drawing = Mapping[str, Any]
Interval = tuple[float, float]

COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd")
_GREY = "#888888"
_LEFT, _BELOW, _RIGHT, _ABOVE = 64, 38, 10, 6
"""The room around the axes, for their numbers and names."""
_MARKED = 101
"""Up to so many points of a line each have a dot."""
_SCALE = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Viridis at even steps: it reads the same in grey and to the colour-blind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axes:
    """Two axes with round numbers, ``wide`` times ``tall`` units of the picture."""

    x: Interval
    y: Interval
    x_label: str
    y_label: str
    wide: int = 480
    tall: int = 220

    def across(self, x: float) -> float:
        low, high = self.x
        return _LEFT + self.wide * (x - low) / ((high - low) or 1)

    def up(self, y: float) -> float:
        low, high = self.y
        return _ABOVE + self.tall * (high - y) / ((high - low) or 1)

    def at(self, x: float, y: float) -> str:
        return f"{self.across(x):.1f} {self.up(y):.1f}"

    def around(self, inside: str, said: str) -> str:
        """The picture; ``said`` is read to whoever does not see it."""
        bottom = _ABOVE + self.tall
        marks = ""
        for tick in ticks(*self.x):
            x = f"{self.across(tick):.1f}"
            marks += f"<path d='M{x} {bottom}v4' stroke='{_GREY}'/>"
            marks += f"<text x='{x}' y='{bottom + 16}' text-anchor='middle'>{tick:g}</text>"
        for tick in ticks(*self.y):
            y = self.up(tick)
            marks += f"<path d='M{_LEFT} {y:.1f}h-4' stroke='{_GREY}'/>"
            marks += f"<text x='{_LEFT - 7}' y='{y + 4:.1f}' text-anchor='end'>{tick:g}</text>"
        middle, centre = _ABOVE + self.tall / 2, _LEFT + self.wide / 2
        names = (
            f"<text x='{centre:.0f}' y='{bottom + 33}' text-anchor='middle'>{escape(self.x_label)}</text>"
            f"<text x='12' y='{middle:.0f}' text-anchor='middle' transform='rotate(-90 12 {middle:.0f})'>"
            f"{escape(self.y_label)}</text>"
        )
        width, height = _LEFT + self.wide + _RIGHT, bottom + _BELOW
        frame = (
            f"<rect x='{_LEFT}' y='{_ABOVE}' width='{self.wide}' height='{self.tall}' fill='none' stroke='{_GREY}'/>"
        )
        return (
            f"<svg viewBox='0 0 {width} {height}' width='{width}' role='img' style='max-width:100%'>"
            f"<title>{escape(said)}</title>{inside}{frame}"
            f"<g font-size='11' fill='currentColor'>{marks}{names}</g></svg>"
        )


def lines(drawing: Drawing, said: str) -> str:
    """Curves over a common axis, and which is which."""
    drawn = drawing["lines"]
    low, high = span(line["y"] for line in drawn)
    margin = 0.05 * (high - low) or abs(low) or 1.0
    axes = _Axes(
        x=span([drawing["x"]]), y=(low - margin, high + margin), x_label=drawing["x_label"], y_label=drawing["y_label"]
    )
    paths = keys = ""
    for n, line in enumerate(drawn):
        colour = COLOURS[n % len(COLOURS)]
        alone = line.get("dots", False)
        known = [(x, y) for x, y in zip(drawing["x"], line["y"], strict=True) if y is not None]
        stretches = [known] if drawing.get("joined") else _stretches(drawing["x"], line["y"])
        for stretch in [] if alone else stretches:
            points = " ".join(axes.at(x, y).replace(" ", ",") for x, y in stretch)
            paths += f"<polyline fill='none' stroke='{colour}' stroke-width='1.5' points='{points}'/>"
        if alone or len(drawing["x"]) <= _MARKED:
            paths += f"<path fill='none' {_dotted(axes, known)} stroke='{colour}' stroke-width='5'/>"
        keys += f"<span style='color:{colour}'>{'●' if alone else '━'}</span> {escape(line['label'])} &#160; "
    return f"{axes.around(paths, said)}<p>{keys}{escape(drawing['note'])}</p>"


def heat_map(drawing: Drawing, said: str) -> str:
    """Coloured cells over two axes, and what the colours mean."""
    low, high = span(drawing["z"])
    across, up = cells(drawing["x"]), cells(drawing["y"])
    axes = _Axes(x=span(across), y=span(up), x_label=drawing["x_label"], y_label=drawing["y_label"])
    drawn = ""
    for (y0, y1), values in zip(up, drawing["z"], strict=True):
        for (x0, x1), value in zip(across, values, strict=True):
            if value is not None:
                left, right, top, bottom = axes.across(x0), axes.across(x1), axes.up(y1), axes.up(y0)
                drawn += (
                    f"<rect x='{left:.1f}' y='{top:.1f}' width='{right - left:.1f}' height='{bottom - top:.1f}' "
                    f"fill='{_colour((value - low) / ((high - low) or 1))}'/>"
                )
    scale = ",".join(_colour(k / 4) for k in range(5))
    picture = axes.around(f"<g shape-rendering='crispEdges'>{drawn}</g>", said)
    return (
        f"{picture}<p>{low:g} "
        f"<span style='display:inline-block;width:120px;height:10px;background:linear-gradient(90deg,{scale})'></span> "
        f"{high:g} {escape(drawing['z_label'])}. {escape(drawing['note'])}</p>"
    )


def iq(drawing: Drawing, said: str) -> str:
    """The IQ plane: a dot each point, by its bit, the centres and the threshold between them."""
    known = [
        (x, y, bit)
        for x, y, bit in zip(drawing["i"], drawing["q"], drawing["bits"], strict=True)
        if x is not None and y is not None
    ]
    centres = drawing["centres"]
    (x0, x1), (y0, y1) = (span([[p[k] for p in known], [c[k] for c in centres]]) for k in (0, 1))
    reach = 0.55 * max(x1 - x0, y1 - y0) or 1.0
    (x, y), units = ((x0 + x1) / 2, (y0 + y1) / 2), drawing["units"]
    axes = _Axes(
        x=(x - reach, x + reach), y=(y - reach, y + reach), x_label=f"I ({units})", y_label=f"Q ({units})",
        wide=320, tall=320,
    )  # fmt: skip
    drawn = keys = ""
    for bit, colour in enumerate(COLOURS[:2]):
        dots = _dotted(axes, [(i, q) for i, q, one in known if one == bit])
        drawn += f"<path {dots} stroke='{colour}' stroke-width='3' opacity='0.6'/>"
        keys += f"<span style='color:{colour}'>●</span> {bit} &#160; "
    for centre in centres:
        i, q = axes.at(*centre).split()
        drawn += f"<circle cx='{i}' cy='{q}' r='5' fill='none' stroke='{_GREY}' stroke-width='2'/>"
    (i0, q0), (i1, q1) = (axes.at(*end).split() for end in drawing["line"])
    drawn += f"<line x1='{i0}' y1='{q0}' x2='{i1}' y2='{q1}' stroke='{_GREY}' stroke-dasharray='5 4'/>"
    return f"{axes.around(drawn, said)}<p>{keys}{escape(said)}</p>"


def ticks(low: float, high: float) -> list[float]:
    """Round numbers in an interval, about four of them."""
    rough = (high - low) / 4
    if not rough > 0:
        return [low]
    power: float = 10.0 ** math.floor(math.log10(rough))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [float(f"{(first + n) * step:.9g}") for n in range(math.floor(high / step + 1e-9) - first + 1)]


def cells(values: Sequence[float]) -> list[Interval]:
    """How far the cell of each value reaches: half way to its neighbours."""
    ordered = sorted(set(values))
    middles = [(a + b) / 2 for a, b in pairwise(ordered)]
    first, last = (middles[0], middles[-1]) if middles else (ordered[0] + 0.5, ordered[0] - 0.5)
    ends = [2 * ordered[0] - first, *middles, 2 * ordered[-1] - last]
    reach = dict(zip(ordered, pairwise(ends), strict=True))
    return [reach[value] for value in values]


def span(rows: Iterable[Iterable[float | None]]) -> Interval:
    """The smallest and the largest value; 0 and 1 where there is none."""
    known = [value for row in rows for value in row if value is not None]
    return min(known, default=0.0), max(known, default=1.0)


def _stretches(x: Sequence[float], y: Sequence[float | None]) -> list[list[tuple[float, float]]]:
    """A line between its gaps."""
    found: list[list[tuple[float, float]]] = [[]]
    for at, value in zip(x, y, strict=True):
        if value is None:
            found.append([])
        else:
            found[-1].append((at, value))
    return [stretch for stretch in found if stretch]


def _dotted(axes: _Axes, points: Iterable[tuple[float, float]]) -> str:
    """Points as a path: a line of no length with round ends is a dot."""
    return f"stroke-linecap='round' d='{''.join(f'M{axes.at(x, y)}h0' for x, y in points)}'"


def _colour(share: float) -> str:
    place = 4 * share
    first = min(3, int(place))
    parts = (a + (b - a) * (place - first) for a, b in zip(_SCALE[first], _SCALE[first + 1], strict=True))
    return "#" + "".join(f"{round(part):02x}" for part in parts)
