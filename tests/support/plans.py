"""Plans made by hand, without looking at a circuit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qpi_jupyter.core import Manifest, Program
from qpi_jupyter.core.plans import Choice, Cost, Fragment, Plan, PlanKind, PlanRequest
from qpi_jupyter.data.reconstruction import PartRecipe, Recipe, write_recipe
from qpi_server.service.plans.parts import Parts
from qpi_server.service.plans.planning import Made


def made_by_hand(manifests: Mapping[str, Manifest], *choices: str, **request: Any) -> Made:
    """Components of four qubits each: for each fragment its QPUs, as "q1 q2" (Any: fields of the request)."""
    asked = PlanRequest(shots=100, **request)
    cost = Cost(esp=0.97, duration_s=1.0, wait_s=0.0, load=0.0, latency_s=0.0, total=0.1)
    fragments = tuple(
        Fragment(
            index=index, qubits=tuple(range(4 * index, 4 * index + 4)), num_qubits=4, num_circuits=1, shots=100,
            program_sha256="", choices=tuple(
                Choice(qpu=qpu, calibration_id=manifests[qpu].calibration_id, cost=cost) for qpu in names.split()
            ),
        )
        for index, names in enumerate(choices)
    )  # fmt: skip
    plan = Plan(
        plan_id=f"plan-{'-'.join(choices)}", kind=PlanKind.COMPONENTS, num_qubits=4 * len(choices), request=asked,
        circuit_sha256="", fragments=fragments,
    )  # fmt: skip
    recipe = Recipe(
        kind=plan.kind, observables=(), num_clbits=plan.num_qubits, registers=(("c", plan.num_qubits),),
        parts=tuple(PartRecipe(num_bits=(4,), bits=one.qubits) for one in fragments),
    )  # fmt: skip
    source = Program(format="openqasm3", sources=(b"OPENQASM 3.0;",))
    programs = tuple(b"QISKIT %d" % index for index in range(len(choices)))
    return Made(plan=plan, parts=Parts(recipe=write_recipe(recipe), programs=programs, source=source))
