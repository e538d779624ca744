"""Makes an archive of a lab as today's code writes it: ``python -m tests.archives.make NAME``.

``NAME.tar.xz`` is what ``jupyter qpi backup`` writes of a lab with something of every kind in it, ``NAME.json.xz`` what
the lab answers once it is restored and opened again, at the same moment of a clock that stands still. Make one before
the schema changes, and never change it: ``tests/integration/test_old_labs.py`` opens every one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import lzma
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import msgspec
from qiskit import QuantumCircuit

from qpi_executors import run_program
from qpi_executors.aer import AerExecutor
from qpi_jupyter.core.errors import QpiError
from qpi_jupyter.core.programs import CircuitOptions, Program, RunOptions
from qpi_jupyter.data.codec import encode
from qpi_jupyter.data.header import result_header
from qpi_jupyter.wire.accounts import GrantIn, TimeRequestAnswer, TimeRequestIn
from qpi_jupyter.wire.bookings import BookingChange, BookingIn
from qpi_jupyter.wire.frames import Assignment
from qpi_jupyter.wire.jobs import JobChange, OriginIn, SubmitRequest
from qpi_jupyter.wire.people import UserIn
from qpi_jupyter.wire.rest import CircuitIn, DriverIn, OptionsIn, ProgramIn, QpuIn, TokenIn
from qpi_jupyter.wire.results import encode_header
from qpi_server.host.tls import TlsFiles
from qpi_server.service import Lab
from qpi_server.store import USUAL, backend_of
from qpi_server.tools.backup import write_backup
from tests.archives.answers import FOLDER, PEOPLE, Known, answers_of, driver_with, opened
from tests.circuits import BELL_QASM2, BELL_QASM3, bell, qpy_program
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, ScriptedDriver, open_lab, settled
from tests.support.full_lab import MANAGER, furnish

HOUR = timedelta(hours=1)
SCHEDULE = b'{"name": "rabi", "operations": []}'


class Maker:
    """Fills a lab."""

    def __init__(self, lab: Lab, clock: FrozenClock, driver: ScriptedDriver) -> None:
        self._lab, self._clock, self._driver = lab, clock, driver
        self._aer = AerExecutor()
        self.tokens: dict[str, str] = {}

    async def fill(self) -> None:
        """One of everything, then jobs in every state."""
        names = await furnish(self._lab, self._driver)
        (running,) = [job for job in (await self._lab.jobs.list(ANN)).jobs if job.phase == "running"]
        await self._lab.jobs.cancel(ANN, names["waiting"])
        await self._lab.qpu_sessions.close(ANN, names["session"])
        await self._driver.report(Assignment(job_id=running.id, attempt=running.attempt), "interrupted", busy_s=1.5)
        with contextlib.suppress(QpiError):
            await self._lab.jobs.cancel(ANN, running.id)
        await self._people()
        await self._completed()
        await self._ended_otherwise()
        await self._time()
        await self._waiting(self._driver)
        await settled(self._lab)

    async def _people(self) -> None:
        for person in PEOPLE:
            expires = self._lab.context.now() + timedelta(days=30)
            created = await self._lab.tokens.create(person, TokenIn(name="archive", expires_at=expires))
            self.tokens[person.name] = created.token
        await self._lab.users.create(ADMIN, UserIn(name="cleo", display_name="Cléo 量子", email="cleo@example.org"))
        await self._lab.accounts.grant(MANAGER, "group:qed", GrantIn(seconds=3600.0, reason="the year's"))
        await self._lab.accounts.grant(MANAGER, "bob", GrantIn(seconds=100.0))

    async def _completed(self) -> None:
        """Every format, and every kind of result."""
        wide = QuantumCircuit(2, 70, name="wide")
        wide.h(0)
        wide.measure(0, 69)
        text3, text2 = "openqasm3", "openqasm2"
        ann = await self._lab.authenticator.authenticate(self.tokens["ann"])  # with her groups
        programs = {
            "counts": Program(format=text3, sources=(BELL_QASM3,), options=RunOptions(shots=200, seed_simulator=1)),
            "memory": Program(format=text2, sources=(BELL_QASM2,), options=RunOptions(shots=50, seed_simulator=2)),
            "no memory": Program(
                format=text2, sources=(BELL_QASM2,), options=RunOptions(shots=50, seed_simulator=2, memory=False)
            ),
            "qpy": qpy_program(bell(), shots=100, seed_simulator=3),
            "wide": qpy_program(wide, shots=30, seed_simulator=7),
            "texts": Program(
                format=text3, sources=(BELL_QASM3, BELL_QASM3), options=RunOptions(shots=20, seed_simulator=8)
            ),
            "batch": qpy_program(
                bell(), bell(), shots=64, seed_simulator=4, entries=(CircuitOptions(), CircuitOptions(shots=32))
            ),
            "points": qpy_program(bell(), shots=40, seed_simulator=5, meas_level=1),
            "mean points": qpy_program(bell(), shots=40, seed_simulator=6, meas_level=1, meas_return="avg"),
        }
        for n, (name, program) in enumerate(programs.items()):
            origin = OriginIn(notebook="rabi.ipynb", cell_id=f"cell-{n}", execution_count=n)
            labels = {"tags": ["first", name], "project": "qed", "shared_with": "qed" if n % 2 else None}
            request = _request(program, name=name, origin=origin, **labels)
            await self._lab.jobs.submit(ann, request, idempotency_key=f"key-{n}")
            await self._run()
        await self._lab.jobs.submit(ann, _request(programs["counts"], name="the group's", group="qed"))
        await self._run()
        job, _ = await self._lab.jobs.submit(BOB, _request(programs["qpy"], name="bob's"))
        await self._run()
        await self._lab.jobs.change(BOB, job.id, JobChange(name="bob's, renamed", tags=["kept"]))
        job, _ = await self._lab.jobs.submit(BOB, _request(programs["qpy"], name="deleted"))
        await self._run()
        await self._lab.jobs.delete(BOB, job.id)

    async def _run(self) -> None:
        """The next job, with what a simulator finds."""
        assignment = await self._driver.claim()
        assert assignment.program is not None
        await self._driver.started(assignment)
        await self._driver.progress(assignment, 0.5)
        datasets = run_program(self._aer, assignment.program.to_program())
        blob = encode(datasets)
        digest = hashlib.sha256(blob).hexdigest()
        header = encode_header(result_header(datasets), sha256=digest, nbytes=len(blob))
        await self._driver.upload(assignment, assignment.attempt, header, blob)
        self._clock.advance(1.0)

    async def _ended_otherwise(self) -> None:
        failed, cancelled, aborted = [
            (await self._lab.jobs.submit(ANN, _request(qpy_program(bell(), shots=10), name=name)))[0]
            for name in ("failed", "cancelled", "aborted")
        ]
        await self._lab.jobs.cancel(ANN, cancelled.id)
        assignment = await self._driver.claim()
        await self._driver.started(assignment)
        error = {"kind": "rejected", "code": "bad_option", "message": "No such option.", "data": {"field": "extra"}}
        await self._driver.report(assignment, "errored", busy_s=0.5, error=error)
        assignment = await self._driver.claim()
        await self._driver.started(assignment)
        await self._lab.jobs.cancel(ANN, aborted.id)
        await self._driver.report(assignment, "aborted", busy_s=2.0)
        assert (await self._lab.jobs.get(ANN, failed.id)).status == "failed"

    async def _time(self) -> None:
        """Bookings in every state and mode, and requests that were answered."""
        now, lab = self._lab.context.now(), self._lab
        for n, mode in enumerate(("exclusive", "priority", "maintenance"), 5):
            start = now + timedelta(days=n)
            asked = BookingIn(qpu="q1", start_at=start, end_at=start + HOUR, mode=mode, title=mode, invited=["bob"])
            await lab.bookings.create(MANAGER, asked)
        start = now + timedelta(days=9)
        made = (await lab.bookings.create(BOB, BookingIn(qpu="q1", start_at=start, end_at=start + HOUR))).bookings[0]
        moved = BookingChange(start_at=start + HOUR, end_at=start + 2 * HOUR, title="moved")
        await lab.bookings.change(BOB, made.id, moved)
        gone = BookingIn(qpu="q2", start_at=start, end_at=start + HOUR, timezone="Europe/Zurich")
        await lab.bookings.delete(BOB, (await lab.bookings.create(BOB, gone)).bookings[0].id)
        asked_for = await lab.time_requests.create(BOB, TimeRequestIn(seconds=600, reason="a sweep"))
        await lab.time_requests.answer(MANAGER, asked_for.id, TimeRequestAnswer(status="approved", seconds=300.0))
        refused = await lab.time_requests.create(BOB, TimeRequestIn(seconds=9999))
        await lab.time_requests.answer(MANAGER, refused.id, TimeRequestAnswer(status="rejected", reason="Too long."))

    async def _waiting(self, driver: ScriptedDriver) -> None:
        """One that runs, one that was not checked, one in a format of another package, one that waits, and one that
        waits for that one."""
        await self._lab.jobs.submit(ANN, _request(qpy_program(bell(), shots=10), name="running"), idempotency_key="run")
        await driver.started(await driver.claim())
        bells = qpy_program(bell(), shots=10)
        queued, _ = await self._lab.jobs.submit(ANN, _request(bells, name="queued", priority=-1))
        await self._lab.jobs.submit(ANN, _request(bells, name="blocked", after=[queued.id]))
        await self._lab.jobs.submit(BOB, _request(qpy_program(bell(), bell(), shots=10), name="bob's turn"))
        schedule = Program(format="quantify-schedule", sources=(SCHEDULE,), options=RunOptions(shots=10))
        await self._lab.jobs.submit(ANN, _request(schedule, name="schedule"))
        driver.silent = True
        unchecked, _ = await self._lab.jobs.submit(ANN, _request(qpy_program(bell(), shots=11), name="unchecked"))
        assert not unchecked.checked


def _request(program: Program, **fields: object) -> SubmitRequest:
    options = program.options
    circuits = [CircuitIn(shots=entry.shots) for entry in options.circuits]
    is_qpy = program.format == "qpy"
    sent = ProgramIn(
        format=program.format,
        sources=[] if is_qpy else [source.decode() for source in program.sources],
        data=list(program.sources) if is_qpy else [],
    )
    wanted = OptionsIn(
        shots=options.shots, seed_simulator=options.seed_simulator, meas_level=options.meas_level,
        meas_return=options.meas_return, memory=options.memory, circuits=circuits,
    )  # fmt: skip
    return SubmitRequest(program=sent, options=wanted, **{"qpu": "q1", **fields})


async def make(target: Path) -> None:
    """Fill a lab, back it up, open what was backed up, and write down what it answers."""
    clock = FrozenClock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tar, tls = folder / "lab.tar", TlsFiles.under(folder / "tls")
        async with open_lab(folder / "lab", clock=clock) as lab:
            await lab.qpus.create(ADMIN, QpuIn(name="q1", kind="pool"))
            asked = DriverIn(name="d1", qpu="q1", executor="mock", options={"num_qubits": 5}, allow_simulator=True)
            registered = await lab.registration.register(ADMIN, asked, address="http://lab")
            driver = await driver_with(lab, registered.token)
            maker = Maker(lab, clock, driver)
            await maker.fill()
            assert await asyncio.to_thread(write_backup, backend_of(USUAL, folder / "lab"), tls, tar, print) == 0
        at_s = clock.monotonic()
        async with opened(tar, folder / "restored", at_s) as restored:
            answers = await answers_of(restored, maker.tokens)
        known = Known(at_s=at_s, tokens=maker.tokens, driver=registered.token, answers=answers)
        for kind, content in (("tar", tar.read_bytes()), ("json", msgspec.json.encode(known))):
            packed = lzma.compress(content, preset=9)
            target.with_suffix(f".{kind}.xz").write_bytes(packed)
            print(f"{target}.{kind}.xz: {len(packed):,} bytes")


if __name__ == "__main__":
    asyncio.run(make(FOLDER / sys.argv[1]))
