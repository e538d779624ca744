"""What is refused before it is stored, what is stored unchecked, and where a job without a target goes."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as replace_struct

from qpi_jupyter.core.errors import Conflict, NotFound, ProgramError, QpiError, Rejected, TooLarge, Unavailable
from qpi_jupyter.core.formats import ProgramFormat
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.wire.frames import Prepare, Prepared
from qpi_jupyter.wire.jobs import Eta, SubmitRequest
from qpi_jupyter.wire.rest import OptionsIn, ProgramIn, QpuIn
from qpi_server.service import EmbeddedDriver, Lab
from qpi_server.service.base import Tx
from qpi_server.service.submit import MAX_KEY
from tests.faults.lab import (
    ADMIN,
    ANN,
    BOB,
    HARDWARE,
    SIMULATOR,
    FrozenClock,
    bell,
    driver_of,
    open_lab,
    settled,
    small_lab,
    turn,
)

BAD = ProgramError("no such gate", line=3, column=7)


def refuse(prepare: Prepare) -> Prepared:
    return Prepared(error=BAD.to_dict())


async def stored(lab: Lab) -> int:
    return len((await lab.jobs.list(ANN)).jobs)


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({"qpu": "nowhere"}, NotFound, "unknown_qpu"),
        ({"source": ""}, ProgramError, "empty_program"),
        ({"source": "x" * ((1 << 20) + 1)}, TooLarge, "program_too_large"),
        ({"options": OptionsIn(shots=0)}, Rejected, "bad_shots"),
        ({"options": OptionsIn(shots=2_000_000)}, Rejected, "bad_shots"),
        ({"options": OptionsIn(meas_level=1)}, Rejected, "bad_option"),
        ({"options": OptionsIn(meas_return="some")}, Rejected, "bad_option"),
    ],
)
def test_what_cannot_run_is_refused_and_leaves_no_row(
    tmp_path: Path, fields: dict[str, Any], kind: type[QpiError], code: str
) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            with pytest.raises(kind) as caught:
                await lab.jobs.submit(ANN, bell(**fields))
            assert caught.value.code == code
            assert await stored(lab) == 0

    asyncio.run(dialogue())


def test_an_unknown_qpu_lists_the_ones_there(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            with pytest.raises(NotFound, match="The lab has: q1"):
                await lab.jobs.submit(ANN, bell("q7"))

    asyncio.run(dialogue())


def test_a_bad_circuit_is_refused_by_the_driver_with_line_and_column(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            driver.answer = refuse
            await driver.connect()
            with pytest.raises(ProgramError) as caught:
                await lab.jobs.submit(ANN, bell())
            assert (caught.value.line, caught.value.column) == (3, 7)
            assert await stored(lab) == 0

    asyncio.run(dialogue())


def test_too_much_memory_is_refused_with_both_figures(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, driver={"memory_cap_bytes": 2 << 30}) as (lab, driver):
            driver.answer = lambda _: Prepared(estimate=Estimate(estimate_s=1, upper_s=1, memory_bytes=16 << 40))
            await driver.connect()
            with pytest.raises(Rejected, match=r"16,384.0 GiB.*2.0 GiB"):
                await lab.jobs.submit(ANN, bell())

    asyncio.run(dialogue())


def test_a_job_that_takes_longer_than_an_attempt_may_is_refused_and_a_loose_bound_is_not(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, driver={"job_timeout_s": 60.0}) as (lab, driver):
            driver.answer = lambda _: Prepared(estimate=Estimate(estimate_s=61, upper_s=100))
            await driver.connect()
            with pytest.raises(Rejected, match="at most 60 s"):
                await lab.jobs.submit(ANN, bell())
            driver.answer = lambda _: Prepared(estimate=Estimate(estimate_s=5, upper_s=100))
            job, _ = await lab.jobs.submit(ANN, bell(options=OptionsIn(shots=7)))
            assert job.upper_s == 60.0

    asyncio.run(dialogue())


def test_the_same_program_is_checked_once(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            for shots in (100, 100, 200):
                await lab.jobs.submit(ANN, bell(options=OptionsIn(shots=shots)))
            assert len(driver.prepared) == 2

    asyncio.run(dialogue())


def test_a_submit_reads_its_qpu_once_and_counts_in_one_statement(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            seen: list[str] = []

            def trace(tx: Tx) -> None:
                writer: Any = tx.connection.connection.dbapi_connection
                writer.set_trace_callback(seen.append)

            await lab.context.db.write(trace)
            await lab.jobs.submit(ANN, bell())
            words = [" ".join(sql.split()) for sql in seen]
            assert sum(sql.startswith("SELECT") and " FROM qpus " in sql for sql in words) == 1
            assert sum(sql.startswith("UPDATE tallies ") for sql in words) == 1

    asyncio.run(dialogue())


def test_a_large_program_is_fetched_by_its_digest_also_before_it_is_stored(tmp_path: Path) -> None:
    source = "// " + "x" * 100_000
    fetched: list[bytes] = []

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):

            async def fetch(prepare: Prepare) -> None:
                fetched.append(await lab.drivers.program(driver.principal, prepare.program.sha256))

            async def prepared(data: Any) -> Prepared:
                answer = await original(data)
                await fetch(driver.prepared[-1])
                return answer

            await driver.connect()
            original = driver.handlers["qpu.prepare"]
            driver.handlers["qpu.prepare"] = prepared  # type: ignore[assignment]
            await lab.jobs.submit(ANN, bell(source=source))
            assert driver.prepared[-1].program.sources == []
            given = await driver.claim()
            assert given.program is not None
            assert given.program.sources == []
            fetched.append(await lab.drivers.program(driver.principal, given.program.sha256))

    asyncio.run(dialogue())
    assert fetched[0] == fetched[1]
    assert source.encode() in fetched[0]


# Unchecked jobs


def test_with_no_driver_a_job_is_stored_unchecked_and_runs_once_one_is_there(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            job, _ = await lab.jobs.submit(ANN, bell())
            assert not job.checked
            assert job.reason is not None
            assert job.reason.message == "q1 is offline."
            waiting = asyncio.create_task(lab.jobs.get(ANN, job.id, wait_s=30))
            await driver.connect()
            await driver.run()
            assert (await waiting).status == "completed"

    asyncio.run(dialogue())


def test_unchecked_jobs_are_checked_in_order_and_a_bad_one_fails_with_the_same_words(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            good, _ = await lab.jobs.submit(ANN, bell(options=OptionsIn(shots=1)))
            bad, _ = await lab.jobs.submit(ANN, bell(options=OptionsIn(shots=2)))
            driver.answer = lambda p: (
                refuse(p) if p.program.options.shots == 2 else Prepared(estimate=Estimate(estimate_s=1, upper_s=2))
            )
            await driver.connect()
            failed = await lab.jobs.get(ANN, bad.id, wait_s=30)
            assert failed.status == "failed"
            assert failed.error is not None
            assert (failed.error.kind, failed.error.data["line"]) == ("ProgramError", 3)
            assert [p.program.options.shots for p in driver.prepared] == [1, 2]
            checked = await lab.jobs.get(ANN, good.id)
            assert (checked.checked, checked.upper_s) == (True, 2.0)
            kinds = [event.kind for event in (await lab.events.of_job(ANN, good.id)).events]
            assert kinds == ["job.submitted", "job.checked"]

    asyncio.run(dialogue())


def test_a_slow_check_does_not_hold_the_submit(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, check_budget_s=0.02) as (lab, driver):
            driver.silent = True
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            assert not job.checked

    asyncio.run(dialogue())


def test_a_driver_that_goes_away_during_a_check_leaves_the_job_for_the_next(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            job, _ = await lab.jobs.submit(ANN, bell())
            driver.silent = True
            await driver.connect()
            while not driver.prepared:
                await asyncio.sleep(0)
            driver.unplug()
            driver.silent = False
            await driver.connect()
            assert (await driver.claim()).job_id == job.id

    asyncio.run(dialogue())


# Targets


async def two_simulators(lab: Lab) -> None:
    for name in ("a", "b"):
        await lab.embedded.define(EmbeddedDriver(name=name, qpu=f"sim-{name}", executor="mock"))


def test_without_a_target_an_online_simulator_is_taken_and_the_next_if_it_cannot(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            await two_simulators(lab)
            await lab.qpus.create(ADMIN, QpuIn(name="chip", kind="device"))
            a, b = await driver_of(lab, "sim-a", "da"), await driver_of(lab, "sim-b", "db")
            chip = await driver_of(lab, "chip", "dc", manifest=HARDWARE)
            await chip.connect()
            assert (await lab.jobs.submit(ANN, bell(None)))[0].qpu in {"sim-a", "sim-b"}
            await b.connect()
            assert (await lab.jobs.submit(ANN, bell(None)))[0].qpu == "sim-b"
            await a.connect()
            b.link.estimates.clear()
            b.answer = refuse
            assert (await lab.jobs.submit(ANN, bell(None)))[0].qpu == "sim-a"
            a.link.estimates.clear()
            a.answer = refuse
            with pytest.raises(ProgramError):
                await lab.jobs.submit(ANN, bell(None))

    asyncio.run(dialogue())


def test_what_an_online_simulator_refuses_does_not_wait_for_one_that_is_away(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            await two_simulators(lab)
            b = await driver_of(lab, "sim-b", "db")
            b.answer = refuse
            await b.connect()
            with pytest.raises(ProgramError, match="no such gate"):
                await lab.jobs.submit(ANN, bell(None))
            assert await stored(lab) == 0

    asyncio.run(dialogue())


TOY = ProgramFormat(name="toy-coins", noun="row", text=False, suffix=".coins", max_source_bytes=8)
COINS = replace(SIMULATOR, num_qubits=50, formats=(TOY.name,), format_facts=(TOY,))


def coins(qpu: str | None, source: bytes = b"COINS") -> SubmitRequest:
    return SubmitRequest(program=ProgramIn(format=TOY.name, data=[source]), qpu=qpu)


def test_a_program_goes_where_its_format_is_taken(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            await two_simulators(lab)
            with pytest.raises(Rejected, match="sim-a has had no driver yet that runs toy-coins"):
                await lab.jobs.submit(ANN, coins("sim-a"))
            a = await driver_of(lab, "sim-a", "da", manifest=COINS)
            b = await driver_of(lab, "sim-b", "db")
            await a.connect()
            await b.connect()
            assert (await lab.jobs.submit(ANN, coins(None)))[0].qpu == "sim-a"
            with pytest.raises(Rejected, match=r"sim-b does not run toy-coins; it runs openqasm2, openqasm3, qpy\."):
                await lab.jobs.submit(ANN, coins("sim-b"))
            with pytest.raises(TooLarge, match="Row 0 has 9 bytes; one toy-coins source may have 8"):
                await lab.jobs.submit(ANN, coins("sim-a", b"COINS1234"))
            b.answer = refuse
            with pytest.raises(ProgramError, match="no such gate"):  # not that sim-a takes no circuits
                await lab.jobs.submit(ANN, bell(None))

    asyncio.run(dialogue())


def test_hardware_is_taken_only_where_it_is_alone(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, kind="device", driver={"manifest": HARDWARE}) as (lab, driver):
            await driver.connect()
            assert (await lab.jobs.submit(ANN, bell(None)))[0].qpu == "q1"
            await lab.qpus.create(ADMIN, QpuIn(name="q2", kind="device"))
            with pytest.raises(Rejected, match="q1, q2"):
                await lab.jobs.submit(ANN, bell(None))

    asyncio.run(dialogue())


# Idempotency


@pytest.mark.parametrize("shots", [100, 7])
def test_the_key_of_a_deleted_job_says_so_whatever_it_comes_with(tmp_path: Path, shots: int) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell(), idempotency_key="k")
            await driver.run()
            await lab.jobs.delete(ANN, job.id)
            request = replace_struct(bell(), options=OptionsIn(shots=shots))
            with pytest.raises(NotFound, match=f"Job {job.id}, which came with this Idempotency-Key, was deleted"):
                await lab.jobs.submit(ANN, request, idempotency_key="k")

    asyncio.run(dialogue())


def test_the_same_key_and_request_give_the_same_job(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            results = await asyncio.gather(*(lab.jobs.submit(ANN, bell(), idempotency_key="k") for _ in range(5)))
            assert len({job.id for job, _ in results}) == 1
            assert [created for _, created in results].count(True) == 1
            with pytest.raises(Conflict):
                await lab.jobs.submit(ANN, bell(priority=-1), idempotency_key="k")
            other, created = await lab.jobs.submit(BOB, bell(), idempotency_key="k")
            assert created
            assert other.id != results[0][0].id
            # What was accepted stays accepted, even if the driver would refuse it by now.
            driver.link.estimates.clear()
            driver.answer = refuse
            again, created = await lab.jobs.submit(ANN, bell(), idempotency_key="k")
            assert (again.id, created) == (results[0][0].id, False)

    asyncio.run(dialogue())


@pytest.mark.parametrize("key", ["k", "k" * 255, "é~ ", "", "k" * 256, "a\nb", "\x00"])
def test_a_key_is_judged_alike_on_every_surface(tmp_path: Path, key: str) -> None:
    right = 1 <= len(key) <= MAX_KEY and key.isprintable()

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _driver):
            with nullcontext() if right else pytest.raises(Rejected, match="1 to 255 printable"):
                await lab.jobs.submit(ANN, bell(), idempotency_key=key)

    asyncio.run(dialogue())


def test_a_full_disk_refuses_the_submit_and_the_lab_goes_on(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            store = lab.context.db.store
            used = await store.read(lambda c: int(c.exec_driver_sql("PRAGMA page_count").scalar() or 0))
            await store.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {used}").scalar())
            large = bell(source="// " + "x" * 500_000)
            with pytest.raises(Unavailable, match="disk is full"):
                await lab.jobs.submit(ANN, large)
            await store.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1000000").scalar())
            before = await stored(lab)
            await lab.jobs.submit(ANN, bell())
            assert await stored(lab) == before + 1
            await driver.run()

    asyncio.run(dialogue())


def test_positions_are_told_for_waiting_jobs(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            ids = [(await lab.jobs.submit(ANN, bell()))[0].id for _ in range(3)]
            reasons = [(await lab.jobs.get(ANN, job_id)).reason for job_id in ids]
            assert [reason.position for reason in reasons if reason] == [1, 2, 3]
            assert reasons[2] is not None
            assert reasons[2].message == "2 jobs go first on q1."
            page = await lab.jobs.list(ANN)
            assert [job.reason.position for job in page.jobs if job.reason] == [3, 2, 1]
            driver.unplug()
            await turn()
            reason = (await lab.jobs.get(ANN, ids[0])).reason
            assert reason is not None
            assert reason.message == "q1 is offline."

    asyncio.run(dialogue())


def test_the_answer_to_a_submit_is_the_job_as_it_is_read_then(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            offline, _ = await lab.jobs.submit(ADMIN, bell())
            assert offline == await lab.jobs.get(ADMIN, offline.id)
            await driver.connect()
            await settled(lab)
            driver.silent = True  # a check that ends meanwhile says better when
            for priority, position in ((0, 2), (5, 1), (-3, 4), (0, 4), (5, 2)):
                job, created = await lab.jobs.submit(ADMIN, bell(priority=priority))
                assert created
                assert job == await lab.jobs.get(ADMIN, job.id)
                assert job.reason is not None
                assert job.reason.position == position
                assert job.eta == Eta(of="start", known=False)

    asyncio.run(dialogue())
