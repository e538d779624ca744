"""What belongs together: groups of things, joined where they share one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def groups_of(groups: Iterable[Sequence[T]]) -> dict[T, T]:
    """For each thing one that stands for all that it is joined with, by one group or over several (union-find)."""
    above: dict[T, T] = {}

    def root(one: T) -> T:
        while (higher := above.setdefault(one, one)) != one:
            above[one] = one = above[higher]
        return one

    for group in groups:
        for one in group:
            above[root(one)] = root(group[0])
    return {one: root(one) for one in tuple(above)}
