"""The services tab in a real browser: who offers what as a table and as a picture, and what a manager decides.

With ``QPI_PICTURES`` set to a folder, it leaves pictures of it there: light, dark and narrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.jupyterlab import change_theme, loaded
from tests.ui.labs import Demo, agent, board_row, demo_lab, execute, picture

pytestmark = [pytest.mark.ui, pytest.mark.slow]
SIMULATORS = {"chip-5": {"num_qubits": 5}, "chip-7": {"num_qubits": 7}}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("services")) as demo:
        for name, options in SIMULATORS.items():
            demo.ask("POST", "simulators", {"name": name, "executor": "mock", "options": options})
        yield demo


@pytest.fixture
def services(page: Page, demo: Demo) -> Iterator[Locator]:
    for ready in loaded(page, demo.notebooks):
        execute(ready, "qpi:open-services")
        tab = ready.locator(".jp-QPI-Services")
        for name in SIMULATORS:
            expect(board_row(tab, name).locator("[data-tone=online]").first).to_be_visible()
        yield tab


def test_who_offers_what_is_a_table_and_a_picture(services: Locator) -> None:
    page = services.page
    row = board_row(services, "chip-7")
    expect(row).to_contain_text("Available")
    row.locator("summary").click()
    expect(row).to_contain_text("bell_pair: ")
    row.locator("summary").click()
    node = services.locator('[data-qpu="chip-7"]')
    expect(node).to_have_attribute("data-tone", "online")
    expect(node.locator(".jp-QPI-NetworkChip circle")).to_have_count(7)
    expect(services.locator(".jp-QPI-NetworkWay text").first).to_contain_text("ms")
    picture(page, "services-light")
    change_theme(page, "JupyterLab Dark")
    picture(page, "services-dark")
    change_theme(page, "JupyterLab Light")
    page.set_viewport_size({"width": 520, "height": 900})
    picture(page, "services-narrow")
    page.set_viewport_size({"width": 1200, "height": 900})

    # What is sought is found by a service, too; the arrow keys walk through the picture, Enter opens the QPU.
    services.get_by_role("searchbox").fill("chip-5 bell_pair")
    expect(services.locator("tr[data-key]")).to_have_count(1)
    services.get_by_role("searchbox").fill("")
    services.locator('[data-index="0"]').focus()
    page.keyboard.press("ArrowDown")
    moved = services.locator(".jp-QPI-NetworkQpu:focus")
    expect(moved).to_have_count(1)
    name = moved.get_attribute("data-qpu")
    assert name != services.locator('[data-index="0"]').get_attribute("data-qpu")
    page.keyboard.press("Enter")
    expect(page.locator(".jp-QPI-QpuTab", has_text=str(name))).to_be_visible()


def test_a_manager_quarantines_a_qpu_and_takes_it_back(services: Locator, demo: Demo) -> None:
    page, row = services.page, board_row(services, "chip-5")
    services.get_by_role("button", name="More: chip-5").or_(
        services.get_by_role("button", name="Quarantine: chip-5")
    ).click()
    if (item := page.get_by_role("menuitem", name="Quarantine")).count():
        item.click()
    services.get_by_label("Reason").fill("strange counts")
    services.get_by_role("button", name="Quarantine", exact=True).click()
    expect(row).to_contain_text("In quarantine")
    expect(row).to_contain_text("strange counts")
    expect(services.locator('[data-qpu="chip-5"]')).to_have_attribute("data-tone", "disabled")
    picture(page, "services-quarantine")
    page.get_by_role("button", name="Undo").click()
    expect(row).to_contain_text("Managed by the lab")
    expect(row.locator("[data-tone=online]").first).to_be_visible()


def test_somebodys_qpu_is_added_and_approved(services: Locator, tmp_path: Path) -> None:
    services.get_by_role("button", name="Add a QPU").click()
    services.get_by_label("Name").fill("bench")
    services.get_by_label("Kind").select_option("pool")
    services.get_by_role("button", name="Add", exact=True).click()
    command = services.get_by_role("textbox", name="Command line").input_value()
    services.get_by_role("button", name="Done").click()
    row = board_row(services, "bench")
    expect(row).to_contain_text("Waiting for approval")
    with agent(command.replace("EXECUTOR", "mock"), tmp_path):
        expect(row).to_contain_text("5 qubits")  # its driver is linked: what is approved is what one sees
        services.get_by_role("button", name="Approve: bench").click()
        expect(row).to_contain_text("Contributed")
        expect(row).to_contain_text("Available")
