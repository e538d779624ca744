"""A program that the driver cannot fetch, and jobs that it has no room for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from qpi_agent.bench import Bench
from qpi_agent.spool import Spool
from qpi_jupyter.core.errors import NotFound, QpiError, TooLarge, Unavailable
from tests.faults.scripted_lab import assignment
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("error", "outcome"), [(Unavailable(), "released"), (NotFound(), "interrupted"), (TooLarge(), "interrupted")]
)
def test_an_attempt_costs_no_try_when_the_lab_is_away(tmp_path: Path, error: QpiError, outcome: str) -> None:
    async def fetch(_: str) -> list[bytes]:
        raise error

    async def story() -> Any:
        spool, lab = Spool(tmp_path), Mock()
        bench = Bench(lab, spool, Mock(fetch=fetch), timeout_s=1.0)
        bench.take(assignment("j1", inline=False))
        await until(lambda: lab.report.called)
        await bench.close()
        spool.close()
        return lab.report.call_args.args[0].outcome

    assert asyncio.run(story()) == outcome


def test_a_driver_whose_disk_is_full_asks_for_no_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> list[int]:
        spool = Spool(tmp_path)
        bench = Bench(Mock(), spool, Mock(), timeout_s=1.0)
        bench.places = [Mock(up=True)]
        rooms = [bench.room()]
        with monkeypatch.context() as full:
            full.setattr("qpi_agent.spool.SPARE_BYTES", 1 << 62)
            rooms.append(bench.room())
        rooms.append(bench.room())
        spool.close()
        return rooms

    assert asyncio.run(story()) == [2, 0, 2]
