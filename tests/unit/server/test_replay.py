"""Replays of traces whose outcome is known, and what holds for any month."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import timedelta

import pytest

from qpi_jupyter.core.bookings import Booking, BookingMode
from qpi_jupyter.core.jobs import Job
from qpi_jupyter.core.planner import Policy
from qpi_server.app.extension import QPIServer
from qpi_server.replay.policies import parse_policy
from qpi_server.replay.report import figures, jain, table
from qpi_server.replay.simulate import Outcome, simulate
from qpi_server.replay.trace import BEGIN, Trace, TraceBooking, TraceJob, synthetic
from qpi_server.settings.values import SettingsError
from qpi_server.tools.commands import run as run_command


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def job(
    seq: int, submit: float, busy: float, owner: str = "ann", *, upper: float | None = None, priority: int = 0
) -> TraceJob:
    return TraceJob(
        job=Job(
            id=f"j{seq}", owner=owner, qpu="q", seq=seq, submitted_at=BEGIN + at(submit), estimate_s=busy,
            upper_s=busy if upper is None else upper, priority=priority,
        ),
        busy_s=busy,
    )  # fmt: skip


def booking(
    start: float, end: float, by: str = "bo", mode: BookingMode = BookingMode.PRIORITY, **more: float
) -> TraceBooking:
    booked = Booking(
        id=f"b{start:g}", qpu="q", booked_by=by, start_at=BEGIN + at(start), end_at=BEGIN + at(end), mode=mode,
        no_show_s=more.get("no_show"),
    )  # fmt: skip
    return TraceBooking(booking=booked, created_at=BEGIN + at(more.get("known", 0)))


def starts(jobs: list[TraceJob], *bookings: TraceBooking, places: int = 1, **policy: float) -> dict[str, float]:
    """When each job began, in seconds."""
    trace = Trace(qpus={"q": places}, jobs=jobs, bookings=list(bookings))
    outcome = simulate(trace, Policy(**policy))  # type: ignore[arg-type]
    return {run.job.id: (run.started_at - BEGIN).total_seconds() for run in outcome.runs}


def test_first_come_first_served() -> None:
    assert starts([job(1, 0, 10), job(2, 1, 10, "bo"), job(3, 2, 10)]) == {"j1": 0, "j2": 10, "j3": 20}


def test_a_pool_runs_as_many_as_it_has_places() -> None:
    assert starts([job(1, 0, 10), job(2, 1, 10), job(3, 2, 5)], places=2) == {"j1": 0, "j2": 1, "j3": 10}


def test_a_higher_priority_goes_first() -> None:
    assert starts([job(1, 0, 10), job(2, 1, 10), job(3, 2, 10, priority=1)]) == {"j1": 0, "j3": 10, "j2": 20}


def test_the_holder_of_a_booking_goes_first() -> None:
    jobs = [job(1, 0, 100), job(2, 1, 50), job(3, 101, 10, "bo")]
    assert starts(jobs, booking(100, 200)) == {"j1": 0, "j3": 101, "j2": 200}


def test_nobody_runs_into_somebody_elses_booking() -> None:
    jobs = [job(1, 0, 10), job(2, 1, 100), job(3, 2, 20, "bo"), job(4, 3, 30)]
    assert starts(jobs, booking(60, 90, mode=BookingMode.EXCLUSIVE)) == {"j1": 0, "j3": 10, "j4": 30, "j2": 90}


def test_a_short_job_fills_the_time_of_an_idle_holder() -> None:
    jobs = [job(1, 10, 20), job(2, 11, 40)]
    assert starts(jobs, booking(0, 100), idle_threshold_s=15, backfill_max_s=30) == {"j1": 15, "j2": 100}
    assert starts(jobs, booking(0, 100), idle_threshold_s=15, backfill_max_s=50) == {"j1": 15, "j2": 35}


def test_a_booking_is_not_known_before_it_is_made() -> None:
    assert starts([job(1, 0, 50)], booking(30, 60, known=20, mode=BookingMode.EXCLUSIVE)) == {"j1": 0}


def test_nobody_came_and_the_time_is_given_back() -> None:
    jobs = [job(1, 10, 60)]
    assert starts(jobs, booking(5, 100, no_show=20)) == {"j1": 25}
    assert starts([*jobs, job(2, 6, 1, "bo")], booking(5, 100, no_show=20)) == {"j2": 6, "j1": 100}


def test_fair_share_lets_go_first_who_used_less() -> None:
    jobs = [job(1, 0, 100), job(2, 1, 10), job(3, 2, 10, "bo")]
    assert starts(jobs) == {"j1": 0, "j2": 100, "j3": 110}
    assert starts(jobs, fair_share=True) == {"j1": 0, "j3": 100, "j2": 110}


def test_a_job_that_outlasts_its_bound_makes_a_booking_late() -> None:
    trace = Trace(qpus={"q": 1}, jobs=[job(1, 0, 50, upper=20)], bookings=[booking(30, 60)])
    found = figures(trace, simulate(trace, Policy()))
    assert found["bookings"] == {"total": 1, "kept": 0, "no_show": 0, "latest_s": 20.0}
    assert found["estimates"] == {"outlasted": 1, "within": 0.0}


def test_the_figures_of_a_small_trace() -> None:
    trace = Trace(qpus={"q": 1}, jobs=[job(1, 0, 30), job(2, 10, 30, "bo"), job(3, 60, 40)])
    found = figures(trace, simulate(trace, Policy()))
    assert found["waits"]["everybody"] == {"jobs": 3, "mean_s": 20 / 3, "p50_s": 0.0, "p95_s": 20.0}
    assert found["utilisation"] == {"q": 1.0}
    assert found["fairness"]["waits"] == pytest.approx(0.5)
    assert found["fairness"]["served"] == pytest.approx((1 + 0.6) ** 2 / (2 * (1 + 0.36)))
    lines = table(["current"], [found]).splitlines()
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(("values", "index"), [([1, 1, 1], 1.0), ([1, 0, 0, 0], 0.25), ([], 1.0), ([0, 0], 1.0)])
def test_jains_index(values: list[float], index: float) -> None:
    assert jain(values) == index


def test_a_policy_is_the_current_one_with_changes() -> None:
    current = Policy(idle_threshold_s=7)
    assert parse_policy("current", current) is current
    changed = parse_policy("fair_share=true, backfill_max_s=2m", current)
    assert (changed.fair_share, changed.backfill_max_s, changed.idle_threshold_s) == (True, 120.0, 7)


@pytest.mark.parametrize("spec", ["", "fairness=1", "fair_share", "backfill_max_s=-1", "backfill_max_s=nan"])
def test_a_policy_that_makes_no_sense_is_refused_by_name(spec: str) -> None:
    with pytest.raises(SettingsError, match="--policy"):
        parse_policy(spec, Policy())


def small_month(seed: int) -> Trace:
    return synthetic(seed, users=8, qpus=2, jobs=1500, bookings=40, days=7)


def check(trace: Trace, outcome: Outcome) -> None:
    """What holds for every policy: each job runs once, places are not given twice, bookings are kept."""
    assert Counter(run.job.id for run in outcome.runs) == Counter(item.job.id for item in trace.jobs)
    assert all(run.wait_s >= 0 for run in outcome.runs)
    of: dict[str, list[Booking]] = defaultdict(list)
    for item in trace.bookings:
        of[item.booking.qpu].append(item.booking)
    given_back = {kept.booking.id for kept in outcome.bookings if kept.no_show}
    last = {}
    for run in sorted(outcome.runs, key=lambda run: run.started_at):
        qpu = run.job.qpu
        assert run.started_at >= last.get(qpu, run.started_at), "two jobs at once"
        last[qpu] = run.ended_at
        for booked in of[qpu]:
            if booked.id in given_back or (booked.mode is not BookingMode.MAINTENANCE and booked.admits(run.job.owner)):
                continue
            assert not run.started_at < booked.start_at < run.ended_at, "ran into a booking"
            if booked.covers(run.started_at):
                assert booked.mode is BookingMode.PRIORITY
                assert run.job.upper_s <= outcome.policy.backfill_max_s
    assert all(kept.late_s == 0 for kept in outcome.bookings)


@pytest.mark.parametrize("policy", [Policy(), Policy(fair_share=True), Policy(backfill_max_s=300, idle_threshold_s=60)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_small_month_keeps_its_bookings(seed: int, policy: Policy) -> None:
    trace = small_month(seed)
    check(trace, simulate(trace, policy))


def test_the_same_seed_gives_the_same_month() -> None:
    assert small_month(4) == small_month(4)
    assert small_month(4) != small_month(5)


@pytest.mark.slow
def test_a_month_of_sixty_thousand_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    trace = synthetic()
    assert (len(trace.qpus), len(trace.jobs), len(trace.bookings)) == (4, 60_000, 800)
    assert len({item.job.owner for item in trace.jobs}) == 50
    check(trace, simulate(trace, Policy()))
    assert run_command("replay", ["--synthetic", "--json", "--policy", "current", "--policy", "fair_share=true"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["fair_share=true"]["waits"]["light"]["mean_s"] < shown["current"]["waits"]["light"]["mean_s"]


def test_settings_and_policy_have_the_same_defaults() -> None:
    assert QPIServer().config_of_lab().policy == Policy()
