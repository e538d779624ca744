"""Words about numbers."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """``1 job``, ``2 jobs``, ``1,000 jobs``: of nouns that take an s."""
    return f"{number:,} {noun}{'s'[: number != 1]}"
