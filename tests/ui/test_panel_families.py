"""Jobs that wait for others, in the panel: the queue says so, and a job's tab shows its whole family."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.jupyterlab import change_theme, loaded
from tests.ui.labs import HEAVY, Demo, demo_lab, execute, picture, queue_tab, row_of

pytestmark = [pytest.mark.ui, pytest.mark.slow]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("families")) as found:
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def job_tab(page: Page, job: str) -> Locator:
    tab = page.locator(f"#qpi-job-{job}")
    expect(tab).to_be_visible(timeout=20_000)
    return tab


def test_a_diamond_is_seen_as_one(lab: Page, demo: Demo) -> None:
    first = demo.submit("calibrate", HEAVY, shots=20_000)
    left = demo.submit("x basis", after=[first])
    right = demo.submit("z basis", qpu="sim-b", after=[first])
    last = demo.submit("compare", after=[left], children=[right])
    queue = queue_tab(lab)
    for job in (left, right, last):
        expect(row_of(queue, job)).to_contain_text("Waiting for other jobs")
    expect(row_of(queue, right)).to_contain_text(f"Job {first} has to complete first")
    expect(row_of(queue, last)).to_contain_text(f"Job {left} and 1 other have to complete first")
    picture(lab, "queue-families")

    execute(lab, "qpi:open-job", id=right)
    tab = job_tab(lab, right)
    expect(tab.get_by_role("region", name="Why it waits")).to_contain_text(f"Job {first} has to complete first")
    family = tab.get_by_role("region", name="Family")
    expect(family).to_contain_text("4 jobs, ")
    expect(family).to_contain_text("of QPU time in total")
    rows = family.locator("tbody tr")
    expect(rows).to_have_count(4)
    for row, words in zip(
        rows.all(),
        ("runs before this job", "x basis", "this job", "parent of this job"),
        strict=True,
    ):
        expect(row).to_contain_text(words)
    story = tab.get_by_role("region", name="History")
    for said in ("calibrate: ", "x basis: ", "z basis: ", "compare: "):
        expect(story).to_contain_text(said)
    expect(story).to_contain_text("to run after 2 jobs.")
    picture(lab, "job-family-light")
    change_theme(lab, "JupyterLab Dark")
    picture(lab, "job-family-dark")
    change_theme(lab, "JupyterLab Light")

    family.get_by_role("button", name="calibrate").first.click()
    above = job_tab(lab, first)
    expect(above.get_by_role("region", name="Family").locator("tbody tr")).to_have_count(4)
    above.get_by_role("button", name="Cancel").click()
    dialog = lab.get_by_role("dialog")
    expect(dialog).to_contain_text("3 more jobs of the family are cancelled, too.")
    dialog.get_by_role("button", name="Cancel job").click()
    execute(lab, "qpi:open-job", id=right)
    expect(tab.get_by_role("region", name="Why it was cancelled")).to_contain_text(
        f"Job {first} was cancelled, and this job with it.", timeout=30_000
    )
    expect(rows.filter(has_text="cancelled")).to_have_count(4, timeout=30_000)
    picture(lab, "job-family-cancelled")


def test_a_job_alone_has_no_family_until_another_waits_for_it(lab: Page, demo: Demo) -> None:
    job = demo.submit("alone")
    assert demo.ended(job) == "completed"
    execute(lab, "qpi:open-job", id=job)
    tab = job_tab(lab, job)
    expect(tab.get_by_role("region", name="History")).to_contain_text("Completed.")
    expect(tab.get_by_role("region", name="Family")).to_have_count(0)
    demo.submit("next", after=[job])
    family = tab.get_by_role("region", name="Family")
    expect(family).to_contain_text("runs after this job", timeout=20_000)
    expect(family.locator("tbody tr", has_text="next")).to_contain_text("Completed", timeout=20_000)
