"""Everything that costs something without a sign-in, or for long, has its budget in the table of the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from qpi_jupyter.core.access import OPEN_TO_ALL
from qpi_jupyter.core.errors import TooMany
from qpi_server.service.base import Rates
from qpi_server.web import ROUTES
from tests.faults.lab import FrozenClock

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "security.md"


def test_every_route_that_is_open_or_waits_or_takes_a_file_states_its_budget() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## Rate limits and quotas")[1]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    costly = [route for route in ROUTES if route.permission in OPEN_TO_ALL or route.waits or route.opens is not None]
    assert len(costly) > 10
    assert [route.path for route in costly if f"`{route.path}`" not in table] == []


def test_a_budget_is_used_up_and_fills_again() -> None:
    clock = FrozenClock()
    rates = Rates(clock, per_s=2.0, burst=3)
    for _ in range(3):
        rates.take("a")
    with pytest.raises(TooMany) as caught:
        rates.take("a")
    rates.take("b")
    clock.advance(caught.value.data["retry_after_s"])
    rates.take("a")
    clock.advance(3600.0)
    for _ in range(3):
        rates.take("a")
    with pytest.raises(TooMany):
        rates.take("a")


def test_who_asks_again_and_again_too_early_waits_no_longer_for_it() -> None:
    clock = FrozenClock()
    rates = Rates(clock, per_s=1.0, burst=1)
    rates.take("a")
    for _ in range(9):
        clock.advance(0.1)
        with pytest.raises(TooMany):
            rates.take("a")
    clock.advance(0.15)
    rates.take("a")
