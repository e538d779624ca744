"""What values of a file have to be, as data.

A shape is a function of a node, keys with a shape each, or `Each`, for names of the file's own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from .tree import Node

Reader = Callable[[Node], object]


@dataclass(frozen=True, slots=True)
class Each:
    """Names of the file's own, each with a value of one shape."""

    of: Any  # a shape


def number(low: float, high: float, unit: str = "") -> Reader:
    """A finite number between these bounds."""
    return lambda node: node.number(low, high, unit)


def whole(low: int, high: int) -> Reader:
    """A whole number between these bounds."""
    return lambda node: node.whole(low, high)


def choice(*known: str) -> Reader:
    """One of these words."""
    return lambda node: node.choice(known)


def text(node: Node) -> object:
    """A text."""
    return node.text()


def flag(node: Node) -> object:
    """True or false."""
    return node.flag()


def numbers(node: Node) -> object:
    """A list of finite numbers."""
    return [part.number() for part in node.list()]


def refused(reason: str) -> Reader:
    """No value at all, for this reason."""

    def refuse(node: Node) -> object:
        raise node.refusal(reason)

    return refuse


def checked(node: Node, shape: Any, beside: Collection[str] = ()) -> Any:
    """The value in this shape, without what is not set (Any: JSON); keys of ``beside`` are passed over.

    Raises
    ------
    Rejected
        a key that the shape does not have, or a value that is not what it says; the message names the key.
    """
    if callable(shape):
        return shape(node)
    if isinstance(shape, Each):
        return {key: checked(part, shape.of) for key, part in node.items()}
    node.only({*shape, *beside})
    return {key: checked(part, shape[key]) for key, part in node.items() if key in shape}
