"""The magics in a real kernel, executed by nbclient: what a notebook file holds afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nbclient.exceptions import CellExecutionError

from qpi_jupyter.core.errors import Faulted
from qpi_jupyter.wire.outputs import JOB_OUTPUT
from tests.faults.scripted_rest import TOKEN, ScriptedLab
from tests.support.notebooks import execute

pytestmark = pytest.mark.slow

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'
COUNTS = [{"00": 3, "11": 7}]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedLab]:
    with ScriptedLab() as server:
        for name, value in {
            "QPI_LAB_URL": server.url, "QPI_LAB_TOKEN": TOKEN, "JPY_SESSION_NAME": "/home/ann/my.ipynb",
            "IPYTHONDIR": str(tmp_path), "MPLCONFIGDIR": str(tmp_path),
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        yield server


@contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.parametrize(
    "waiting", ["%qpi_wait job", "job.result", "job.counts()", "await job.counts.aio()", "job.wait()"]
)
def test_whoever_waits_finds_the_result_in_the_cell_that_submitted(server: ScriptedLab, waiting: str) -> None:
    """The job ends while a later cell waits for it, and the output of the earlier one has the result."""
    if waiting == "job.result":
        waiting = "try: job.result()\nexcept Exception: pass"  # the scripted lab has no such answer
        server.results["job1"] = {}

    def finish() -> None:
        server.wait_submits(1)
        server.wait_requests(lambda method, path: path.endswith("/jobs/job1"))
        server.finish("job1", COUNTS)

    with meanwhile(finish):
        notebook = execute("%load_ext qpi_jupyter", f"%%qpi_submit --qpu sim-a --job job\n{BELL}", waiting)
    (output,) = notebook.cells[1].outputs
    assert set(output.data) == {JOB_OUTPUT, "text/plain", "text/html"}
    assert output.data["text/plain"].splitlines()[0] == "Job job1 on sim-a: Completed"
    assert "qpi-counts" in output.data["text/html"]
    assert "<script" not in output.data["text/html"]
    saved = output.data[JOB_OUTPUT]
    assert (saved["v"], saved["job"]["id"], saved["job"]["status"], saved["lab"]) == (
        1,
        "job1",
        "completed",
        server.url,
    )
    assert [bar["count"] for bar in saved["drawings"][0]["bars"]] == [3, 7]


def test_a_job_that_ended_while_a_cell_blocked_is_put_in_at_the_end_of_that_cell(server: ScriptedLab) -> None:
    """Nobody waited for it: what the lab said was heard all the same."""
    seen = "import time\nwhile not job.final: time.sleep(0.01)"
    with meanwhile(lambda: (server.wait_submits(1), server.finish("job1", COUNTS))):
        notebook = execute("%load_ext qpi_jupyter", f"%%qpi_submit --job job\n{BELL}", seen)
    assert notebook.cells[1].outputs[0].data[JOB_OUTPUT]["drawings"]


def test_a_job_that_nobody_waited_for_says_that_it_waits_and_since_when(server: ScriptedLab) -> None:
    notebook = execute("%load_ext qpi_jupyter", f"%%qpi_submit\n{BELL}")
    data = notebook.cells[1].outputs[0].data
    assert data[JOB_OUTPUT]["job"]["reason"]["position"] == 2
    assert data["text/plain"] == "Job job1 on sim-a: Waiting (1 job goes first on sim-a · position 2)"
    assert "As of " in data["text/html"]
    assert "%qpi_cancel job1" in data["text/html"]


def test_a_failure_is_in_the_output_before_the_cell_fails(server: ScriptedLab) -> None:
    server.on_submit = lambda model: server.fail(model.id, Faulted("the <fridge> is warm"))
    notebook = execute(
        "%load_ext qpi_jupyter",
        f"%%qpi_submit --job job\n{BELL}",
        "try: job.result()\nexcept Exception as error: print(error)",
        "job",
    )
    for cell in (1, 3):
        data = notebook.cells[cell].outputs[0].data
        assert "the <fridge> is warm" in data["text/plain"]
        assert "the &lt;fridge&gt; is warm" in data["text/html"]
        assert data[JOB_OUTPUT]["job"]["error"]["message"] == "the <fridge> is warm"


def test_a_job_remembers_its_cell(server: ScriptedLab) -> None:
    execute("%load_ext qpi_jupyter", f"%%qpi_submit\n{BELL}")
    origin = server.submits[0].origin
    assert origin.notebook == "/home/ann/my.ipynb"
    assert origin.execution_count == 2
    assert origin.source_sha256
    assert len(origin.source_sha256) == 64


def test_wait_shows_the_result_and_goes_on(server: ScriptedLab) -> None:
    server.on_submit = lambda model: server.finish(model.id, [{"0": 1}])
    notebook = execute("%load_ext qpi_jupyter", f"%%qpi_submit --wait --job job\n{BELL}", "job.counts()")
    (output,) = notebook.cells[1].outputs
    assert "Completed" in output.data["text/plain"]
    assert notebook.cells[2].outputs[0].data["text/plain"] == "{'0': 1}"


def test_a_mistake_fails_the_cell(server: ScriptedLab) -> None:
    with pytest.raises(CellExecutionError, match="whole number"):
        execute("%load_ext qpi_jupyter", f"%%qpi_submit --shots many\n{BELL}")


SWEEP = """
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
rabi = QuantumCircuit(1, 1, name="rabi")
rabi.rx(Parameter("theta"), 0)
rabi.measure(0, 0)
"""


@pytest.mark.parametrize("wait", ["job.wait()", "await job.wait.aio()"])
def test_whoever_waits_for_a_sweep_sees_the_job_and_no_text_that_stays(server: ScriptedLab, wait: str) -> None:
    def measure() -> None:
        server.wait_submits(1)
        server.change("job1", status="running", phase="running", progress=0.5, reason=None)
        server.wait_requests(lambda method, path: path.endswith("/jobs/job1"))
        server.change("job1", status="failed", phase="failed")

    with meanwhile(measure):
        notebook = execute(
            f"import qpi_jupyter\nlab = qpi_jupyter.connect()\n{SWEEP}",
            f"job = lab.sweep(rabi, theta=[0.0, 1.0], qpu='sim-a')\n{wait};",
        )
    (output,) = notebook.cells[1].outputs
    assert output.data[JOB_OUTPUT]["job"]["status"] == "failed"
    assert "Failed" in output.data["text/html"]
