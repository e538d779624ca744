"""Plans of one circuit over several QPUs, as a person asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qpi_jupyter.core import DEFAULT_SHOTS, Rejected
from qpi_jupyter.core.plans import MAX_OVERHEAD
from qpi_jupyter.wire.plans import PlanIn, PlanModel
from qpi_jupyter.wire.rest import QpuModel

from . import programs
from .http import Http
from .plan import Plan
from .portal import both
from .times import Length, seconds

_PLAN_S = 120.0
"""How long a plan may take: others may ask for theirs before."""
OneOrMoreQpus = str | QpuModel | Sequence[str | QpuModel]


class Plans:
    """Planning, over one connection."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @both
    async def plan(
        self,
        /,
        circuit: object,
        *,
        observables: object = None,
        shots: int = DEFAULT_SHOTS,
        qpus: OneOrMoreQpus | None = None,
        min_fidelity: float = 0.0,
        max_overhead: float = MAX_OVERHEAD,
        seed: int = 0,
        deadline: Length | None = None,
        format: str | None = None,
    ) -> Plan:
        """See how one circuit would run on the lab's QPUs: whole, in its connected components, or cut.

        Nothing runs and nothing is reserved. The same circuit, request and seed on the same QPUs make the same plan.

        Parameters
        ----------
        circuit
            a QuantumCircuit, or OpenQASM text.
        observables
            Pauli strings as Qiskit writes them, one or several, the last letter for qubit 0: the result has their
            expectation values. Without any, the result is the counts of the circuit's measurements.
        shots
            repetitions of every circuit that a fragment runs.
        qpus
            the only ones that may be used; else all that are online.
        min_fidelity
            the least estimated success probability of each fragment, from 0 to 1.
        max_overhead
            how many times the shots a cut circuit may cost for the same precision.
        seed
            of transpiling and of the search for cuts.
        deadline
            from submit until all of it has to be done (s), or a text such as ``"1h"``.
        format
            of the text, where it does not say that itself.

        Raises
        ------
        ProgramError
            the circuit is wrong; ``line`` and ``column`` say where.
        Rejected
            ``code`` is ``infeasible`` where no way is left: ``data`` has what is missing, with the figures.
        QpiError
            what else the lab has against it.
        """
        request = PlanIn(
            program=programs.program_of(circuit, format),
            observables=_labels(observables),
            shots=programs.whole("shots", shots),
            qpus=_names(qpus),
            min_fidelity=float(min_fidelity),
            max_overhead=float(max_overhead),
            seed=programs.whole("seed", seed),
            deadline_s=None if deadline is None else seconds(deadline),
        )
        return Plan(await self.http.call("POST", "v1/plans", PlanModel, body=request, answer_s=_PLAN_S))


def _labels(observables: object) -> list[str]:
    """Pauli strings of texts, Qiskit's Paulis, or a list of either."""
    if observables is None:
        return []
    if isinstance(observables, str) or hasattr(observables, "to_label"):
        observables = [observables]
    if not isinstance(observables, Iterable):
        raise TypeError(f"observables must be Pauli strings, such as 'ZZI', not {type(observables).__name__}.")
    return [_label(one) for one in observables]


def _label(one: object) -> str:
    if isinstance(one, str):
        if not one or set(one) - set("IXYZ"):
            raise Rejected(
                f"Cannot read {one!r:.60} as an observable: write a letter I, X, Y or Z for each qubit, the last for "
                "qubit 0, such as 'ZZI'.",
                code="bad_observable", field="observables",
            )  # fmt: skip
        return one
    to_label = getattr(one, "to_label", None)
    if not callable(to_label):
        raise TypeError(
            f"observables must be Pauli strings, such as 'ZZI', not {type(one).__name__}: name the strings of a sum "
            "one by one (operator.paulis.to_labels())."
        )
    return str(to_label())


def _names(qpus: OneOrMoreQpus | None) -> list[str]:
    if qpus is None:
        return []
    listed = [qpus] if isinstance(qpus, str | QpuModel) else qpus
    return [one if isinstance(one, str) else one.name for one in listed]
