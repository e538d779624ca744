"""The queue tab and a job's tab in a real browser, on a real demo lab.

With ``QPI_SCREENSHOTS=1`` it also takes the pictures of the documentation.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, Route, expect
from qiskit import QuantumCircuit, qpy

from tests.ui.jupyterlab import ROOT, change_theme, loaded
from tests.ui.labs import GHZ, Demo, demo_lab, execute, queue_tab, row_of

pytestmark = [pytest.mark.ui, pytest.mark.slow]
IMAGES = ROOT / "docs" / "images"
LADDER = (
    """OPENQASM 3.0;
include "stdgates.inc";
qubit[20] q;
bit[20] c;
"""
    + "".join(f"ry({0.1 + 0.01 * n}) q[{n % 20}];\ncx q[{n % 20}], q[{(n + 1) % 20}];\n" for n in range(400))
    + "c = measure q;\n"
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("queue")) as found:
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def picture(page: Page, name: str) -> None:
    """The page in both themes, for the documentation."""
    if os.environ.get("QPI_SCREENSHOTS"):
        for theme in ("Dark", "Light"):
            change_theme(page, f"JupyterLab {theme}")
            IMAGES.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=IMAGES / f"panel-{name}-{theme.lower()}.png")


def kept(answer: Response) -> bool:
    """Whether JupyterLab has just saved a layout with the queue tab in it."""
    request = answer.request
    return "/api/workspaces" in answer.url and request.method == "PUT" and "qpi-queue" in (request.post_data or "")


def test_a_submitted_job_appears_runs_and_shows_its_counts(lab: Page, demo: Demo) -> None:
    tab = queue_tab(lab)
    expect(tab.get_by_role("grid")).not_to_have_attribute("aria-busy", "true")
    job = demo.submit("ghz", tags=["calibration", "ghz"], project="entangled", sources=[GHZ, GHZ], shots=1000)
    expect(row_of(tab, job)).to_contain_text("Completed", timeout=30_000)
    row_of(tab, job).get_by_role("button", name="ghz").first.click()

    view = lab.locator(f"#qpi-job-{job}")
    bars = view.get_by_role("list", name="Counts").locator("li")
    expect(bars).to_have_count(2)
    expect(bars.first).to_contain_text("000")
    expect(view.get_by_role("region", name="Program").locator(".cm-content")).to_contain_text("Three qubits")
    expect(view.get_by_role("region", name="Circuit drawing").locator("rect")).to_have_count(6)
    coloured = view.locator(".cm-line span", has_text=re.compile("^qubit$"))
    expect(coloured.first).to_be_visible()
    expect(view.get_by_role("region", name="History")).to_contain_text("Completed.")
    expect(view.get_by_role("region", name="Attempts")).to_contain_text("Completed")
    expect(view.get_by_role("region", name="Provenance")).to_contain_text("qiskit")
    picture(lab, "job")

    with lab.expect_download() as download:
        view.get_by_role("button", name="Counts CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "circuit,outcome,count"
    assert sum(int(line.split(",")[2]) for line in lines[1:]) == 2000
    with lab.expect_download() as download:
        view.get_by_role("button", name="Result JSON").click()
    assert json.loads(Path(download.value.path()).read_text())["job_id"] == job


def test_what_came_from_qiskit_is_drawn_and_level_1_has_its_points(lab: Page, demo: Demo) -> None:
    circuit = QuantumCircuit(2, name="qiskit")
    circuit.h(0)
    circuit.rzz(0.5, 0, 1)
    circuit.measure_all()
    file = io.BytesIO()
    qpy.dump(circuit, file)
    program = {"format": "qpy", "data": [base64.b64encode(file.getvalue()).decode()]}
    job = demo.submit("points", program=program, options={"shots": 250, "meas_level": 1})
    assert demo.ended(job) == "completed"
    execute(lab, "qpi:open-job", id=job)
    view = lab.locator(f"#qpi-job-{job}")
    expect(view.get_by_role("img", name="IQ plane: 250 shots")).to_be_visible(timeout=20_000)
    view.get_by_label("Show").select_option("q1")
    expect(view.locator(".jp-QPI-Iq [data-threshold]")).to_have_count(1)
    layers = view.locator(".jp-QPI-Iq path").evaluate_all("paths => paths.map(path => path.getAttribute('d'))")
    assert sum(layer.count("M") for layer in layers) == 250
    text = view.get_by_role("region", name="Program").locator(".cm-content")
    expect(text).to_contain_text("rzz(0.5) q[0], q[1];", timeout=20_000)
    expect(view.get_by_role("region", name="Circuit drawing")).to_contain_text("rzz")
    demo.ask("DELETE", f"jobs/{job}")


def test_traces_are_drawn_and_a_kind_that_nobody_knows_is_told_by_its_name(lab: Page, demo: Demo) -> None:
    traces, rays = (demo.submit(name, options={"shots": 20, "meas_level": 0}) for name in ("traces", "rays"))
    assert [demo.ended(job) for job in (traces, rays)] == ["completed", "completed"]

    def as_rays(route: Route) -> None:
        result = route.fetch().json()
        result["results"][0].update(kind="x-rays", drawings=[{"draw": "hologram", "label": ""}])
        route.fulfill(json=result)

    lab.route(f"**/jobs/{rays}/result", as_rays)
    execute(lab, "qpi:open-job", id=traces)
    view = lab.locator(f"#qpi-job-{traces}")
    expect(view.get_by_role("img", name="q0: I, Q over Time (ns)")).to_be_visible(timeout=20_000)
    view.get_by_label("Show").select_option("q1")
    expect(view.get_by_role("img", name="q1: I, Q over Time (ns)")).to_be_visible()
    expect(view.get_by_text("Mean of 20 shots")).to_be_visible()
    execute(lab, "qpi:open-job", id=rays)
    result = lab.locator(f"#qpi-job-{rays}").get_by_role("region", name="Result")
    expect(result).to_contain_text(
        "This version of the lab can’t draw results of kind “x-rays”. Download them instead.", timeout=20_000
    )
    with lab.expect_download() as download:
        result.get_by_role("button", name=re.compile("^NetCDF zip")).click()
    assert download.value.suggested_filename == f"{rays}.zip"
    for job in (traces, rays):
        demo.ask("DELETE", f"jobs/{job}")


def test_a_job_is_changed_and_submitted_again(lab: Page, demo: Demo) -> None:
    job = demo.submit("first", shots=321)
    execute(lab, "qpi:open-job", id=job)
    view = lab.locator(f"#qpi-job-{job}")
    view.get_by_role("button", name=re.compile("^Edit name")).click()
    view.get_by_role("textbox", name="Name").fill("<b>second</b>")
    view.get_by_role("textbox", name="Tags").fill("one, two")
    view.get_by_role("button", name="Save").click()
    expect(view.get_by_role("heading", level=1)).to_have_text("<b>second</b>")
    expect(view.get_by_role("region", name="History")).to_contain_text("tagged it one, two")
    assert demo.ask("GET", f"jobs/{job}")["tags"] == ["one", "two"]

    view.get_by_role("button", name="Submit again").click()
    copy = lab.locator(f'[id^="qpi-job-"]:not(#qpi-job-{job})')
    expect(copy.get_by_role("heading", level=1)).to_have_text("<b>second</b>")
    newest = demo.ask("GET", "jobs?limit=1")["jobs"][0]
    assert (newest["shots"], newest["tags"]) == (321, ["one", "two"])
    assert newest["id"] != job
    for made in (job, newest["id"]):
        assert demo.ended(made) == "completed"
        demo.ask("DELETE", f"jobs/{made}")
    expect(view.get_by_text("This job was deleted.")).to_have_count(1)  # behind the other tab


def test_another_job_is_found_and_cancelled_by_keyboard_alone(lab: Page, demo: Demo) -> None:
    demo.submit("haystack")
    job = demo.submit("Needle", sources=[LADDER] * 40, shots=20_000)
    tab = queue_tab(lab)
    search = tab.get_by_role("searchbox", name="Search by name, id, tag, person or QPU")
    search.focus()
    lab.keyboard.type("needle")
    grid = tab.get_by_role("grid")
    expect(grid.locator('[role="row"][data-key]')).to_have_count(1)
    expect(row_of(tab, job)).to_be_visible()
    grid.focus()
    lab.keyboard.press("ArrowDown")
    expect(row_of(tab, job)).to_have_attribute("aria-selected", "true")
    lab.keyboard.press("Delete")
    expect(lab.get_by_role("dialog")).to_contain_text("Cancel the job?")
    lab.keyboard.press("Enter")
    expect(row_of(tab, job)).to_contain_text("Cancelled", timeout=30_000)
    assert demo.ended(job) == "cancelled"
    grid.focus()
    lab.keyboard.press("Enter")
    expect(lab.locator(f"#qpi-job-{job}").get_by_role("heading", level=1)).to_have_text("Needle")


def test_a_deleted_job_comes_back_when_it_is_undone(lab: Page, demo: Demo) -> None:
    job = demo.submit("spare")
    assert demo.ended(job) == "completed"
    tab = queue_tab(lab)
    row_of(tab, job).click()
    lab.keyboard.press("Delete")
    expect(row_of(tab, job)).to_have_count(0)
    lab.get_by_role("button", name="Undo").click()
    expect(row_of(tab, job)).to_be_visible()
    assert demo.ask("GET", f"jobs/{job}")["id"] == job


def test_the_result_opens_in_a_notebook(lab: Page, demo: Demo) -> None:
    job = demo.submit("loaded")
    assert demo.ended(job) == "completed"
    execute(lab, "qpi:open-job", id=job)
    lab.locator(f"#qpi-job-{job}").get_by_role("button", name="Open a notebook with the result").click()
    expect(lab.locator(".jp-NotebookPanel .cm-content").first).to_contain_text("job.dataset()")
    assert f'qpi_jupyter.job("{job}")' in "".join(demo.notebooks.read(f"{job}.ipynb")["cells"][0]["source"])


def test_a_job_leads_to_the_cell_that_it_came_from(lab: Page, demo: Demo) -> None:
    path = demo.notebooks.write("origin.ipynb", *(f"# cell {n}" for n in range(40)))
    job = demo.submit("from a cell", origin={"notebook": path, "cell_id": "cell-30"})
    execute(lab, "qpi:open-job", id=job)
    lab.locator(f"#qpi-job-{job}").get_by_role("button", name="Show the notebook cell").click()
    expect(lab.locator(".jp-Notebook .jp-Cell", has_text="# cell 30")).to_be_in_viewport(timeout=20_000)


def test_the_table_is_filtered_and_comes_back_after_a_reload(lab: Page, demo: Demo) -> None:
    names = [("bell", "completed"), ("t1 scan", "completed"), ("readout", "completed")]
    jobs = [demo.submit(name, tags=["weekly"], shots=500 * n) for n, (name, _) in enumerate(names, 1)]
    assert [demo.ended(job) for job in jobs] == [status for _, status in names]
    with lab.expect_response(kept):
        tab = queue_tab(lab)
    tab.get_by_role("textbox", name="Only jobs with this tag").fill("weekly")
    lab.keyboard.press("Enter")
    expect(tab.locator('[role="row"][data-key]')).to_have_count(3)
    tab.get_by_role("button", name="Clear filters").click()
    expect(row_of(tab, jobs[0])).to_be_visible()
    lab.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    waiting = [demo.submit(name, sources=[LADDER] * 20, shots=20_000) for name in ("tomography", "ladder", "volume")]
    expect(row_of(tab, waiting[-1])).to_contain_text("position")
    picture(lab, "queue")
    for job in waiting:
        demo.ask("POST", f"jobs/{job}/cancel")
    lab.goto(lab.url.split("?")[0])
    expect(row_of(lab.locator("#qpi-queue"), jobs[0])).to_be_visible(timeout=30_000)
