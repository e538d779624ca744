"""Notices: whom they reach, when, and until when."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import Forbidden, NotFound, Rejected
from qpi_jupyter.wire.events import NoticeChanged, NoticeData
from qpi_jupyter.wire.people import GroupIn, NoticeChange, NoticeIn
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, open_lab, settled, turn
from tests.integration.test_service_people import MANAGER, in_lab, refused


async def titles(lab: Lab, person: Principal) -> list[str]:
    """What ``person`` is shown."""
    return [notice.title for notice in (await lab.notices.list(await lab.authenticator.admit(person))).notices]


def test_acceptance_20_a_dismissed_notice_stays_dismissed_when_a_second_user_dismisses_it(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        notice = await lab.notices.create(MANAGER, NoticeIn(title="Cooldown on Monday"))
        assert await titles(lab, ANN) == await titles(lab, BOB) == ["Cooldown on Monday"]
        assert (await lab.notices.dismiss(ANN, notice.id)).dismissed
        assert await titles(lab, ANN) == []
        assert await titles(lab, BOB) == ["Cooldown on Monday"]
        await lab.notices.dismiss(BOB, notice.id)
        await lab.notices.dismiss(ANN, notice.id)  # again is fine
        assert await titles(lab, ANN) == await titles(lab, BOB) == []
        await lab.notices.change(MANAGER, notice.id, NoticeChange(title="Cooldown on Tuesday"))
        assert await titles(lab, ANN) == await titles(lab, BOB) == []
        assert await titles(lab, ADMIN) == ["Cooldown on Tuesday"]

    in_lab(tmp_path, dialogue)


def test_a_notice_reaches_its_people_and_groups_and_tells_them(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.groups.create(MANAGER, GroupIn(name="qed", members=["ann"]))
        await lab.notices.create(MANAGER, NoticeIn(title="to qed", groups=["qed"]))
        await lab.notices.create(MANAGER, NoticeIn(title="to bob", people=["bob"]))
        both = await lab.notices.create(MANAGER, NoticeIn(title="to both", people=["bob"], groups=["qed"]))
        assert await titles(lab, ANN) == ["to both", "to qed"]
        assert await titles(lab, BOB) == ["to both", "to bob"]
        assert await titles(lab, MANAGER) == []
        (shown, *_) = (await lab.notices.list(BOB)).notices
        assert (shown.people, shown.groups) == (["bob"], [])  # whom else it was sent to is not bob's to know
        assert len((await lab.notices.list(MANAGER, all=True)).notices) == 3
        await lab.notices.change(MANAGER, both.id, NoticeChange(groups=[]))
        assert await titles(lab, ANN) == ["to qed"]
        told = [(event.kind, event.data.action) for event in (await lab.events.page(BOB)).events]
        assert told == [("notice.changed", action) for action in ("created", "created", "changed")]
        told = [event.data.action for event in (await lab.events.page(ANN)).events if isinstance(event, NoticeChanged)]
        assert told == ["created", "created", "changed"]  # that it is no longer theirs concerns them, too

    in_lab(tmp_path, dialogue)


def test_a_notice_is_shown_in_its_time(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        now = clock.now()
        start, end = now + timedelta(hours=1), now + timedelta(hours=2)
        await lab.notices.create(MANAGER, NoticeIn(title="later", start_at=start, end_at=end))
        assert await titles(lab, ANN) == []
        clock.advance(3600)
        assert await titles(lab, ANN) == ["later"]
        clock.advance(3600)
        assert await titles(lab, ANN) == []
        assert len((await lab.notices.list(MANAGER, all=True)).notices) == 1

    in_lab(tmp_path, dialogue)


def test_its_people_hear_when_its_time_begins_also_after_a_restart(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        start = clock.now() + timedelta(hours=1)
        async with open_lab(tmp_path, clock=clock) as lab:
            for person in (MANAGER, ANN, BOB):
                await lab.authenticator.admit(person)
            notice = await lab.notices.create(MANAGER, NoticeIn(title="x", people=["ann"], start_at=start))
            moved = await lab.notices.create(MANAGER, NoticeIn(title="y", people=["ann"], start_at=start))
            await lab.notices.change(MANAGER, moved.id, NoticeChange(start_at=start + timedelta(hours=9)))
            gone = await lab.notices.create(MANAGER, NoticeIn(title="z", people=["ann"], start_at=start))
            await lab.notices.delete(MANAGER, gone.id)
        async with open_lab(tmp_path, clock=clock) as lab:
            cursor = (await lab.events.page(ANN)).cursor
            clock.advance(3600)
            page = await lab.events.page(ANN, after=cursor, wait_s=10)
            assert [event.data for event in page.events] == [NoticeData(id=notice.id, action="begun")]
            assert [shown.title for shown in (await lab.notices.list(ANN)).notices] == ["x"]
            clock.advance(9 * 3600)
            page = await lab.events.page(ANN, after=page.cursor, wait_s=10)
            assert [event.data.id for event in page.events] == [moved.id]

    asyncio.run(dialogue())


def test_a_notice_begins_also_where_nobody_waited_for_the_answer_that_it_is_kept(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        start = clock.now() + timedelta(hours=1)
        create = asyncio.create_task(lab.notices.create(MANAGER, NoticeIn(title="x", start_at=start)))
        await turn(2)
        create.cancel()
        await settled(lab)
        clock.advance(3600)
        await settled(lab)
        told = [event.data for event in (await lab.events.page(ANN)).events if isinstance(event, NoticeChanged)]
        assert [data.action for data in told] == ["created", "begun"]

    in_lab(tmp_path, dialogue)


def test_a_notice_taken_back_is_gone(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        notice = await lab.notices.create(MANAGER, NoticeIn(title="x"))
        await lab.notices.delete(MANAGER, notice.id)
        assert await titles(lab, ANN) == []
        assert (await lab.notices.list(MANAGER, all=True)).notices == []
        await refused(lab.notices.delete(MANAGER, notice.id), NotFound, "unknown_notice")
        await refused(lab.notices.change(MANAGER, notice.id, NoticeChange()), NotFound, "unknown_notice")
        await refused(lab.notices.dismiss(ANN, notice.id), NotFound, "unknown_notice")
        actions = [entry.action for entry in (await lab.audit.page(MANAGER)).entries]
        assert actions == ["notice.deleted", "notice.created"]

    in_lab(tmp_path, dialogue)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"start_at": 2, "end_at": 1}, "reversed"),
        ({"start_at": 2, "end_at": 2}, "reversed"),
        ({"start_at": -3, "end_at": -1}, "past"),
        ({"end_at": -1}, "reversed"),
        ({"people": ["nobody"]}, "unknown_user"),
        ({"groups": ["none"]}, "unknown_group"),
    ],
)
def test_a_notice_that_nobody_would_see_is_refused(tmp_path: Path, fields: dict[str, object], code: str) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        given = {k: clock.now() + timedelta(hours=v) if isinstance(v, int) else v for k, v in fields.items()}
        await refused(lab.notices.create(MANAGER, NoticeIn(title="x", **given)), Rejected, code)
        good = await lab.notices.create(MANAGER, NoticeIn(title="x"))
        await refused(lab.notices.change(MANAGER, good.id, NoticeChange(**given)), Rejected, code)

    in_lab(tmp_path, dialogue)


def test_somebody_elses_notice_is_not_there_and_all_are_for_managers(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        notice = await lab.notices.create(MANAGER, NoticeIn(title="x", people=["bob"]))
        await refused(lab.notices.dismiss(ANN, notice.id), NotFound, "unknown_notice")
        await refused(lab.notices.list(ANN, all=True), Forbidden, "forbidden")

    in_lab(tmp_path, dialogue)
