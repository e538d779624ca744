"""What is around the lab's tabs, in a real browser on a real demo lab: ways to them, settings, files, the layout."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Response, expect

from tests.support.packages import TOY_TABS
from tests.support.waiting import wait_until
from tests.ui.jupyterlab import loaded, open_notebook, run_all
from tests.ui.labs import Demo, demo_lab, execute, picture, queue_tab, side_panel

pytestmark = [pytest.mark.ui, pytest.mark.slow]
TABS = ("qpi-calendar", "qpi-queue", "qpi-job-", "qpi-qpu-sim-a")
QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0], q[1];\nmeasure q -> c;\n'
BROKEN = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nnosuchgate q[0];\n'
LOGO = "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("around"), TOY_TABS) as found:
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def context_menu(lab: Page, name: str) -> None:
    """Right-click a file of the file browser and submit it."""
    execute(lab, "filebrowser:activate")
    execute(lab, "filebrowser:refresh")
    lab.locator(".jp-DirListing-item", has_text=name).click(button="right")
    lab.get_by_role("menuitem", name="Submit to QPU…").click()


# --- ways to the lab --------------------------------------------------------------------------------------------------


def test_launcher_menu_palette_and_status_bar_lead_to_the_lab(lab: Page) -> None:
    lab.locator(".jp-LauncherCard", has_text="Job Queue").click()
    expect(lab.locator("#qpi-queue")).to_be_visible()
    lab.get_by_role("menuitem", name="Quantum", exact=True).click()
    for entry in ("Quantum Lab Panel", "Job Queue", "Lab Administration"):
        expect(lab.locator(".lm-Menu-item", has_text=entry)).to_be_visible()
    lab.locator(".lm-Menu-item", has_text="Calendar").click()
    expect(lab.locator("#qpi-calendar")).to_be_visible()
    execute(lab, "apputils:activate-command-palette")
    palette = lab.locator("#command-palette, .jp-ModalCommandPalette").first
    palette.locator("input").fill("Open QPU")
    expect(palette.get_by_text("Open QPU…").first).to_be_visible()
    lab.keyboard.press("Escape")
    status = lab.locator(".jp-QPI-Status")
    expect(status).to_contain_text("2 QPUs online")
    status.get_by_role("button").click()
    expect(lab.locator("#qpi-lab-panel .jp-QPI-Card").first).to_be_visible()


def test_an_address_opens_a_tab(page: Page, demo: Demo) -> None:
    notebooks = demo.notebooks
    next(loaded(page, notebooks))
    page.goto(f"{notebooks.url}/lab?qpi=qpu&qpu=sim-b")
    expect(page.locator("#qpi-qpu-sim-b")).to_be_visible(timeout=30_000)
    assert "qpi=" not in page.url
    page.goto(f"{notebooks.url}/lab?qpi=nonsense")
    page.wait_for_function("() => window.jupyterapp?.restored")
    expect(page.locator(".jp-Launcher, #qpi-qpu-sim-b").first).to_be_visible(timeout=30_000)


def test_every_card_of_the_launcher_has_an_icon_of_its_own(lab: Page) -> None:
    cards = lab.locator(".jp-LauncherCard[data-category='Quantum lab']")
    names = ["Quantum Lab Panel", "Calendar", "Services", "Job Queue", "My Account", "Lab Administration", "Coins"]
    expect(cards.locator(".jp-LauncherCard-label")).to_have_text(names)
    icons = cards.locator(".jp-LauncherCard-icon svg").evaluate_all("nodes => nodes.map(node => node.innerHTML)")
    assert len(set(icons)) == len(names)
    picture(lab, "launcher")


def test_another_extensions_tab_has_the_same_ways_as_the_panels_own(lab: Page, demo: Demo) -> None:
    shown = lab.locator("#qpi-coins")
    lab.locator(".jp-LauncherCard", has_text="Coins").click()
    expect(shown).to_have_text("2 QPUs toss coins")
    expect(lab.locator(".lm-TabBar-tab.lm-mod-current[data-id=qpi-coins] .toy-coin")).to_be_visible()
    lab.locator("[data-id=qpi-coins] .lm-TabBar-tabCloseIcon").click()
    expect(shown).to_have_count(0)

    lab.get_by_role("menuitem", name="Quantum", exact=True).click()
    entries = lab.locator(".lm-Menu-item .lm-Menu-itemLabel")
    expect(entries.filter(has_text=re.compile("^(Coins|Connect to a Lab…)$"))).to_have_text(
        ["Coins", "Connect to a Lab…"]
    )
    lab.locator(".lm-Menu-item", has_text="Coins").click()
    expect(shown).to_be_visible()

    execute(lab, "apputils:activate-command-palette")
    palette = lab.locator("#command-palette, .jp-ModalCommandPalette").first
    palette.locator("input").fill("Open Coin")
    palette.get_by_text("Open Coin…").first.click()
    expect(lab.locator("#qpi-coin-heads")).to_have_text("A coin shows heads")

    lab.goto(f"{demo.notebooks.url}/lab?qpi=coin&side=tails")
    expect(lab.locator("#qpi-coin-tails")).to_have_text("A coin shows tails", timeout=30_000)
    assert "qpi=" not in lab.url


def test_all_tabs_are_there_again_after_a_reload(lab: Page, demo: Demo) -> None:
    job = demo.submit("kept")
    assert demo.ended(job) == "completed"
    with lab.expect_response(lambda answer: kept(answer, job), timeout=30_000):
        execute(lab, "qpi:open-calendar")
        expect(lab.locator("#qpi-calendar")).to_be_visible(timeout=20_000)
        queue_tab(lab)
        execute(lab, "qpi:open-job", id=job)
        expect(lab.locator(f"#qpi-job-{job}")).to_be_visible(timeout=20_000)
        execute(lab, "qpi:open-qpu", qpu="sim-a")
    lab.goto(f"{demo.notebooks.url}/lab")
    lab.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
    for tab in TABS:
        expect(lab.locator(f'.lm-DockPanel [id^="{tab}"]').first).to_be_attached(timeout=30_000)
    execute(lab, "qpi:open-job", id=job)
    expect(lab.locator(f"#qpi-job-{job}").get_by_role("heading", level=1)).to_have_text("kept")


def kept(answer: Response, job: str) -> bool:
    """Whether JupyterLab has just saved a layout with all tabs in it."""
    request = answer.request
    body = request.post_data or ""
    return "/api/workspaces" in answer.url and request.method == "PUT" and all(tab in body for tab in (*TABS, job))


# --- files and cells --------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_file_is_said_in_the_dialog(lab: Page, demo: Demo) -> None:
    (demo.notebooks.folder / "broken.qasm").write_text(BROKEN)
    context_menu(lab, "broken.qasm")
    dialog = lab.get_by_role("dialog")
    dialog.get_by_label("QPU").select_option("sim-a")
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog.get_by_role("alert")).to_contain_text("line 4", timeout=20_000)
    expect(dialog.get_by_role("alert")).to_contain_text("nosuchgate")
    picture(lab, "submit-refused")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert [job for job in demo.ask("GET", "jobs")["jobs"] if job["name"] == "broken"] == []


def test_openqasm_2_and_3_have_their_colours(lab: Page, demo: Demo) -> None:
    for name, source, words in (
        ("two.qasm", QASM2, ("OPENQASM", "qreg", "creg")),
        ("three.qasm", BROKEN, ("OPENQASM", "qubit")),
    ):
        (demo.notebooks.folder / name).write_text(source)
        execute(lab, "docmanager:open", path=name)
        editor = lab.locator(".jp-FileEditor:visible")
        for word in words:
            coloured = editor.locator(".cm-line span", has_text=word).first
            expect(coloured).to_have_text(word, timeout=20_000)
            plain = editor.locator(".cm-content").first
            assert colour(coloured) != colour(plain), word


def colour(found: Locator) -> Any:
    return found.evaluate("node => getComputedStyle(node).color")


def test_a_job_is_inserted_into_a_notebook_and_runs(lab: Page, demo: Demo) -> None:
    open_notebook(lab, demo.notebooks.write("insert.ipynb", "first = 1"))
    lab.locator(".jp-Cell.jp-mod-active").hover()
    lab.locator(".jp-Cell.jp-mod-active").get_by_role("button", name="Insert a cell that submits a job").click()
    cells = lab.locator(".jp-NotebookPanel:visible .jp-CodeCell")
    expect(cells).to_have_count(3)
    expect(cells.nth(1)).to_contain_text("%load_ext qpi_jupyter")
    expect(cells.nth(2)).to_contain_text("%%qpi_submit")
    lab.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    expect(cells.nth(2).locator(".jp-QPI-Output [data-status=completed]")).to_be_visible(timeout=60_000)
    execute(lab, "qpi:insert-job")
    expect(cells).to_have_count(4)  # the extension is loaded already


def test_ibms_client_is_switched_to_the_lab_in_a_kernel(lab: Page, demo: Demo) -> None:
    code = "import os; [name for name in os.environ if name.startswith('QISKIT_IBM')]"
    open_notebook(lab, demo.notebooks.write("ibm.ipynb", code))
    dialog = lab.get_by_role("dialog")
    for says, press in (("Off: QiskitRuntimeService() is IBM's", "Switch on"), ("On until", "Switch off")):
        execute(lab, "qpi:switch-runtime")
        expect(dialog).to_contain_text(says, timeout=60_000)
        dialog.get_by_role("button", name=press).click()
        expect(dialog).to_contain_text("On until" if press == "Switch on" else "Off:", timeout=60_000)
        dialog.get_by_role("button", name="Ok").click()
        run_all(lab)
        there = "QISKIT_IBM_TOKEN" if press == "Switch on" else "[]"
        expect(lab.locator(".jp-NotebookPanel:visible .jp-OutputArea-output").last).to_contain_text(there)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_apply_as_they_are_typed(lab: Page, demo: Demo) -> None:
    panel = side_panel(lab)
    execute(lab, "settingeditor:open", query="Quantum lab")
    editor = lab.locator(".jp-SettingsPanel, #json-setting-editor, #setting-editor").last
    fill(editor, "labName", "<b>Ada's lab</b>")
    expect(panel.get_by_role("heading", level=1)).to_have_text("<b>Ada's lab</b>", timeout=15_000)
    expect(lab.get_by_role("menuitem", name="<b>Ada's lab</b>")).to_be_visible()
    expect(lab.locator(".jp-Launcher-sectionTitle", has_text="<b>Ada's lab</b>")).to_have_count(1)
    fill(editor, "accentColour", "rgb(200, 30, 90)")
    lab.wait_for_function(
        "() => document.documentElement.style.getPropertyValue('--jp-QPI-accent') === 'rgb(200, 30, 90)'"
    )
    fill(editor, "logoUrl", LOGO)
    expect(panel.locator("img.jp-QPI-Logo")).to_have_attribute("src", LOGO, timeout=15_000)
    picture(lab, "settings")
    fill(editor, "logoUrl", "javascript:alert(1)")
    expect(panel.locator("img.jp-QPI-Logo")).to_have_count(0, timeout=15_000)

    editor.locator("input[id$=notifyJobs]").uncheck()
    wait_saved(demo, notifyJobs=False)
    demo.submit("quiet")
    expect(panel.locator(".jp-QPI-Row", has_text="quiet")).to_contain_text("Completed", timeout=30_000)
    expect(lab.locator(".jp-Notification-Toast, .Toastify__toast")).to_have_count(0)
    for name in ("labName", "accentColour", "logoUrl"):
        fill(editor, name, "")
    expect(panel.get_by_role("heading", level=1)).to_have_text("Quantum lab", timeout=15_000)


def fill(editor: Locator, name: str, text: str) -> None:
    editor.locator(f"input[id$={name}]").fill(text)


def wait_saved(demo: Demo, **values: Any) -> None:
    """Until JupyterLab has saved the settings: they are in force then."""
    file = demo.home / "config/lab/user-settings/qpi-jupyter/settings.jupyterlab-settings"

    def saved() -> bool:
        try:
            text = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("//"))
            return values.items() <= json.loads(text).items()
        except (OSError, ValueError):
            return False

    wait_until(saved, 15, "the settings saved")
