"""What one person may have by default; and that nothing of it binds managers and the owner of a lab of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import QpiError
from qpi_jupyter.core.quotas import Quotas
from qpi_jupyter.wire.accounts import TimeRequestIn
from qpi_jupyter.wire.bookings import BookingIn, FeedIn
from qpi_jupyter.wire.people import SignIn, UserIn
from qpi_jupyter.wire.rest import TokenIn
from qpi_jupyter.wire.services import EnrollmentIn
from qpi_server.app.extension import QPIServer
from qpi_server.service import Lab, storage
from qpi_server.web.errors import status_of
from qpi_server.web.identity import local_owner
from tests.faults.lab import ADMIN, ANN, bell
from tests.support.crowds import play
from tests.support.watch import watch

START = datetime(2030, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
Ask = Callable[[Lab, Principal, int], Awaitable[Any]]


def booking(number: int, *, days: float = 0.5) -> BookingIn:
    return BookingIn(qpu="q1", start_at=START + number * DAY, end_at=START + (number + days) * DAY)


ASKS: dict[str, tuple[Ask, str]] = {
    "max_queued_jobs": (lambda lab, who, n: lab.jobs.submit(who, bell("q1")), "too_many_queued"),
    "max_tokens": (lambda lab, who, n: lab.tokens.create(who, TokenIn(name=str(n))), "too_many_tokens"),
    "max_feeds": (lambda lab, who, n: lab.feeds.create(who, FeedIn(), "http://lab"), "too_many_feeds"),
    "max_time_requests": (
        lambda lab, who, n: lab.time_requests.create(who, TimeRequestIn(seconds=1, reason="x")), "too_many_pending",
    ),
    "max_enrollments": (
        lambda lab, who, n: lab.enrollment.ask(who, EnrollmentIn(name=f"{who.name}-{n}"), address="http://lab"),
        "too_many_enrollments",
    ),
    "max_bookings_ahead": (lambda lab, who, n: lab.bookings.create(who, booking(n)), "too_many_ahead"),
    "max_booking_s": (lambda lab, who, n: lab.bookings.create(who, booking(n, days=1 if n > 1 else 0.1)), "too_long"),
    "max_booking_ahead_s": (lambda lab, who, n: lab.bookings.create(who, booking(n * 10)), "too_far"),
}  # fmt: skip
LIMITS: dict[str, Any] = {"max_booking_s": 0.5 * 86_400, "max_booking_ahead_s": 12 * 86_400.0}


def test_every_quota_is_a_setting_with_one_default_and_has_a_test() -> None:
    names = {field.name for field in fields(Quotas)}
    assert names == {*ASKS, "max_sign_ins", "disk_floor_bytes"}
    server = QPIServer()
    assert {name: getattr(server, name) for name in names} == {name: getattr(Quotas(), name) for name in names}


@pytest.mark.parametrize("name", ASKS)
def test_one_more_is_refused_with_what_to_do_and_managers_have_no_limit(tmp_path: Path, name: str) -> None:
    ask, code = ASKS[name]

    async def dialogue(lab: Lab) -> None:
        boss = await lab.authenticator.admit(Principal(name="boss", roles=frozenset({Role.MANAGER})))
        await lab.authenticator.admit(ANN)
        await ask(lab, ANN, 0)
        if not name.startswith("max_booking_"):
            await ask(lab, ANN, 1)
        with pytest.raises(QpiError) as caught:
            await ask(lab, ANN, 2)
        assert caught.value.code == code
        assert 400 <= status_of(caught.value) < 500
        for number in range(3, 6):
            await ask(lab, boss if number == 3 else local_owner(), number)

    play(tmp_path, dialogue, enrollment=True, quotas=Quotas(**{name: LIMITS.get(name, 2)}))


def test_without_a_rule_nobody_books_a_qpu_for_a_year_and_with_one_the_rule_counts(tmp_path: Path) -> None:
    async def dialogue(lab: Lab) -> None:
        year = BookingIn(qpu="q1", start_at=START, end_at=START + 365 * DAY)
        with pytest.raises(QpiError) as caught:
            await lab.bookings.create(ANN, year)
        assert caught.value.code == "too_long"
        assert (await lab.booking_rules.list(ANN)).mine["q1"].longest_s == Quotas().max_booking_s
        assert len((await lab.bookings.create(ADMIN, year)).bookings) == 1

    play(tmp_path, dialogue)


def test_a_disk_that_is_nearly_full_takes_no_new_jobs_but_results_and_the_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dialogue(lab: Lab) -> None:
        await lab.jobs.submit(ANN, bell("q1"))
        usage = storage.shutil.disk_usage(tmp_path)
        monkeypatch.setattr(storage.shutil, "disk_usage", lambda path: usage._replace(free=1 << 20))
        lab.context.clock.advance(10.0)  # type: ignore[attr-defined]
        with pytest.raises(QpiError) as caught:
            await lab.jobs.submit(ANN, bell("q1"))
        assert (caught.value.code, status_of(caught.value)) == ("disk_low", 507)
        assert "1 MiB free" in caught.value.message
        await lab.jobs.submit(local_owner(), bell("q1"))
        monkeypatch.undo()
        lab.context.clock.advance(10.0)  # type: ignore[attr-defined]
        await lab.jobs.submit(ANN, bell("q1"))

    play(tmp_path, dialogue)


def test_a_new_sign_in_ends_the_oldest_of_too_many(tmp_path: Path) -> None:
    async def dialogue(lab: Lab) -> None:
        await watch(lab)
        await lab.users.create(ADMIN, UserIn(name="eve", password="a long password"))
        signed = []
        for number in range(4):
            lab.context.clock.advance(number)  # type: ignore[attr-defined]
            signed.append(await lab.sign_ins.sign_in(SignIn(name="eve", password="a long password"), address="a"))
            assert (await lab.authenticator.authenticate(signed[-1].token)).name == "eve"
        for one in signed[:2]:
            with pytest.raises(QpiError):
                await lab.authenticator.authenticate(one.token)
        for one in signed[2:]:
            assert (await lab.authenticator.authenticate(one.token)).name == "eve"

    play(tmp_path, dialogue, quotas=Quotas(max_sign_ins=2), local_accounts=True)
