"""QPI's clients ask for a job once and then every five seconds: the first answer waits for a quick job's end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.wire.rest import OptionsIn
from qpi_server.web.compat.qpi import api, jobs
from qpi_server.web.table import Call

ANN, BOB = (Principal(name=name, roles=frozenset({Role.USER})) for name in ("ann", "bob"))


class Jobs:
    """Jobs of which one changes when the test says so."""

    def __init__(self, *, age_s: float = 0.0, ended: bool = False) -> None:
        self.submitted_at = datetime.now(UTC) - timedelta(seconds=age_s)
        self.ended = asyncio.Event()
        self.waits: list[float] = []
        if ended:
            self.ended.set()

    async def get(self, person: Principal, job_id: str, *, wait_s: float = 0.0) -> Any:
        if wait_s:
            self.waits.append(wait_s)
            await self.ended.wait()
        over = self.ended.is_set()
        return SimpleNamespace(
            id=job_id, owner=person.name, qpu="q", status="failed" if over else "pending", busy_s=None, error=None,
            submitted_at=self.submitted_at, started_at=None, ended_at=datetime.now(UTC) if over else None, format="qpy",
        )  # fmt: skip

    async def program(self, *_: Any) -> bytes:
        return b""

    async def options(self, *_: Any) -> OptionsIn:
        return OptionsIn()


class Lab(SimpleNamespace):
    __hash__ = object.__hash__


def ask(lab: Any, person: Principal = ANN) -> asyncio.Task[Any]:
    call = Call(lab=lab, site=SimpleNamespace(), principal=person, path={"id": "j"}, headers={}, address="")  # type: ignore[arg-type]
    return asyncio.ensure_future(jobs.qpi_get_job(call))  # type: ignore[arg-type]


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_young_jobs_answer_comes_with_its_end() -> None:
    async def run() -> None:
        lab = Lab(jobs=Jobs())
        asked = ask(lab)
        await settled()
        assert (asked.done(), lab.jobs.waits) == (False, [jobs.HOLD_S])
        lab.jobs.ended.set()
        assert (await asked).body["status"] == "failed"

    asyncio.run(run())


@pytest.mark.parametrize("there", [{"age_s": jobs.YOUNG_S + 1}, {"ended": True}])
def test_any_others_comes_at_once(there: dict[str, Any]) -> None:
    async def run() -> None:
        lab = Lab(jobs=Jobs(**there))
        await ask(lab)
        assert lab.jobs.waits == []

    asyncio.run(run())


def test_a_persons_crowd_is_answered_at_once_and_holds_up_nobody() -> None:
    async def run() -> None:
        lab = Lab(jobs=Jobs())
        crowd = [ask(lab) for _ in range(jobs.MAX_PER_PERSON + 5)]
        await settled()
        assert sum(asked.done() for asked in crowd) == 5
        other = ask(lab, BOB)
        await settled()
        assert not other.done()
        for asked in crowd:  # whoever goes gives the place back
            asked.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        late = ask(lab)
        await settled()
        assert not late.done()
        lab.jobs.ended.set()
        await asyncio.gather(other, late)
        assert not jobs.WAITING[lab]

    asyncio.run(run())


def test_who_has_no_place_is_answered_and_not_refused() -> None:
    [route] = [route for route in api.routes if (route.method, route.path) == ("GET", "/qpi/api/jobs/{id}")]
    assert not route.waits  # its places are those here; like every GET it ends when its asker goes
    assert 0.5 <= jobs.HOLD_S <= 2
