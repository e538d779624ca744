"""The coordinator's socket: what wakes it, and what it looks up for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

from qpi_server.web.compat.coordinator.watch import of_parts


def test_other_jobs_are_looked_up_once_and_wake_nobody() -> None:
    asked, heard = [], []

    async def family(person: object, job_id: str) -> SimpleNamespace:
        asked.append(job_id)
        parts = [SimpleNamespace(id="part", parent="plan"), SimpleNamespace(id="plan", parent=None)]
        return SimpleNamespace(jobs=parts)

    async def subscribe(person: object, *, after: int) -> AsyncIterator[SimpleNamespace]:
        for job_id in ("other", None, "other", "plan", "other", "part", "late"):
            heard.append(job_id)
            yield SimpleNamespace(job_id=job_id)

    lab = SimpleNamespace(jobs=SimpleNamespace(family=family), events=SimpleNamespace(subscribe=subscribe))
    asyncio.run(of_parts(lab, SimpleNamespace(), "plan", 0))  # type: ignore[arg-type]
    assert heard[-1] == "part"
    assert asked == ["plan"] * 3
