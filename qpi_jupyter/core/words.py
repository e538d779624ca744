"""Words about numbers."""

from __future__ import annotations

import math


def counted(number: int, noun: str) -> str:
    """``1 job``, ``2 jobs``, ``1,000 jobs``: of nouns that take an s."""
    return f"{number:,} {noun}{'s'[: number != 1]}"


def plain(value: float) -> str:
    """A number in up to four digits and written out: ``0.42``, ``228,500``; from a billion on ``1.2 × 10^19``."""
    if math.isinf(value):
        return "infinite"
    if abs(value) < 1e9:
        return f"{float(f'{value:.4g}'):,.10g}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits} × 10^{int(exponent)}"


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``11th``."""
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def length(value_s: float) -> str:
    """A duration for people: ``250 ms``, ``45 s``, ``1 h 30 min``, ``2 d 3 h``."""
    if value_s < 0:
        return f"-{length(-value_s)}"
    if value_s < 1:
        return f"{value_s * 1000:.0f} ms" if value_s else "0 s"
    if value_s < 60:
        return f"{value_s:.3g} s"
    whole = round(value_s)
    units = (("d", whole // 86_400), ("h", whole // 3_600 % 24), ("min", whole // 60 % 60), ("s", whole % 60))
    shown = [f"{count} {unit}" for unit, count in units if count]
    return " ".join(shown[:2])


def short(value_s: float) -> str:
    """A duration with four digits and the unit that suits it: ``1.16 µs``, ``20 ns``."""
    units = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
    factor, unit = next((pair for pair in units if abs(value_s) >= pair[0]), units[-1])
    return f"{value_s / factor:.4g} {unit}"
