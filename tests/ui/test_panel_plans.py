"""A circuit over several QPUs, in the tab of its job: live, on a fallback, and by the keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.support.waiting import wait_until
from tests.ui.jupyterlab import change_theme, loaded
from tests.ui.labs import SLOW, Demo, demo_lab, execute, online, picture

pytestmark = [pytest.mark.ui, pytest.mark.slow]

QPUS = ("north", "east", "spare")
CHAIN = """OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
ry(0.4) q[0];
ry(0.8) q[1];
cx q[0], q[1];
ry(0.3) q[2];
cz q[1], q[2];
ry(1.1) q[3];
cx q[2], q[3];
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("plans")) as found:
        for name in QPUS:
            options = {"num_qubits": 3, "noise_model": {"gate_2q": 0.01, "readout": 0.01}}
            found.ask("POST", "simulators", {"name": name, "executor": "qiskit_aer", "options": options})
        wait_until(lambda: online(found.client) >= 5, what="the QPUs of the plans")
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def wanted(*qpus: str) -> dict[str, Any]:
    program = {"format": "openqasm3", "sources": [CHAIN]}
    return {"program": program, "observables": ["ZZZZ", "IIZZ"], "shots": 1_000, "qpus": list(qpus)}


def opened(page: Page, job: str) -> Locator:
    """The plan in the tab of a job."""
    execute(page, "qpi:open-job", id=job)
    plan = page.locator(f"#qpi-job-{job}").get_by_role("region", name="Plan")
    expect(plan).to_be_visible(timeout=SLOW)
    return plan


def test_a_plan_is_followed_from_its_making_to_its_result(lab: Page, demo: Demo) -> None:
    job = demo.ask("POST", "plans/jobs", {"plan": wanted("north", "east"), "name": "chain"})["id"]
    plan = opened(lab, job)
    rows = plan.get_by_role("row").filter(has_text="Completed")
    expect(rows).to_have_count(2, timeout=SLOW)
    expect(plan).to_contain_text("Cut · 2 fragments · 1 cut · 9 times the shots")
    circuit = plan.get_by_role("region", name="Circuit by QPU")
    assert {group.get_attribute("data-qpu") for group in circuit.locator("g[data-qpu]").all()} == {"0", "1"}
    expect(circuit.locator("g[data-cut]")).to_have_count(1)
    expect(plan.locator("figure g[data-state='executed']")).to_have_count(2)
    plan.get_by_text("Reservations and attempts as a table").click()
    told = plan.locator("figure table")
    for qpu in ("north", "east"):
        expect(told).to_contain_text(f"Executed on {qpu}, success probability 0.")
        expect(told).to_contain_text(f"Attempt 1 on {qpu}, completed, ran ")
    expect(lab.locator(f"#qpi-job-{job}").get_by_role("region", name="Result").first).to_be_visible()
    picture(lab, "job-plan-light")
    assert Axe().run(lab, context=f"#qpi-job-{job} [aria-label='Plan']").violations_count == 0
    change_theme(lab, "JupyterLab Dark")
    picture(lab, "job-plan-dark")
    assert Axe().run(lab, context=f"#qpi-job-{job} [aria-label='Plan']").violations_count == 0
    change_theme(lab, "JupyterLab Light")


def test_a_fallback_is_seen_and_its_job_is_a_key_away(lab: Page, demo: Demo) -> None:
    found = demo.ask("POST", "plans", wanted(*QPUS))
    lost = found["fragments"][0]["choices"][0]["qpu"]
    demo.ask("DELETE", f"simulators/{lost}")
    wait_until(lambda: demo.ask("GET", f"qpus/{lost}")["status"] == "offline", what="the loss")
    job = demo.ask("POST", f"plans/{found['plan_id']}/jobs", {})["id"]
    plan = opened(lab, job)
    expect(plan.get_by_text(f"fallback for {lost}")).to_be_visible(timeout=SLOW)
    expect(plan.get_by_role("row").filter(has_text="Completed")).to_have_count(2, timeout=SLOW)
    alternatives = plan.get_by_text("alternative", exact=False).first
    alternatives.focus()
    lab.keyboard.press("Enter")
    expect(plan.get_by_role("table").last).to_contain_text("Whole circuit")
    part = plan.get_by_role("button", name="Open the job of fragment 0")
    part.focus()
    lab.keyboard.press("Enter")
    child = demo.ask("GET", f"jobs/{job}/plan")["fragments"][0]["job_id"]
    expect(lab.locator(f"#qpi-job-{child}")).to_be_visible(timeout=SLOW)
    expect(lab.locator(f"#qpi-job-{child}").get_by_role("region", name="Plan")).to_have_count(0)
