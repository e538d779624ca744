"""A job's output where the page has no lab beside it: the kernel alone keeps it up to date, against a scripted lab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from qpi_jupyter.core.errors import ProgramError
from qpi_jupyter.wire.jobs import WaitReason
from qpi_jupyter.wire.outputs import JOB_OUTPUT
from tests.faults.scripted_rest import ScriptedLab
from tests.ui.jupyterlab import Notebooks, open_notebook, run_all, save

pytestmark = [pytest.mark.ui, pytest.mark.slow]
BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


@pytest.fixture
def lab(scripted: ScriptedLab) -> ScriptedLab:
    """The scripted lab without the jobs of other tests."""
    scripted.jobs.clear()
    scripted.keys.clear()
    return scripted


def run(page: Page, notebooks: Notebooks, lab: ScriptedLab, name: str, *cells: str) -> Locator:
    """Run a notebook until its first job is submitted; the job's output."""
    open_notebook(page, notebooks.write(name, "%load_ext qpi_jupyter", *cells))
    run_all(page)
    view = page.locator(".jp-QPI-Output section").first
    expect(view).to_be_visible(timeout=30_000)
    lab.wait_submits(1)
    return view


def test_from_waiting_to_the_histogram(jupyterlab: Page, notebooks: Notebooks, lab: ScriptedLab) -> None:
    view = run(jupyterlab, notebooks, lab, "trip.ipynb", f"%%qpi_submit --name bell\n{BELL}")
    expect(view).to_have_attribute("data-status", "pending")
    expect(view).to_have_accessible_name("Job bell")

    lab.change("job1", reason=WaitReason(rule="qpu_offline", message="sim-a is offline.", position=1))
    expect(view).to_contain_text("sim-a is offline · position 1", timeout=15_000)

    lab.change("job1", status="running", phase="running", progress=0.42, reason=None)
    expect(view.get_by_role("progressbar")).to_have_attribute("value", "42", timeout=15_000)

    lab.finish("job1", counts=[{"00": 1012, "11": 988}])
    expect(view).to_have_attribute("data-status", "completed", timeout=15_000)
    expect(view.locator(".jp-QPI-Bar")).to_have_count(2)
    expect(view.get_by_role("button", name="Cancel")).to_have_count(0)


def test_the_saved_output_needs_no_kernel(jupyterlab: Page, notebooks: Notebooks, lab: ScriptedLab) -> None:
    view = run(jupyterlab, notebooks, lab, "saved.ipynb", f"%%qpi_submit\n{BELL}")
    lab.finish("job1", counts=[{"00": 5, "11": 3}, {"0": 2, "1": 6, "x": 1}])
    expect(view.locator(".jp-QPI-Bar")).to_have_count(2, timeout=30_000)
    save(jupyterlab)
    data = notebooks.read("saved.ipynb")["cells"][1]["outputs"][0]["data"]
    assert set(data) == {JOB_OUTPUT, "text/plain", "text/html"}
    assert "Completed" in "".join(data["text/plain"])

    jupyterlab.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    jupyterlab.reload()
    again = jupyterlab.locator(".jp-QPI-Output section")
    expect(again.locator(".jp-QPI-Bar")).to_have_count(2, timeout=60_000)
    again.get_by_label("Show").select_option("Circuit 1")
    expect(again.locator(".jp-QPI-Bar")).to_have_count(3)


def test_a_lost_connection_is_found_again(jupyterlab: Page, notebooks: Notebooks, lab: ScriptedLab) -> None:
    view = run(jupyterlab, notebooks, lab, "lost.ipynb", f"%%qpi_submit\n{BELL}")
    lab.stop()
    expect(view.get_by_role("note")).to_contain_text("No connection to the lab", timeout=15_000)
    lab.start()
    lab.finish("job1", counts=[{"0": 1}])
    expect(view).to_have_attribute("data-status", "completed", timeout=30_000)
    expect(view.get_by_role("note")).to_have_count(0)


def test_a_failure_names_the_place(jupyterlab: Page, notebooks: Notebooks, lab: ScriptedLab) -> None:
    view = run(jupyterlab, notebooks, lab, "wrong.ipynb", f"%%qpi_submit\n{BELL}")
    lab.fail("job1", ProgramError("'foo' is not defined", line=5, column=3))
    expect(view.get_by_role("alert")).to_contain_text("Line 5, column 3: 'foo' is not defined", timeout=15_000)
    expect(view.locator("pre")).to_have_text(re.compile(r"5 \| h q\[0\];\s+\^"))


def test_it_fits_a_phone(jupyterlab: Page, notebooks: Notebooks, lab: ScriptedLab) -> None:
    view = run(jupyterlab, notebooks, lab, "phone.ipynb", f"%%qpi_submit\n{BELL}")
    jupyterlab.set_viewport_size({"width": 390, "height": 800})
    jupyterlab.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    lab.finish("job1", counts=[{format(n, "05b"): n + 1 for n in range(32)}])
    expect(view.locator(".jp-QPI-Bar")).to_have_count(32, timeout=15_000)
    assert view.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
