"""What a lab may set: a field that says what it means and what it may be, once for everything that is made of it."""

from __future__ import annotations

from dataclasses import field
from typing import Any, TypeVar

T = TypeVar("T")


def setting(usual: T, means: str, **facts: Any) -> T:
    """A field of a dataclass that a lab's settings may change.

    Parameters
    ----------
    usual
        its value where nobody has set it.
    means
        what it means, for the help and the reference; with its unit.
    facts
        its bounds (``min``, ``max``), and what else is known of it (``Any``: as many types as settings have).
    """
    made: T = field(default=usual, metadata={"means": means, **facts})
    return made
