"""`Plan`: how one circuit would run on several QPUs, `RunningPlan`: how it does, and how that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qpi_jupyter.core import counted, length, plain
from qpi_jupyter.core.plans import Alternative, Fragment, PlanKind
from qpi_jupyter.data import drawings
from qpi_jupyter.data.pictures import html_of
from qpi_jupyter.wire.plans import FragmentRun, PlanModel, PlanRun

from .status import job_word

_WAYS = {PlanKind.WHOLE: "whole", PlanKind.COMPONENTS: "in components", PlanKind.CUT: "cut"}


class Plan:
    """How a circuit would run; nothing has run. `Lab.plan` makes it; a notebook draws it.

    Attributes
    ----------
    model
        all that the lab says.
    """

    def __init__(self, model: PlanModel) -> None:
        self.model = model

    @property
    def plan_id(self) -> str:
        """The same for the same circuit, request, seed and QPUs."""
        return self.model.plan_id

    @property
    def fragments(self) -> Sequence[Fragment]:
        """The jobs it would be: of each its ``qubits``, and its ``choices`` of QPUs with their costs."""
        return self.model.fragments

    @property
    def qpus(self) -> tuple[str, ...]:
        """The QPU of each fragment."""
        return tuple(one.choices[0].qpu for one in self.fragments)

    @property
    def overhead(self) -> float:
        """How many times the shots give the precision of the circuit that is not cut."""
        return self.model.overhead

    @property
    def cost(self) -> float:
        """What the lab compares plans by: the sum over fragments, and the price of the cuts."""
        return self.model.cost

    @property
    def alternatives(self) -> Sequence[Alternative]:
        """The other ways, the cheapest first; those with a ``problem`` are not possible."""
        return self.model.alternatives

    @property
    def summary(self) -> str:
        """The plan in a sentence."""
        model = self.model
        qpus = ", ".join(dict.fromkeys(self.qpus))
        jobs = counted(len(self.fragments), "fragment")
        if model.kind is PlanKind.WHOLE:
            return f"The whole circuit on {qpus}"
        if model.kind is PlanKind.COMPONENTS:
            return f"{jobs} on {qpus}: nothing is cut"
        return f"{counted(model.num_cuts, 'cut')} into {jobs} on {qpus}, for {_times(model.overhead)} the shots"

    def drawings(self) -> list[drawings.Drawing]:
        """What is shown of it beside the circuit: its fragments, and the alternatives."""
        found = [drawings.table(_FRAGMENT_COLUMNS, [_row(one) for one in self.fragments])]
        if self.alternatives:
            rows = [_other(one) for one in self.alternatives]
            found.append(drawings.table(("Alternative", "QPUs", "Overhead", "Cost", "Why not"), rows))
        return found

    def __repr__(self) -> str:
        """Everything as text."""
        texts = [f"{self.summary}. Nothing has run ({self.plan_id}, cost {self.cost:.3f})."]
        return "\n".join([*texts, *filter(None, map(drawings.text_of, self.drawings()))])

    def _repr_html_(self) -> str:
        from qpi_jupyter.data.plan_pictures import circuit_svg, colour_of

        model = self.model
        title = f"<p><strong>{escape(self.summary)}</strong>. Nothing has run.</p>"
        key = "".join(
            f"<span style='display:inline-block;margin-right:1em;white-space:nowrap'>"
            f"<span style='display:inline-block;width:.8em;height:.8em;border-radius:2px;"
            f"background:{colour_of(one.index)}'></span> {one.index}: {escape(one.choices[0].qpu)}</span>"
            for one in self.fragments[:_KEYS]
        )
        picture = circuit_svg(model.operations, model.fragments, model.num_qubits) if model.operations else ""
        foot = f"<p><small>{escape(self.plan_id)}, cost {self.cost:.3f}</small></p>"
        tables = "".join(map(html_of, self.drawings()))
        return f"<div>{title}<div>{key}</div><div style='overflow-x:auto'>{picture}</div>{tables}{foot}</div>"


class RunningPlan(PlanRun):
    """A plan that a job runs: ``plan`` as it was made, and its ``fragments``, each with its job, its places on QPUs and
    its attempts. `JobHandle.plan` asks for it; a notebook draws its fragments."""

    @property
    def summary(self) -> str:
        """The plan in a sentence."""
        return "The circuit is being planned" if self.plan is None else Plan(self.plan).summary

    def drawings(self) -> list[drawings.Drawing]:
        """Its fragments, as a table."""
        return [drawings.table(_RUN_COLUMNS, [self._row(one) for one in self.fragments])] if self.fragments else []

    def _row(self, one: FragmentRun) -> tuple[str, ...]:
        planned = {} if self.plan is None else {each.index: each for each in self.plan.fragments}
        fragment = planned.get(one.index)
        first = fragment.choices[0].qpu if fragment is not None else ""
        return (
            str(one.index), f"{one.qpu} (fallback for {first})" if one.fallback else one.qpu,
            "" if fragment is None else _listed(fragment.qubits), job_word(one.phase, "place"),
            "" if one.esp is None else f"{one.esp:.4f}", str(len(one.attempts)), one.job_id,
            "" if one.error is None else one.error.message,
        )  # fmt: skip

    def __repr__(self) -> str:
        """Everything as text."""
        texts = [f"{self.summary}. Job {self.job_id}, {length(self.cost_s)} of QPU time."]
        return "\n".join([*texts, *filter(None, map(drawings.text_of, self.drawings()))])

    def _repr_html_(self) -> str:
        title = f"<p><strong>{escape(self.summary)}</strong>. {escape(length(self.cost_s))} of QPU time.</p>"
        return f"<div>{title}{''.join(map(html_of, self.drawings()))}</div>"


_RUN_COLUMNS = ("Fragment", "QPU", "Qubits", "Status", "Success", "Attempts", "Job", "Error")
_KEYS = 32
"""Fragments in the key of colours."""
_FRAGMENT_COLUMNS = (
    "Fragment", "QPU", "Qubits", "Experiments x shots", "Success", "Runs", "Waits", "Cost", "Fallbacks",
)  # fmt: skip


def _row(one: Fragment) -> tuple[str, ...]:
    first, *others = one.choices
    cost = first.cost
    return (
        str(one.index), first.qpu, _listed(one.qubits), f"{one.num_circuits:,} x {one.shots:,}", f"{cost.esp:.4f}",
        length(cost.duration_s), length(cost.wait_s), f"{cost.total:.3f}", ", ".join(other.qpu for other in others),
    )  # fmt: skip


def _other(one: Alternative) -> tuple[str, ...]:
    way = f"{_WAYS[one.kind]}, up to {counted(one.width, 'qubit')}" if one.kind is not PlanKind.WHOLE else "whole"
    cost = "" if one.cost is None else f"{one.cost:.3f}"
    return way, ", ".join(one.qpus), "" if one.overhead is None else _times(one.overhead), cost, one.problem


def _times(overhead: float) -> str:
    return f"{plain(overhead)} times"


def _listed(qubits: Sequence[int]) -> str:
    """The qubits, runs of them as first to last."""
    runs: list[list[int]] = []
    for qubit in qubits:
        if runs and qubit == runs[-1][1] + 1:
            runs[-1][1] = qubit
        else:
            runs.append([qubit, qubit])
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in runs)
