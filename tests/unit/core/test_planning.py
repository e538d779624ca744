"""The decision of a plan: figures in, a plan or a refusal with figures out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core import Rejected
from qpi_jupyter.core.planning import (
    SCALES,
    WEIGHTS,
    Candidate,
    Figures,
    Part,
    Study,
    Way,
    cost_terms,
    make_plan,
    price_of_cuts,
)
from qpi_jupyter.core.plans import Cost, Plan, PlanKind, PlanRequest

REQUEST = PlanRequest(shots=100)


def part(*qubits: int, **esp: float) -> Part:
    """A part that reaches this on targets of these names."""
    on = {target: Figures(esp=value, shot_s=1e-6) for target, value in esp.items()}
    return Part(
        qubits=qubits, num_qubits=len(qubits), num_circuits=2, program_sha256="p", program=0, on=on
    )  # fmt: skip


def qpu(name: str, num_qubits: int, **fields: float) -> Candidate:
    return Candidate(qpu=name, target=name, calibration_id="c", num_qubits=num_qubits, **fields)  # type: ignore[arg-type]


def study(*ways: Way, width: int = 4) -> Study:
    return Study(circuit_sha256="c", num_qubits=width, ways=ways)


def whole(one: Part) -> Way:
    return Way(kind=PlanKind.WHOLE, width=one.num_qubits, parts=(one,))


def refused(request: PlanRequest, found: Study, *there: Candidate) -> Rejected:
    with pytest.raises(Rejected) as caught:
        make_plan(request, found, there)
    assert caught.value.code == "infeasible"
    return caught.value


def outcome(found: Study, there: list[Candidate]) -> tuple[Plan, Way] | dict[str, Any]:
    """The plan, or why there is none."""
    try:
        return make_plan(REQUEST, found, there)
    except Rejected as error:
        return error.to_dict()


FIGURES = st.builds(Figures, esp=st.floats(0, 1), shot_s=st.floats(0, 1), problem=st.sampled_from(["", "", "no."]))
NAMES = "abcde"
PARTS = st.builds(
    Part,
    qubits=st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True).map(tuple), num_qubits=st.integers(1, 8),
    num_circuits=st.integers(1, 36), program_sha256=st.just("p"), program=st.just(0),
    on=st.fixed_dictionaries(dict.fromkeys(NAMES, FIGURES)),
)  # fmt: skip
WAYS = st.builds(
    Way,
    kind=st.sampled_from([PlanKind.COMPONENTS, PlanKind.CUT]), width=st.integers(1, 8),
    parts=st.lists(PARTS, min_size=1, max_size=4).map(tuple), overhead=st.sampled_from([1.0, 9.0, 81.0, 729.0]),
)  # fmt: skip
STUDIES = st.builds(
    lambda first, others: study(whole(first), *others, width=8), PARTS, st.lists(WAYS, max_size=3)
)  # fmt: skip
QPUS = st.lists(
    st.builds(
        Candidate,
        qpu=st.text("xyz", min_size=1, max_size=3), target=st.sampled_from(NAMES), calibration_id=st.just("c"),
        num_qubits=st.integers(1, 8), places=st.integers(1, 3), load=st.floats(0, 5), wait_s=st.floats(0, 100),
    ),
    min_size=1, max_size=6, unique_by=lambda one: one.qpu,
)  # fmt: skip


@given(STUDIES, QPUS, st.randoms(use_true_random=False))
def test_the_same_figures_make_the_same_plan_in_whatever_order_the_qpus_come(found, there, chance) -> None:  # type: ignore[no-untyped-def]
    made = outcome(found, there)
    assert outcome(found, chance.sample(there, len(there))) == made
    if isinstance(made, dict):
        return
    plan, way = made
    assert len(plan.fragments) == len(way.parts)
    for one in plan.fragments:
        totals = [choice.cost.total for choice in one.choices]
        assert totals == sorted(totals)
        for choice in one.choices:
            candidate = next(other for other in there if other.qpu == choice.qpu)
            assert candidate.num_qubits >= one.num_qubits
            assert not way.parts[one.index].on[candidate.target].problem
    assert all(plan.cost <= other.cost for other in plan.alternatives if other.cost is not None and not other.qpus[1:])


def test_each_term_is_kept_and_the_total_is_their_weighted_sum() -> None:
    there = qpu("a", 4, load=2.0, wait_s=30.0, latency_s=0.2, rep_delay_s=1e-3)
    plan, _ = make_plan(REQUEST, study(whole(part(0, 1, 2, 3, a=0.9))), [there])
    cost = plan.fragments[0].choices[0].cost
    assert (cost.esp, cost.load, cost.wait_s, cost.latency_s) == (0.9, 2.0, 30.0, 0.2)
    assert cost.duration_s == pytest.approx(2 * 100 * (1e-6 + 1e-3))
    terms = {
        "fail": 0.1, "load": 2.0, "latency": 0.2 / SCALES["latency"], "time": (cost.duration_s + 30) / SCALES["time"],
    }  # fmt: skip
    assert cost_terms(cost) == pytest.approx({name: WEIGHTS[name] * value for name, value in terms.items()})
    assert cost.total == pytest.approx(sum(cost_terms(cost).values()))
    assert plan.cost == cost.total
    assert terms.keys() | {"cut"} == WEIGHTS.keys()
    earlier = {name: weight for name, weight in WEIGHTS.items() if name != "latency"}
    assert cost_terms(cost, earlier)["latency"] == 0, "a plan that did not weigh it"


def test_a_plan_keeps_what_counted_as_one_when_it_was_made() -> None:
    cost = Cost(esp=1.0, duration_s=6.0, wait_s=0.0, load=0.0, latency_s=0.0, total=0.0)
    assert cost_terms(cost, {"time": 1.0}, {"time": 3.0, "latency": 1.0, "cut": 1.0})["time"] == 2.0
    assert cost_terms(cost, {"time": 1.0}, {})["time"] == 6.0 / SCALES["time"]
    assert price_of_cuts(16.0, {"cut": 1.0}, {"cut": 2.0}) == 2.0


def test_the_page_has_the_weights_and_what_counts_as_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "explanation" / "plans.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\w+) \| (0\.\d+) \|", page, re.MULTILINE))
    assert {name: float(weight) for name, weight in rows.items()} == dict(WEIGHTS)
    assert f"/ {SCALES['time']:g} s |" in page
    assert f"log2(overhead) / {SCALES['cut']:g}," in page


def test_cuts_have_a_price_and_what_fits_is_not_cut_for_little() -> None:
    parts = (part(0, 1, a=0.99, b=0.99), part(2, 3, a=0.99, b=0.99))
    cut = Way(kind=PlanKind.CUT, width=2, overhead=9.0, num_cuts=1, parts=parts)
    there = [qpu("a", 4), qpu("b", 4)]
    found = study(whole(part(0, 1, 2, 3, a=0.9, b=0.8)), cut)
    plan, way = make_plan(REQUEST, found, there)
    assert (plan.kind, [choice.qpu for choice in plan.fragments[0].choices]) == (PlanKind.WHOLE, ["a", "b"])
    assert [(one.kind, one.qpus) for one in plan.alternatives] == [
        (PlanKind.WHOLE, ("b",)), (PlanKind.CUT, ("a", "b")),
    ]  # fmt: skip
    bad = study(whole(part(0, 1, 2, 3, a=0.2, b=0.1)), cut)
    plan, way = make_plan(REQUEST, bad, there)
    assert (plan.kind, plan.overhead, way) == (PlanKind.CUT, 9.0, cut)
    dear = Way(kind=PlanKind.CUT, width=1, overhead=228_488.0, num_cuts=5)
    unsought = Way(kind=PlanKind.CUT, width=3, problem="No cuts were found within 5 s.")
    plan, way = make_plan(REQUEST, study(whole(part(0, 1, 2, 3, a=0.9)), dear, unsought), there)
    assert [(one.overhead, one.problem) for one in plan.alternatives] == [
        (228_488.0, "It costs 228,500 times the shots, and the limit is 81 (max_overhead)."),
        (None, unsought.problem),
    ]


def test_parts_spread_over_equal_qpus_and_ties_go_by_name() -> None:
    parts = tuple(part(index, a=0.9, b=0.9) for index in range(4))
    found = study(whole(part(0, 1, 2, 3)), Way(kind=PlanKind.COMPONENTS, width=1, parts=parts))
    plan, _ = make_plan(REQUEST, found, [qpu("b", 1), qpu("a", 1)])
    assert [one.choices[0].qpu for one in plan.fragments] == ["a", "b", "a", "b"]
    assert [one.choices[0].cost.load for one in plan.fragments] == [0, 0, 1, 1]


def test_a_refusal_has_what_is_missing_with_both_figures() -> None:
    found = study(whole(part(0, 1, 2, 3)), Way(kind=PlanKind.CUT, width=3, overhead=256.0, num_cuts=2))
    error = refused(REQUEST, found, qpu("a", 2), qpu("b", 3))
    assert error.data == {
        "missing": "overhead", "need": {"qubits": 4}, "best": {"qpu": "b", "qubits": 3},
        "overhead": {"min": 256.0, "budget": 81.0},
    }  # fmt: skip
    assert "4 qubits; the largest QPU, b, has 3" in error.message
    assert "256 times the shots, and the limit is 81" in error.message

    error = refused(replace(REQUEST, min_fidelity=0.95), study(whole(part(0, a=0.8, b=0.9))), qpu("a", 2), qpu("b", 2))
    assert (error.data["missing"], error.data["need"], error.data["best"]) == (
        "fidelity", {"fidelity": 0.95}, {"qpu": "b", "fidelity": 0.9},
    )  # fmt: skip
    assert "0.95 (min_fidelity)" in error.message

    wide, narrow = part(0, 1, a=0.8), part(0, a=0.9)
    ways = [Way(kind=PlanKind.CUT, width=one.num_qubits, overhead=9.0, parts=(one,)) for one in (wide, narrow)]
    error = refused(replace(REQUEST, min_fidelity=0.95), study(*ways), qpu("a", 2))
    assert error.data["best"]["fidelity"] == 0.9, "of the way that comes nearest"

    able = Figures(problem="it cannot run control flow.", missing="control_flow")
    error = refused(REQUEST, study(whole(replace(part(0), on={"a": able}))), qpu("a", 2))
    assert (error.data["missing"], error.data["best"]["qpu"]) == ("control_flow", "a")
    assert "it cannot run control flow" in error.message

    assert refused(REQUEST, study(whole(part(0)))).data["missing"] == "qpus"


def test_fallbacks_below_the_least_fidelity_are_none() -> None:
    plan, _ = make_plan(
        replace(REQUEST, min_fidelity=0.85), study(whole(part(0, a=0.8, b=0.9, c=0.85))),
        [qpu("a", 1), qpu("b", 1), qpu("c", 1)],
    )  # fmt: skip
    assert [choice.qpu for choice in plan.fragments[0].choices] == ["b", "c"]


def test_the_id_is_of_all_that_the_plan_depends_on() -> None:
    found, there = study(whole(part(0, a=0.9))), qpu("a", 1)
    ids = {
        make_plan(request, one, [candidate])[0].plan_id
        for request, one, candidate in (
            (REQUEST, found, there), (replace(REQUEST, seed=1), found, there),
            (replace(REQUEST, shots=1), found, there),
            (REQUEST, replace(found, circuit_sha256="d"), there), (REQUEST, replace(found, versions={"x": "2"}), there),
            (REQUEST, found, replace(there, load=1.0)), (REQUEST, found, replace(there, calibration_id="d")),
        )
    }  # fmt: skip
    assert len(ids) == 7
