"""Results put together from those of fragments: only these count."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from qpi_executors.assembly import answer
from qpi_jupyter.core import pack, unpack
from qpi_jupyter.core.plans import PlanKind
from qpi_jupyter.data import codec
from qpi_jupyter.data.reconstruction import PartRecipe, Recipe, write_recipe

ORIGIN = {
    "executor": "plan", "executor_version": "1", "program_sha256": "", "simulator": True, "busy_s": 0.5,
    "started_at": "2030-01-01T00:00:00Z", "finished_at": "2030-01-01T00:00:01Z",
}  # fmt: skip
EXECUTION = {"plan_id": "plan-1", "fragments": [{"qpu": "q1"}, {"qpu": "q2"}]}
RECIPE = Recipe(
    kind=PlanKind.COMPONENTS, observables=("ZZII", "ZZZZ"), num_clbits=4, registers=(), constant=(1.0, 1.0),
    parts=(
        PartRecipe(num_bits=(2,), masks=((0, 0b00), (0, 0b11))),
        PartRecipe(num_bits=(2,), masks=((0, 0b11), (0, 0b11))),
    ),
)  # fmt: skip


def fragment(counts: dict[str, int]) -> dict[str, Any]:
    return {"header": {"circuits": [{"counts": counts, "truncated": False}]}, "path": ""}


def asked(recipe: Recipe, *counts: dict[str, int], shots: int = 100) -> tuple[bytes, bytes]:
    question = {
        "name": "two", "num_qubits": 4, "shots": shots, "fragments": [fragment(one) for one in counts],
        "provenance": ORIGIN, "execution": EXECUTION,
    }  # fmt: skip
    header, blob = unpack(answer(pack((write_recipe(recipe), msgspec.json.encode(question)))))
    return header, blob


def test_values_have_errors_and_say_what_ran_where() -> None:
    header, blob = asked(RECIPE, {"0x0": 50, "0x3": 50}, {"0x0": 75, "0x1": 25})
    dataset = codec.decode(blob)
    assert dataset.expectation_value.values.tolist() == [0.5, 0.5]
    assert dataset.standard_error.values == pytest.approx([(0.75 / 100) ** 0.5] * 2)
    assert json.loads(dataset.attrs["qpi_plan"]) == EXECUTION
    (circuit,) = json.loads(header)["circuits"]
    assert (circuit["kind"], circuit["metadata"]) == ("expectation_values", {"plan": EXECUTION})


def test_one_corrupted_fragment_changes_the_value() -> None:
    _, blob = asked(RECIPE, {"0x0": 50, "0x1": 50}, {"0x0": 75, "0x1": 25})
    assert codec.decode(blob).expectation_value.values.tolist() == [0.5, 0.0]


def test_counts_of_a_cut_circuit_are_whole_and_marked() -> None:
    cut = Recipe(
        kind=PlanKind.CUT, observables=(), num_clbits=2, registers=(("c", 2),), coefficients=(0.5, 0.5),
        parts=(PartRecipe(num_bits=(1,), bits=(0,)), PartRecipe(num_bits=(1,), bits=(1,))),
    )  # fmt: skip
    two = {"circuits": [{"counts": {"0x0": 2, "0x1": 1}}, {"counts": {"0x1": 3}}]}
    question = {
        "name": "cut", "num_qubits": 2, "shots": 3, "fragments": [{"header": two, "path": ""}] * 2,
        "provenance": ORIGIN, "execution": EXECUTION,
    }  # fmt: skip
    header, blob = unpack(answer(pack((write_recipe(cut), msgspec.json.encode(question)))))
    counts = codec.decode(blob).qpi.counts()
    assert sum(counts.values()) == 3
    assert all(isinstance(count, int) for count in counts.values())
    assert json.loads(header)["circuits"][0]["metadata"]["quasi"] is True


def test_results_that_do_not_fit_are_an_error() -> None:
    header, error = asked(RECIPE, {"0x0": 100})
    assert header == b""
    assert json.loads(error)["code"] == "bad_fragment_results"
