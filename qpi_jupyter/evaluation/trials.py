"""Every circuit in every scenario, through ``lab.plan`` and ``lab.submit`` alone, and what came out of each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qpi_jupyter.client import JobHandle, Lab, Plan
from qpi_jupyter.client.job_handle import FINAL
from qpi_jupyter.core import QpiError
from qpi_jupyter.wire.events import JobChanged

from .circuits import circuit_of, exact_values, observables_of
from .nodes import Nodes
from .scenarios import Circuit, Matrix, Scenario

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Outcome = Literal["completed", "failed", "refused", "late"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A circuit in a scenario. Times in seconds, by the clock of who asks; NaN: not known, for it came not so far.

    ``plan_s`` is what planning took and ``run_s`` from submit to the result; ``rmse`` and ``max_error`` are of the
    expectation values against the exact ones, ``standard_error`` is the mean of those that the result claims, and
    ``esp`` the product of the estimated success probabilities of the fragments. ``moved`` fragments did not end on the
    QPU that the plan began with; ``attempts`` are of all fragments.
    """

    scenario: str
    circuit: str
    num_qubits: int
    shots: int
    seed: int
    outcome: Outcome
    error: str = ""
    plan_id: str = ""
    kind: str = ""
    qpus: tuple[str, ...] = ()
    fragments: int = 0
    overhead: float = math.nan
    esp: float = math.nan
    plan_s: float = math.nan
    run_s: float = math.nan
    busy_s: float = math.nan
    attempts: int = 0
    moved: int = 0
    rmse: float = math.nan
    max_error: float = math.nan
    standard_error: float = math.nan


def run(matrix: Matrix, nodes: Nodes, folder: Path, tell: Callable[[str], None] = lambda text: None) -> Iterator[Trial]:
    """The trials of a matrix, one after the other, each as soon as it is over.

    Parameters
    ----------
    folder
        where files of circuits are.
    tell
        hears what is done.

    Raises
    ------
    QpiError
        a circuit is wrong, or a node does not start; what goes wrong in a trial is in its `Trial`.
    """
    for scenario in matrix.scenarios:
        names = scenario.nodes or [node.name for node in matrix.nodes]
        for wanted, shots, seed in matrix.trials(scenario):
            nodes.arrange(names, scenario.latency_s, scenario.noise)  # and again those that were lost
            tell(f"{scenario.name}: {wanted.name}, {shots:,} shots, seed {seed}")
            yield _Run(matrix, scenario, wanted, nodes, names).trial(circuit_of(wanted, folder), shots, seed)


class _Run:
    """One trial."""

    def __init__(self, matrix: Matrix, scenario: Scenario, wanted: Circuit, nodes: Nodes, names: list[str]) -> None:
        self._matrix, self._scenario, self._wanted = matrix, scenario, wanted
        self._nodes, self._names = nodes, names

    def trial(self, circuit: QuantumCircuit, shots: int, seed: int) -> Trial:
        observables = observables_of(self._wanted, circuit.num_qubits)
        known: dict[str, Any] = {
            "scenario": self._scenario.name, "circuit": self._wanted.name, "num_qubits": circuit.num_qubits,
            "shots": shots, "seed": seed,
        }  # fmt: skip
        begin = time.monotonic()
        try:
            plan = self._nodes.lab.plan(
                circuit, observables=observables, shots=shots, qpus=self._names, seed=seed,
                min_fidelity=self._scenario.min_fidelity, max_overhead=self._scenario.max_overhead,
            )  # fmt: skip
        except QpiError as error:
            return Trial(**known, outcome="refused", error=error.message)
        known |= {"plan_s": time.monotonic() - begin, **_of_plan(plan)}
        begin = time.monotonic()
        try:
            job = self._submitted(plan)
            job.wait(timeout=self._matrix.deadline_s)
            measured = job.dataset()
        except TimeoutError as error:
            job.cancel()
            return Trial(**known, outcome="late", error=str(error))
        except QpiError as error:
            return Trial(**known, outcome="failed", error=error.message)
        known |= {"run_s": time.monotonic() - begin, **_of_run(job)}
        values = measured.qpi.expectation_values()
        exact = dict(zip(observables, exact_values(circuit, observables), strict=True))
        errors = [values[label] - exact[label] for label in exact]
        return Trial(
            **known, outcome="completed", rmse=math.sqrt(sum(error**2 for error in errors) / len(errors)),
            max_error=max(map(abs, errors)), standard_error=_mean(measured.qpi.standard_errors().values()),
        )  # fmt: skip

    def _submitted(self, plan: Plan) -> JobHandle:
        """The job of the plan, and its node lost as the scenario says."""
        lost, lab = self._scenario.lost, self._nodes.lab
        if lost is None:
            return lab.submit(plan)
        if lost.once == "planned":
            self._nodes.kill(lost.node)
            return lab.submit(plan)
        cursor = lab.events().cursor
        job = lab.submit(plan)
        if _runs_on(lab, lost.node, job.id, cursor, self._matrix.deadline_s):
            self._nodes.kill(lost.node)
        return job


def _runs_on(lab: Lab, qpu: str, plan_job: str, cursor: int, patience_s: float) -> bool:
    """Wait until a job runs on a QPU; False where none does before the plan's job has ended."""
    give_up_at = time.monotonic() + patience_s
    while time.monotonic() < give_up_at:
        page = lab.events(cursor, wait_s=min(10.0, patience_s))
        for event in page.events:
            if not isinstance(event, JobChanged):
                continue
            if event.qpu == qpu and event.data.status == "running":
                return True
            if event.job_id == plan_job and event.data.status in FINAL:
                return False
        cursor = page.cursor
    return False


def _of_plan(plan: Plan) -> dict[str, Any]:
    return {
        "plan_id": plan.plan_id, "kind": str(plan.model.kind), "fragments": len(plan.fragments),
        "overhead": plan.overhead, "qpus": plan.qpus,
        "esp": math.prod(fragment.choices[0].cost.esp for fragment in plan.fragments),
    }  # fmt: skip


def _of_run(job: JobHandle) -> dict[str, Any]:
    """What became of the fragments."""
    fragments = job.plan().fragments
    attempts = [attempt for fragment in fragments for attempt in fragment.attempts]
    return {
        "attempts": len(attempts),
        "busy_s": sum(attempt.busy_s or 0.0 for attempt in attempts),
        "moved": sum(fragment.fallback for fragment in fragments),
    }


def _mean(values: Any) -> float:
    found = [value for value in values if math.isfinite(value)]
    return sum(found) / len(found) if found else math.nan
