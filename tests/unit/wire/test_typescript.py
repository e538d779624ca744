from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest

from qpi_jupyter.wire import typescript


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Leaf(msgspec.Struct):
    """A leaf."""

    at: datetime


class Tree(msgspec.Struct):
    """A tree.

    What follows the first paragraph stays out.
    """

    leaves: list[Leaf]
    colours: list[Colour]
    size: Annotated[int, msgspec.Meta(ge=0)]
    kind: Literal["oak", "elm"] | None
    notes: dict[str, Any]
    later: int | msgspec.UnsetType = msgspec.UNSET


def test_structs_become_interfaces_the_inner_ones_first() -> None:
    text = typescript.module([Tree])
    assert text[text.index("/** A leaf") :] == (
        "/** A leaf. */\n"
        "export interface Leaf {\n"
        "  readonly at: string;\n"
        "}\n"
        "\n"
        "/** A tree. */\n"
        "export interface Tree {\n"
        "  readonly leaves: readonly Leaf[];\n"
        "  readonly colours: readonly ('red' | 'blue')[];\n"
        "  readonly size: number;\n"
        "  readonly kind: 'elm' | 'oak' | null;\n"
        "  readonly notes: Readonly<Record<string, unknown>>;\n"
        "  readonly later?: number;\n"
        "}\n"
    )


def test_a_struct_is_written_once() -> None:
    assert typescript.module([Leaf, Tree]).count("interface Leaf") == 1


def test_the_panel_learns_the_schema_of_the_events() -> None:
    assert "export const LAB_EVENTS = 'https://schema.qpi-jupyter.org/lab/v1';" in typescript.module()


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(TypeError, match="has no TypeScript form"):
        typescript.expression(msgspec.inspect.SetType(item_type=msgspec.inspect.IntType()))
