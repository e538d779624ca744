"""The tab "My account" in a real browser: as a plain user of another Jupyter server, as the lab's admin, and with a
token that is nobody's.

With ``QPI_SCREENSHOTS=1`` it also takes the pictures of the documentation.
"""

from __future__ import annotations

import csv
import io
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Download, Locator, Page, expect

from tests.ui.jupyterlab import ROOT, Notebooks, change_theme, loaded
from tests.ui.labs import PASSWORD, client_of, demo_lab, forwarding, ok, signed_up

pytestmark = [pytest.mark.ui, pytest.mark.slow]
IMAGES = ROOT / "docs" / "images"
GROUP = "spin-team"
BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'
MARKUP = "<img src=x onerror=window.hurt=1>"
OPEN = "() => { void window.jupyterapp.commands.execute('qpi:open-account') }"
ALLOWANCE_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """The lab's own JupyterLab, and that of a plain user, who has signed in; and a manager's token."""

    lab: Notebooks
    theirs: Notebooks
    token: str
    manager: str

    def pat(self) -> httpx.Client:
        return client_of(self.lab, self.token)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    with demo_lab(tmp_path_factory.mktemp("account"), f"--QPIServer.default_allowance_s={ALLOWANCE_S}") as demo:
        token, manager = signed_up(demo.client, "pat"), signed_up(demo.client, "grace")
        demo.ask("PATCH", "users/grace", {"roles": ["manager"]})
        demo.ask("POST", "groups", {"name": GROUP, "members": ["pat"]})
        demo.ask("POST", f"accounts/group:{GROUP}/grants", {"seconds": 7200, "reason": "summer term"})
        with forwarding(demo.notebooks, token, tmp_path_factory.mktemp("theirs")) as theirs:
            yield Two(lab=demo.notebooks, theirs=theirs, token=token, manager=manager)


@pytest.fixture
def panel(page: Page, two: Two) -> Iterator[Page]:
    """The tab, as the plain user has it."""
    for ready in loaded(page, two.theirs):
        ready.evaluate(OPEN)
        expect(board(ready, "QPU time")).to_be_visible(timeout=20_000)
        yield ready
        assert ready.evaluate("() => window.hurt") is None


def section(page: Page, name: str) -> Locator:
    """The section of that name, chosen from the list."""
    page.locator("#qpi-account").get_by_role("tab", name=name, exact=True).click()
    return section_of(page)


def section_of(page: Page) -> Locator:
    return page.locator("#qpi-account .jp-QPI-AdminSection")


def fits(shown: Locator) -> bool:
    """Whether nothing of it is beyond the right edge."""
    return bool(shown.evaluate("element => element.scrollWidth <= element.clientWidth"))


def board(page: Page, name: str) -> Locator:
    return page.locator("#qpi-account").get_by_role("table", name=name, exact=True)


def row(shown: Locator, name: str) -> Locator:
    return shown.locator("tr[data-key]", has_text=name)


def cell(found: Locator, label: str) -> Locator:
    return found.locator(f'td[data-label="{label}"]')


def ask(shown: Locator, amount: str, reason: str = "", group: str = "") -> None:
    """Fill the question out, which is open, and send it."""
    shown.get_by_label("Amount").fill(amount)
    shown.get_by_label("Reason").fill(reason)
    shown.get_by_label("For", exact=True).select_option(group)
    shown.get_by_role("button", name="Send request", exact=True).click()


def answer(two: Two, **body: Any) -> None:
    """What a manager says to the newest request that waits."""
    with client_of(two.lab, two.manager) as manager:
        waiting = ok(manager.get("time-requests", params={"status": "pending"}))["requests"]
        ok(manager.post(f"time-requests/{waiting[0]['id']}/answer", json=body))


def test_time_is_asked_for_and_comes_before_ones_eyes(page: Page, two: Two) -> None:
    for panel in loaded(page, two.theirs):
        panel.locator('[data-id="qpi-lab-panel"]').click()
        panel.locator('[data-section="time"]').get_by_role("button", name="My account").click()
        accounts, requests = board(panel, "QPU time"), board(panel, "My requests")
        expect(cell(row(accounts, "pat"), "Available")).to_have_text("10 min")
        expect(cell(row(accounts, GROUP), "Balance")).to_have_text("2 h")
        shown = section(panel, "QPU time")
        expect(shown).to_contain_text("No requests.")

        shown.get_by_role("button", name="Request QPU time…").click()
        for bad, why in (("an hour", "as a length of time"), ("0 s", "Request more than 0 s"), ("-5 min", "0 s")):
            ask(shown, bad)
            expect(shown.get_by_role("alert")).to_contain_text(why)
        ask(shown, "5 min", "The last figure of the T1 paper")
        expect(shown.get_by_role("alert")).to_have_count(0)
        first = row(requests, "T1 paper")
        expect(first).to_contain_text("Pending")
        answer(two, status="approved", seconds=240, reason="Four will do")
        expect(cell(first, "Status")).to_have_text("Approved")
        expect(cell(first, "Answer")).to_contain_text("granted 4 min")
        expect(cell(first, "Answer")).to_contain_text("Four will do")
        expect(cell(row(accounts, "pat"), "Available")).to_have_text("14 min")
        expect(first.get_by_role("button")).to_have_count(0)

        shown.get_by_role("button", name="Request QPU time…").click()
        ask(shown, "1 d", "A whole weekend")
        answer(two, status="rejected", reason="The fridge is warm until Monday")
        expect(cell(row(requests, "weekend"), "Answer")).to_contain_text("rejected by")
        shown.get_by_role("button", name="Request QPU time…").click()
        ask(shown, "1.5 h", "Course, second week", GROUP)
        asked = row(requests, "second week")
        expect(asked).to_contain_text(f"for {GROUP}")
        shown.get_by_role("button", name="Withdraw: 1.5 h").click()
        expect(cell(asked, "Status")).to_have_text("Withdrawn")
        panel.get_by_role("button", name="Undo").click()
        expect(cell(asked, "Status")).to_have_text(["Pending", "Withdrawn"])
        take_pictures(panel)


def take_pictures(page: Page) -> None:
    if os.environ.get("QPI_SCREENSHOTS"):
        page.evaluate("() => { window.jupyterapp.shell.collapseLeft() }")
        for theme in ("Dark", "Light"):
            change_theme(page, f"JupyterLab {theme}")
            page.locator("#qpi-account").screenshot(path=IMAGES / f"panel-account-{theme.lower()}.png")


def rows_of(download: Download) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(download.path().read_text(), newline="")))


def as_shown(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{round(seconds, 2):g} s"


def test_the_statement_has_what_a_job_took(panel: Page, two: Two) -> None:
    section(panel, "Usage")
    months, lines = board(panel, "Statement"), board(panel, "Ledger")
    expect(row(lines, "The lab's default allowance")).to_contain_text("+10 min")
    with two.pat() as pat:
        program = {"format": "openqasm3", "sources": [BELL]}
        job = ok(pat.post("jobs", json={"program": program, "qpu": "sim-b", "name": f"bell {MARKUP}"}))["id"]
        month = row(months, "sim-b")
        expect(cell(month, "Jobs")).to_have_text("1", timeout=30_000)
        done = ok(pat.get(f"jobs/{job}"))
        statement = ok(pat.get("statements", params={"account": "pat", "qpu": "sim-b"}))["lines"]
    assert [line["used_s"] for line in statement] == [done["busy_s"]]
    assert done["busy_s"] > 0
    expect(cell(month, "Used")).to_have_text(as_shown(done["busy_s"]))
    expect(cell(month, "Month")).to_have_text(f"{datetime.now(UTC):%Y-%m}")
    expect(cell(row(lines, "sim-b"), "Entry")).to_have_text(["Settled", "Reserved"])

    with panel.expect_download() as download:
        panel.get_by_role("button", name="Statement as CSV").click()
    table = rows_of(download.value)
    assert [float(line["used_s"]) for line in table if line["qpu"] == "sim-b"] == [done["busy_s"]]
    with panel.expect_download() as download:
        panel.get_by_role("button", name="Ledger as CSV").click()
    table = rows_of(download.value)
    assert -sum(float(line["amount_s"]) for line in table if line["job_id"] == job) == pytest.approx(done["busy_s"])

    cell(row(lines, "sim-b").first, "For").get_by_role("button").click()
    expect(panel.locator(f"#qpi-job-{job}")).to_contain_text(MARKUP)
    panel.evaluate(OPEN)
    section(panel, "Usage").get_by_label("Account").select_option(f"group:{GROUP}")
    expect(row(lines, "summer term")).to_contain_text("+2 h")
    expect(row(lines, "sim-b")).to_have_count(0)


def test_a_token_works_until_it_is_revoked(panel: Page, two: Two) -> None:
    shown = section(panel, "API tokens")
    tokens = board(panel, "API tokens")
    expect(row(tokens, "Sign-in")).to_be_visible()
    shown.get_by_role("button", name="New token…").click()
    expect(shown.get_by_label("Manage")).to_have_count(0)
    shown.get_by_label("Name").fill(f"night run {MARKUP}{'W' * 200}")
    name = shown.get_by_label("Name").input_value()
    assert len(name) == 100
    submit = shown.get_by_role("button", name="Create token")
    submit.click()
    expect(shown.get_by_role("alert")).to_contain_text("at least one scope")
    shown.get_by_label("Read", exact=True).check()
    shown.get_by_label("Valid for").select_option("7 days")
    submit.click()
    token = shown.get_by_role("textbox", name="Token", exact=True).input_value()
    told = shown.get_by_role("textbox", name="In a shell").input_value()
    expect(cell(row(tokens, "night run"), "Scopes")).to_have_text("read")
    variables = dict(word.split("=", 1) for word in shlex.split(told) if "=" in word)
    assert variables["QPI_LAB_TOKEN"] == token
    headers = {"Authorization": f"Bearer {token}"}
    with (
        httpx.Client(
            base_url=f"{variables['QPI_LAB_URL']}qpi/v1/", headers=headers, trust_env=False, timeout=120
        ) as elsewhere,
        client_of(two.lab, token) as straight,
    ):
        assert ok(elsewhere.get("me"))["user"]["name"] == "pat"
        assert ok(straight.get("accounts/pat"))["name"] == "pat"
        assert straight.post("time-requests", json={"seconds": 1}).status_code == 403

        shown.get_by_role("button", name="Done").click()
        expect(shown.get_by_text(token)).to_have_count(0)
        section(panel, "Profile")
        section(panel, "API tokens")
        expect(cell(row(tokens, "night run"), "Last used")).not_to_have_text("never")
        shown.get_by_role("button", name=f"Revoke: {name}").click()
        shown.get_by_role("button", name="Revoke this token").click()
        expect(row(tokens, "night run")).to_have_count(0)
        assert straight.get("me").status_code == 401
        assert elsewhere.get("me").status_code == 401


def test_the_profile_is_changed_as_far_as_it_is_ones_own(panel: Page, two: Two) -> None:
    name = f"Pat {MARKUP}"
    name += "W" * (200 - len(name))
    shown = section(panel, "Profile")
    me = row(board(panel, "Profile"), "pat")
    shown.get_by_role("button", name="Edit: pat").click()
    shown.get_by_label("Full name").fill(name)
    expect(shown.get_by_label("E-mail")).to_have_count(0)  # people sign in with it: a manager enters it
    shown.get_by_role("button", name="Save").click()
    expect(me).to_contain_text(name)
    expect(cell(me, "Groups")).to_have_text(GROUP)

    shown.get_by_role("button", name="Change password: pat").click()
    change = shown.get_by_role("button", name="Save password")
    assert fits(shown)
    shown.get_by_label("Current password").fill("not this one")
    shown.get_by_label("New password").fill("another horse battery")
    change.click()
    expect(shown.get_by_role("alert")).to_contain_text("not your current password")
    shown.get_by_label("Current password").fill(PASSWORD)
    change.click()
    expect(change).to_have_count(0)
    with client_of(two.lab) as lab:
        assert lab.post("sign-in", json={"name": "pat", "password": PASSWORD}).status_code == 401
        ok(lab.post("sign-in", json={"name": "pat", "password": "another horse battery"}))


def test_it_fits_a_narrow_window_and_the_keyboard(panel: Page, two: Two) -> None:
    with two.pat() as pat:
        ok(pat.post("time-requests", json={"seconds": 1234.5, "reason": f"{MARKUP}{'W' * 300}"}))
    expect(row(board(panel, "My requests"), MARKUP)).to_contain_text("1234.5 s")
    panel.set_viewport_size({"width": 560, "height": 900})
    for name in ("QPU time", "Usage", "API tokens", "Profile"):
        shown = section(panel, name)
        expect(shown.get_by_text("Loading…")).to_have_count(0)
        expect(shown.get_by_role("alert")).to_have_count(0)
        assert fits(shown), name
    panel.keyboard.press("Home")
    expect(panel.locator("#qpi-account [role=tab][data-section=time]")).to_be_focused()
    new = panel.get_by_role("button", name="Request QPU time…")
    new.focus()
    panel.keyboard.press("Enter")
    expect(panel.get_by_label("Amount")).to_be_focused()
    assert fits(section_of(panel))
    panel.keyboard.type("45 s")
    panel.keyboard.press("Enter")
    expect(row(board(panel, "My requests"), "45 s")).to_contain_text("Pending")


def test_others_have_what_is_theirs(browser: Browser, page: Page, two: Two, tmp_path: Path) -> None:
    with client_of(two.lab) as admin, two.pat() as pat:
        ok(pat.post("time-requests", json={"seconds": 60, "reason": "not the admin's"}))
        ok(admin.post("users", json={"name": "prometheus", "roles": ["service"]}))
        program = str(ok(admin.post("tokens", json={"name": "figures", "owner": "prometheus"}))["token"])
    for owner in loaded(page, two.lab):
        owner.evaluate(OPEN)
        expect(board(owner, "QPU time").locator("tr[data-key]")).to_have_count(1, timeout=20_000)
        expect(section(owner, "QPU time")).to_contain_text("No requests.")
        shown = section(owner, "API tokens")
        shown.get_by_role("button", name="New token…").click()
        expect(shown.get_by_label("Manage")).to_be_visible()
    with forwarding(two.lab, program, tmp_path) as theirs:
        for nobody in loaded(browser.new_page(), theirs):
            nobody.evaluate(OPEN)
            expect(nobody.locator("#qpi-account")).to_contain_text("You have no account")
            nobody.close()
