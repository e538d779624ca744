"""What is drawn of a result, as plain JSON: the same in a notebook, in its saved file and in the panel.

A drawing is a dict: ``draw`` names one of these forms, ``label`` tells it apart from others of the same circuit, and
the rest is the form's own. Whoever shows one knows the forms by name, and says so where it doesn't know one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

from .views import IqView, counts_html, counts_text, histogram

Drawing = dict[str, Any]
"""As JSON."""

COUNTS, IQ, NOTE = "counts", "iq", "note"
_DIGITS = 4


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
        "centres": view.centres,
        "line": view.line,
        "fidelity": view.fidelity,
        "units": view.units,
    }


def note(text: str, label: str = "") -> Drawing:
    """A word about what there is instead of a picture."""
    return {"draw": NOTE, "label": label, "text": text}


def text_of(drawing: Drawing) -> str:
    """The drawing in characters; empty where that says nothing."""
    return _TEXTS.get(drawing["draw"], _nothing)(drawing)


def html_of(drawing: Drawing) -> str:
    """The drawing as HTML without scripts, safe to put anywhere; empty where only a picture says it."""
    return _HTMLS.get(drawing["draw"], _nothing)(drawing)


def counts_in(drawing: Drawing) -> dict[str, int]:
    """The counts of a histogram, as far as it has bars."""
    return {bar["label"]: bar["count"] for bar in drawing["bars"]}


def _nothing(drawing: Drawing) -> str:
    return ""


_TEXTS: dict[str, Callable[[Drawing], str]] = {
    COUNTS: lambda drawing: counts_text(counts_in(drawing)),
    NOTE: lambda drawing: str(drawing["text"]),
}
_HTMLS: dict[str, Callable[[Drawing], str]] = {
    COUNTS: lambda drawing: counts_html(counts_in(drawing)),
    NOTE: lambda drawing: f"<p>{escape(str(drawing['text']))}</p>",
}


def _short(values: Iterable[float]) -> list[float]:
    """As many digits as a picture can show."""
    return [float(f"{value:.{_DIGITS}g}") for value in values]
