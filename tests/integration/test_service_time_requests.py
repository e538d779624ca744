"""Requests for QPU time: asked, answered once, frozen."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, Rejected
from qpi_jupyter.core.quotas import Quotas
from qpi_jupyter.wire.accounts import TimeRequestAnswer, TimeRequestIn
from qpi_server.store import audit
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, open_lab

BOSS = Principal(name="boss", roles=frozenset({Role.MANAGER}))
CHIEF = Principal(name="chief", roles=frozenset({Role.MANAGER}))
QED = replace(ANN, groups=frozenset({"qed"}))
YES, NO = TimeRequestAnswer(status="approved"), TimeRequestAnswer(status="rejected", reason="ask in May")
ASK = TimeRequestIn(seconds=50.0, reason="thesis")


def test_an_approval_grants_once_and_freezes(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path, clock=FrozenClock(), default_allowance_s=10.0) as lab:
            asked = await lab.time_requests.create(ANN, ASK)
            assert (asked.status, asked.person, asked.account, asked.granted_s) == ("pending", "ann", "ann", None)
            answers = await asyncio.gather(
                lab.time_requests.answer(BOSS, asked.id, YES),
                lab.time_requests.answer(CHIEF, asked.id, YES),
                lab.time_requests.answer(ADMIN, asked.id, NO),
                return_exceptions=True,
            )
            assert [type(answer) for answer in answers[1:]] == [Conflict, Conflict]
            assert {a.code for a in answers if isinstance(a, Conflict)} == {"already_answered"}
            done = await lab.time_requests.get(ANN, asked.id)
            assert (done.status, done.handled_by, done.granted_s) == ("approved", "boss", 50.0)
            assert done.handled_at is not None
            assert (await lab.accounts.get(ANN, "ann")).available_s == 60.0
            with pytest.raises(Conflict, match="approved by boss"):
                await lab.time_requests.withdraw(ANN, asked.id)
            [grant, _allowance] = (await lab.accounts.entries(ANN, "ann")).entries
            assert (grant.amount_s, grant.person) == (50.0, "boss")
            assert asked.id in grant.reason
            kinds = [e.kind for e in (await lab.events.page(ANN)).events]
            assert kinds.count("time_request.changed") == 2
            assert kinds.count("balance.changed") == 2
            [line] = await lab.context.db.read(lambda c: audit.page(c, before=None, limit=10))
            assert (line.who, line.action, line.data["granted_s"]) == ("boss", "time_request.approved", 50.0)

    asyncio.run(dialogue())


def test_a_rejection_grants_nothing_and_says_why(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            asked = await lab.time_requests.create(ANN, ASK)
            done = await lab.time_requests.answer(BOSS, asked.id, NO)
            assert (done.status, done.answer, done.granted_s) == ("rejected", "ask in May", None)
            assert (await lab.accounts.entries(ANN, "ann")).entries == []
            with pytest.raises(Conflict):
                await lab.time_requests.answer(BOSS, asked.id, YES)

    asyncio.run(dialogue())


def test_an_approval_may_grant_another_amount(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            asked = await lab.time_requests.create(QED, TimeRequestIn(seconds=50.0, group="qed"))
            assert asked.account == "group:qed"
            done = await lab.time_requests.answer(BOSS, asked.id, TimeRequestAnswer(status="approved", seconds=20.0))
            assert (done.seconds, done.granted_s) == (50.0, 20.0)
            assert (await lab.accounts.get(QED, "group:qed")).balance_s == 20.0
            assert (await lab.accounts.get(QED, "ann")).balance_s == 0.0
            other = await lab.time_requests.create(ANN, ASK)
            with pytest.raises(Rejected) as caught:
                await lab.time_requests.answer(BOSS, other.id, TimeRequestAnswer(status="rejected", seconds=1.0))
            assert caught.value.data["field"] == "seconds"

    asyncio.run(dialogue())


def test_who_may_see_and_answer(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            with pytest.raises(Forbidden) as caught:
                await lab.time_requests.create(BOB, TimeRequestIn(seconds=1.0, group="qed"))
            assert caught.value.data["field"] == "group"
            asked = await lab.time_requests.create(ANN, ASK)
            for work in (lab.time_requests.get(BOB, asked.id), lab.time_requests.withdraw(BOB, asked.id)):
                with pytest.raises(NotFound):
                    await work
            with pytest.raises(NotFound):
                await lab.time_requests.withdraw(BOSS, asked.id)
            for nobody in (ANN, BOB):
                with pytest.raises(Forbidden):
                    await lab.time_requests.answer(nobody, asked.id, YES)
            own = await lab.time_requests.create(BOSS, ASK)
            with pytest.raises(Forbidden, match="another manager"):
                await lab.time_requests.answer(BOSS, own.id, YES)
            await lab.time_requests.answer(CHIEF, own.id, YES)
            admins = await lab.time_requests.create(ADMIN, ASK)
            assert (await lab.time_requests.answer(ADMIN, admins.id, YES)).status == "approved"

    asyncio.run(dialogue())


def test_withdrawn_is_withdrawn(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            asked = await lab.time_requests.create(ANN, ASK)
            assert (await lab.time_requests.withdraw(ANN, asked.id)).status == "withdrawn"
            for again in (lab.time_requests.withdraw(ANN, asked.id), lab.time_requests.answer(BOSS, asked.id, YES)):
                with pytest.raises(Conflict):
                    await again
            assert (await lab.accounts.get(ANN, "ann")).balance_s == 0.0

    asyncio.run(dialogue())


def test_the_list_is_ones_own_and_a_managers_everybodys(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            ids = [(await lab.time_requests.create(who, ASK)).id for who in (ANN, BOB, ANN, BOSS)]
            await lab.time_requests.answer(BOSS, ids[0], NO)

            async def listed(who: Principal, **narrow: object) -> list[str]:
                return [r.id for r in (await lab.time_requests.list(who, **narrow)).requests]  # type: ignore[arg-type]

            assert await listed(ANN) == [ids[2], ids[0]]
            assert await listed(ANN, status="pending") == [ids[2]]
            assert await listed(BOSS) == ids[::-1]
            assert await listed(BOSS, mine=True) == [ids[3]]
            page = await lab.time_requests.list(BOSS, limit=3)
            assert page.next is not None
            assert await listed(BOSS, after=page.next) == [ids[0]]
            for bad in ({"status": "open"}, {"after": "-1"}):
                with pytest.raises(Rejected):
                    await listed(ANN, **bad)

    asyncio.run(dialogue())


def test_open_requests_of_one_person_are_limited(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            asked = [await lab.time_requests.create(ANN, ASK) for _ in range(Quotas().max_time_requests or 0)]
            with pytest.raises(Conflict, match="withdraw one"):
                await lab.time_requests.create(ANN, ASK)
            await lab.time_requests.create(BOB, ASK)
            await lab.time_requests.withdraw(ANN, asked[0].id)
            await lab.time_requests.create(ANN, ASK)

    asyncio.run(dialogue())
