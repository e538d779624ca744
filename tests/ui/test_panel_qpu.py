"""The tab of a QPU in a real browser: a heavy-hex chip, simulated with the noise that its calibration tells.

With ``QPI_SCREENSHOTS=1`` it also takes the pictures of the documentation.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.faults.lab import BELL
from tests.support.children import children_below
from tests.support.waiting import wait_until
from tests.ui.jupyterlab import ROOT, change_theme, loaded
from tests.ui.labs import Demo, agent, demo_lab

pytestmark = [pytest.mark.ui, pytest.mark.slow]
IMAGES = ROOT / "docs" / "images"
CHIP = "hex-27"
OPEN = "qpu => { void window.jupyterapp.commands.execute('qpi:open-qpu', {qpu}) }"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """JupyterLab with a demo lab inside, and a driver of its own for a fake 27-qubit device."""
    home = tmp_path_factory.mktemp("qpu-tab")
    with demo_lab(home) as demo:
        demo.ask("POST", "qpus", {"name": CHIP, "description": "A fake IBM Kolkata with its noise model"})
        token = demo.ask("POST", "drivers", {"name": "control-pc", "qpu": CHIP})["token"]
        start = ["qpi-agent", "start", "--qpi-addr", demo.notebooks.url, "--token", token, "--name", "control-pc"]
        run = ["--executor", "qiskit_aer", "--data-dir", str(home / "agent"), "-o", "fake_backend=FakeKolkataV2"]
        with agent(shlex.join([*start, *run]), home):
            wait_until(lambda: status_of(demo) == "online", 40, f"{CHIP} online")
            for name in ("bell", "bell again"):
                demo.submit(name, program={"format": "openqasm2", "sources": [BELL]}, qpu=CHIP, shots=20_000)
            yield demo


def status_of(demo: Demo) -> str:
    return str(demo.ask("GET", f"qpus/{CHIP}")["status"])


@pytest.fixture
def page_of_lab(page: Page, lab: Demo) -> Iterator[Page]:
    yield from loaded(page, lab.notebooks)


def open_tab(page: Page, qpu: str) -> Locator:
    page.evaluate(OPEN, qpu)
    tab = page.locator(f'[id="qpi-qpu-{qpu}"]')
    expect(tab.locator("h1")).to_contain_text(qpu, timeout=20_000)
    return tab


def pictures(page: Page, tab: Locator) -> None:
    if os.environ.get("QPI_SCREENSHOTS"):
        page.set_viewport_size({"width": 1500, "height": 2150})
        page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    for theme in ("Dark", "Light"):
        change_theme(page, f"JupyterLab {theme}")
        expect(tab.locator("canvas").first).to_be_visible()
        if os.environ.get("QPI_SCREENSHOTS"):
            IMAGES.mkdir(parents=True, exist_ok=True)
            tab.screenshot(path=IMAGES / f"panel-qpu-{theme.lower()}.png")


def test_a_chip_is_seen_as_a_map_as_tables_and_over_time(page_of_lab: Page, lab: Demo) -> None:
    page = page_of_lab
    tab = open_tab(page, CHIP)
    expect(tab.locator("h1")).to_contain_text("Online")
    expect(tab.locator(".jp-QPI-Qubit")).to_have_count(27)
    expect(tab.locator(".jp-QPI-Coupler")).to_have_count(28)
    manifest = lab.ask("GET", f"qpus/{CHIP}")["manifest"]

    # The colour follows the parameter.
    first = tab.locator('.jp-QPI-Qubit[data-key="0"]')
    t1 = f"{manifest['qubits'][0]['t1_s'] * 1e6:.4g}"
    expect(first).to_have_attribute("aria-label", f"Qubit 0: {t1} µs")
    before = first.locator("circle").evaluate("node => node.style.fill")
    tab.get_by_label("Qubits by").select_option("readout_error")
    expect(first).to_have_attribute("aria-label", re.compile("Qubit 0: .* %"))
    assert first.locator("circle").evaluate("node => node.style.fill") != before

    # A figure's history, from the table; sorted, the worst qubit comes first.
    table = tab.get_by_role("region", name="Qubits")
    table.get_by_role("button", name="Readout error").dblclick()
    worst = max(range(27), key=lambda n: manifest["qubits"][n]["readout_error"])
    expect(table.locator("tbody th").first).to_have_text(f"Qubit {worst}")
    table.get_by_title(f"History of T1, qubit {worst}").click()
    history = tab.get_by_role("region", name=f"History of T1, qubit {worst}")
    expect(history).to_contain_text("The same since")
    expect(history.locator("canvas")).to_be_visible()

    expect(tab.get_by_role("region", name="Drivers")).to_contain_text("control-pc")
    expect(tab.get_by_role("region", name="Drivers")).to_contain_text("Connected")


def test_a_quantity_is_seen_over_time_and_a_twin_starts(page_of_lab: Page, lab: Demo) -> None:
    tab = open_tab(page_of_lab, CHIP)
    calibration = tab.get_by_role("region", name="Calibration")
    known = lab.ask("GET", f"qpus/{CHIP}")["manifest"]["calibration_id"]
    expect(calibration.locator("code").first).to_have_text(known)
    calibration.get_by_role("button", name="History of T1", exact=True).click()
    history = tab.get_by_role("region", name="History of T1", exact=True)
    expect(history.locator("canvas")).to_be_visible()
    expect(history).to_contain_text("The first 12 of 27.")
    expect(history).to_contain_text("q11")

    calibration.get_by_role("button", name="Start a twin").click()
    twin = f"{CHIP}-twin"
    expect(calibration.get_by_role("status")).to_have_text(f"Twin {twin} is starting.", timeout=60_000)
    wait_until(lambda: lab.ask("GET", f"qpus/{twin}")["status"] == "online", 60, f"{twin} online")
    [made] = [one for one in lab.ask("GET", "simulators")["simulators"] if one["name"] == twin]
    assert made["twin_of"] == CHIP
    assert lab.ask("GET", f"qpus/{twin}")["manifest"]["calibration_id"] == known


def test_the_picture_is_walked_and_picked_by_keyboard(page_of_lab: Page) -> None:
    page = page_of_lab
    tab = open_tab(page, "sim-b")
    tab.locator('.jp-QPI-Qubit[data-key="0"]').focus()
    page.keyboard.press("ArrowRight")
    expect(tab.locator('.jp-QPI-Coupler[data-key="0-1"]')).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(tab.locator('.jp-QPI-Qubit[data-key="1"]')).to_have_attribute("aria-pressed", "true")
    expect(tab).to_contain_text("No calibration data reported")


def test_readings_come_by_themselves_and_are_looked_at_closely(page_of_lab: Page) -> None:
    page = page_of_lab
    tab = open_tab(page, CHIP)
    telemetry = tab.get_by_role("region", name="Telemetry")
    chart = telemetry.get_by_role("img")
    expect(chart).to_have_attribute("aria-label", re.compile("driver/cpu .* %, driver/memory .* MB"), timeout=20_000)
    expect(telemetry.get_by_role("checkbox", name="driver/run_time")).to_be_disabled(timeout=30_000)
    expect(telemetry.get_by_role("checkbox", name="driver/staged")).to_be_disabled()
    telemetry.get_by_role("checkbox", name="driver/memory").uncheck()
    telemetry.get_by_role("checkbox", name="driver/staged").check()
    expect(chart).to_have_attribute("aria-label", re.compile("driver/staged"))
    queue = tab.get_by_role("region", name="Queue and utilisation")
    expect(queue.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"lab/queued \d+, lab/running \d+, lab/utilisation \d+ %"), timeout=30_000
    )

    over = telemetry.locator(".u-over")
    box = over.bounding_box()
    assert box is not None
    over.scroll_into_view_if_needed()
    over.hover(position={"x": 0.8 * box["width"], "y": 50})
    page.mouse.down()
    over.hover(position={"x": 0.95 * box["width"], "y": 60})
    page.mouse.up()
    follow = telemetry.get_by_role("button", name="Jump to latest")
    expect(follow).to_be_visible()
    over.dblclick(position={"x": 100, "y": 50})
    expect(follow).to_have_count(0)
    telemetry.get_by_role("button", name="1 h").click()
    expect(telemetry.get_by_role("button", name="1 h")).to_have_attribute("aria-pressed", "true")
    telemetry.get_by_role("checkbox", name="driver/staged").uncheck()
    telemetry.get_by_role("checkbox", name="driver/memory").check()
    for section in (telemetry, queue):
        section.get_by_role("button", name="15 min").click()
        for _ in range(3):
            section.get_by_role("button", name="Zoom in").press("Enter")
    tab.locator('.jp-QPI-Qubit[data-key="12"]').click()
    tab.locator(".jp-QPI-Selected").get_by_title("History of T2, qubit 12").click()
    expect(tab.locator(".jp-QPI-History canvas")).to_be_visible()
    pictures(page, tab)


def test_a_session_shows_as_it_begins_and_ends(page_of_lab: Page, lab: Demo) -> None:
    page = page_of_lab
    tab = open_tab(page, "sim-b")
    page.evaluate("() => window.jupyterapp.shell.activateById('qpi-lab-panel')")
    card = page.locator('.jp-QPI-Card[data-key="sim-b"]')
    expect(card).to_contain_text("No upcoming bookings")
    session = lab.ask("POST", "sessions", {"qpu": "sim-b", "budget_s": 900, "idle_s": 600})
    expect(card).to_contain_text("In your session until", timeout=3_000)
    expect(tab.locator(".jp-QPI-Facts")).to_contain_text("you, in a session until", timeout=3_000)
    lab.ask("DELETE", f"sessions/{session['id']}")
    expect(card).to_contain_text("No upcoming bookings", timeout=3_000)
    expect(tab.locator(".jp-QPI-Facts")).to_contain_text(re.compile(r"In use by\s*–"), timeout=3_000)


def test_what_a_driver_says_is_read_as_it_says_it(page_of_lab: Page, lab: Demo) -> None:
    page = page_of_lab
    tab = open_tab(page, CHIP)
    drivers = tab.get_by_role("region", name="Drivers")
    opener = drivers.get_by_role("button", name="Log of control-pc")
    opener.click()
    log = drivers.get_by_role("log", name="Log of control-pc")
    expect(log).to_be_focused()
    linked = log.locator(".jp-QPI-LogLine").first
    expect(linked).to_contain_text(re.compile(rf"info\s+linked to {lab.notebooks.url} as a driver of {CHIP}"))

    # A new line comes by itself, and the end stays in view.
    lines = log.locator(".jp-QPI-LogLine")
    before = lines.count()
    kill_executors("control-pc")
    expect(lines.nth(before)).to_contain_text("was ended by SIGKILL; a new one starts", timeout=10_000)
    expect(lines.last).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(log).to_have_count(0)
    expect(opener).to_be_focused()
    wait_until(lambda: status_of(lab) == "online", 40, f"{CHIP} online")


def test_a_long_log_stays_where_it_is_read(page_of_lab: Page) -> None:
    page = page_of_lab
    levels = ("info", "warning", "error")

    def answer(route: Route) -> None:
        after = int(parse_qs(urlsplit(route.request.url).query)["after"][0])
        new = range(1, 61) if after == 0 else range(after + 1, after + 2)
        lines = [
            {"seq": n, "at": "2030-01-01T00:00:00Z", "level": levels[n % 3], "logger": "x", "message": f"line {n} <b>",
             "dropped": 7 * (n == 2)}
            for n in new
        ]  # fmt: skip
        route.fulfill(json={"lines": lines})

    page.route("**/drivers/control-pc/log?*", answer)
    tab = open_tab(page, CHIP)
    drivers = tab.get_by_role("region", name="Drivers")
    drivers.get_by_role("button", name="Log of control-pc").click()
    log = drivers.get_by_role("log", name="Log of control-pc")
    lines = log.locator(".jp-QPI-LogLine")
    expect(lines.last).to_contain_text("line 60 <b>")
    expect(lines.last).to_be_in_viewport()
    expect(log).to_contain_text("7 lines left out here")
    expect(lines.nth(1)).to_contain_text("error")

    page.keyboard.press("Home")
    expect(lines.first).to_be_in_viewport()
    kill_executors("control-pc")
    expect(lines.nth(60)).to_be_attached(timeout=10_000)
    expect(lines.first).to_be_in_viewport()
    drivers.get_by_role("button", name="Jump to latest").click()
    expect(lines.last).to_be_in_viewport()
    expect(drivers.get_by_role("button", name="Jump to latest")).to_have_count(0)


def kill_executors(driver: str) -> None:
    """End the children of a driver; it starts new ones."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # some end all the time
            for child in children_below(process.pid) if driver in process.cmdline() else ():
                child.kill()


def test_whoever_may_not_operate_qpus_is_shown_no_log(page: Page, lab: Demo) -> None:
    me = lab.ask("GET", "me")
    me["permissions"].remove("qpus:operate")
    page.route("**/qpi/v1/me?*", lambda route: route.fulfill(json=me))
    page.route("**/qpi/v1/me", lambda route: route.fulfill(json=me))
    for one in loaded(page, lab.notebooks):
        drivers = open_tab(one, CHIP).get_by_role("region", name="Drivers")
        expect(drivers).to_contain_text("control-pc")
        expect(drivers.get_by_role("button")).to_have_count(0)
