"""The child that studies circuits for plans: what it reads, what it refuses, and how long it takes."""

from __future__ import annotations

import statistics
import time
from typing import Any

import msgspec
import pytest
from qiskit import QuantumCircuit

from qpi_executors.planning import Planner, cpu_limit
from qpi_jupyter.core import Manifest, pack, unpack
from qpi_jupyter.core.planning import Study, make_plan
from qpi_jupyter.core.plans import PlanKind, PlanRequest
from qpi_jupyter.data.circuits import to_qpy
from tests.support.chips import chip
from tests.support.fragments import candidates

PLANNER = Planner()


def asked(source: bytes, form: str, chips: dict[str, Manifest], **request: Any) -> tuple[Study | None, dict[str, Any]]:
    """The study, or the error."""
    head = msgspec.json.encode({"format": form, "request": PlanRequest(**request), "targets": chips})
    answer = unpack(PLANNER.answer(pack((head, source))))
    said = msgspec.json.decode(answer[0])
    return (None, said["error"]) if said["error"] else (msgspec.convert(said["study"], Study), {})


GATES = "h q[0]; cx q[0], q[1];"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("openqasm2", f'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; {GATES} measure q -> c;'),
        ("openqasm3", f'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; {GATES} c = measure q;'),
    ],
)
def test_every_format_is_read(form: str, text: str) -> None:
    found, _ = asked(text.encode(), form, {"a": chip(2, 0.1)})
    assert found is not None
    assert [(way.kind, round(way.parts[0].on["a"].esp, 6)) for way in found.ways] == [(PlanKind.WHOLE, 0.9)]
    assert [one.name for one in found.operations] == ["h", "cx", "measure", "measure"]


def test_bad_programs_are_told_with_their_place() -> None:
    found, error = asked(b"OPENQASM 3.0;\nqubit q;\nfoo q;", "openqasm3", {"a": chip(2)})
    assert found is None
    assert (error["kind"], error["data"]["line"]) == ("ProgramError", 3)
    two = to_qpy([QuantumCircuit(1), QuantumCircuit(1)])
    assert asked(two, "qpy", {"a": chip(2)})[1]["code"] == "many_circuits"


@pytest.mark.slow
def test_nfr_003_plans_of_50_operations_over_10_nodes_are_compiled_within_2_s_in_95_of_100_cases() -> None:
    chips = {f"q{index}": chip(4 + index % 4, 0.001 * (index + 1)) for index in range(10)}
    taken = []
    for seed in range(10):
        circuit = QuantumCircuit(8)
        for step in range(43):
            circuit.rx(0.1 * step + seed, step % 8)
        for qubit in range(7):
            circuit.cx(qubit, qubit + 1)
        began = time.process_time()
        found, error = asked(to_qpy([circuit]), "qpy", chips, observables=("Z" * 8,), seed=seed)
        assert found is not None, error
        plan, _ = make_plan(PlanRequest(observables=("Z" * 8,), seed=seed), found, candidates(chips))
        taken.append(time.process_time() - began)
        assert plan.kind is PlanKind.CUT
    assert statistics.quantiles(taken, n=20)[-1] <= 2.0, taken


def test_a_search_that_takes_too_long_is_ended() -> None:
    def spin() -> None:
        with cpu_limit(0.02):
            while True:
                pass

    with pytest.raises(TimeoutError):
        spin()
    with cpu_limit(0.02):
        began = time.process_time()
    while time.process_time() < began + 0.05:  # the limit is over with its block
        pass
