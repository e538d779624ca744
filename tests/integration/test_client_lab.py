"""The client against a scripted lab: real HTTP, real connection losses."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qpi_jupyter.client import JobCancelled, Lab
from qpi_jupyter.core.errors import NotFound, ProgramError, QpiError, Unauthorized, Unavailable
from tests.faults.scripted_rest import TOKEN, ScriptedLab

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'
HEX_RESULT: dict[str, Any] = {
    "backend_name": "sim-a", "backend_version": "1", "qobj_id": "job1", "job_id": "job1", "success": True,
    "results": [{
        "shots": 10, "success": True, "meas_level": 2, "truncated": False, "data": {"counts": {"0x0": 4, "0x5": 6}},
        "header": {
            "name": "c", "creg_sizes": [["a", 1], ["b", 2]], "qreg_sizes": [["q", 3]], "memory_slots": 3, "n_qubits": 3,
            "metadata": {},
        },
    }],
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[ScriptedLab]:
    with ScriptedLab() as server:
        yield server


@pytest.fixture
def lab(server: ScriptedLab) -> Iterator[Lab]:
    with Lab(server.url, TOKEN, retry_s=5.0) as lab:
        yield lab


def finish_at_once(server: ScriptedLab, *counts: dict[str, int]) -> None:
    server.on_submit = lambda model: server.finish(model.id, counts=list(counts))


def test_a_bell_job_takes_two_requests(server: ScriptedLab, lab: Lab) -> None:
    job = lab.submit(BELL, qpu="sim-a", shots=100, seed_simulator=7)
    threading.Timer(0.05, lambda: server.finish(job.id, counts=[{"00": 48, "11": 52}])).start()

    assert job.counts(timeout=10) == {"00": 48, "11": 52}
    assert [method for method, _ in server.requests] == ["POST", "GET"]
    sent = server.submits[0]
    assert (sent.qpu, sent.options.shots, sent.options.seed_simulator) == ("sim-a", 100, 7)
    assert sent.program.sources == [BELL]


def test_a_sweep_is_called_by_its_circuit_and_takes_parameters_as_such(server: ScriptedLab, lab: Lab) -> None:
    theta = Parameter("theta")
    rabi = QuantumCircuit(1, 1, name="rabi")
    rabi.rx(theta, 0)
    rabi.measure(0, 0)
    calibration = lab.sweep(rabi, {theta: [0.0, 1.0]}, qpu="sim-a")
    lab.sweep(rabi, theta=[0.0, 1.0], qpu="sim-a", name="", new=True, after=calibration, priority=-1, retry_safe=True)
    first, second = server.submits
    assert (first.name, second.name) == ("rabi", "")
    assert (second.after, second.priority, second.retry_safe) == ([calibration.id], -1, True)
    assert first.options.circuits == second.options.circuits
    with pytest.raises(TypeError, match="Did you mean shots"):
        lab.sweep(rabi, theta=[0.0, 1.0], shotz=3)


def test_a_sweep_that_is_found_gets_its_labels_and_says_what_stays(
    server: ScriptedLab, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    rabi = QuantumCircuit(1, 1, name="rabi")
    rabi.rx(Parameter("theta"), 0)
    rabi.measure(0, 0)
    asked = {"theta": [0.0, 1.0], "qpu": "sim-a"}
    first = lab.sweep(rabi, **asked)
    again = lab.sweep(rabi, name="calibration", tags="morning", **asked)
    assert (again.id, again.name, again.model.tags) == (first.id, "calibration", ["morning"])
    assert capsys.readouterr().out == ""
    lab.sweep(rabi, group="qed", priority=-3, **asked)
    said = f"{first.id} is this sweep already: its priority and group cannot be changed (new=True submits another).\n"
    assert capsys.readouterr().out == said


def test_several_circuits_have_a_list_of_counts(server: ScriptedLab, lab: Lab) -> None:
    finish_at_once(server, {"0": 1}, {"1": 2})
    assert lab.submit([BELL, BELL]).counts() == [{"0": 1}, {"1": 2}]


def test_counts_that_did_not_come_along_are_keyed_like_qiskits(server: ScriptedLab, lab: Lab) -> None:
    server.on_submit = lambda model: server.finish(model.id)
    server.results["job1"] = HEX_RESULT
    job = lab.submit(BELL)
    assert job.counts() == {"00 0": 4, "10 1": 6}
    assert job.result().get_counts() == {"00 0": 4, "10 1": 6}


def test_await_on_a_foreign_loop_gives_the_result(server: ScriptedLab, lab: Lab) -> None:
    server.on_submit = lambda model: server.finish(model.id)
    server.results["job1"] = HEX_RESULT

    async def cell() -> object:
        job = await lab.submit.aio(BELL)
        return (await job).get_counts()

    assert asyncio.run(cell()) == {"00 0": 4, "10 1": 6}


def test_the_loop_stays_free_while_a_job_is_awaited(server: ScriptedLab, lab: Lab) -> None:
    async def cell() -> str:
        job = await lab.submit.aio(BELL)
        waiting = asyncio.create_task(job.wait.aio())
        # The cell's loop itself lets the job end: were it blocked, this would never happen.
        await asyncio.to_thread(server.wait_requests, lambda method, path: path.endswith(job.id))
        server.finish(job.id, counts=[{"0": 1}])
        return (await waiting).model.status

    assert asyncio.run(cell()) == "completed"


def test_a_cancelled_await_ends_the_request(server: ScriptedLab, lab: Lab) -> None:
    async def cell() -> None:
        job = await lab.submit.aio(BELL)
        waiting = asyncio.create_task(job.wait.aio())
        await asyncio.to_thread(server.wait_requests, lambda method, path: path.endswith(job.id))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cell())


def test_a_lost_answer_to_a_submit_makes_no_second_job(server: ScriptedLab, lab: Lab) -> None:
    server.cut_before = 2
    job = lab.submit(BELL)
    assert job.id == "job1"
    assert [method for method, _ in server.requests] == ["POST"] * 3
    assert list(server.jobs) == ["job1"]


def test_waiting_outlives_a_restart_of_the_lab(server: ScriptedLab, lab: Lab) -> None:
    job = lab.submit(BELL)
    done = threading.Thread(target=job.wait)
    done.start()
    server.wait_requests(lambda method, path: path.endswith(job.id))
    server.stop()
    server.start()
    server.finish(job.id, counts=[{"1": 1}])
    done.join(10)
    assert job.counts() == {"1": 1}


def test_a_lab_that_is_busy_is_asked_again(server: ScriptedLab, lab: Lab) -> None:
    server.busy_answers = 2
    assert lab.qpus().names == ("sim-a", "sim-b")


def test_a_lab_that_is_gone_is_an_error_after_the_patience(server: ScriptedLab) -> None:
    with Lab(server.url, TOKEN, retry_s=0.1) as lab:
        job = lab.submit(BELL)
        server.stop()
        with pytest.raises(Unavailable, match="does not answer"):
            _ = job.status
        with pytest.raises(Unavailable):
            lab.submit(BELL)


def test_a_timeout_says_what_the_job_waits_for(lab: Lab) -> None:
    job = lab.submit(BELL)
    with pytest.raises(TimeoutError, match=r"job1 has not ended after 0.05 s. Waiting: 1 job goes first on sim-a"):
        job.result(timeout=0.05)
    assert job.why() == "Waiting: 1 job goes first on sim-a (position 2)"


def test_a_failed_job_raises_its_own_error(server: ScriptedLab, lab: Lab) -> None:
    error = ProgramError("no such gate", code="bad_program", line=3, column=5)
    server.on_submit = lambda model: server.fail(model.id, error)
    job = lab.submit(BELL)
    for call in (job.result, job.counts, job.dataset):
        with pytest.raises(ProgramError, match="no such gate") as caught:
            call()
        assert (caught.value.line, caught.value.column) == (3, 5)
    assert job.wait().status == "failed"


def test_a_cancelled_job_raises(server: ScriptedLab, lab: Lab) -> None:
    job = lab.submit(BELL)
    assert job.cancel().status == "cancelled"
    with pytest.raises(JobCancelled, match="job1 was cancelled"):
        job.counts()


def test_errors_of_the_lab_come_as_their_types(server: ScriptedLab, lab: Lab) -> None:
    server.refuse = ProgramError("line 2: what?", line=2, column=1)
    with pytest.raises(ProgramError) as caught:
        lab.submit(BELL)
    assert caught.value.line == 2
    with pytest.raises(NotFound, match="There is no job nope"):
        lab.job("nope")
    with Lab(server.url, "wrong") as stranger, pytest.raises(Unauthorized):
        stranger.qpus()


def test_an_error_of_something_else_is_told_by_its_status(server: ScriptedLab) -> None:
    with Lab(f"{server.url}/elsewhere", TOKEN) as lab, pytest.raises(NotFound, match="qpi_server extension"):
        lab.qpus()


def test_unknown_options_are_named_with_what_is_near(lab: Lab) -> None:
    with pytest.raises(TypeError, match=r"no option 'shot'. Did you mean shots\?"):
        lab.submit(BELL, shot=10)
    with pytest.raises(TypeError, match=r"no option 'metod'. Did you mean method"):
        lab.submit(BELL, qpu="sim-a", metod="statevector")


def test_an_option_of_the_qpu_goes_along(server: ScriptedLab, lab: Lab) -> None:
    lab.submit(BELL, qpu="sim-a", method="stabilizer")
    assert server.submits[0].options.extra == {"method": "stabilizer"}


def test_a_job_is_found_again_by_its_id(server: ScriptedLab, lab: Lab) -> None:
    job = lab.submit(BELL, name="bell", tags="demo")
    again = lab.job(job.id)
    assert (again.id, again.model.name, again.model.tags) == (job.id, "bell", ["demo"])
    assert [event.kind for event in again.events()] == ["job.submitted"]


def test_jobs_are_a_table_over_several_pages(lab: Lab) -> None:
    for number in range(3):
        lab.submit(BELL, qpu="sim-b" if number == 1 else "sim-a")
    assert [job.id for job in lab.jobs(limit=2)] == ["job3", "job2"]
    assert [job.id for job in lab.jobs(qpu="sim-b")] == ["job2"]
    table = lab.jobs()
    assert "job3" in repr(table)
    assert "<table>" in table._repr_html_()
    assert list(table.to_pandas()["id"]) == ["job3", "job2", "job1"]


def test_the_table_of_jobs_says_how_long_each_ran(server: ScriptedLab, lab: Lab) -> None:
    """On the QPU, as everywhere else; not from submit to end."""
    waits, done = lab.submit(BELL), lab.submit(BELL)
    server.finish(done.id)
    now = datetime.now(UTC)
    server.change(done.id, busy_s=0.25, submitted_at=now - timedelta(hours=2), ended_at=now)
    table = lab.jobs()
    ran = table.columns.index("ran")
    assert {job.id: table.row(job)[ran] for job in table} == {waits.id: "", done.id: "250 ms"}


def test_a_version_that_overtook_is_not_taken_back(server: ScriptedLab, lab: Lab) -> None:
    job = lab.submit(BELL)
    old = job.model
    server.change(job.id, status="running", phase="running", progress=0.5)
    assert job.changed().model.progress == 0.5
    server.jobs[job.id] = old
    job.refresh()
    assert job.model.status == "running"


def test_a_closed_connection_says_so(server: ScriptedLab) -> None:
    lab = Lab(server.url, TOKEN)
    lab.close()
    lab.close()
    assert "closed" in repr(lab)
    with pytest.raises(RuntimeError, match="connect"):
        lab.qpus()


def test_many_threads_share_one_connection_object(server: ScriptedLab, lab: Lab) -> None:
    finish_at_once(server, {"0": 1})
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(lab.submit(BELL).counts())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == [{"0": 1}] * 8
    assert len(server.jobs) == 8


def test_no_counts_at_level_1(server: ScriptedLab, lab: Lab) -> None:
    server.on_submit = lambda model: server.finish(model.id)
    iq = {**HEX_RESULT["results"][0], "meas_level": 1, "data": {"memory": [[0.1, 0.2]]}}
    server.results["job1"] = {**HEX_RESULT, "results": [iq]}
    with pytest.raises(QpiError, match="of kind 'points'"):
        lab.submit(BELL, meas_level=1).counts()


def test_a_job_keeps_its_connection_and_the_last_one_closes_it(server: ScriptedLab) -> None:
    job = Lab(server.url, TOKEN).submit(BELL)
    portal = job.http.portal
    gc.collect()
    assert job.refresh().id == job.id
    del job
    gc.collect()
    with pytest.raises(RuntimeError, match="closed"):
        portal.run(asyncio.sleep(0))


def test_a_job_has_qiskits_methods_beside_its_own(server: ScriptedLab, lab: Lab) -> None:
    job = lab.submit(BELL, qpu="sim-a", name="bell")
    assert (job.job_id(), job.name, job.qpu) == (job.id, "bell", "sim-a")
    assert job.status == job.status() == "pending"
    assert not (job.in_final_state())
    assert not (job.done())
    assert not (job.running())
    assert not (job.cancelled())
    assert not (job.errored())
    server.change(job.id, status="running", phase="running")
    assert job.running()
    server.finish(job.id, [{"0": 1}])
    assert job.done()
    assert job.in_final_state()
    failed, stopped = lab.submit(BELL), lab.submit(BELL)
    server.fail(failed.id, ProgramError("no"))
    stopped.cancel()
    assert failed.errored()
    assert stopped.cancelled()


def test_waiting_for_the_final_state_tells_a_callback(server: ScriptedLab, lab: Lab) -> None:
    job = lab.submit(BELL)
    told: list[tuple[str, str, object]] = []

    def tell(job_id: str, status: str, handle: object) -> None:
        told.append((job_id, status, handle))
        if len(told) == 2:
            server.finish(job.id, [{"0": 1}])

    job.wait_for_final_state(wait=0.01, callback=tell)
    assert told == [(job.id, "pending", job), (job.id, "pending", job), (job.id, "completed", job)]
    job.wait_for_final_state()
    waiting = lab.submit(BELL)
    with pytest.raises(TimeoutError, match="has not ended after 0"):
        waiting.wait_for_final_state(timeout=0.02, wait=0.01, callback=lambda *_: None)
    with pytest.raises(TimeoutError, match="has not ended after 0"):
        waiting.wait_for_final_state(timeout=0.02)


def test_backends_are_found_by_qiskits_words(lab: Lab) -> None:
    backends = lab.backends()
    assert [backend.name for backend in backends] == ["sim-a", "sim-b"]
    assert backends["sim-b"].num_qubits == 5
    assert [b.name for b in lab.backends(min_num_qubits=6)] == ["sim-a"]
    assert [b.name for b in lab.backends(operational=False)] == ["sim-b"]
    assert [b.name for b in lab.backends("sim-b", simulator=True)] == ["sim-b"]
    assert [
        b.name for b in lab.backends(filters=lambda backend: backend.max_circuits and "cz" in backend.operation_names)
    ] == ["sim-b"]
    assert not lab.backends(simulator=False)
    with pytest.raises(NotFound, match=r"no QPU 'simb'. Did you mean sim-b or sim-a\?"):
        backends["simb"]


def test_everything_shows_itself_in_text_and_html(server: ScriptedLab, lab: Lab) -> None:
    backend, qpu, job = lab.backend("sim-b"), lab.qpu("sim-b"), lab.submit(BELL, name="<b>")
    assert repr(backend) == "<QpiBackend sim-b: 5 qubits, mock>"
    assert repr(qpu) == "<QPU sim-b: Offline, 5 qubits, simulator (mock)>"
    assert repr(lab.backends()).splitlines()[1].startswith("sim-a  24")
    for shown in (backend, qpu, lab.backends(), lab.qpus()[:1], lab.jobs(), lab.session("sim-a"), lab):
        html = shown._repr_html_()
        assert html.count("<table>") == 1
        assert "<b>" not in html
    assert len(lab.qpus()[1:]) == 1
    assert repr(backend.retrieve_job(job.id)) == repr(job)
    server.stop()
    assert "does not answer now" in lab._repr_html_()
    lab.close()
    assert "is closed" in lab._repr_html_()
