"""A lab in which there is one of everything, most of it ann's: for walks over routes, tables and roles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.calibrations import Calibration
from qpi_jupyter.core.manifest import QubitProperties
from qpi_jupyter.wire.accounts import GrantIn, TimeRequestIn
from qpi_jupyter.wire.bookings import BookingIn, BookingRule, BookingRuleIn, FeedIn, SessionIn
from qpi_jupyter.wire.frames import Log, LogLine, Reading
from qpi_jupyter.wire.people import GroupIn, NoticeIn
from qpi_jupyter.wire.plans import PlanJobIn
from qpi_jupyter.wire.rest import QpuIn, TokenIn
from qpi_server.service import Lab
from qpi_server.store import JoinLinkRow, bench, join_links, people
from qpi_server.store.bench import EmbeddedDriver
from qpi_server.store.people import IdentityRow
from tests.faults.lab import ADMIN, ANN, BOB, ScriptedDriver, bell, driver_of, settled
from tests.support.chips import chip
from tests.support.plans import made_by_hand

MANAGER = Principal(name="max", roles=frozenset({Role.MANAGER}))


async def furnish(lab: Lab, driver: ScriptedDriver) -> dict[str, str]:
    """Put one of everything into a `small_lab`; what each is called, by the kind of thing."""
    for person in (ADMIN, MANAGER, ANN, BOB):
        await lab.authenticator.admit(person)
    now = lab.context.now()
    await driver.connect()
    await driver.recalibrate(Calibration(qubits=(QubitProperties(t1_s=1e-4),)))
    await lab.qpus.create(ADMIN, QpuIn(name="q2"))
    await (await driver_of(lab, "q2", "d2")).connect()
    plan, plan_job = await _planned(lab)
    await lab.groups.create(MANAGER, GroupIn(name="qed", members=["ann"]))
    job, _ = await lab.jobs.submit(ANN, bell(), idempotency_key="once")
    await driver.run()
    await lab.jobs.submit(ANN, bell())
    await driver.started(await driver.claim())
    waiting, _ = await lab.jobs.submit(ANN, bell(tags=["t"], name="waits"))
    await lab.jobs.submit(ANN, bell(after=[waiting.id]))
    later = {"start_at": now + timedelta(days=1), "end_at": now + timedelta(days=1, hours=1)}
    booked = await lab.bookings.create(ANN, BookingIn(qpu="q1", rrule="FREQ=DAILY;COUNT=2", **later))
    slot = {"start_at": now + timedelta(days=3), "end_at": now + timedelta(days=3, hours=1)}
    both = await lab.bookings.create(ANN, BookingIn(qpus=["q1", "q2"], **slot))
    rule = await lab.booking_rules.set(MANAGER, BookingRuleIn(rule=BookingRule(longest_s=86_400), qpu="q2"))
    feed = await lab.feeds.create(ANN, FeedIn(), "http://lab/")
    session = await lab.qpu_sessions.open(ANN, SessionIn(qpu="q2"))
    notice = await lab.notices.create(MANAGER, NoticeIn(title="x", people=["ann"], start_at=now + timedelta(hours=1)))
    await lab.notices.dismiss(ANN, (await lab.notices.create(MANAGER, NoticeIn(title="y"))).id)
    token = await lab.tokens.create(ANN, TokenIn(name="t", expires_at=now + timedelta(days=9)))
    asked = await lab.time_requests.create(ANN, TimeRequestIn(seconds=60))
    await lab.accounts.grant(MANAGER, "ann", GrantIn(seconds=1e6))
    lab.telemetry.heard("q1", [Reading(channel="mxc/temperature", value=0.01, unit="K")])
    await lab.telemetry.flush()
    registered, *_ = (await lab.bench.drivers(ADMIN)).drivers
    line = LogLine(at=now, level="info", logger="agent", message="hello")
    await lab.driver_logs.heard(registered.id, Log(epoch=driver.epoch, lines=[line]))
    await settled(lab)
    simulator = EmbeddedDriver(name="sim", qpu="q2", executor="mock")
    identity = IdentityRow(provider="uni", subject="1", person="ann", joined_at=now)
    await lab.context.db.store.write(lambda connection: bench.put_embedded(connection, simulator))
    await lab.context.db.store.write(lambda connection: people.add_identity(connection, identity))
    link = JoinLinkRow(
        id="join-1", sha256="x", created_by=MANAGER.name, created_at=now, expires_at=now.replace(year=2190)
    )
    await lab.context.db.store.write(lambda connection: join_links.add(connection, link))
    return {
        "job": job.id, "waiting": waiting.id, "booking": booked.bookings[0].id,
        "slot": str(both.bookings[0].slot_id), "rule": rule.id, "feed": feed.id, "join": link.id,
        "feed_secret": secret_of(feed.url), "session": session.id, "notice": notice.id, "token": token.id,
        "request": asked.id, "group": "qed", "qpu": "q1", "driver": "d1", "person": "ann", "simulator": "sim",
        "plan": plan, "plan_job": plan_job,
    }  # fmt: skip


async def _planned(lab: Lab) -> tuple[str, str]:
    """A plan of ann's, and the job that runs it."""
    await lab.qpus.create(ADMIN, QpuIn(name="q3"))
    await (await driver_of(lab, "q3", "d3", manifest=chip(5))).connect()
    made = made_by_hand({"q3": chip(5)}, "q3")
    await lab.plans.keep(ANN.name, made)
    job_id, _ = await lab.plan_runs.submit(ANN, made.plan.plan_id, PlanJobIn())
    await settled(lab)
    return made.plan.plan_id, job_id


def secret_of(url: Any) -> str:
    return str(url).rstrip("/").split("/")[-2]
