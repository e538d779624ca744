"""Jobs in notebooks, drawn and kept up to date by the page: a whole lab, real kernels, and kernels that are gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from qpi_jupyter.client import JobHandle
from qpi_jupyter.ui.bundle import bundle
from qpi_jupyter.wire.jobs import JobModel
from qpi_jupyter.wire.outputs import JOB_OUTPUT
from tests.support.waiting import wait_until
from tests.ui.jupyterlab import Notebooks, loaded, open_notebook, run_all, save
from tests.ui.labs import BELL, HEAVY, RABI, SLOW, Demo, demo_lab, picture

pytestmark = [pytest.mark.ui, pytest.mark.slow]
SUBMIT = "%%qpi_submit --qpu sim-a --shots 100 --name"
QUEUED = "%%qpi_submit --qpu sim-b --shots 100 --name"
KINDS = [
    "%load_ext qpi_jupyter\nimport numpy as np", f"{QUEUED} pair --job pair\n{BELL}",
    f"{QUEUED} rabi --job rabi --parameters np.linspace(0,3.1416,11)\n{RABI}",
    f"{QUEUED} plane --job plane --meas-level 1\n{BELL}", f"{QUEUED} unwanted --job unwanted\n{BELL}",
    "%qpi_wait pair rabi plane unwanted",
]  # fmt: skip
"""A job of each kind of drawing, and one to cancel."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("outputs"), "--JupyterNotebookApp.expose_app_in_browser=True") as found:
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def view(page: Page, job: str) -> Locator:
    """The output of a job, by its name."""
    return page.locator(f'.jp-NotebookPanel:visible .jp-QPI-Output section[aria-label="Job {job}"]')


def outputs_of(notebooks: Notebooks, name: str) -> list[dict[str, Any]]:
    """What the file has of its jobs."""
    cells = notebooks.read(name)["cells"]
    found = [output.get("data", {}) for cell in cells for output in cell["outputs"]]
    return [data for data in found if JOB_OUTPUT in data]


def switch(demo: Demo, *, on: bool) -> None:
    """What is for sim-b waits, or goes on."""
    demo.ask("PATCH", "qpus/sim-b", {"enabled": on})


def opened(page: Page, demo: Demo, name: str) -> None:
    """The notebook in a fresh JupyterLab, without a kernel."""
    page.goto(f"{demo.notebooks.url}/lab/tree/{name}?token={demo.notebooks.token}&reset")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=SLOW)


def test_a_walk_through_restarts_of_everything(lab: Page, demo: Demo) -> None:
    """The kernel restarts, the page reloads and closes; the jobs end, and the server restarts, before it comes back."""
    switch(demo, on=False)
    queued = "%%qpi_submit --qpu sim-b --shots 100 --name"
    cells = [
        "%load_ext qpi_jupyter", f"{SUBMIT} slow\n{HEAVY}", f"{queued} second\n{BELL}", f"{queued} third\n{BELL}",
    ]  # fmt: skip
    open_notebook(lab, demo.notebooks.write("walk.ipynb", *cells))
    run_all(lab)
    expect(view(lab, "slow")).to_have_attribute("data-status", "running", timeout=SLOW)
    expect(view(lab, "third")).to_contain_text("position 2", timeout=SLOW)
    picture(lab, "walk-running")

    lab.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    view(lab, "slow").get_by_role("button", name="Cancel job slow").click()
    expect(view(lab, "slow")).to_have_attribute("data-status", "cancelled", timeout=SLOW)
    save(lab)
    assert [data[JOB_OUTPUT]["job"]["status"] for data in outputs_of(demo.notebooks, "walk.ipynb")] == [
        "cancelled", "pending", "pending",
    ]  # fmt: skip

    lab.reload()
    expect(view(lab, "slow")).to_have_attribute("data-status", "cancelled", timeout=SLOW)
    view(lab, "second").get_by_role("button", name="Cancel job second").click(timeout=SLOW)
    expect(view(lab, "second")).to_have_attribute("data-status", "cancelled", timeout=SLOW)
    expect(view(lab, "third")).to_contain_text("position 1", timeout=SLOW)
    assert lab.get_by_text("Error displaying widget").count() == 0

    lab.goto("about:blank")
    switch(demo, on=True)
    job = demo.ask("GET", "jobs?name=third")["jobs"][0]["id"]
    assert demo.ended(job) == "completed"
    demo.kill()
    demo.start_again()
    opened(lab, demo, "walk.ipynb")
    expect(view(lab, "third").locator(".jp-QPI-Bar")).to_have_count(2, timeout=SLOW)
    assert lab.get_by_text("Error displaying widget").count() == 0
    picture(lab, "walk-again")
    save(lab)
    last = outputs_of(demo.notebooks, "walk.ipynb")[-1]
    assert last[JOB_OUTPUT]["job"]["status"] == "completed"
    assert "Completed" in "".join(last["text/plain"])
    assert "<table" in "".join(last["text/html"])


def kinds_are_drawn(page: Page) -> None:
    """A histogram, a curve and the points of two qubits, each in its cell."""
    expect(view(page, "pair").locator(".jp-QPI-Bar")).to_have_count(2, timeout=SLOW)
    expect(view(page, "rabi").get_by_role("img", name="over theta")).to_be_visible(timeout=SLOW)
    plane = view(page, "plane")
    expect(plane.get_by_role("img", name="IQ plane: 100 shots")).to_be_visible(timeout=SLOW)
    expect(plane.get_by_label("Show").locator("option")).to_have_text(["q0", "q1"])
    expect(plane.locator("[data-threshold]")).to_have_count(1)


def kinds_are_in(page: Page) -> None:
    """The same on a page without scripts."""
    expect(page.locator("table").get_by_role("row", name="11").first).to_be_visible()
    curve = page.get_by_role("img", name="over theta")
    for said in ("theta", "Probability", "0.2"):
        expect(curve.locator("text").get_by_text(said, exact=True).first).to_be_visible()
    expect(page.get_by_role("img", name="IQ plane")).to_have_count(2)
    expect(page.locator("[data-threshold]")).to_have_count(2)


def converted(demo: Demo, name: str, *options: str) -> Path:
    """What nbconvert makes of the notebook."""
    command = [sys.executable, "-m", "nbconvert", *options, "--output", "converted", str(demo.notebooks.folder / name)]
    env = {**os.environ, "QPI_LAB_URL": demo.notebooks.url, "QPI_LAB_TOKEN": demo.notebooks.token}
    subprocess.run(command, check=True, capture_output=True, timeout=180, env=env)
    (found,) = demo.notebooks.folder.glob("converted.*")
    return found


def without_scripts(browser: Browser, file: Path) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    yield page
    context.close()


def test_the_same_file_is_right_everywhere(lab: Page, demo: Demo, browser: Browser) -> None:
    """Its kernel was killed: in Notebook 7 while its jobs wait and run, as HTML, in JupyterLab again; then run anew."""
    switch(demo, on=False)
    open_notebook(lab, demo.notebooks.write("kinds.ipynb", *KINDS))
    run_all(lab)
    expect(view(lab, "unwanted")).to_contain_text("position 4", timeout=SLOW)
    save(lab)
    lab.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    lab.goto("about:blank")

    page = lab.context.new_page()  # Notebook 7 has errors of its own
    page.goto(f"{demo.notebooks.url}/notebooks/kinds.ipynb?token={demo.notebooks.token}")
    expect(view(page, "pair")).to_have_attribute("data-status", "pending", timeout=SLOW)
    view(page, "unwanted").get_by_role("button", name="Cancel job unwanted").click(timeout=SLOW)
    expect(view(page, "unwanted")).to_have_attribute("data-status", "cancelled", timeout=SLOW)
    switch(demo, on=True)
    kinds_are_drawn(page)
    picture(page, "kinds-notebook7")
    save(page)
    page.close()

    found = outputs_of(demo.notebooks, "kinds.ipynb")
    assert [data[JOB_OUTPUT]["job"]["status"] for data in found] == [*["completed"] * 3, "cancelled"]
    file = converted(demo, "kinds.ipynb", "--to", "html")
    for static in without_scripts(browser, file):
        kinds_are_in(static)
        expect(static.get_by_text("Cancelled")).to_be_visible()
        expect(static.get_by_text("Waiting")).to_have_count(0)
        picture(static, "kinds-nbconvert")
    file.unlink()

    opened(lab, demo, "kinds.ipynb")
    kinds_are_drawn(lab)
    expect(view(lab, "unwanted")).to_have_attribute("data-status", "cancelled")
    assert lab.get_by_text("Error displaying widget").count() == 0
    picture(lab, "kinds-again")

    # Unattended, as by nbclient: what the last cell waited for is in the cells that submitted it.
    file = converted(demo, "kinds.ipynb", "--to", "html", "--execute")
    for static in without_scripts(browser, file):
        kinds_are_in(static)
        expect(static.get_by_text("Cancelled")).to_have_count(0)
    file.unlink()


def model_of(demo: Demo, job: str) -> JobModel:
    return msgspec.convert(demo.ask("GET", f"jobs/{job}"), JobModel)


def with_outputs(notebooks: Notebooks, name: str, models: Sequence[JobModel]) -> str:
    """A notebook that has an output of each of these jobs as a kernel left it, a cell each."""
    path = notebooks.folder / notebooks.write(name, *["1"] * len(models))
    document = json.loads(path.read_text())
    for cell, model in zip(document["cells"], models, strict=True):
        job = JobHandle(cast(Any, SimpleNamespace(url="http://lab.example/", portal=None)), model)
        cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": bundle(job)}]
    path.write_text(json.dumps(document))
    return name


def test_a_job_that_is_deleted_under_its_view_and_one_that_is_not_here(lab: Page, demo: Demo) -> None:
    """What the notebook has of them stays, and is said to be that; there is nothing to cancel or to open."""
    job = demo.submit("short-lived")
    assert demo.ended(job) == "completed"
    here = model_of(demo, job)
    elsewhere = msgspec.structs.replace(here, id="job-of-another-lab", name="foreign", status="pending", phase="queued")
    open_notebook(lab, with_outputs(demo.notebooks, "gone.ipynb", [here, elsewhere]))
    foreign = view(lab, "foreign")
    expect(foreign.get_by_role("note")).to_contain_text("in the lab at http://lab.example/;", timeout=SLOW)
    expect(foreign.get_by_role("button")).to_have_count(1)
    foreign.get_by_role("button", name="Connect to it…").click()
    dialog = lab.get_by_role("dialog")
    expect(dialog.get_by_label("Address of the lab")).to_have_value("http://lab.example")
    dialog.get_by_role("button", name="Close").click()
    mine = view(lab, "short-lived")
    expect(mine.locator(".jp-QPI-Bar")).to_have_count(2, timeout=SLOW)
    demo.ask("DELETE", f"jobs/{job}")
    expect(mine.get_by_role("note")).to_contain_text("This job was deleted.", timeout=SLOW)
    expect(mine.get_by_role("button")).to_have_count(0)
    expect(mine.locator(".jp-QPI-Bar")).to_have_count(2)


def test_a_notebook_with_500_views_asks_little_and_is_brought_up_to_date(lab: Page, demo: Demo) -> None:
    """Jobs that the notebook has as waiting, in sight or not: a question for a hundred of them."""
    job = demo.submit("one of 500")
    assert demo.ended(job) == "completed"
    waiting = msgspec.structs.replace(
        model_of(demo, job), version=0, status="pending", phase="queued", busy_s=None, ended_at=None
    )
    models = [msgspec.structs.replace(waiting, id=f"job-{n:016x}", name=f"number {n}") for n in range(499)]
    asked: list[str] = []
    lab.on("request", lambda request: asked.append(request.url) if "/qpi/v1/jobs" in request.url else None)
    open_notebook(lab, with_outputs(demo.notebooks, "many.ipynb", [*models, waiting]))
    expect(view(lab, "number 0").get_by_role("note")).to_be_visible(timeout=SLOW)

    def last() -> dict[str, Any]:
        save(lab)
        return dict(outputs_of(demo.notebooks, "many.ipynb")[-1])

    found = wait_until(lambda: data if (data := last())[JOB_OUTPUT]["job"]["status"] == "completed" else None, 30)
    assert "<table" in "".join(found["text/html"])
    questions = [url for url in asked if "id=" in url]
    assert 5 <= len(questions) <= 25, "JupyterLab renders them in bundles of its own"
    assert len([url for url in asked if url.endswith("/result")]) == 1
