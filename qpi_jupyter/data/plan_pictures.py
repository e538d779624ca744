"""A plan's circuit as a picture: each qubit in the colour of its fragment, and the gates that are cut.

Colours are such as colour-blind people can tell apart (Okabe and Ito), pale behind text that has the page's own colour:
they can be read on light and on dark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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


def cut_wires(fragments: Sequence[Fragment]) -> tuple[int, ...]:
    """The qubits whose wire is cut: they go on in another fragment. Where, a plan does not say."""
    held = Counter(qubit for one in fragments for qubit in one.qubits)
    return tuple(sorted(qubit for qubit, count in held.items() if count > 1))


def circuit_svg(operations: Sequence[Operation], fragments: Sequence[Fragment], num_qubits: int) -> str:
    """The circuit as SVG without scripts; its first qubits and columns where it has many.

    A qubit of several fragments (`cut_wires`) has the colour of the first.
    """
    rows = min(num_qubits, MAX_QUBITS_DRAWN)
    owner = {qubit: one.index for one in reversed(fragments) for qubit in one.qubits}
    placed = [(column, one) for column, one in _columns(operations) if max(one.qubits, default=0) < rows]
    shown = [(column, one) for column, one in placed if column < MAX_COLUMNS]
    wide = _LEFT + _COLUMN * (1 + max((column for column, _ in shown), default=0)) + 10
    cuts = counted(sum(one.cut for _, one in shown), "gate")
    said = f"Circuit of {counted(num_qubits, 'qubit')} in {counted(len(fragments), 'fragment')}, {cuts} cut"
    wires = "".join(_wire(qubit, wide, owner) for qubit in range(rows))
    drawn = "".join(_operation(column, one, owner) for column, one in shown)
    return (
        f"<svg viewBox='0 0 {wide} {_ROW * rows + 4}' width='{wide}' font-size='11' style='max-width:none' "
        f"role='img' aria-label='{escape(said)}'>{wires}{drawn}</svg>"
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


def _wire(qubit: int, wide: int, owner: Mapping[int, int]) -> str:
    y = _y(qubit)
    line = colour_of(owner[qubit]) if qubit in owner else _GREY
    return (
        f"<text x='4' y='{y + 4}' fill='{_TEXT}'>q{qubit}</text>"
        f"<line x1='{_LEFT - 14}' x2='{wide - 6}' y1='{y}' y2='{y}' stroke='{line}' stroke-width='1.5'/>"
    )


def _operation(column: int, one: Operation, owner: Mapping[int, int]) -> str:
    x = _LEFT + column * _COLUMN + _COLUMN / 2
    low, high = min(one.qubits), max(one.qubits)
    joined = ""
    if low != high:
        look = f"stroke='{_CUT}' stroke-dasharray='4 3'" if one.cut else f"stroke='{_TEXT}'"
        joined = f"<line x1='{x}' x2='{x}' y1='{_y(low)}' y2='{_y(high)}' stroke-width='1.5' {look}/>"
        if one.cut:
            joined += f"<text x='{x + 8}' y='{(_y(low) + _y(high)) / 2 + 4}' fill='{_CUT}'>✂</text>"
    title = f"<title>{escape(one.name)} on {', '.join(f'q{qubit}' for qubit in one.qubits)}</title>"
    return f"<g>{title}{joined}{''.join(_box(x, qubit, one, owner) for qubit in one.qubits)}</g>"


def _box(x: float, qubit: int, one: Operation, owner: Mapping[int, int]) -> str:
    colour = _CUT if one.cut else colour_of(owner[qubit]) if qubit in owner else _GREY
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
