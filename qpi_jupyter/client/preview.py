"""`Preview`: what a job would be on a QPU, and how that is shown."""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec

from qpi_jupyter.core import CircuitPreview, counted, length, short
from qpi_jupyter.data import drawings
from qpi_jupyter.data.pictures import html_of
from qpi_jupyter.wire.previews import PREVIEW_OUTPUT, BookingFit, PreviewModel, PreviewOutput


class Preview:
    """What circuits become on a QPU; nothing has run. `Lab.preview` makes it; a notebook draws it.

    Attributes
    ----------
    model
        all that the lab says.
    """

    def __init__(self, model: PreviewModel) -> None:
        self.model = model

    @property
    def circuits(self) -> list[CircuitPreview]:
        """Each circuit with ``native`` (OpenQASM 3), ``pulses``, ``duration_s`` and ``warnings``; the first ones."""
        return self.model.circuits

    @property
    def native(self) -> str:
        """The first circuit in the QPU's own gates, as OpenQASM 3."""
        return self.circuits[0].native

    @property
    def duration_s(self) -> float | None:
        """The longest shot, without its reset; None where the QPU knows of no time (seconds)."""
        return max((one.duration_s for one in self.circuits if one.duration_s is not None), default=None)

    @property
    def warnings(self) -> list[str]:
        """What to think of before it runs, each once."""
        return list(dict.fromkeys(warning for circuit in self.circuits for warning in circuit.warnings))

    @property
    def estimate_s(self) -> float:
        """How long the whole job is likely to hold the QPU, which is what it is likely to cost (seconds)."""
        return self.model.estimate_s

    def drawings(self) -> list[drawings.Drawing]:
        """What is shown of it: its facts, warnings, and of each circuit the native form and the pulses."""
        found = [drawings.table(("QPU", self.model.qpu), self._facts())]
        found += [drawings.note(f"Warning: {warning}") for warning in self.warnings]
        for circuit in self.circuits:
            if len(self.circuits) > 1:
                found.append(drawings.note(circuit.name or "Circuit", circuit.name))
            found.append(drawings.circuit(circuit.native) if circuit.native else drawings.note(circuit.problem))
            if circuit.rows:
                found.append(drawings.timeline(circuit, circuit.name))
        if left := self.model.total - len(self.circuits):
            found.append(drawings.note(f"{counted(left, 'more circuit')} not shown."))
        return found

    def _facts(self) -> list[tuple[str, str]]:
        model, charge = self.model, self.model.charge
        left = "" if charge.available_s is None else f", of {length(charge.available_s)} left"
        short_of = "" if charge.covered else ": not enough"
        facts = [
            ("Whole job", f"about {length(model.estimate_s)}, at most {length(model.upper_s)}"),
            ("QPU time", f"about {length(charge.seconds)} from {charge.account}{left}{short_of}"),
        ]
        if self.duration_s is not None:
            reset_s = max(one.reset_s for one in self.circuits)
            after = f", after a reset of {short(reset_s)}" if reset_s else ""
            facts.insert(0, ("One shot", f"{short(self.duration_s)}{after}"))
        if model.booking is not None:
            facts.append(("Booking", _told(model.booking)))
        return facts

    def __repr__(self) -> str:
        """Everything as text."""
        texts = [f"Preview on {self.model.qpu}: nothing has run."]
        return "\n".join([*texts, *filter(None, map(drawings.text_of, self.drawings()))])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        title = f"<p><strong>Preview on {escape(self.model.qpu)}</strong>: nothing has run.</p>"
        output = PreviewOutput(v=1, preview=self.model)
        return {
            PREVIEW_OUTPUT: msgspec.to_builtins(output),
            "text/html": f"<div>{title}{''.join(map(html_of, self.drawings()))}</div>",
            "text/plain": repr(self),
        }


def _told(booking: BookingFit) -> str:
    """Whether the job fits, in words."""
    left = length(booking.left_s)
    if not booking.mine:
        return f"somebody else's, for another {left}"
    return {
        "yes": f"fits: yours for another {left}",
        "likely": f"likely to fit: yours for another {left}",
        "no": f"does not fit: yours for another {left}",
    }[booking.fits]
