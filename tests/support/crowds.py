"""Labs for tests of budgets: an empty one, and one in which many jobs have been (rows by SQL, in a second or two)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.wire.rest import QpuIn
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, FrozenClock, bell, open_lab

BOSS = Principal(name="boss", roles=frozenset({Role.MANAGER}))
_DIFFERENT = {
    "seq": "n + 10", "id": "'job-' || n", "name": "'name ' || (n * 7919 % 200003)", "submitted_at": "submitted_at + n",
}  # fmt: skip


def play(folder: Path, dialogue: Callable[[Lab], Awaitable[Any]], **settings: Any) -> None:
    """A lab with one QPU and a clock that stands still, and what happens in it."""

    async def run() -> None:
        async with open_lab(folder, clock=FrozenClock(), **settings) as lab:
            await lab.qpus.create(ADMIN, QpuIn(name="q1"))
            await dialogue(lab)

    asyncio.run(run())


async def crowded(lab: Lab, count: int, *, qpu: str, owner: str = "boss", state: str = "queued") -> None:
    """Fill the lab with ``count`` jobs like one of ann's."""
    await lab.jobs.submit(ANN, bell(qpu))

    def fill(connection: Connection) -> None:
        names = [row[1] for row in connection.execute(text("PRAGMA table_info(jobs)"))]
        values = _DIFFERENT | {"owner": f"'{owner}'", "state": f"'{state}'"}
        picked = ", ".join(values.get(name, name) for name in names)
        numbers = f"WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < {count})"
        connection.execute(text(f"{numbers} INSERT INTO jobs ({', '.join(names)}) SELECT {picked} FROM jobs, k"))

    await lab.context.db.store.write(fill)
