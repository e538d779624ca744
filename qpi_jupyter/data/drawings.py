"""What is drawn of a result, as plain JSON: the same in a notebook, in its saved file and in the panel.

A drawing is a dict: ``draw`` names one of these forms, ``label`` tells it apart from others of the same circuit, and
the rest is the form's own. Whoever shows one knows the forms by name, and says so where it doesn't know one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from qpi_jupyter.core import CircuitPreview, counted, ordinal, short

from .views import MAX_BARS, IqView, counts_text, histogram, rest_of

Drawing = dict[str, Any]
"""As JSON."""

COUNTS, IQ, LINES, ERROR_BARS, TABLE, NOTE = "counts", "iq", "lines", "error_bars", "table", "note"
HEAT_MAP, CIRCUIT, TIMELINE = "heat_map", "circuit", "timeline"
MAX_X = 2_000
"""Places of a line that are drawn; of more an even selection."""
MAX_CELLS = 128
"""Rows and columns of a heat map; of more an even selection."""
MAX_ROWS = 100
"""Rows of a table, or values with error bars."""
MAX_CELL = 200
"""Characters of a cell."""
_DIGITS = 4
_WIDTH, _LONG = 40, 80


def counts(found: Mapping[str, int], label: str = "") -> Drawing:
    """A histogram."""
    bars = [
        {"label": bar.label, "count": bar.count, "share": round(bar.share, 6), "rest": bar.rest}
        for bar in histogram(found)
    ]
    return {"draw": COUNTS, "label": label, "shots": sum(found.values()), "outcomes": len(found), "bars": bars}


def iq(view: IqView) -> Drawing:
    """The points of a qubit in the IQ plane, with the line that tells them apart."""
    return {
        "draw": IQ,
        "label": f"q{view.qubit}",
        "i": _short(view.i),
        "q": _short(view.q),
        "bits": view.bits,
        "total": view.total,
        "averaged": view.averaged,
        "centres": [_short(centre) for centre in view.centres],
        "line": [_short(end) for end in view.line],
        "fidelity": view.fidelity,
        "units": view.units,
    }


def lines(
    x: Sequence[float],
    found: Mapping[str, Sequence[float]],
    *,
    x_label: str,
    y_label: str,
    label: str = "",
    about: str = "",
    dots: Collection[str] = (),
    joined: bool = False,
) -> Drawing:
    """Lines over a common axis, by name, those in ``dots`` as points alone; ``about`` is a word below them.

    Where a line has no value it has a gap; ``joined`` ones go on to their next value.
    """
    step = max(1, -(-len(x) // MAX_X))
    drawn = [
        {"label": name, "y": _short(y[::step]), **({"dots": True} if name in dots else {})} for name, y in found.items()
    ]
    return {
        "draw": LINES, "label": label, "x": _short(x[::step]), "lines": drawn, "x_label": x_label, "y_label": y_label,
        "note": _and(about, _picked(step, len(x), "point")), **({"joined": True} if joined else {}),
    }  # fmt: skip


def heat_map(
    x: Sequence[float],
    y: Sequence[float],
    found: Sequence[Sequence[float]],
    *,
    x_label: str,
    y_label: str,
    z_label: str,
    label: str = "",
    about: str = "",
) -> Drawing:
    """Values over two axes, one row for each ``y``; NaN where there is none."""
    across, down = (max(1, -(-len(axis) // MAX_CELLS)) for axis in (x, y))
    return {
        "draw": HEAT_MAP, "label": label, "x": _short(x[::across]), "y": _short(y[::down]),
        "z": [_short(row[::across]) for row in found[::down]], "x_label": x_label, "y_label": y_label,
        "z_label": z_label, "note": _and(about, _picked(across, len(x), "column"), _picked(down, len(y), "row")),
    }  # fmt: skip


def error_bars(
    found: Sequence[tuple[str, float, float]], *, x_label: str, y_label: str, label: str = "", about: str = ""
) -> Drawing:
    """Named values with their standard errors; NaN where one is not known."""
    points = [
        {"label": name[:MAX_CELL], "value": value, "error": error}
        for (name, *_), value, error in zip(
            found, _short(value for _, value, _ in found), _short(error for *_, error in found), strict=True
        )
    ]
    return {
        "draw": ERROR_BARS, "label": label, "points": points[:MAX_ROWS], "x_label": x_label, "y_label": y_label,
        "note": _with_rest(about, len(found)),
    }  # fmt: skip


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, label: str = "", about: str = "") -> Drawing:
    """A table of words; the first column names the rows."""
    cells = [[str(cell)[:MAX_CELL] for cell in row] for row in rows[:MAX_ROWS]]
    return {
        "draw": TABLE, "label": label, "columns": list(columns), "rows": cells, "note": _with_rest(about, len(rows)),
    }  # fmt: skip


def note(text: str, label: str = "") -> Drawing:
    """A word about what there is instead of a picture."""
    return {"draw": NOTE, "label": label, "text": text}


def circuit(text: str, label: str = "") -> Drawing:
    """A circuit, as OpenQASM."""
    return {"draw": CIRCUIT, "label": label, "text": text}


def timeline(preview: CircuitPreview, label: str = "") -> Drawing:
    """What the ports of a QPU play during one shot; times in seconds from the end of its reset."""
    left_out = preview.total_pulses - len(preview.pulses)
    note = f"The first {len(preview.pulses):,} of {preview.total_pulses:,} pulses are shown." if left_out else ""
    return {
        "draw": TIMELINE, "label": label, "rows": [asdict(row) for row in preview.rows],
        "pulses": [asdict(pulse) for pulse in preview.pulses], "duration_s": preview.duration_s, "note": note,
    }  # fmt: skip


def span_of(drawing: Drawing) -> tuple[float, float]:
    """From when to when a timeline goes."""
    ends = [pulse["start_s"] + pulse["duration_s"] for pulse in drawing["pulses"]]
    return min([0.0, *(pulse["start_s"] for pulse in drawing["pulses"])]), max([drawing["duration_s"] or 0.0, *ends])


def told_of_pulse(pulse: Mapping[str, Any], port: str) -> str:
    """One pulse in a line."""
    at = short(pulse["start_s"]) if pulse["start_s"] else "0 s"
    parts = [f"{pulse['label']} on {port}", f"at {at}"]
    if pulse["kind"] == "phase":
        return f"{', '.join(parts)}: phase {pulse['phase_deg']:+.4g}°"
    parts.append(f"for {short(pulse['duration_s'])}")
    if pulse["amplitude"] is not None:
        parts.append(f"amplitude {pulse['amplitude']:.4g}")
    return ", ".join(parts)


def text_of(drawing: Drawing) -> str:
    """The drawing in characters; empty where that says nothing."""
    form = _TEXTS.get(drawing["draw"])
    return "" if form is None else form(drawing)


def counts_in(drawing: Drawing) -> dict[str, int]:
    """The counts of a histogram, as far as it has bars."""
    return {bar["label"]: bar["count"] for bar in drawing["bars"] if not bar["rest"]}


def rest_in(drawing: Drawing) -> str:
    """What is said of a histogram's outcomes without a bar; empty where all have one."""
    return "".join(rest_of(bar["label"], bar["count"], bar["share"]) for bar in drawing["bars"] if bar["rest"])


def threshold_in(drawing: Drawing) -> tuple[list[Any], list[Any]] | None:
    """The centres of 0 and 1 in the IQ plane and two ends of the threshold; None where they are not told apart."""
    centres, line = drawing["centres"], drawing["line"]
    known = centres[0] != centres[1] and None not in [value for point in (*centres, *line) for value in point]
    return (centres, line) if known else None


def told_of_points(drawing: Drawing) -> str:
    """What the points in the IQ plane are, in words."""
    shown = len(drawing["bits"])
    parts = ["The mean of all shots" if drawing["averaged"] else counted(drawing["total"], "shot")]
    of_these = ""
    if shown < drawing["total"]:
        parts[0] += f", {shown:,} of them drawn"
        of_these = " of these"
    if threshold_in(drawing) is not None and not drawing["averaged"]:
        parts.append(f"{sum(drawing['bits']):,}{of_these} read as 1, beyond the dashed threshold")
    if drawing["fidelity"] is not None:
        parts.append(f"assignment fidelity {drawing['fidelity']:.2%}")
    return f"{'; '.join(parts)}."


def _with_rest(about: str, count: int) -> str:
    """What is said below, with what is not shown."""
    return _and(about, f"The first {MAX_ROWS} of {count:,} are shown." if count > MAX_ROWS else "")


def _picked(step: int, count: int, noun: str) -> str:
    """What is said where not everything is drawn."""
    return "" if step == 1 else f"Every {ordinal(step)} of {counted(count, noun)} is drawn."


def _and(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _lines_text(drawing: Drawing) -> str:
    """A row of blocks for each line, between its smallest and its largest value."""
    widest = max(len(line["label"]) for line in drawing["lines"])
    rows = [f"{line['label']:>{widest}}  {_blocks(line['y'])}" for line in drawing["lines"]]
    first, last = extent([drawing["x"]])
    axis = f"{drawing['y_label']} over {drawing['x_label']} from {first:g} to {last:g}"
    return "\n".join(filter(None, [*rows, axis, drawing["note"]]))


def _blocks(values: Sequence[float | None]) -> str:
    there = [value for value in values if value is not None]
    known = there[:: max(1, -(-len(there) // _WIDTH))]
    if not known:
        return ""
    low, high = min(there), max(there)
    steps = [round(7 * (value - low) / (high - low)) if high > low else 0 for value in known]
    return f"{''.join('▁▂▃▄▅▆▇█'[step] for step in steps)}  {low:g} to {high:g}"


def extent(rows: Iterable[Iterable[float | None]]) -> tuple[float, float]:
    """The smallest and the largest value; 0 and 1 where there is none."""
    known = [value for row in rows for value in row if value is not None]
    return min(known, default=0.0), max(known, default=1.0)


def _heat_map_text(drawing: Drawing) -> str:
    """A character for each cell, darker for more; the largest y is the first row."""
    low, high = extent(drawing["z"])
    shades = " ░▒▓█"
    rows = [
        "".join(
            "·" if value is None else shades[min(4, int(5 * (value - low) / ((high - low) or 1)))] * 2 for value in row
        )
        for row in reversed(drawing["z"])
    ]
    (x0, x1), (y0, y1) = (extent([drawing[axis]]) for axis in "xy")
    said = (
        f"{drawing['z_label']} from {low:g} (light) to {high:g}; {drawing['x_label']} to the right from {x0:g} to "
        f"{x1:g}, {drawing['y_label']} up from {y0:g} to {y1:g}"
    )
    return "\n".join(filter(None, [*rows, said, drawing["note"]]))


_TIMES = {"phase": "|", "acquisition": "░", "flux": "▒", "readout": "▓"}
"""Characters of a timeline, later ones over earlier ones; what drives a qubit is solid."""


def _timeline_text(drawing: Drawing) -> str:
    """A row of characters for each port."""
    if not drawing["rows"]:
        return str(drawing["note"])
    first, last = span_of(drawing)
    widest = max(len(row["port"]) for row in drawing["rows"])
    rows = [[" "] * _LONG for _ in drawing["rows"]]
    order = ["acquisition", "phase", "readout", "flux"]
    pulses = sorted(drawing["pulses"], key=lambda p: order.index(p["kind"]) if p["kind"] in order else len(order))
    for pulse in pulses:
        begin = int(_LONG * (pulse["start_s"] - first) / ((last - first) or 1))
        end = math.ceil(_LONG * (pulse["start_s"] + pulse["duration_s"] - first) / ((last - first) or 1))
        sign = _TIMES.get(pulse["kind"], "█")
        for place in range(min(begin, _LONG - 1), min(max(end, begin + 1), _LONG)):
            rows[pulse["row"]][place] = sign
    written = [f"{row['port']:>{widest}} {''.join(cells)}" for row, cells in zip(drawing["rows"], rows, strict=True)]
    axis = f"{' ' * widest} 0 to {short(last)}; █ drive, ▒ flux, ▓ readout, ░ acquisition, | phase"
    return "\n".join(filter(None, [*(row.rstrip() for row in written), axis, drawing["note"]]))


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"


def as_table(drawing: Drawing) -> Drawing:
    """Error bars as a table."""
    rows = [[point["label"], _number(point["value"]), f"± {_number(point['error'])}"] for point in drawing["points"]]
    return table([drawing["x_label"], drawing["y_label"], "Standard error"], rows) | {"note": drawing["note"]}


def _table_text(drawing: Drawing) -> str:
    rows = [drawing["columns"], *drawing["rows"]]
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(len(drawing["columns"]))]
    written = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    return "\n".join(filter(None, [*written, drawing["note"]]))


_TEXTS: dict[str, Callable[[Drawing], str]] = {
    COUNTS: lambda drawing: "\n".join(filter(None, [counts_text(counts_in(drawing), MAX_BARS), rest_in(drawing)])),
    IQ: lambda drawing: f"IQ plane: {told_of_points(drawing)}",
    LINES: _lines_text,
    HEAT_MAP: _heat_map_text,
    ERROR_BARS: lambda drawing: _table_text(as_table(drawing)),
    TABLE: _table_text,
    NOTE: lambda drawing: str(drawing["text"]),
    CIRCUIT: lambda drawing: str(drawing["text"]).rstrip(),
    TIMELINE: _timeline_text,
}


def _short(values: Iterable[float]) -> list[float | None]:
    """As many digits as a picture can show; nothing for what is no number."""
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in values]
