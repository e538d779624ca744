"""Drawings as HTML without scripts and styles of their own, for a saved notebook: as the panel draws them.

Colours are JupyterLab's where a page has them, and else such as can be read on light and on dark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from .drawings import (
    CIRCUIT,
    COUNTS,
    ERROR_BARS,
    HEAT_MAP,
    IQ,
    LINES,
    NOTE,
    TABLE,
    TIMELINE,
    Drawing,
    as_table,
    counts_in,
    extent,
    rest_in,
    span_of,
    threshold_in,
    told_of_points,
    told_of_pulse,
)
from .views import FIRST_COLOUR, counts_html

_WIDE, _TALL, _SIDE = 480, 220, 320
_LEFT, _BELOW, _RIGHT, _ABOVE = 64, 36, 16, 8
"""The room for the axes' numbers and names."""
_FRAME, _GRID = "var(--jp-border-color1, #888)", "var(--jp-border-color2, #8886)"
_TEXT, _GREY = "var(--jp-ui-font-color1, currentColor)", "var(--jp-ui-font-color2, #888)"
_LOOKS = (
    f"stroke='{FIRST_COLOUR}'",
    "stroke='var(--jp-warn-color1, #f57c00)'",
    "stroke='var(--jp-success-color1, #388e3c)' stroke-dasharray='6 3'",
    "stroke='var(--jp-error-color1, #d32f2f)' stroke-dasharray='2 3'",
)
_PREFIXES = (
    (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"),
)  # fmt: skip
_PREFIXED = frozenset({"s", "Hz", "K", "V", "A", "W", "Pa", "B", "bar", "m", "T"})
"""Units that take a prefix; as labextension/src/units.ts."""
_LINE_KEY = "<line x2='14' y1='4' y2='4' stroke-width='2' {}/>"
_DOT_KEY = "<path d='M7 4h0' stroke-width='6' stroke-linecap='round' {}/>"
_LONG, _ROW = 640, 24
"""How wide a timeline is, and how high each of its rows."""
_PULSES = {
    "drive": (f"fill='{FIRST_COLOUR}'", 16),
    "flux": ("fill='var(--jp-warn-color1, #f57c00)'", 16),
    "readout": ("fill='var(--jp-success-color1, #388e3c)'", 10),
    "acquisition": (f"fill='none' stroke='{_GREY}' stroke-dasharray='3 2'", 18),
    "phase": (f"fill='{_GREY}'", 18),
    "other": (f"fill='{_GREY}' fill-opacity='0.6'", 14),
}
"""How a pulse of each kind looks, and how high it is."""
_SHORT, _NO_BREAK = 40, ";white-space:nowrap"
"""What is no longer, such as a job's id, stays on one line of a table."""
_MARKED = 101
"""Up to so many points of a line each has a dot."""
_FEW = 50
"""Points in the plane that are drawn large."""
_SMALLEST = 1e-290
"""What is nearer to 0 or to one another is taken for the same: beyond it numbers lose their digits."""
_SCALE = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Viridis at even steps: it reads the same in grey and to the colour-blind."""
_SHADES = 64
"""So many colours of it tell the cells of a heat map apart."""


def html_of(drawing: Drawing) -> str:
    """The drawing as HTML, safe to put anywhere; empty where its form is not known."""
    form = _FORMS.get(drawing["draw"])
    return "" if form is None else form(drawing)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where the data is in a picture: so wide and tall, from the smallest to the largest value."""

    wide: int
    tall: int
    x: tuple[float, float]
    y: tuple[float, float]

    def at_x(self, value: float) -> float:
        first, last = self.x
        return round(_LEFT + self.wide * (value - first) / ((last - first) or 1), 1)

    def at_y(self, value: float) -> float:
        first, last = self.y
        return round(self.tall * (last - value) / ((last - first) or 1), 1)

    def at(self, x: float, y: float) -> str:
        return f"{self.at_x(x)},{self.at_y(y)}"

    def inside(self, drawn: str) -> str:
        """The part of what is drawn that is within the axes."""
        # As a style, too: pages have rules for the height of pictures.
        size = f"width='{self.wide}' height='{self.tall}' style='height:{self.tall}px'"
        return f"<svg x='{_LEFT}' {size} viewBox='{_LEFT} 0 {self.wide} {self.tall}' aria-hidden='true'>{drawn}</svg>"

    def picture(self, drawn: str, *, said: str, x_label: str, y_label: str, alike: bool = False) -> str:
        """What is drawn, with numbers and names at the axes; ``said`` for those who do not see it.

        ``alike`` axes are of one unit, which they keep.
        """
        both = (*self.x, *self.y)
        across = axis_of(x_label, self.x, both if alike else self.x)
        up = axis_of(y_label, self.y, both if alike else self.y)
        columns = [(self.at_x(tick), text) for tick, text in across.ticks]
        rows = [(self.at_y(tick), text) for tick, text in up.ticks]
        right, middle, turned = _LEFT + self.wide, self.tall / 2, f"rotate(-90 12 {self.tall / 2})"
        grid = "".join(f"<line x1='{x}' x2='{x}' y2='{self.tall}'/>" for x, _ in columns)
        grid += "".join(f"<line x1='{_LEFT}' x2='{right}' y1='{y}' y2='{y}'/>" for y, _ in rows)
        text = "".join(
            f"<text x='{x}' y='{self.tall + 14}' text-anchor='middle'>{number}</text>" for x, number in columns
        )
        text += "".join(f"<text x='{_LEFT - 5}' y='{y + 4}' text-anchor='end'>{number}</text>" for y, number in rows)
        text += (
            f"<text x='{_LEFT + self.wide / 2}' y='{self.tall + 31}' text-anchor='middle'>{escape(across.label)}</text>"
            f"<text x='12' y='{middle}' text-anchor='middle' transform='{turned}'>{escape(up.label)}</text>"
        )
        width = right + _RIGHT
        return (
            f"<svg viewBox='0 {-_ABOVE} {width} {_ABOVE + self.tall + _BELOW}' width='{width}' font-size='11' "
            f"style='max-width:100%' role='img' aria-label='{escape(said)}'>"
            f"<rect x='{_LEFT}' width='{self.wide}' height='{self.tall}' fill='none' stroke='{_FRAME}'/>"
            f"<g stroke='{_GRID}'>{grid}</g>{drawn}<g fill='{_TEXT}'>{text}</g></svg>"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What an axis is called, and its numbers as values and as they are written."""

    label: str
    ticks: list[tuple[float, str]]


def axis_of(label: str, span: tuple[float, float], whole: Sequence[float] = ()) -> Axis:
    """An axis, with numbers that can be read: of 2e-8 s it has 20 ns, of 3e-6 of no unit 3 and a power of ten."""
    largest = max(map(abs, whole or span))
    found = re.fullmatch(r"(.+) \(([^()]+)\)", label)
    name, unit = found.groups() if found else (label, "")
    divisor, unit = scaled(largest, unit)
    power = math.floor(math.log10(largest / divisor)) if _SMALLEST < largest < math.inf else 0
    if not -2 <= power <= 4:
        divisor, unit = divisor * 10.0**power, f"10^{power} {unit}".rstrip()
    numbers = ticks(*span)
    step = (numbers[1] - numbers[0]) / divisor if len(numbers) > 1 else 0.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else None
    texts = [
        f"{number / divisor if decimals is None else round(number / divisor, decimals):.12g}" for number in numbers
    ]
    return Axis(label=f"{name} ({unit})" if unit else name, ticks=list(zip(numbers, texts, strict=True)))


def scaled(largest: float, unit: str) -> tuple[float, str]:
    """By what to divide a value of ``unit`` about as large as ``largest``, and the unit that this gives."""
    if unit not in _PREFIXED or not largest or not math.isfinite(largest):
        return 1.0, unit
    factor, prefix = next(((factor, prefix) for factor, prefix in _PREFIXES if largest >= factor), _PREFIXES[-1])
    return (1.0, unit) if unit == "s" and factor > 1 else (factor, prefix + unit)


def ticks(lowest: float, highest: float) -> list[float]:
    """Round numbers in an interval, up to six of them."""
    rough = (highest - lowest) / 6
    if not _SMALLEST < rough < math.inf:
        return [lowest]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(digit * power for digit in (1, 2, 5, 10, 20) if digit * power >= rough)
    first, last = math.ceil(lowest / step - 1e-9), math.floor(highest / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def _lines(drawing: Drawing) -> str:
    known = [value for line in drawing["lines"] for value in line["y"] if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    margin = 0.05 * (high - low) or abs(low) or 1.0
    frame = _Frame(wide=_WIDE, tall=_TALL, x=extent([drawing["x"]]), y=(low - margin, high + margin))
    drawn = keys = ""
    for n, line in enumerate(drawing["lines"]):
        look = _LOOKS[n % len(_LOOKS)]
        places = [
            None if x is None or y is None else frame.at(x, y) for x, y in zip(drawing["x"], line["y"], strict=True)
        ]
        if not line.get("dots"):
            whole = [place for place in places if place is not None] if drawing.get("joined") else places
            drawn += f"<path fill='none' stroke-width='1.5' stroke-linecap='round' {look} d='{_path(whole)}'/>"
        if line.get("dots") or len(places) <= _MARKED:
            dots = "".join(f"M{place}h0" for place in places if place is not None)
            drawn += f"<path stroke-width='5' stroke-linecap='round' {_solid(look)} d='{dots}'/>"
        keys += (
            "<span style='margin-right:12px'><svg width='18' style='height:8px' aria-hidden='true'>"
            f"{_DOT_KEY.format(_solid(look)) if line.get('dots') else _LINE_KEY.format(look)}</svg>"
            f"{escape(line['label'])}</span>"
        )
    names = ", ".join(line["label"] for line in drawing["lines"])
    said = ": ".join(filter(None, [drawing["label"], f"{names} over {drawing['x_label']}"]))
    picture = frame.picture(drawn, said=said, x_label=drawing["x_label"], y_label=drawing["y_label"])
    return f"{picture}<p>{keys}{escape(drawing['note'])}</p>"


def _path(places: Sequence[str | None]) -> str:
    """The stretches of a line between its gaps; what stands alone between two gaps is a dot."""
    path, pen = "", "M"
    for place in places:
        path += "" if place is None else f"{pen}{place}{'h0' if pen == 'M' else ''}"
        pen = "M" if place is None else "L"
    return path


def _solid(look: str) -> str:
    return look.partition(" stroke-dasharray")[0]


def _heat_map(drawing: Drawing) -> str:
    low, high = extent(drawing["z"])
    across, up = (_cells(drawing[axis]) for axis in "xy")
    frame = _Frame(wide=_WIDE, tall=_TALL, x=extent(across), y=extent(up))
    patches: dict[str, str] = {}  # one for each colour, however many cells there are
    for (below, above), values in zip(up, drawing["z"], strict=True):
        top, foot = frame.at_y(above), frame.at_y(below)
        for (left, right), value in zip(across, values, strict=True):
            if value is not None:
                colour = _colour(round(_SHADES * (value - low) / ((high - low) or 1)) / _SHADES)
                cell = f"M{frame.at_x(left)} {top}H{frame.at_x(right)}V{foot}H{frame.at_x(left)}z"
                patches[colour] = patches.get(colour, "") + cell
    cells = "".join(f"<path fill='{colour}' d='{patch}'/>" for colour, patch in patches.items())
    said = ": ".join(filter(None, [drawing["label"], f"{drawing['z_label']}: {low:.4g} – {high:.4g}"]))
    crisp = f"<g shape-rendering='crispEdges'>{cells}</g>"
    picture = frame.picture(crisp, said=said, x_label=drawing["x_label"], y_label=drawing["y_label"])
    scale = ", ".join(_colour(share / 4) for share in range(5))
    bar = f"display:inline-block;width:120px;height:10px;margin:0 6px;background:linear-gradient(90deg, {scale})"
    about = f"{escape(drawing['z_label'])}. {escape(drawing['note'])}".rstrip()
    return f"{picture}<p>{low:.4g}<span aria-hidden='true' style='{bar}'></span>{high:.4g} {about}</p>"


def _cells(values: Sequence[float]) -> list[tuple[float, float]]:
    """How far the cell of each value reaches: half way to its neighbours."""
    ordered = sorted(set(values))
    middles = [(a + b) / 2 for a, b in pairwise(ordered)]
    first, last = (middles[0], middles[-1]) if middles else (ordered[0] + 0.5, ordered[0] - 0.5)
    ends = [2 * ordered[0] - first, *middles, 2 * ordered[-1] - last]
    reach = dict(zip(ordered, pairwise(ends), strict=True))
    return [reach[value] for value in values]


def _colour(share: float) -> str:
    place = 4 * share
    first = min(3, int(place))
    parts = (a + (b - a) * (place - first) for a, b in zip(_SCALE[first], _SCALE[first + 1], strict=True))
    return "#" + "".join(f"{round(part):02x}" for part in parts)


def _iq(drawing: Drawing) -> str:
    """A dot each point, by its bit, the centres and the threshold between them."""
    threshold = threshold_in(drawing)
    centres = [] if threshold is None else threshold[0]
    known = [
        (x, y, bit)
        for x, y, bit in zip(drawing["i"], drawing["q"], drawing["bits"], strict=True)
        if x is not None and y is not None
    ]
    if not known:
        return "<p>No points.</p>"
    (x0, x1), (y0, y1) = (extent([[*(point[k] for point in known), *(c[k] for c in centres)]]) for k in (0, 1))
    reach = 0.54 * max(x1 - x0, y1 - y0) or max(math.hypot(x0, y0) / 2, 1.0)
    (i, q) = (x0 + x1) / 2, (y0 + y1) / 2
    frame = _Frame(wide=_SIDE, tall=_SIDE, x=(i - reach, i + reach), y=(q - reach, q + reach))
    look = "stroke-width='8'" if len(known) < _FEW else "stroke-width='3' stroke-opacity='0.6'"
    drawn = ""
    for bit in (0, 1):
        dots = "".join(f"M{frame.at(x, y)}h0" for x, y, one in known if (threshold is not None and one) == bit)
        drawn += f"<path {_LOOKS[bit]} {look} stroke-linecap='round' d='{dots}'/>"
    if threshold is not None:
        (a, b), (c, d) = threshold[1]
        ends = f"x1='{frame.at_x(a)}' y1='{frame.at_y(b)}' x2='{frame.at_x(c)}' y2='{frame.at_y(d)}'"
        drawn += frame.inside(f"<line data-threshold='true' {ends} stroke='{_GREY}' stroke-dasharray='5 4'/>")
    for x, y in centres:
        place = f"cx='{frame.at_x(x)}' cy='{frame.at_y(y)}'"
        drawn += f"<circle {place} r='5' fill='none' stroke='{_GREY}' stroke-width='2'/>"
    said, units = told_of_points(drawing), drawing["units"]
    picture = frame.picture(
        drawn,
        said=f"IQ plane of {drawing['label']}: {said}",
        x_label=f"I ({units})",
        y_label=f"Q ({units})",
        alike=True,
    )
    return f"{picture}<p>{escape(said)}</p>"


def _timeline(drawing: Drawing) -> str:
    """A row for each port, its name before it, and a box for each pulse, with what it is as its title."""
    if not drawing["rows"]:
        return f"<p>{escape(drawing['note'])}</p>" if drawing["note"] else ""
    frame = _Frame(wide=_LONG, tall=_ROW * len(drawing["rows"]), x=span_of(drawing), y=(0, 1))
    drawn = ""
    for number, row in enumerate(drawing["rows"]):
        y = _ROW * (number + 0.5)
        drawn += (
            f"<text x='{_LEFT - 5}' y='{y + 4}' text-anchor='end' fill='{_TEXT}'>{escape(row['port'])}</text>"
            f"<line x1='{_LEFT}' x2='{_LEFT + _LONG}' y1='{y}' y2='{y}' stroke='{_GRID}'/>"
        )
    for pulse in drawing["pulses"]:
        look, height = _PULSES.get(pulse["kind"], _PULSES["other"])
        left, right = frame.at_x(pulse["start_s"]), frame.at_x(pulse["start_s"] + pulse["duration_s"])
        top = _ROW * (pulse["row"] + 0.5) - height / 2
        said = told_of_pulse(pulse, drawing["rows"][pulse["row"]]["port"])
        drawn += (
            f"<rect x='{left}' y='{top:g}' width='{max(1.0, right - left):g}' height='{height}' {look}>"
            f"<title>{escape(said)}</title></rect>"
        )
    across = axis_of("Time (s)", frame.x)
    for tick, number_ in across.ticks:
        x = frame.at_x(tick)
        drawn += f"<line x1='{x}' x2='{x}' y2='{frame.tall}' stroke='{_GRID}'/>"
        drawn += f"<text x='{x}' y='{frame.tall + 14}' text-anchor='middle' fill='{_TEXT}'>{number_}</text>"
    width = _LEFT + _LONG + _RIGHT
    said = ": ".join(filter(None, [drawing["label"], f"Pulses on {len(drawing['rows'])} ports"]))
    picture = (
        f"<svg viewBox='0 {-_ABOVE} {width} {_ABOVE + frame.tall + _BELOW}' width='{width}' font-size='11' "
        f"style='max-width:100%' role='img' aria-label='{escape(said)}'>{drawn}"
        f"<text x='{_LEFT + _LONG / 2}' y='{frame.tall + 31}' text-anchor='middle' fill='{_TEXT}'>"
        f"{escape(across.label)}</text></svg>"
    )
    keys = "".join(
        f"<span style='margin-right:12px'><svg width='16' height='10' style='height:10px' aria-hidden='true'>"
        f"<rect x='1' y='1' width='12' height='8' {look}/></svg> {name}</span>"
        for name, (look, _) in _PULSES.items()
        if any(pulse["kind"] == name for pulse in drawing["pulses"])
    )
    return f"{picture}<p>{keys}{escape(drawing['note'])}</p>"


def _counts(drawing: Drawing) -> str:
    rest = rest_in(drawing)
    return counts_html(counts_in(drawing)) + (f"<p>{escape(rest)}</p>" if rest else "")


def _table(drawing: Drawing) -> str:
    head = "".join(f"<th scope='col' style='text-align:left'>{escape(name)}</th>" for name in drawing["columns"])
    rows = "".join(f"<tr>{_row(row)}</tr>" for row in drawing["rows"])
    said = f"<p>{escape(drawing['note'])}</p>" if drawing["note"] else ""
    return f"<table class='qpi-table'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{said}"


def _row(cells: Iterable[str]) -> str:
    return "".join(
        f"<td style='text-align:left{_NO_BREAK if len(cell) <= _SHORT else ''}'>{escape(cell)}</td>" for cell in cells
    )


_FORMS: dict[str, Callable[[Drawing], str]] = {
    COUNTS: _counts,
    IQ: _iq,
    LINES: _lines,
    HEAT_MAP: _heat_map,
    ERROR_BARS: lambda drawing: _table(as_table(drawing)),
    TABLE: _table,
    NOTE: lambda drawing: f"<p>{escape(str(drawing['text']))}</p>",
    CIRCUIT: lambda drawing: f"<pre>{escape(str(drawing['text']))}</pre>",
    TIMELINE: _timeline,
}
