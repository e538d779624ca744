"""Each form of drawing in a saved notebook's HTML, in a real browser: with scripts, and without."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from qpi_jupyter.data import drawings
from qpi_jupyter.ui.bundle import bundle

pytestmark = pytest.mark.ui
STATE: dict[str, Any] = {
    "id": "j1", "name": "<b>forms</b>", "status": "completed", "phase": "completed", "word": "Finished", "qpu": "sim-a",
    "shots": 10, "circuits": 1, "final": True, "reason": "", "progress": 1, "elapsed_s": 1.0, "busy_s": 0.5, "lost": "",
    "error": None,
}  # fmt: skip
FORMS = {
    "lines": drawings.lines(
        [0.0, 1.0, 2.0, 3.0], {"I": [0, 1, float("nan"), 3], "Q": [1, 1, 1, 1]},
        x_label="Time (ns)", y_label="Signal", label="q0", about="Mean of 10 shots",
    ),
    "error_bars": drawings.error_bars(
        [("ZZ", 0.5, 0.01), ("<XX>", -0.25, float("nan"))], x_label="Observable", y_label="Value", label="all",
    ),
    "table": drawings.table(["Coin", "Run"], [["<i>coin</i>", 3]] * 150, label="runs"),
    "note": drawings.note("Nothing <b>here</b>", "word"),
    "counts": drawings.counts({"00": 5, "11": 5}, "counts"),
    "hologram": {"draw": "hologram", "label": "new"},
}  # fmt: skip


def html() -> str:
    saved = bundle({**STATE, "tabs_total": len(FORMS)}, list(FORMS.values()))["text/html"]
    return f"<!doctype html><html><body style='width:700px'>{saved}</body></html>"


def test_each_form_is_drawn(page: Page) -> None:
    page.set_content(html())
    view = page.locator(".qpi-job")

    def choose(tab: str) -> None:
        view.get_by_role("tab", name=tab, exact=True).click()

    choose("q0")
    expect(view.get_by_role("img", name="q0: I, Q over Time (ns)")).to_be_visible()
    paths = view.locator(".qpi-line").evaluate_all("paths => paths.map(path => path.getAttribute('d'))")
    assert [path.count("M") for path in paths] == [2, 1], "a line has a gap where a value lacks"
    expect(view.locator(".qpi-note")).to_contain_text("Mean of 10 shots")
    choose("all")
    expect(view.get_by_role("row", name=re.compile("ZZ 0.5 0.01"))).to_be_visible()
    expect(view.get_by_role("row", name=re.compile("<XX> -0.25 —"))).to_be_visible()
    expect(view.locator(".qpi-value")).to_have_count(2)
    choose("runs")
    expect(view.get_by_role("row")).to_have_count(1 + drawings.MAX_ROWS)
    expect(view.get_by_role("row").nth(1)).to_have_text("<i>coin</i>3")
    expect(view.locator(".qpi-note")).to_have_text("The first 100 of 150 are shown.")
    choose("word")
    expect(view.locator(".qpi-note")).to_have_text("Nothing <b>here</b>")
    choose("counts")
    expect(view.locator(".qpi-count")).to_have_count(2)
    choose("new")
    expect(view.locator(".qpi-note")).to_contain_text('the form "hologram" can\'t be shown')


def test_the_middle_of_an_axis_near_0_is_a_short_number(page: Page) -> None:
    line = drawings.lines(
        [0.0, 990.0], {"I": [-0.4342, 0.4908]}, x_label="Time (ns)", y_label="Signal (arb. unit)", label="q0"
    )
    saved = bundle({**STATE, "tabs_total": 1}, [line])["text/html"]
    page.set_content(f"<!doctype html><html><body style='width:700px'>{saved}</body></html>")
    words = page.get_by_role("img", name="q0: I over Time (ns)").locator("text")
    expect(words).to_have_text(["0", "-0.48", "495", "0.03", "990", "0.54", "Time (ns)", "Signal (arb. unit)"])


def test_without_scripts_they_can_be_read(browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(html())
    expect(page.locator("polyline")).to_have_count(2)
    expect(page.get_by_role("row", name="<XX> -0.25 ± ?")).to_be_visible()
    expect(page.get_by_role("row", name="<i>coin</i> 3").first).to_be_visible()
    expect(page.get_by_text("Nothing <b>here</b>")).to_be_visible()
    context.close()
