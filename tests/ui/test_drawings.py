"""Each form of drawing in a saved notebook, in a real browser: drawn by the page, and as HTML without scripts."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, Page, expect

from qpi_jupyter.client import JobHandle
from qpi_jupyter.data import drawings
from qpi_jupyter.data.views import IqView
from qpi_jupyter.ui.bundle import bundle
from qpi_jupyter.wire.jobs import JobModel
from tests.ui.jupyterlab import Notebooks, open_notebook

pytestmark = [pytest.mark.ui, pytest.mark.slow]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MODEL = JobModel(
    id="job-1", version=3, owner="ann", name="<b>forms</b>", status="completed", phase="completed", qpu="sim-a",
    priority=0, attempt=1, checked=True, progress=1.0, format="qpy", num_circuits=1, shots=10, submitted_at=NOW,
    ended_at=NOW, busy_s=0.5,
)  # fmt: skip
FORMS = {
    "lines": drawings.lines(
        [0.0, 1.0, 2.0, 3.0], {"I": [0, 1, float("nan"), 3], "Q": [1, 1, 1, 1]},
        x_label="Time (ns)", y_label="Signal", label="q0", about="Mean of 10 shots",
    ),
    "iq": drawings.iq(IqView(
        qubit=1, clbit=0, i=[0.0, 0.1, 1.0], q=[0.0, 0.1, 1.0], bits=[0, 0, 1], total=3, averaged=False,
        centres=((0.0, 0.0), (1.0, 1.0)), line=((0.0, 1.0), (1.0, 0.0)), fidelity=0.99, units="mV",
    )),
    "error_bars": drawings.error_bars(
        [("ZZ", 0.5, 0.01), ("<XX>", -0.25, float("nan"))], x_label="Observable", y_label="Value", label="all",
    ),
    "table": drawings.table(["Coin", "Run"], [["<i>coin</i>", 3]] * 150, label="runs"),
    "note": drawings.note("Nothing <b>here</b>", "word"),
    "counts": drawings.counts({"00": 5, "11": 5}, "counts"),
    "hologram": {"draw": "hologram", "label": "new"},
}  # fmt: skip


def data() -> dict[str, Any]:
    job = JobHandle(cast(Any, SimpleNamespace(url="http://lab.example/", portal=None)), MODEL)
    return bundle(job, list(FORMS.values()), len(FORMS))


def with_output(notebooks: Notebooks, name: str, output: dict[str, Any]) -> str:
    """A notebook whose only cell has that output."""
    path = notebooks.folder / notebooks.write(name, "1")
    document = json.loads(path.read_text())
    document["cells"][0]["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": output}]
    path.write_text(json.dumps(document))
    return name


def test_each_form_is_drawn(jupyterlab: Page, notebooks: Notebooks) -> None:
    open_notebook(jupyterlab, with_output(notebooks, "forms.ipynb", data()))
    view = jupyterlab.locator(".jp-QPI-Output section")
    expect(view).to_have_accessible_name("Job <b>forms</b>")

    def choose(label: str) -> None:
        view.get_by_label("Show").select_option(label)

    choose("q0")
    expect(view.get_by_role("img", name="q0: I, Q over Time (ns)")).to_be_visible()
    paths = view.locator(".jp-QPI-Lines path:not([data-dots])").evaluate_all(
        "paths => paths.map(path => path.getAttribute('d'))"
    )
    assert [path.count("M") for path in paths] == [2, 1], "a line has a gap where a value lacks"
    expect(view).to_contain_text("Mean of 10 shots")
    choose("q1")
    expect(view.get_by_role("img", name="IQ plane: 3 shots")).to_be_visible()
    choose("all")
    expect(view.get_by_role("row", name=re.compile("ZZ 0.5 0.01"))).to_be_visible()
    expect(view.get_by_role("row", name=re.compile("<XX> -0.25 —"))).to_be_visible()
    choose("runs")
    expect(view.get_by_role("row")).to_have_count(1 + drawings.MAX_ROWS)
    expect(view.get_by_role("row").nth(1)).to_have_text("<i>coin</i>3")
    expect(view).to_contain_text("The first 100 of 150 are shown.")
    choose("word")
    expect(view).to_contain_text("Nothing <b>here</b>")
    choose("counts")
    expect(view.locator(".jp-QPI-Bar")).to_have_count(2)
    choose("new")
    expect(view).to_contain_text("can’t show drawings of the form “hologram”")


def test_without_scripts_they_can_be_read(browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(data()["text/html"])
    expect(page.locator("polyline")).to_have_count(2)
    expect(page.get_by_role("img", name="IQ plane of q1, 3 shots")).to_be_visible()
    expect(page.get_by_role("row", name="<XX> -0.25 ± ?")).to_be_visible()
    expect(page.get_by_role("row", name="<i>coin</i> 3").first).to_be_visible()
    expect(page.get_by_text("Nothing <b>here</b>")).to_be_visible()
    context.close()


FORGED = '<img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script>'


def test_a_forged_output_is_shown_as_text_and_asks_nobody(jupyterlab: Page, notebooks: Notebooks) -> None:
    """HTML in every field, sizes beyond reason, and an address that must not be contacted."""
    output = data()
    mime = next(name for name in output if "vnd.qpi" in name)
    job = {**output[mime]["job"], "status": "failed", "phase": "failed", "name": FORGED, "qpu": FORGED}
    job["error"] = {"kind": FORGED, "code": FORGED, "message": FORGED, "data": {"line": 1e300, "column": 1e300}}
    drawn = [
        {"draw": FORGED, "label": FORGED},
        {"draw": "note", "label": FORGED, "text": FORGED},
        {"draw": "table", "label": FORGED, "columns": [FORGED], "rows": [[FORGED]] * 100_000},
        {"draw": "counts", "label": FORGED, "outcomes": FORGED, "bars": [{"label": FORGED, "count": 1, "share": 1}]},
        {"draw": "lines", "label": FORGED, "x": [[[[[[[[1]]]]]]]], "lines": FORGED},
    ]
    output[mime] = {**output[mime], "job": job, "lab": "http://elsewhere.example/", "drawings": drawn, "source": FORGED}
    asked: list[str] = []
    jupyterlab.on("request", lambda request: asked.append(request.url))
    open_notebook(jupyterlab, with_output(notebooks, "forged.ipynb", output))
    view = jupyterlab.locator(".jp-QPI-Output section")
    expect(view).to_contain_text("onerror", timeout=30_000)
    labels = view.get_by_label("Show")
    for n in range(labels.locator("option").count()):
        labels.select_option(index=n)
        assert view.locator("img, script").count() == 0
    assert labels.locator("option").count() == 3, "what is larger than a drawing can be is left out"
    assert jupyterlab.evaluate("() => window.hacked") is None
    assert not [url for url in asked if "elsewhere" in url]

    unread = {mime: {"v": 99}, "text/plain": FORGED, "text/html": FORGED}
    open_notebook(jupyterlab, with_output(notebooks, "unread.ipynb", unread))
    shown = jupyterlab.locator(".jp-NotebookPanel:visible .jp-OutputArea-output")
    expect(shown).to_contain_text("This version of the lab can’t show this output.", timeout=30_000)
    expect(shown).to_contain_text("onerror")
    assert jupyterlab.evaluate("() => window.hacked") is None
