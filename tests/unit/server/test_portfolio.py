"""The Ising form of a portfolio has the energies of its choices, and its circuits find what is best."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from qpi_jupyter.core import Rejected
from qpi_server.web.compat.coordinator.finance import compare
from qpi_server.web.compat.coordinator.portfolio import (
    Problem,
    circuits,
    energy,
    exact,
    from_prices,
    ising,
    penalty,
    problem_of,
    sampled,
)

PROBLEM = Problem(
    assets=["a", "b", "c"], expected_returns=[0.1, 0.2, 0.15], budget=2, risk_aversion=0.5,
    covariance=[[0.05, 0.01, 0.0], [0.01, 0.06, -0.02], [0.0, -0.02, 0.04]],
)  # fmt: skip


def test_the_ising_form_is_the_energy_but_for_scale_and_constant() -> None:
    h, couplings = ising(PROBLEM)
    weight = penalty(PROBLEM)
    pairs = []
    for choice in PROBLEM.choices():
        z = [1 - 2 * x for x in choice]
        spins = sum(a * b for a, b in zip(h, z, strict=True)) + sum(j * z[a] * z[b] for (a, b), j in couplings.items())
        pairs.append((spins, energy(PROBLEM, choice, weight)))
    (s0, e0), (s1, e1) = pairs[0], pairs[-1]
    scale = (e1 - e0) / (s1 - s0)
    assert scale > 0
    assert [e for _, e in pairs] == pytest.approx([e0 + scale * (s - s0) for s, _ in pairs])


def test_no_choice_of_another_number_beats_the_best() -> None:
    best, evaluated = exact(PROBLEM)
    assert evaluated == 3
    assert PROBLEM.names(best.choice) == ["b", "c"]
    weight = penalty(PROBLEM)
    wrong = [energy(PROBLEM, choice, weight) for choice in PROBLEM.choices() if sum(choice) != PROBLEM.budget]
    assert min(wrong) >= best.objective


def test_the_first_circuit_has_the_problem_before_it() -> None:
    first, *_ = circuits(PROBLEM)
    head = first.partition("\n")[0]
    assert problem_of(head.removeprefix("// portfolio ").encode()) == PROBLEM


def test_what_is_sampled_is_read_from_the_best_point_of_the_grid() -> None:
    counts = [{0b000: 10}] * 35 + [{0b110: 6, 0b011: 2, 0b111: 2}]
    found = sampled(PROBLEM, counts)
    assert found.best is not None
    assert (PROBLEM.names(found.best.choice), found.feasible, found.optimum) == (["b", "c"], 0.8, 0.6)
    assert sampled(PROBLEM, [{0b000: 10}] * 36).best is None


@pytest.mark.parametrize("prices", [("1e-154", "1e154", "1e-154", "1e154"), ("1e-300", "1e300", "1e-300", "1e300")])
def test_prices_whose_returns_are_no_numbers_are_refused(prices: tuple[str, ...]) -> None:
    table = "\n".join(["a,b", *(f"{price},1" for price in prices)])
    with pytest.raises(Rejected):
        from_prices(table, budget=1, risk_aversion=0.5, filename="")


def test_circuits_that_have_run_since_one_looked_are_compared() -> None:
    async def result(*_: object) -> dict[str, Any]:
        return {"results": [{"data": {"counts": {"0x6": 10}}}] * 36}

    job: Any = SimpleNamespace(id="j", status="running", num_circuits=36, shots=10, qpu="q1", busy_s=None)
    call: Any = SimpleNamespace(lab=SimpleNamespace(jobs=SimpleNamespace(result=result)), person=None)
    assert asyncio.run(compare(call, job, PROBLEM)).gap == 0
