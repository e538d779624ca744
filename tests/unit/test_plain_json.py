"""What a person attached, as JSON has it: nothing is lost without being named."""

from __future__ import annotations

import json
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpi_jupyter.core.plain_json import plain_json


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    TWO = 2


_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT
_TREES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4), max_leaves=20
)


@settings(deadline=None)
@given(st.dictionaries(_TEXT, _TREES, max_size=4))
def test_what_json_has_stays_as_it_is(value: dict[str, Any]) -> None:
    assert plain_json(value) == (json.loads(json.dumps(value)), [])


_KINDS = sorted({np.dtype(code) for code in np.typecodes["All"] if code not in "OVMm"}, key=str)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,)])
def test_every_kind_of_numpy_number_becomes_plain(kind: np.dtype[Any], shape: tuple[int, ...]) -> None:
    array = np.ones(shape, dtype=kind)
    for value in (array, array[()], [array], {"deep": array}):
        found, lost = plain_json({"x": value})
        json.dumps(found, allow_nan=False)
        complex_or_bytes = kind.kind in "cS" and array.size
        assert bool(lost) == bool(complex_or_bytes)
        assert all(text.startswith("x") for text in lost)
    if kind.kind in "iufb":
        assert plain_json({"x": array})[0]["x"] == array.tolist()


def test_only_what_cannot_travel_is_left_out_and_named() -> None:
    loop: list[Any] = []
    loop.append(loop)
    found, lost = plain_json({
        "good": 1, "nan": float("nan"), "list": [1.0, np.inf, 2.0], "array": np.array([1.0, np.nan]), "set": {1},
        "deep": {"object": object(), "fine": (1, 2)}, 3: "three", np.int64(4): "four", (1, 2): "tuple", "3": "again",
        "complex": 1j, "colour": Colour.RED, "level": Level.TWO, "half": "\ud800", "class": np.ndarray, "loop": loop,
    })  # fmt: skip
    deepest = found.pop("loop")
    assert found == {
        "good": 1, "list": [1.0, None, 2.0], "array": [1.0, None], "deep": {"fine": [1, 2]}, "3": "three", "4": "four",
        "colour": "red", "level": 2,
    }  # fmt: skip
    assert json.dumps(deepest).count("[") < 100
    assert [text for text in lost if "loop" not in text] == [
        "nan is nan", "list[1] is inf", "array[1] is nan", "set is of type set", "deep['object'] is of type object",
        "(1, 2) has a key of type tuple", "3 is there twice", "complex is of type complex", "half is '\\ud800'",
        "class is of type type",
    ]  # fmt: skip
    assert len(lost) == 11


def test_no_metadata_is_none() -> None:
    assert plain_json(None) == plain_json({}) == ({}, [])
