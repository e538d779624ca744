"""The magics in a real kernel, executed by nbclient: what a notebook file holds afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbclient.exceptions import CellExecutionError

from tests.faults.scripted_rest import TOKEN, ScriptedLab
from tests.support.notebooks import execute

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedLab]:
    with ScriptedLab() as server:
        for name, value in {
            "QPI_LAB_URL": server.url, "QPI_LAB_TOKEN": TOKEN, "JPY_SESSION_NAME": "/home/ann/my.ipynb",
            "IPYTHONDIR": str(tmp_path), "MPLCONFIGDIR": str(tmp_path),
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        yield server


def test_the_saved_view_has_the_result_and_no_widget(server: ScriptedLab) -> None:
    submitted = threading.Thread(target=lambda: (server.wait_submits(1), server.finish("job1", [{"00": 3, "11": 7}])))
    submitted.start()
    notebook = execute(
        "%load_ext qpi_jupyter",
        f"%%qpi_submit --qpu sim-a --job job\n{BELL}",
        "counts = await job.counts.aio()",
        # The view is replaced by a task of this loop: let it have its turn until it has run.
        "import asyncio, qpi_jupyter.ui.follow as f\nawait asyncio.gather(*f._tasks)\ncounts",
    )
    submitted.join()
    (output,) = notebook.cells[1].outputs
    assert set(output.data) == {"text/plain", "text/html", "image/png"}
    assert output.data["text/plain"].splitlines()[0] == "Job job1 on sim-a: finished"
    assert "qpi-counts" in output.data["text/html"]
    assert notebook.cells[3].outputs[0].data["text/plain"] == "{'00': 3, '11': 7}"


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
    assert "finished" in output.data["text/plain"]
    assert notebook.cells[2].outputs[0].data["text/plain"] == "{'0': 1}"


def test_a_mistake_fails_the_cell(server: ScriptedLab) -> None:
    with pytest.raises(CellExecutionError, match="whole number"):
        execute("%load_ext qpi_jupyter", f"%%qpi_submit --shots many\n{BELL}")
