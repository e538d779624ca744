"""The administration tab in a real browser, on a real demo lab: as its admin, and as a plain user of another server.

With ``QPI_SCREENSHOTS=1`` it also takes the pictures of the documentation.
"""

from __future__ import annotations

import os
import re
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.packages import TOY_LAB, broken_packages, installed
from tests.support.waiting import wait_until
from tests.ui.jupyterlab import ROOT, Notebooks, change_theme, loaded
from tests.ui.labs import agent, board_row, client_of, demo_lab, execute, forwarding, ok, picture, section, signed_up

pytestmark = [pytest.mark.ui, pytest.mark.slow]
IMAGES = ROOT / "docs" / "images"
MARKUP = "<img src=x onerror=window.hurt=1>"
BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
OPEN = "() => { void window.jupyterapp.commands.execute('qpi:open-admin') }"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebooks]:
    """JupyterLab with the demo lab inside, both simulators online, and other packages' executors beside them."""
    packages = tmp_path_factory.mktemp("packages")
    broken_packages(packages)
    with installed(packages), installed(TOY_LAB), demo_lab(tmp_path_factory.mktemp("admin")) as demo:
        yield demo.notebooks


@pytest.fixture(scope="module")
def pat(lab: Notebooks) -> str:
    """The token of a plain user, who has asked for QPU time."""
    with client_of(lab) as admin:
        token = signed_up(admin, "pat")
    with client_of(lab, token) as person:
        ok(person.post("time-requests", json={"seconds": 5400, "reason": f"T1 sweep {MARKUP}"}))
    return token


@pytest.fixture
def panel(page: Page, lab: Notebooks) -> Iterator[Page]:
    for ready in loaded(page, lab):
        ready.evaluate(OPEN)
        expect(ready.get_by_role("tab", name="QPUs")).to_be_visible(timeout=20_000)
        yield ready
        assert ready.evaluate("() => window.hurt") is None


def choose(shown: Locator, name: str, item: str) -> None:
    """What stands in the menu of a row."""
    shown.get_by_role("button", name=f"More: {name}").click()
    shown.page.get_by_role("menuitem", name=item).click()


def test_a_registered_driver_starts_with_the_command_line_shown(panel: Page, tmp_path: Path) -> None:
    qpus = section(panel, "QPUs")
    qpus.get_by_role("button", name="Register a QPU").click()
    qpus.get_by_label("Name").fill("fridge")
    qpus.get_by_label("Description").fill(MARKUP)
    qpus.get_by_role("button", name="Register", exact=True).click()
    expect(board_row(qpus, "fridge")).to_contain_text(MARKUP)
    expect(board_row(qpus, "fridge")).to_contain_text("Offline")

    drivers = section(panel, "Drivers")
    drivers.get_by_role("button", name="Register a driver").click()
    drivers.get_by_label("Name").fill("fridge-1")
    drivers.get_by_label("QPU", exact=True).select_option("fridge")
    # The options of an installed executor are asked for by their schema; those of another one as text.
    executor = drivers.get_by_label("Executor", exact=True)
    executor.select_option("mock", timeout=40_000)
    expect(drivers.get_by_label("num_qubits")).to_be_visible()
    expect(drivers.get_by_label("Allow a simulator")).not_to_be_checked()
    executor.select_option(label="Another one…")
    expect(drivers.get_by_label("num_qubits")).to_have_count(0)
    drivers.get_by_label("Executor’s name").fill("tests.faults.executors:RecordingExecutor")
    drivers.get_by_label("Options").fill(f"simulator=false\n\ndiary={tmp_path / 'a diary'}\n")
    picture(panel, "register-driver")
    drivers.get_by_role("button", name="Register", exact=True).click()
    command = drivers.get_by_role("textbox", name="Command line").input_value()
    unit = drivers.get_by_role("textbox", name="systemd unit").input_value()
    assert f"-o simulator=false -o 'diary={tmp_path / 'a diary'}'" in command
    assert f"ExecStart={sys.executable} -m qpi_agent start " in unit
    picture(panel, "registered-driver")
    expect(board_row(drivers, "fridge-1")).to_contain_text("Not connected")
    with agent(command, tmp_path):
        expect(board_row(drivers, "fridge-1").locator("[data-tone=online]")).to_be_visible(timeout=40_000)
        drivers.get_by_role("button", name="Done").click()
        expect(drivers.get_by_role("textbox", name="Command line")).to_have_count(0)
        expect(board_row(section(panel, "QPUs"), "fridge")).to_contain_text("Online")

        # Revoked, it is out at once, and stays out however often it tries.
        drivers = section(panel, "Drivers")
        drivers.get_by_role("button", name="Revoke: fridge-1").click()
        revoke = drivers.get_by_role("button", name="Revoke this driver")
        expect(revoke).to_be_disabled()
        drivers.get_by_label("Type fridge-1 to confirm").fill("fridge-1")
        revoke.click()
        expect(board_row(drivers, "fridge-1")).to_have_count(0)
        qpus = section(panel, "QPUs")
        expect(board_row(qpus, "fridge")).to_contain_text("Offline")
        wait_until(lambda: b"no link" in (tmp_path / "agent.log").read_bytes(), 20, "a refused link")

    choose(qpus, "fridge", "Delete")
    qpus.get_by_label("Type fridge to confirm").fill("fridge")
    qpus.get_by_role("button", name="Delete this QPU").click()
    expect(board_row(qpus, "fridge")).to_have_count(0)


def test_a_driver_is_drained(panel: Page, lab: Notebooks, tmp_path: Path) -> None:
    slow = {"name": "slow-1", "qpu": "slow", "executor": "tests.faults.executors:SlowExecutor"}
    program = {"format": "openqasm2", "sources": [BELL]}
    with client_of(lab) as admin:
        ok(admin.post("qpus", json={"name": "slow"}))
        command = ok(admin.post("drivers", json=slow))["command"]
        with agent(f"{command} --drain-timeout 600", tmp_path):
            drivers = section(panel, "Drivers")
            row = board_row(drivers, "slow-1")
            expect(row.locator("[data-tone=online]")).to_be_visible(timeout=40_000)
            job = ok(admin.post("jobs", json={"program": program, "qpu": "slow"}))["id"]
            wait_until(lambda: ok(admin.get(f"jobs/{job}"))["status"] == "running", 40, "the job's start")
            choose(drivers, "slow-1", "Drain")
            expect(drivers.get_by_text("slow-1 takes no more jobs")).to_be_visible()
            picture(panel, "drain")
            drivers.get_by_role("button", name="Drain this driver").click()
            expect(row.locator("[data-tone=draining]")).to_have_text("Draining")
            picture(panel, "draining")
            drivers.get_by_role("button", name="More: slow-1").click()
            expect(panel.get_by_role("menuitem", name="New token")).to_be_visible()
            expect(panel.get_by_role("menuitem", name="Drain")).to_have_count(0)
            panel.keyboard.press("Escape")
            ok(admin.post(f"jobs/{job}/cancel"))
            expect(row.locator("[data-tone=offline]")).to_have_text("Not connected", timeout=20_000)


def test_qpus_are_switched_by_the_keyboard_alone(panel: Page) -> None:
    qpus = section(panel, "QPUs")
    qpus.get_by_role("button", name="Maintenance: sim-b").focus()
    panel.keyboard.press("Enter")
    expect(qpus.get_by_role("button", name="Set maintenance")).to_be_focused()
    panel.keyboard.press("Escape")
    expect(qpus.get_by_role("button", name="Maintenance: sim-b")).to_be_focused()
    panel.keyboard.press("Enter")
    panel.keyboard.press("Enter")
    expect(board_row(qpus, "sim-b")).to_contain_text("In maintenance")
    qpus.get_by_role("button", name="End maintenance: sim-b").focus()
    panel.keyboard.press("Enter")
    expect(board_row(qpus, "sim-b")).to_contain_text("Online")
    qpus.get_by_role("button", name="Hold: sim-b").focus()
    panel.keyboard.press("Enter")
    panel.keyboard.type("cooling down")
    panel.keyboard.press("Enter")
    expect(board_row(qpus, "sim-b")).to_contain_text("On holdcooling down")
    qpus.get_by_role("button", name="Release hold: sim-b").click()
    expect(board_row(qpus, "sim-b")).not_to_contain_text("On hold")
    qpus.get_by_role("button", name="More: sim-b").focus()
    panel.keyboard.press("Enter")
    panel.keyboard.press("ArrowDown")
    panel.keyboard.press("Escape")
    expect(qpus.get_by_role("button", name="More: sim-b")).to_be_focused()
    panel.keyboard.press("Enter")
    panel.keyboard.press("ArrowDown")
    panel.keyboard.press("ArrowDown")
    panel.keyboard.press("Enter")
    expect(qpus.get_by_role("textbox", name="Description")).to_be_focused()
    panel.keyboard.press("Escape")
    expect(qpus.get_by_role("button", name="More: sim-b")).to_be_focused()
    panel.locator("[role=tab][aria-selected=true][data-section]").focus()
    panel.keyboard.press("ArrowDown")
    expect(panel.locator("[role=tab][data-section=drivers]")).to_be_focused()
    expect(panel.get_by_role("heading", name="Drivers")).to_be_visible()


def test_time_is_granted_and_a_request_approved(panel: Page, lab: Notebooks, pat: str) -> None:
    accounts = section(panel, "QPU time")
    accounts.get_by_role("button", name="Grant QPU time").click()
    accounts.get_by_label("To").fill("pat")
    accounts.get_by_role("textbox", name="QPU time", exact=True).fill("an hour")
    accounts.get_by_role("button", name="Grant", exact=True).click()
    expect(accounts.get_by_role("alert")).to_contain_text("as a length of time")
    accounts.get_by_role("textbox", name="QPU time", exact=True).fill("1 h")
    accounts.get_by_label("Reason").fill("welcome")
    accounts.get_by_role("button", name="Grant", exact=True).click()
    expect(board_row(accounts, "pat")).to_contain_text("1 h")

    requests = section(panel, "Time requests")
    expect(board_row(requests, "pat")).to_contain_text(MARKUP)
    requests.get_by_role("button", name="Approve: pat").click()
    requests.get_by_label("Grant").fill("30 min")
    requests.get_by_label("Reason").fill("half of it")
    requests.get_by_role("button", name="Approve", exact=True).click()
    expect(board_row(requests, "pat")).to_contain_text("Approved")
    with client_of(lab, pat) as person:
        assert ok(person.get("accounts/pat"))["balance_s"] == 3600 + 1800
    expect(board_row(section(panel, "Audit log"), "pat").first).to_be_visible()


def test_a_notice_reaches_everybody_and_comes_back_when_undone(panel: Page, lab: Notebooks, pat: str) -> None:
    title = "W" * 200
    notices = section(panel, "Notices")
    notices.get_by_role("button", name="New notice").click()
    notices.get_by_label("Title").fill(title)
    notices.get_by_label("Text").fill(f"Helium on Monday. {MARKUP}")
    notices.get_by_role("button", name="Broadcast", exact=True).click()
    expect(board_row(notices, title)).to_contain_text(MARKUP)
    with client_of(lab, pat) as person:
        assert [notice["title"] for notice in ok(person.get("notices"))["notices"]] == [title]
    scroll = panel.locator(".jp-QPI-AdminSection")
    assert scroll.evaluate("element => element.scrollWidth <= element.clientWidth")
    notices.get_by_role("button", name=f"Delete: {title}").click()
    expect(board_row(notices, title)).to_have_count(0)
    panel.get_by_role("button", name="Undo").click()
    expect(board_row(notices, title)).to_be_visible()


def test_a_simulator_starts_at_once_and_stops(panel: Page) -> None:
    simulators = section(panel, "Simulators")
    simulators.get_by_role("button", name="Start a simulator").click()
    simulators.get_by_label("Name").fill("small")
    executor = simulators.get_by_label("Executor")
    expect(executor.locator("option[value=mock]")).to_be_attached(timeout=40_000)
    executor.select_option("qiskit_aer")
    expect(simulators.get_by_label("fake_backend")).to_be_visible()
    executor.select_option("mock")
    expect(simulators.get_by_label("fake_backend")).to_have_count(0)
    simulators.get_by_label("num_qubits").fill("30")
    simulators.get_by_role("button", name="Start", exact=True).click()
    refusal = "'num_qubits' must be a whole number from 1 to 18, not 30"
    expect(simulators.get_by_role("alert")).to_contain_text(refusal, timeout=20_000)
    simulators.get_by_label("num_qubits").fill("3")
    simulators.get_by_label("coupling", exact=True).select_option("ring")
    simulators.get_by_role("button", name="Start", exact=True).click()
    expect(board_row(simulators, "small").locator("[data-tone=online]")).to_be_visible(timeout=40_000)
    simulators.get_by_role("button", name="Stop: small").click()
    expect(board_row(simulators, "small")).to_have_count(0, timeout=15_000)


def test_a_policy_is_tried_on_the_past(panel: Page, lab: Notebooks, tmp_path: Path) -> None:
    with client_of(lab) as admin:
        program = {"format": "openqasm2", "sources": [BELL]}
        job = ok(admin.post("jobs", json={"program": program, "qpu": "sim-a"}))
        wait_until(lambda: ok(admin.get(f"jobs/{job['id']}"))["status"] == "completed", 60, "a job of the past")
    replay = section(panel, "Policy replay")
    replay.get_by_role("button", name="Run the replay").click()
    table = replay.get_by_role("table", name="Comparison of the policies")
    expect(table.get_by_role("columnheader", name="as in force")).to_be_visible(timeout=60_000)
    expect(table.get_by_role("columnheader", name="fair share", exact=True)).to_be_visible()
    expect(table).to_contain_text("Waiting: everybody")
    with panel.expect_download() as waiting:
        replay.get_by_role("button", name="Download CSV").click()
    waiting.value.save_as(tmp_path / "replay.csv")
    assert (tmp_path / "replay.csv").read_text().startswith(",,unit,as in force,fair share")
    replay.get_by_text("Mean waiting time of each person").click()
    expect(replay.get_by_role("table", name="Mean waiting time of each person")).to_contain_text(
        re.compile(r"root\s*(one job|\d+ jobs)")
    )

    # Two that are the same, and a time that is none, do not leave the form.
    replay.get_by_role("button", name="Add a policy").click()
    replay.get_by_role("button", name="Run the replay").click()
    expect(replay.get_by_role("alert")).to_contain_text("Two policies are the same (fair share)")
    replay.get_by_role("group", name="Policy 2").get_by_label("Backfill: jobs up to").fill("soon")
    replay.get_by_role("button", name="Run the replay").click()
    expect(replay.get_by_role("alert")).to_contain_text("as a length of time")
    replay.get_by_role("button", name="Remove: Policy 2").click()

    replay.get_by_label("Jobs of").select_option("between")
    replay.get_by_label("From").fill("2020-01-01T00:00")
    replay.get_by_label("Until").fill("2020-01-02T00:00")
    replay.get_by_role("button", name="Run the replay").click()
    expect(replay.get_by_text("No jobs ran in this interval")).to_be_visible(timeout=60_000)

    replay.get_by_label("Jobs of").select_option("invented")
    replay.get_by_role("button", name="Run the replay").click()
    expect(replay.get_by_role("progressbar")).to_be_visible()
    expect(replay.get_by_role("button", name="Run the replay")).to_be_disabled()
    replay.get_by_role("button", name="Cancel the replay").click()
    expect(replay.get_by_text("The replay was cancelled.")).to_be_visible(timeout=30_000)
    with client_of(lab) as admin:
        assert ok(admin.get("replay"))["replay"]["state"] == "cancelled"


def test_bad_input_is_refused_in_words(panel: Page) -> None:
    qpus = section(panel, "QPUs")
    qpus.get_by_role("button", name="Register a QPU").click()
    for name in ("two words", MARKUP, "-"):
        qpus.get_by_label("Name").fill(name)
        qpus.get_by_role("button", name="Register", exact=True).click()
        expect(qpus.get_by_role("alert")).to_contain_text(f"“{name}” is not a valid name")
    qpus.get_by_label("Name").fill("  ")
    qpus.get_by_role("button", name="Register", exact=True).click()
    expect(qpus.get_by_role("alert")).to_contain_text("“Name” is required")
    qpus.get_by_label("Name").fill("sim-a")
    qpus.get_by_role("button", name="Register", exact=True).click()
    expect(qpus.get_by_role("alert")).to_contain_text("sim-a")
    expect(qpus.get_by_label("Name")).to_have_value("sim-a")

    people = section(panel, "People")
    people.get_by_role("button", name="Add a person").click()
    people.get_by_label("Name", exact=True).fill("zoe")
    people.get_by_label("Password").fill("short")
    people.get_by_role("button", name="Add", exact=True).click()
    expect(people.get_by_role("alert")).to_contain_text("at least 10 characters")

    accounts = section(panel, "QPU time")
    accounts.get_by_role("button", name="Grant QPU time").click()
    accounts.get_by_label("To").fill("nobody")
    for amount in ("-5 min", "0"):
        accounts.get_by_role("textbox", name="QPU time").fill(amount)
        accounts.get_by_role("button", name="Grant", exact=True).click()
        expect(accounts.get_by_role("alert")).to_contain_text(f"Cannot read “{amount}” as an amount of time")
    accounts.get_by_role("textbox", name="QPU time").fill("5 min")
    accounts.get_by_role("button", name="Grant", exact=True).click()
    expect(accounts.get_by_role("alert")).to_contain_text("nobody")

    notices = section(panel, "Notices")
    notices.get_by_role("button", name="New notice").click()
    notices.get_by_label("Title").fill("x")
    notices.get_by_label("To groups").fill("no-such-group")
    notices.get_by_role("button", name="Broadcast", exact=True).click()
    expect(notices.get_by_role("alert")).to_contain_text("There is no group called no-such-group")


def test_two_managers_at_once_do_not_undo_each_other(panel: Page, lab: Notebooks) -> None:
    with client_of(lab) as admin:
        ok(admin.post("users", json={"name": "eve"}))
        ok(admin.post("groups", json={"name": "optics", "description": "lasers"}))
        groups = section(panel, "Groups")
        groups.get_by_role("button", name="Edit: optics").click()
        groups.get_by_label("Description").fill("lasers and mirrors")
        ok(admin.patch("groups/optics", json={"members": ["eve"]}))
        expect(groups.get_by_text("This was changed meanwhile")).to_be_visible()
        groups.get_by_role("button", name="Save").click()
        expect(board_row(groups, "optics")).to_contain_text("lasers and mirrors")
        [group] = [one for one in ok(admin.get("groups"))["groups"] if one["name"] == "optics"]
        assert (group["description"], group["members"]) == ("lasers and mirrors", ["eve"])

        groups.get_by_role("button", name="Edit: optics").click()
        assert admin.delete("groups/optics").is_success
        expect(groups.get_by_role("alert")).to_contain_text("was deleted meanwhile")


def test_what_another_manager_does_appears_by_itself(panel: Page, lab: Notebooks) -> None:
    rules = section(panel, "Booking rules")
    with client_of(lab) as admin:
        made = ok(admin.put("booking-rules", json={"rule": {}, "qpu": "sim-a"}))
        expect(rules.locator(f'tr[data-key="{made["id"]}"]')).to_be_visible()
        log = section(panel, "Audit log")
        newest = log.locator("tr[data-key]").first
        before = newest.get_attribute("data-key")
        assert before is not None
        ok(admin.delete(f"booking-rules/{made['id']}"))
        expect(newest).not_to_have_attribute("data-key", before)
        expect(section(panel, "Booking rules").locator(f'tr[data-key="{made["id"]}"]')).to_have_count(0)


def test_the_second_half_of_a_double_click_deletes_nothing(panel: Page, lab: Notebooks) -> None:
    with client_of(lab) as admin:
        for title in ("twice-a", "twice-b"):
            ok(admin.post("notices", json={"title": title}))
    notices = section(panel, "Notices")
    notices.get_by_label("Search").fill("twice")
    expect(notices.locator("tr[data-key]")).to_have_count(2)
    notices.get_by_role("button", name="Delete: twice-b").dblclick()
    expect(board_row(notices, "twice-b")).to_have_count(0)
    expect(board_row(notices, "twice-a")).to_be_visible()


def test_a_section_says_that_the_lab_is_away_and_comes_back(panel: Page) -> None:
    panel.route("**/qpi/v1/groups*", lambda route: route.abort())
    groups = section(panel, "Groups")
    expect(groups.get_by_role("alert")).to_be_visible()
    panel.unroute("**/qpi/v1/groups*")
    groups.get_by_role("button", name="Refresh").click()
    expect(groups.get_by_role("alert")).to_have_count(0)


def test_search_finds_what_is_on_no_page_yet(panel: Page, lab: Notebooks) -> None:
    with client_of(lab) as admin:
        for number in range(130):
            ok(admin.post("users", json={"name": f"crowd{number:03d}"}))
    people = section(panel, "People")
    expect(people.locator("tr[data-key]")).to_have_count(100)
    people.get_by_label("Search").fill("crowd129")
    expect(board_row(people, "crowd129")).to_be_visible()
    audit = section(panel, "Audit log")
    expect(audit.locator("tr[data-key]")).to_have_count(100)
    audit.get_by_label("Search").fill("CROWD000 created")
    expect(audit.locator("tr[data-key]")).to_have_count(1)
    audit.get_by_label("Search").fill("nothing%like_this")
    expect(audit.get_by_text("No matches.")).to_be_visible()


def test_every_section_shows_itself_in_both_themes_and_when_narrow(panel: Page, lab: Notebooks) -> None:
    with client_of(lab) as admin:
        ok(admin.post("qpus", json={"name": "tantalum-5", "kind": "device", "description": "Five transmons, fridge 2"}))
        ok(admin.patch("qpus/tantalum-5", json={"maintenance": True, "hold": "warming up until Thursday"}))
    names = panel.locator(".jp-QPI-AdminNav [role=tab]").all_inner_texts()
    assert len(names) == 13
    for name in names:
        shown = section(panel, name)
        expect(shown.get_by_text("Loading…")).to_have_count(0)
        expect(shown.get_by_role("alert")).to_have_count(0)
    expect(board_row(section(panel, "Configuration"), "upstream_token").first).to_be_visible()
    expect(board_row(section(panel, "QPUs"), "tantalum-5")).to_contain_text("In maintenancewarming up")
    expect(board_row(section(panel, "QPUs"), "sim-a").get_by_role("cell", name="Pool, simulator")).to_be_visible()
    for theme in ("Dark", "Light"):
        change_theme(panel, f"JupyterLab {theme}")
        if os.environ.get("QPI_SCREENSHOTS"):
            panel.locator("#qpi-admin").screenshot(path=IMAGES / f"panel-admin-{theme.lower()}.png")
    panel.set_viewport_size({"width": 560, "height": 900})
    for name in names:
        shown = section(panel, name)
        assert shown.evaluate("element => element.scrollWidth <= element.clientWidth"), name


def test_a_join_link_is_shown_once_and_revoked(panel: Page) -> None:
    links = section(panel, "Join links")
    expect(links.get_by_text("No join links.")).to_be_visible()
    links.get_by_role("button", name="Create a join link").click()
    links.get_by_label("Name").fill("spring course")
    links.get_by_label("Number of people").fill("12")
    links.get_by_role("button", name="Create link").click()
    expect(links.get_by_role("heading", name="Join link created")).to_be_focused()
    assert "/qpi/join" in links.get_by_role("textbox", name="Join link").input_value()
    expect(board_row(links, "spring course")).to_contain_text("0 of 12")
    links.get_by_role("button", name="Done").click()
    expect(links.get_by_role("textbox", name="Join link")).to_have_count(0)
    assert panel.evaluate("() => document.activeElement.closest('#qpi-admin') !== null"), "the keyboard keeps its place"
    links.get_by_role("button", name="Revoke: spring course").click()
    links.get_by_role("button", name="Revoke this link").click()
    expect(board_row(links, "spring course")).to_have_count(0)


def test_a_plain_user_has_no_such_tab_and_no_such_right(page: Page, lab: Notebooks, pat: str, tmp_path: Path) -> None:
    with forwarding(lab, pat, tmp_path) as theirs:
        for ready in loaded(page, theirs):
            visible = "() => window.jupyterapp.commands.isVisible('qpi:open-admin')"
            expect(ready.locator('[data-id="qpi-lab-panel"]')).to_be_visible()
            ready.evaluate("() => window.jupyterapp.commands.execute('qpi:open-admin')")
            assert ready.evaluate(visible) is False
            expect(ready.locator("#qpi-admin")).to_have_count(0)
        with client_of(theirs) as person:
            assert ok(person.get("me"))["user"]["name"] == "pat"
            forbidden = [
                person.get("drivers"), person.get("simulators"), person.get("config"), person.get("audit"),
                person.delete("qpus/sim-a"), person.patch("qpus/sim-a", json={"maintenance": True}),
                person.post("qpus", json={"name": "mine"}), person.post("drivers/sim-a/token"),
                person.post("notices", json={"title": "x"}), person.delete("simulators/sim-a"),
                person.post("accounts/pat/grants", json={"seconds": 1}),
            ]  # fmt: skip
            assert [answer.status_code for answer in forbidden] == [403] * len(forbidden)


def test_what_cannot_be_started_is_said_in_the_form(panel: Page) -> None:
    simulators = section(panel, "Simulators")
    simulators.get_by_role("button", name="Start a simulator").click()
    simulators.get_by_label("Name").fill("none")
    executor = simulators.get_by_label("Executor")
    for name, why in (
        ("toy_leaves", "no licence. Install it with: pip install 'broken-lab[driver]'"),
        ("toy_twin", "Several packages register the executor 'toy_twin'"),
        ("toy_table", "drives an instrument: register a driver for it"),
    ):
        choice = executor.locator(f"option[value={name}]").first
        expect(choice).to_contain_text(why, timeout=40_000)
        expect(choice).to_be_disabled()
    twin = executor.locator("option[value=qblox]")
    expect(twin).to_have_text("qblox: five-transmons through qblox-scheduler, a physical twin.")
    expect(twin).to_be_enabled()
    executor.select_option("toy_coins")
    simulators.get_by_label("coins", exact=True).fill("99")
    simulators.get_by_role("button", name="Start", exact=True).click()
    said = "'coins' must be a whole number from 1 to 50, not 99"
    expect(simulators.get_by_role("alert")).to_contain_text(said, timeout=40_000)
    for theme in ("Light", "Dark"):
        change_theme(panel, f"JupyterLab {theme}")
        expect(simulators.get_by_role("alert")).to_contain_text(said)
        picture(panel, f"option-refused-{theme.lower()}")
    expect(board_row(simulators, "none")).to_have_count(0)


def test_another_packages_executor_is_started_and_its_program_shown(panel: Page, lab: Notebooks) -> None:
    simulators = section(panel, "Simulators")
    simulators.get_by_role("button", name="Start a simulator").click()
    simulators.get_by_label("Name").fill("coins")
    executor = simulators.get_by_label("Executor")
    expect(executor.locator("option[value=toy_coins]")).to_be_attached(timeout=40_000)
    executor.select_option("toy_coins")
    expect(simulators.get_by_text("How many coins there are. Default: 5")).to_be_visible()
    simulators.get_by_label("coins", exact=True).fill("3")
    simulators.get_by_label("cheat").select_option("true")
    simulators.get_by_role("button", name="Start", exact=True).click()
    expect(board_row(simulators, "coins").locator("[data-tone=online]")).to_be_visible(timeout=40_000)
    expect(board_row(simulators, "coins")).to_contain_text("coins=3, cheat=true")
    program = {"format": "toy-coins", "data": [b64encode(b"COINS" + bytes([0, 50])).decode()]}
    with client_of(lab) as admin:
        job = ok(admin.post("jobs", json={"program": program, "qpu": "coins", "options": {"shots": 9}}))
        wait_until(lambda: ok(admin.get(f"jobs/{job['id']}"))["status"] == "completed", 60, "the toy's job")
    execute(panel, "qpi:open-job", id=job["id"])
    shown = panel.locator(".jp-QPI-Code").filter(has_text="coin 1: 1 in 50 %")
    expect(shown).to_be_visible(timeout=40_000)
    expect(panel.get_by_role("button", name="COINS", exact=True)).to_be_visible()
    expect(panel.get_by_role("button", name="Text", exact=True)).to_be_visible()
