"""An executor's options: read from JSON and from text, refused by name, and declared as JSON Schema."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from qpi_executors import ExecutorOptions
from qpi_jupyter.core.errors import Rejected


class Some(ExecutorOptions, frozen=True, kw_only=True):
    size: Annotated[int, Meta(ge=1, le=18, description="how large")] = 5
    most: Annotated[int, Meta(ge=1, description="at most so many")] | None = None
    rate: float = 0.5
    shape: Literal["line", "ring"] = "line"
    edges: list[tuple[int, int]] | None = None
    deep: bool = False
    label: str = ""


class Needy(Some, frozen=True, kw_only=True):
    config: Annotated[str, Meta(description="the file that says what is where")]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("size", "7", 7),
        ("size", 7, 7),
        ("size", None, 5),
        ("size", "null", 5),
        ("most", "3", 3),
        ("most", "null", None),
        ("rate", 2, 2.0),
        ("rate", "1e-3", 1e-3),
        ("shape", "ring", "ring"),
        ("edges", [[0, 1]], [(0, 1)]),
        ("edges", "[[0, 1], [1, 2]]", [(0, 1), (1, 2)]),
        ("deep", "true", True),
        ("label", "5", "5"),
        ("label", "null", "null"),
    ],
)
def test_a_value_is_read_as_what_it_is_declared(name: str, given: object, expected: object) -> None:
    assert getattr(Some.read({name: given}, "Some"), name) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 0}, "'size' must be a whole number from 1 to 18, not 0 (how large)."),
        ({"size": "many"}, "'size' must be a whole number from 1 to 18, not 'many' (how large)."),
        ({"size": True}, "'size' must be a whole number from 1 to 18, not True (how large)."),
        ({"size": 1.5}, "'size' must be a whole number from 1 to 18, not 1.5 (how large)."),
        ({"most": 0}, "'most' must be a whole number, at least 1, not 0 (at most so many)."),
        ({"rate": "fast"}, "'rate' must be a number, not 'fast'."),
        ({"shape": "star"}, "'shape' must be 'line' or 'ring', not 'star'."),
        ({"edges": "[[0]]"}, "'edges' must be a list whose entries are each a list, not [[0]]."),
        ({"edges": {}}, "'edges' must be a list whose entries are each a list, not {}."),
        ({"deep": 1}, "'deep' must be true or false, not 1."),
        ({"label": 5}, "'label' must be text, not 5."),
    ],
)
def test_what_is_outside_of_its_schema_is_refused_by_name(given: dict[str, object], said: str) -> None:
    with pytest.raises(Rejected) as caught:
        Some.read(given, "Some")
    assert caught.value.message == f"Executor option {said}"
    assert (caught.value.code, caught.value.data["field"]) == ("bad_option", next(iter(given)))


def test_one_that_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(Rejected, match="'config' is missing \\(the file that says what is where\\)"):
        Needy.read({}, "Needy")
    with pytest.raises(Rejected, match="Some has no option 'sise'; it knows: deep, edges, label, most, rate, shape, s"):
        Some.read({"sise": 1}, "Some")


def test_the_declaration_is_json_schema() -> None:
    schema: dict[str, Any] = json.loads(json.dumps(Needy.schema()))
    assert (schema["type"], schema["required"]) == ("object", ["config"])
    assert list(schema["properties"]) == ["config", "size", "most", "rate", "shape", "edges", "deep", "label"]
    assert schema["properties"]["size"] == {
        "type": "integer", "minimum": 1, "maximum": 18, "description": "how large", "default": 5,
    }  # fmt: skip
    assert schema["properties"]["most"] == {"type": "integer", "minimum": 1, "description": "at most so many"}
    assert schema["properties"]["shape"] == {"enum": ["line", "ring"], "default": "line"}
