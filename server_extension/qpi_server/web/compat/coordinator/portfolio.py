"""The choice of a portfolio: which ``budget`` of the assets, as a QUBO, as circuits, and exactly.

Markowitz: the least ``risk_aversion * x.S.x - m.x`` over choices ``x`` of ``budget`` assets, with their expected
returns ``m`` and covariances ``S``. For a circuit the budget is a penalty, ``A (sum(x) - budget)^2``, with ``A`` the
spread of the objective over all choices: no choice of another number of assets is better than the best. Of QAOA
(Farhi, Goldstone and Gutmann, arXiv:1411.4028) one layer is taken on a grid of its two angles.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from qpi_jupyter.core import Rejected
from qpi_jupyter.wire.rest import Label

MAX_ASSETS = 8
"""A circuit has a qubit for each, and the exact answer looks at every choice."""
GRID = 6
"""Angles of each kind."""
MARK = "// portfolio "
"""Begins the first circuit's text; its problem follows, as JSON."""
Figure = Annotated[float, Meta(ge=-1e6, le=1e6)]
Choice = tuple[int, ...]
"""0 or 1 for each asset."""


class Problem(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is chosen from: per period, expected returns and covariances (symmetric); their names in the same order."""

    assets: Annotated[list[Label], Meta(min_length=2, max_length=MAX_ASSETS)]
    expected_returns: Annotated[list[Figure], Meta(min_length=2, max_length=MAX_ASSETS)]
    covariance: Annotated[
        list[Annotated[list[Figure], Meta(min_length=2, max_length=MAX_ASSETS)]],
        Meta(min_length=2, max_length=MAX_ASSETS),
    ]
    budget: Annotated[int, Meta(ge=1, lt=MAX_ASSETS)]
    """How many assets are held."""
    risk_aversion: Annotated[float, Meta(ge=0, le=1e6)] = 0.5
    filename: Label = ""
    rows: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Of the table that it was made from."""

    def check(self) -> None:
        """Refuse what does not fit together.

        Raises
        ------
        Rejected
            a list is of another length, the matrix is not symmetric, or the budget is every asset or more.
        """
        n = len(self.assets)
        if len(self.expected_returns) != n or [len(row) for row in self.covariance] != [n] * n:
            raise Rejected(
                f"There are {n} assets: expected_returns has to have {n} figures and covariance {n} rows of {n}.",
                code="bad_portfolio", field="covariance",
            )  # fmt: skip
        skew = (abs(self.covariance[i][j] - self.covariance[j][i]) for i in range(n) for j in range(i))
        if any(gap > 1e-9 for gap in skew):
            raise Rejected("covariance has to be symmetric.", code="bad_portfolio", field="covariance")
        if self.budget >= n:
            raise Rejected(f"budget has to be less than the {n} assets.", code="bad_portfolio", field="budget")

    def objective(self, choice: Choice) -> float:
        """What is least at the best choice."""
        held = [i for i, one in enumerate(choice) if one]
        risk = sum(self.covariance[i][j] for i in held for j in held)
        return self.risk_aversion * risk - sum(self.expected_returns[i] for i in held)

    def choices(self) -> Iterator[Choice]:
        """Every choice of any number."""
        return product((0, 1), repeat=len(self.assets))

    def names(self, choice: Choice) -> list[str]:
        """The assets of a choice."""
        return [name for name, one in zip(self.assets, choice, strict=True) if one]


def from_prices(text: str, *, budget: int | None, risk_aversion: float, filename: str) -> Problem:
    """The problem of a table of prices (CSV): a column for each asset, a row for each period, oldest first.

    Columns that are no numbers, such as dates, are overlooked. Returns are simple; covariances are those of the sample.

    Raises
    ------
    Rejected
        there are too few rows, too few or too many columns of prices, or a price that is not above 0.
    """
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text)) if row]
        columns = {
            name.strip(): [float(row[i]) for row in rows] for i, name in enumerate(header) if _is_number(rows[0][i])
        }
    except (ValueError, IndexError, csv.Error) as error:
        raise Rejected(
            "This is not a table of prices: it has a header, then rows of as many numbers.", code="bad_csv", field="csv"
        ) from error
    if len(rows) < 3 or not 2 <= len(columns) <= MAX_ASSETS:
        raise Rejected(
            f"The table has {len(rows)} rows and {len(columns)} columns of prices: at least 3 rows are needed, and 2 "
            f"to {MAX_ASSETS} columns.",
            code="bad_csv", field="csv",
        )  # fmt: skip
    if not all(math.isfinite(price) and price > 0 for prices in columns.values() for price in prices):
        raise Rejected("Every price has to be above 0.", code="bad_csv", field="csv")
    returns = [[after / before - 1 for before, after in pairwise(p)] for p in columns.values()]
    try:
        means = [math.fsum(one) / len(one) for one in returns]
        spread = [
            [_covariance(a, b, mean_a, mean_b) for b, mean_b in zip(returns, means, strict=True)]
            for a, mean_a in zip(returns, means, strict=True)
        ]
    except (OverflowError, ValueError) as error:
        raise Rejected(
            "The prices change too much from one row to the next: their returns are beyond what a number can hold.",
            code="bad_csv", field="csv",
        ) from error  # fmt: skip
    made = {
        "assets": list(columns), "expected_returns": means, "covariance": spread,
        "budget": budget or max(1, len(columns) // 2), "risk_aversion": risk_aversion,
        "filename": filename, "rows": len(rows),
    }  # fmt: skip
    return problem_of(msgspec.json.encode(made))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _covariance(a: Sequence[float], b: Sequence[float], mean_a: float, mean_b: float) -> float:
    return math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / (len(a) - 1)


def problem_of(raw: bytes) -> Problem:
    """A problem that was written down.

    Raises
    ------
    Rejected
        it is none.
    """
    try:
        found = msgspec.json.decode(raw, type=Problem)
    except msgspec.MsgspecError as error:
        raise Rejected("This is no portfolio.", code="bad_portfolio") from error
    found.check()
    return found


# --- circuits -------------------------------------------------------------------------------------------------------


def penalty(problem: Problem) -> float:
    """What one asset too many or too few costs at least."""
    values = [problem.objective(choice) for choice in problem.choices()]
    return max(values) - min(values)


def energy(problem: Problem, choice: Choice, weight: float) -> float:
    """The objective with the penalty of ``weight``."""
    return problem.objective(choice) + weight * (sum(choice) - problem.budget) ** 2


def ising(problem: Problem) -> tuple[list[float], dict[tuple[int, int], float]]:
    """The energy but for a constant, as ``sum(h[i] z[i]) + sum(J[i, j] z[i] z[j])`` with ``z = 1 - 2 x``, scaled so
    that the largest coefficient is 1."""
    n, weight = len(problem.assets), penalty(problem)
    pair = {
        (i, j): 2 * (problem.risk_aversion * problem.covariance[i][j] + weight)
        for i in range(n)
        for j in range(i + 1, n)
    }
    single = [
        problem.risk_aversion * problem.covariance[i][i] - problem.expected_returns[i]
        + weight * (1 - 2 * problem.budget)
        for i in range(n)
    ]  # fmt: skip
    h = [-one / 2 - math.fsum(b for at, b in pair.items() if i in at) / 4 for i, one in enumerate(single)]
    couplings = {at: b / 4 for at, b in pair.items()}
    scale = max(map(abs, [*h, *couplings.values()])) or 1.0
    return [one / scale for one in h], {at: one / scale for at, one in couplings.items()}


def angles() -> list[tuple[float, float]]:
    """The grid of (gamma, beta) in radians, without its edges, at which a layer does nothing."""
    gammas = [math.pi * (k + 1) / (GRID + 1) for k in range(GRID)]
    betas = [math.pi / 2 * (k + 1) / (GRID + 1) for k in range(GRID)]
    return [(gamma, beta) for gamma in gammas for beta in betas]


def circuits(problem: Problem) -> list[str]:
    """One layer of QAOA at every point of the grid, as OpenQASM 3; the first text has the problem before it."""
    h, couplings = ising(problem)
    texts = [_layer(h, couplings, gamma, beta) for gamma, beta in angles()]
    return [f"{MARK}{msgspec.json.encode(problem).decode()}\n{texts[0]}", *texts[1:]]


def _layer(h: Sequence[float], couplings: Mapping[tuple[int, int], float], gamma: float, beta: float) -> str:
    n = len(h)
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{n}] q;", f"bit[{n}] c;", "h q;"]
    lines += [f"rz({2 * gamma * one!r}) q[{i}];" for i, one in enumerate(h)]
    for (i, j), one in couplings.items():
        lines += [f"cx q[{i}], q[{j}];", f"rz({2 * gamma * one!r}) q[{j}];", f"cx q[{i}], q[{j}];"]
    return "\n".join([*lines, f"rx({2 * beta!r}) q;", "c = measure q;", ""])


# --- answers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A choice, its objective, and how often it came out of the circuit (of 1)."""

    choice: Choice
    objective: float
    probability: float = 1.0


def exact(problem: Problem) -> tuple[Found, int]:
    """The best choice, by looking at every one that has the right number; and how many these are."""
    right = [choice for choice in problem.choices() if sum(choice) == problem.budget]
    best = min(right, key=lambda choice: (problem.objective(choice), choice))
    return Found(choice=best, objective=problem.objective(best)), len(right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What the circuits gave: the point of the grid with the least mean energy, and what was measured there."""

    gamma: float
    beta: float
    mean_energy: float
    feasible: float
    """The share of shots that hold the right number of assets."""
    best: Found | None
    """The best choice among them, if there is any."""
    optimum: float
    """The share of shots that are the exact answer."""


def sampled(problem: Problem, counts: Sequence[Mapping[int, int]]) -> Sampled:
    """What ``counts`` say, one mapping a circuit, by outcome as a number: bit i is asset i."""
    n, weight = len(problem.assets), penalty(problem)
    shares = [{_bits(outcome, n): k / sum(one.values()) for outcome, k in one.items()} for one in counts]
    means = [math.fsum(share * energy(problem, x, weight) for x, share in one.items()) for one in shares]
    at = min(range(len(means)), key=means.__getitem__)
    right = {x: share for x, share in shares[at].items() if sum(x) == problem.budget}
    best = min(right, key=lambda x: (problem.objective(x), x), default=None)
    return Sampled(
        gamma=angles()[at][0], beta=angles()[at][1], mean_energy=means[at], feasible=math.fsum(right.values()),
        best=None if best is None else Found(choice=best, objective=problem.objective(best), probability=right[best]),
        optimum=right.get(exact(problem)[0].choice, 0.0),
    )  # fmt: skip


def _bits(outcome: int, n: int) -> Choice:
    return tuple(outcome >> i & 1 for i in range(n))
