"""A plan's circuit as a picture: each qubit in the colour of its fragment, and the gates that are cut.

Colours are such as colour-blind people can tell apart (Okabe and Ito), pale behind text that has the page's own colour:
they can be read on light and on dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qpi_jupyter.core import counted
from qpi_jupyter.core.plans import Fragment, Operation

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999933", "#882255")
"""Of the fragments, by their index; after the last the first again."""
MAX_QUBITS_DRAWN = 64
MAX_COLUMNS = 120
_COLUMN, _ROW, _LEFT, _BOX = 34, 30, 44, 24
_TEXT, _GREY = "var(--jp-ui-font-color1, currentColor)", "var(--jp-ui-font-color2, #888)"
_CUT = "var(--jp-error-color1, #d32f2f)"
_SHOWN = {"measure": "M", "barrier": "", "sdg": "S†", "tdg": "T†"}
_LETTERS = 4


def colour_of(fragment: int) -> str:
    """The colour of a fragment."""
    return COLOURS[fragment % len(COLOURS)]


def circuit_svg(operations: Sequence[Operation], fragments: Sequence[Fragment], num_qubits: int) -> str:
    """The circuit as SVG without scripts; its first qubits and columns where it has many.

    Where a wire is cut there are scissors on it, and it goes on in the colour of its next fragment.
    """
    rows = min(num_qubits, MAX_QUBITS_DRAWN)
    placed = [(column, one) for column, one in _columns(operations) if max(one.qubits, default=0) < rows]
    shown = [(column, one) for column, one in placed if column < MAX_COLUMNS]
    wide = _LEFT + _COLUMN * (1 + max((column for column, _ in shown), default=0)) + 10
    cuts = [counted(sum(one.cut for _, one in shown), "gate")]
    if wires := sum(len(one.cut_wires) for _, one in shown):
        cuts.append(counted(wires, "wire"))
    said = f"Circuit of {counted(num_qubits, 'qubit')} in {counted(len(fragments), 'fragment')}"
    drawn = "".join(_wire(qubit, wide, shown, fragments) for qubit in range(rows))
    drawn += "".join(_operation(column, one) for column, one in shown)
    return (
        f"<svg viewBox='0 0 {wide} {_ROW * rows + 4}' width='{wide}' font-size='11' style='max-width:none' "
        f"role='img' aria-label='{escape(said)}, {' and '.join(cuts)} cut'>{drawn}</svg>"
    )


def _columns(operations: Sequence[Operation]) -> list[tuple[int, Operation]]:
    """Each operation in the first column in which nothing is on its qubits, or between them."""
    free: dict[int, int] = {}
    placed = []
    for one in operations:
        if not one.qubits or one.name == "barrier":
            continue
        between = range(min(one.qubits), max(one.qubits) + 1)
        column = max(free.get(qubit, 0) for qubit in between)
        free.update(dict.fromkeys(between, column + 1))
        placed.append((column, one))
    return placed


def _wire(qubit: int, wide: int, shown: Sequence[tuple[int, Operation]], fragments: Sequence[Fragment]) -> str:
    """A qubit's name and its line, piece by piece: from one cut to the next."""
    on = [(column, one) for column, one in shown if qubit in one.qubits]
    pieces: list[tuple[float, int | None]] = [(_LEFT - 14.0, None)]
    for column, one in on:
        if qubit in one.cut_wires:
            pieces.append((_LEFT + column * _COLUMN, one.fragment))
        elif pieces[-1][1] is None:
            pieces[-1] = (pieces[-1][0], one.fragment)
    if pieces[-1][1] is None:  # nothing but gates that are cut is on it
        held = next((one.index for one in fragments if qubit in one.qubits), None)
        pieces[-1] = (pieces[-1][0], held)
    y, ends = _y(qubit), [*(start for start, _ in pieces[1:]), wide - 6.0]
    lines = "".join(
        f"<line x1='{start:g}' x2='{end:g}' y1='{y}' y2='{y}' stroke='{_line_colour(fragment)}' stroke-width='1.5'/>"
        for (start, fragment), end in zip(pieces, ends, strict=True)
    )
    cuts = "".join(
        f"<g><title>Wire of q{qubit} cut</title><line x1='{x:g}' x2='{x:g}' y1='{y - 11}' y2='{y + 11}' "
        f"stroke='{_CUT}' stroke-width='1.5' stroke-dasharray='3 2'/>"
        f"<text x='{x:g}' y='{y - 8}' text-anchor='middle' fill='{_CUT}'>✂</text></g>"
        for x, _ in pieces[1:]
    )
    return f"<text x='4' y='{y + 4}' fill='{_TEXT}'>q{qubit}</text>{lines}{cuts}"


def _line_colour(fragment: int | None) -> str:
    return _GREY if fragment is None else colour_of(fragment)


def _operation(column: int, one: Operation) -> str:
    x = _LEFT + column * _COLUMN + _COLUMN / 2
    low, high = min(one.qubits), max(one.qubits)
    joined = ""
    if low != high:
        look = f"stroke='{_CUT}' stroke-dasharray='4 3'" if one.cut else f"stroke='{_TEXT}'"
        joined = f"<line x1='{x}' x2='{x}' y1='{_y(low)}' y2='{_y(high)}' stroke-width='1.5' {look}/>"
        if one.cut:
            joined += f"<text x='{x + 8}' y='{(_y(low) + _y(high)) / 2 + 4}' fill='{_CUT}'>✂</text>"
    title = f"<title>{escape(one.name)} on {', '.join(f'q{qubit}' for qubit in one.qubits)}</title>"
    return f"<g>{title}{joined}{''.join(_box(x, qubit, one) for qubit in one.qubits)}</g>"


def _box(x: float, qubit: int, one: Operation) -> str:
    colour = _CUT if one.cut else _line_colour(one.fragment)
    name = _SHOWN.get(one.name, one.name[:_LETTERS].upper() if len(one.name) < _LETTERS else one.name[:_LETTERS])
    y = _y(qubit)
    return (
        f"<rect x='{x - _BOX / 2}' y='{y - _BOX / 2 + 1}' width='{_BOX}' height='{_BOX - 2}' rx='3' "
        f"fill='var(--jp-layout-color1, Canvas)'/>"
        f"<rect x='{x - _BOX / 2}' y='{y - _BOX / 2 + 1}' width='{_BOX}' height='{_BOX - 2}' rx='3' "
        f"fill='{colour}' fill-opacity='0.25' stroke='{colour}'/>"
        f"<text x='{x}' y='{y + 4}' text-anchor='middle' font-size='9' fill='{_TEXT}'>{escape(name)}</text>"
    )


def _y(qubit: int) -> int:
    return _ROW * qubit + _ROW // 2
