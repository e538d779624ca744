"""The queue tab as people with many jobs use it: orders, several jobs at once, filters that stay, others' jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.waiting import wait_until
from tests.ui.jupyterlab import change_theme, loaded
from tests.ui.labs import HEAVY, RABI, Demo, client_of, demo_lab, execute, ok, picture, queue_tab, row_of, signed_up

pytestmark = [pytest.mark.ui, pytest.mark.slow]
KEPT = """async () => {
  const {values} = await window.jupyterapp.serviceManager.workspaces.list();
  return values.some(({data}) => data['qpi-jupyter:queue']?.filters?.tags?.includes('night')
    && data['qpi-jupyter:queue']?.order?.by === 'name'
    && JSON.stringify(data['layout-restorer:data']?.main ?? '').includes('qpi-queue'));
}"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("jobs")) as found:
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def names(tab: Locator) -> list[str]:
    return tab.locator('[role="row"][data-key] .jp-QPI-Link').all_inner_texts()


def head(tab: Locator, column: str) -> Locator:
    return tab.get_by_role("columnheader", name=re.compile(rf"^{column}(?! details)"))


def sort_by(tab: Locator, column: str) -> None:
    head(tab, column).get_by_role("button").click()


def test_every_column_sorts(lab: Page, demo: Demo) -> None:
    for name, shots in (("beta", 300), ("Alpha", 100), ("gamma", 200)):
        assert demo.ended(demo.submit(name, shots=shots)) == "completed"
    tab = queue_tab(lab)
    expect(tab.locator('[role="row"][data-key]')).to_have_count(3)
    for column, up in (
        ("Name", ["Alpha", "beta", "gamma"]),
        ("Shots", ["Alpha", "gamma", "beta"]),
        ("Status", ["gamma", "Alpha", "beta"]),  # all alike: the newest first
        ("QPU", ["gamma", "Alpha", "beta"]),
    ):
        sort_by(tab, column)
        expect(head(tab, column)).to_have_attribute("aria-sort", "ascending")
        expect(tab.locator('[role="row"][data-key] .jp-QPI-Link')).to_have_text(up)
    sort_by(tab, "Shots")
    sort_by(tab, "Shots")
    expect(tab.locator('[role="row"][data-key] .jp-QPI-Link')).to_have_text(["beta", "gamma", "Alpha"])
    sort_by(tab, "Submitted")
    expect(tab.locator('[role="row"][data-key] .jp-QPI-Link')).to_have_text(["gamma", "Alpha", "beta"])


def test_several_jobs_are_cancelled_at_once(lab: Page, demo: Demo) -> None:
    jobs = [demo.submit(f"many {number}", HEAVY, shots=20_000) for number in range(5)]
    tab = queue_tab(lab)
    for job in jobs:
        expect(row_of(tab, job)).to_be_visible()
    row_of(tab, jobs[4]).click(position={"x": 40, "y": 18})
    row_of(tab, jobs[2]).click(position={"x": 40, "y": 18}, modifiers=["Shift"])
    assert lab.evaluate("() => String(getSelection())") == ""
    row_of(tab, jobs[3]).click(position={"x": 40, "y": 18}, modifiers=["ControlOrMeta"])
    chosen = tab.get_by_role("region", name="Selected jobs")
    expect(chosen).to_contain_text("2 jobs selected")
    lab.keyboard.press("Shift+ArrowDown")
    lab.keyboard.press("Escape")
    expect(chosen).to_have_count(0)
    row_of(tab, jobs[4]).click(position={"x": 40, "y": 18})
    for _ in range(3):
        lab.keyboard.press("Shift+ArrowDown")
    expect(chosen).to_contain_text("4 jobs selected")
    picture(lab, "queue-chosen")
    chosen.get_by_role("button", name="Cancel 4 jobs").click()
    dialog = lab.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel 4 jobs?")
    dialog.get_by_role("button", name="Cancel 4 jobs").click()
    for job in jobs[1:]:
        expect(row_of(tab, job)).to_contain_text("Cancelled", timeout=30_000)
    assert demo.ask("GET", f"jobs/{jobs[0]}")["status"] in ("pending", "running")
    demo.ask("POST", f"jobs/{jobs[0]}/cancel")
    expect(row_of(tab, jobs[0])).to_contain_text("Cancelled", timeout=30_000)
    row_of(tab, jobs[4]).click(position={"x": 40, "y": 18})
    lab.keyboard.press("Shift+ArrowDown")
    lab.keyboard.press("Delete")
    expect(row_of(tab, jobs[3])).to_have_count(0)
    lab.get_by_role("button", name="Undo").click()
    for job in jobs[3:]:
        expect(row_of(tab, job)).to_be_visible()


def test_filters_and_order_stay_over_a_reload(lab: Page, demo: Demo) -> None:
    jobs = [demo.submit(f"tagged {number}", tags=["night", f"q{number}"]) for number in range(2)]
    other = demo.submit("untagged")
    tab = queue_tab(lab)
    expect(row_of(tab, other)).to_be_visible()
    for tag in ("night", "q1"):
        tab.get_by_role("textbox", name="Only jobs with this tag").fill(tag)
        lab.keyboard.press("Enter")
    expect(row_of(tab, jobs[0])).to_have_count(0)
    expect(row_of(tab, jobs[1])).to_be_visible()
    tab.get_by_role("searchbox", name="Search by name, id, tag, person or QPU").fill("nothing like it")
    expect(tab.get_by_text("No matching jobs.")).to_be_visible()
    picture(lab, "queue-empty")
    tab.locator(".jp-QPI-QueueEmpty").get_by_role("button", name="Clear filters").click()
    expect(row_of(tab, other)).to_be_visible()
    tab.get_by_role("button", name=re.compile("^Only jobs tagged|^night")).first.click()
    sort_by(tab, "Name")
    expect(tab.locator('[role="row"][data-key]')).to_have_count(2)
    wait_until(lambda: bool(lab.evaluate(KEPT)), 20, "the view saved")
    lab.goto(f"{demo.notebooks.url}/lab")
    expect(tab.locator('[role="row"][data-key] .jp-QPI-Link')).to_have_text(["tagged 0", "tagged 1"], timeout=60_000)
    expect(tab.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    for theme in ("Dark", "Light"):
        change_theme(lab, f"JupyterLab {theme}")
        picture(lab, f"queue-{theme.lower()}")


def test_a_sweep_of_ibms_client_is_a_curve_and_names_what_was_not_applied(lab: Page, demo: Demo) -> None:
    values = [[0.3 * step] for step in range(22)]
    options = {"dynamical_decoupling": {"enable": True}}
    sent = {
        "program_id": "sampler", "backend": "sim-a", "log_level": "DEBUG",
        "params": {"pubs": [[RABI, values, 500]], "options": options, "version": 2},
    }  # fmt: skip
    job = ok(demo.client.post(f"{demo.notebooks.url}/qpi/experimental/v1/jobs", json=sent))["id"]
    assert demo.ended(job) == "completed"
    execute(lab, "qpi:open-job", id=job)
    view = lab.locator(f"#qpi-job-{job}")
    curve = view.get_by_role("region", name="Result").get_by_role("img", name="0, 1 over theta")
    expect(curve).to_be_visible()
    expect(curve.locator("[data-line]")).to_have_count(2)
    expect(view.get_by_role("region", name="Program").locator(".cm-content")).to_contain_text("rx(theta)")
    facts = view.get_by_role("region", name="Provenance")
    expect(facts).to_contain_text("environment.log_level, dynamical_decoupling.enable")
    expect(facts).to_contain_text("Options not applied")
    for theme in ("Dark", "Light"):
        change_theme(lab, f"JupyterLab {theme}")
        facts.scroll_into_view_if_needed()
        picture(lab, f"sampler-sweep-{theme.lower()}")


def test_others_jobs_are_seen_as_far_as_they_may_be(lab: Page, demo: Demo) -> None:
    tab = queue_tab(lab)
    with client_of(demo.notebooks, signed_up(demo.client, "bob")) as bob:
        program = {"format": "openqasm3", "sources": [HEAVY]}
        body = {"program": program, "qpu": "sim-a", "name": "bob's own", "options": {"shots": 20_000}}
        job = bob.post("jobs", json=body).raise_for_status().json()["id"]
        mine = demo.submit("not bob's")
        assert bob.get(f"jobs/{mine}").status_code == 404
    expect(row_of(tab, mine)).to_be_visible()
    expect(row_of(tab, job)).to_have_count(0)
    tab.get_by_role("combobox", name="Whose").select_option("all")
    expect(row_of(tab, job).locator('[data-column="owner"]')).to_have_text("bob")
    row_of(tab, job).click(position={"x": 40, "y": 18})
    lab.keyboard.press("Delete")
    lab.get_by_role("dialog").get_by_role("button", name="Cancel job").click()
    expect(row_of(tab, job)).to_contain_text("Cancelled", timeout=30_000)
    execute(lab, "qpi:open-job", id="job-of-nobody")
    expect(lab.locator("#qpi-job-job-of-nobody").get_by_role("alert")).to_contain_text("job-of-nobody")
