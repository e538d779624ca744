"""The panel on bad days, in a real browser on a real lab: a slow one, one that shuts you out, wrong clocks, lost
events, a second page, and text that would rather be a script."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from tests.ui.jupyterlab import loaded
from tests.ui.labs import (
    BELL,
    HEAVY,
    Demo,
    client_of,
    demo_lab,
    execute,
    forwarding,
    picture,
    queue_tab,
    row_of,
    side_panel,
    signed_up,
)

pytestmark = [pytest.mark.ui, pytest.mark.slow]
EVIL = '<img src=x onerror="window.hurt=1"><script>window.hurt=2</script>'
LONG = ("Ωmega " * 40)[:200]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("bad_days")) as found:
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def asked(page: Page) -> list[str]:
    """What the page asks the lab from now on."""
    found: list[str] = []
    page.on("request", lambda r: found.append(f"{r.method} {r.url}") if "/qpi/v1/" in r.url else None)
    return found


# --- a slow lab -------------------------------------------------------------------------------------------------------


def test_a_slow_lab_keeps_what_is_shown_and_takes_a_press_once(lab: Page, demo: Demo) -> None:
    job = demo.submit("slow")
    assert demo.ended(job) == "completed"
    panel = side_panel(lab)
    expect(panel.locator(".jp-QPI-Row", has_text="slow")).to_contain_text("Completed")
    execute(lab, "qpi:open-job", id=job)
    again = lab.locator(f"#qpi-job-{job}").get_by_role("button", name="Submit again")
    expect(again).to_be_visible(timeout=20_000)

    requests = asked(lab)
    demo.process.send_signal(signal.SIGSTOP)
    try:
        again.click()
        expect(again).to_have_attribute("aria-disabled", "true")
        again.dispatch_event("click")
        again.dispatch_event("click")
        lab.wait_for_timeout(3_000)  # so slow is the lab
        expect(panel.locator(".jp-QPI-Row", has_text="slow").first).to_be_visible()
        expect(panel.locator('.jp-QPI-Connection[data-connection="lost"]')).to_have_count(0)
    finally:
        demo.process.send_signal(signal.SIGCONT)
    expect(lab.locator('[id^="qpi-job-"]')).to_have_count(2, timeout=30_000)
    assert len([line for line in requests if line.startswith("POST") and "/jobs" in line]) == 1
    assert len(demo.ask("GET", "jobs?name=slow")["jobs"]) == 2


# --- shut out ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pat(demo: Demo) -> Iterator[dict[str, Any]]:
    """A plain person of the lab, with a token."""
    with client_of(demo.notebooks, signed_up(demo.client, "pat")) as person:
        yield dict(person.post("tokens", json={"name": "panel"}).raise_for_status().json())


def test_a_revoked_token_is_told_without_a_storm_and_back_without_a_reload(
    page: Page, demo: Demo, pat: dict[str, Any], tmp_path: Path
) -> None:
    with forwarding(demo.notebooks, pat["token"], tmp_path) as theirs:
        next(loaded(page, theirs))
        panel = side_panel(page)
        expect(panel.locator(".jp-QPI-Connection")).to_have_attribute("data-connection", "connected")
        with client_of(demo.notebooks, pat["token"]) as person:
            person.delete(f"tokens/{pat['id']}").raise_for_status()
        note = panel.locator('.jp-QPI-Connection[data-connection="refused"]')
        expect(note).to_contain_text("no longer have access", timeout=30_000)
        expect(note).to_contain_text("Reload the page to sign in again")
        expect(page.locator(".jp-QPI-Status")).to_contain_text("no access")
        expect(panel.locator(".jp-QPI-Card").first).to_be_visible()  # what was known stays
        picture(page, "refused")
        requests = asked(page)
        page.wait_for_timeout(5_000)  # the time in which a storm would be seen
        assert len(requests) <= 2, requests


def test_a_session_of_jupyter_that_ended_is_told_and_found_again(lab: Page, demo: Demo) -> None:
    panel = side_panel(lab)
    queue_tab(lab)
    shut = "**/qpi/v1/**"
    refusal = {"error": {"kind": "Forbidden", "code": "forbidden", "message": "Forbidden", "data": {}}}
    lab.route(shut, lambda route: route.fulfill(status=403, json=refusal))
    requests = asked(lab)
    note = panel.locator('.jp-QPI-Connection[data-connection="refused"]')
    execute(lab, "qpi:open-panel")
    expect(note).to_be_visible(timeout=30_000)
    before = len(requests)
    lab.wait_for_timeout(5_000)  # the time in which a storm would be seen
    assert len(requests) - before <= 3, requests[before:]
    lab.unroute(shut)
    expect(note).to_have_count(0, timeout=40_000)


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [-10, 10])
def test_countdowns_go_by_the_labs_clock(page: Page, demo: Demo, minutes: int) -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30)
    body = {"qpu": "sim-b", "start_at": start.isoformat(), "end_at": (start + timedelta(minutes=30)).isoformat()}
    booking = demo.ask("POST", "bookings", body)["bookings"][0]
    shift = (
        "(ms => { const real = Date; const now = () => real.now() + ms;"
        " window.Date = class extends real { constructor(...a) { a.length ? super(...a) : super(now()); }"
        " static now() { return now(); } }; })"
    )
    page.add_init_script(f"{shift}({minutes * 60_000})")
    for lab in loaded(page, demo.notebooks):
        panel = side_panel(lab)
        expect(panel.get_by_role("timer")).to_contain_text("begins in 29 min", timeout=20_000)
        assert lab.evaluate("() => Date.now()") - 1000 * time.time() == pytest.approx(minutes * 60_000, abs=20_000)
    demo.ask("DELETE", f"bookings/{booking['id']}")


# --- lost events ------------------------------------------------------------------------------------------------------


def test_events_that_were_lost_and_pruned_are_made_up_for(page: Page, demo: Demo) -> None:
    cut = {"now": False}

    def through(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: None if cut["now"] else socket.send(message))

    page.route_web_socket("**/api/events/subscribe*", through)
    for lab in loaded(page, demo.notebooks):
        tab = queue_tab(lab)
        before = demo.submit("before the gap")
        expect(row_of(tab, before)).to_contain_text("Completed", timeout=30_000)
        cut["now"] = True
        missed = demo.submit("in the gap")
        assert demo.ended(missed) == "completed"
        with sqlite3.connect(database_of(demo), timeout=20) as database:
            database.execute("DELETE FROM events")
        expect(row_of(tab, missed)).to_have_count(0)
        cut["now"] = False
        demo.submit("after the gap")
        expect(row_of(tab, missed)).to_contain_text("Completed", timeout=15_000)


# --- a second page ----------------------------------------------------------------------------------------------------


def test_two_pages_of_one_person_agree(lab: Page, demo: Demo, context: BrowserContext) -> None:
    demo.ask("POST", "notices", {"title": "Seen in both"})
    second = context.new_page()
    next(loaded(second, demo.notebooks))
    panels = [side_panel(page) for page in (lab, second)]
    for panel in panels:
        expect(panel.locator(".jp-QPI-Notice")).to_contain_text("Seen in both")
    panels[0].get_by_role("button", name="Dismiss").click()
    for panel in panels:
        expect(panel.locator(".jp-QPI-Notice")).to_have_count(0, timeout=3_000)
    job = demo.submit("cancelled elsewhere", HEAVY)
    rows = [panel.locator(f'.jp-QPI-Row[data-key="{job}"]') for panel in panels]
    for row in rows:
        expect(row).to_contain_text("Running", timeout=30_000)
    rows[1].get_by_role("button", name="Cancel job").click()
    for row in rows:
        expect(row).to_contain_text("Cancelled", timeout=30_000)
    second.close()


# --- text -------------------------------------------------------------------------------------------------------------


def test_text_is_shown_and_never_run(lab: Page, demo: Demo) -> None:
    start = datetime.now(UTC) + timedelta(hours=3)
    end = start + timedelta(hours=1)
    me = demo.ask("GET", "me")["user"]["name"]
    demo.ask("PATCH", f"users/{me}", {"display_name": EVIL})
    demo.ask("PATCH", "qpus/sim-a", {"description": EVIL})
    slot = {"start_at": start.isoformat(), "end_at": end.isoformat()}
    booking = demo.ask("POST", "bookings", {"qpu": "sim-b", "title": EVIL, **slot})["bookings"][0]
    notice = demo.ask("POST", "notices", {"title": EVIL, "body": EVIL})
    job = demo.submit(EVIL, BELL + f"// {EVIL}\n", tags=[EVIL[:64]], project=EVIL)
    assert demo.ended(job) == "completed"
    failed = demo.submit("fails")
    assert demo.ended(failed) == "completed"
    error = json.dumps({"kind": "Rejected", "code": "bad_program", "message": EVIL, "data": {}})
    with sqlite3.connect(database_of(demo), timeout=20) as database:  # as an executor of somebody's own may say it
        database.execute("UPDATE jobs SET state = 'failed', error = ? WHERE id = ?", (error, failed))

    panel = side_panel(lab)
    expect(panel.locator(".jp-QPI-Notice")).to_contain_text(EVIL)
    expect(panel.locator(".jp-QPI-Booking")).to_contain_text(EVIL)
    expect(panel.locator(f'.jp-QPI-Row[data-key="{job}"]')).to_contain_text(EVIL)
    tab = queue_tab(lab)
    expect(row_of(tab, job)).to_contain_text(EVIL)
    expect(row_of(tab, failed)).to_contain_text(EVIL)
    execute(lab, "qpi:open-job", id=job)
    view = lab.locator(f"#qpi-job-{job}")
    expect(view.get_by_role("heading", level=1)).to_have_text(EVIL)
    expect(view.locator(".cm-content").first).to_contain_text(EVIL)
    expect(view).to_contain_text(EVIL[:64])
    execute(lab, "qpi:open-calendar")
    calendar = lab.locator("#qpi-calendar")
    if start.isocalendar().week != datetime.now(UTC).isocalendar().week:
        calendar.get_by_role("button", name="Later").click()
    expect(calendar).to_contain_text(EVIL[:20], timeout=20_000)
    execute(lab, "qpi:open-qpu", qpu="sim-a")
    expect(lab.locator("#qpi-qpu-sim-a")).to_contain_text("sim-a", timeout=20_000)
    execute(lab, "qpi:open-admin")
    expect(lab.locator("#qpi-admin")).to_be_visible(timeout=20_000)
    for name in ("QPUs", "People", "Notices", "Audit log"):
        lab.locator("#qpi-admin").get_by_role("tab", name=name).click()
        expect(lab.locator("#qpi-admin").get_by_text("Loading…")).to_have_count(0)
    assert lab.evaluate("() => window.hurt") is None
    demo.ask("DELETE", f"bookings/{booking['id']}")
    demo.ask("DELETE", f"notices/{notice['id']}")


def database_of(demo: Demo) -> Path:
    return demo.home / "lab" / "lab.sqlite3"


def test_two_hundred_characters_fit_everywhere(lab: Page, demo: Demo) -> None:
    job = demo.submit(LONG, tags=["t" * 64], project=LONG)
    assert demo.ended(job) == "completed"
    panel = side_panel(lab)
    expect(panel.locator(f'.jp-QPI-Row[data-key="{job}"]')).to_be_visible()
    tab = queue_tab(lab)
    expect(row_of(tab, job)).to_be_visible()
    execute(lab, "qpi:open-job", id=job)
    view = lab.locator(f"#qpi-job-{job} .jp-QPI-Job")
    expect(view.get_by_role("heading", level=1)).to_have_text(LONG)
    for place in (panel, view):
        assert place.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    picture(lab, "long-names")


# --- how much is asked ------------------------------------------------------------------------------------------------


def test_an_event_costs_few_requests(lab: Page, demo: Demo) -> None:
    side_panel(lab)
    queue_tab(lab)
    expect(lab.locator("#qpi-queue").get_by_role("grid")).not_to_have_attribute("aria-busy", "true")
    requests = asked(lab)
    first = len(demo.ask("GET", "events?limit=2000")["events"])
    job = demo.submit("counted")
    assert demo.ended(job) == "completed"
    expect(row_of(lab.locator("#qpi-queue"), job)).to_contain_text("Completed")
    events = len(demo.ask("GET", "events?limit=2000")["events"]) - first
    print(f"{len(requests)} requests for {events} events of one job")
    assert len(requests) <= 6 * events, requests
