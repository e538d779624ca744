"""No two faces of the lab disagree: side panel, QPU tab, queue, status bar, and a kernel in another time zone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.servers import python_env
from tests.support.waiting import wait_until
from tests.ui.jupyterlab import loaded, open_notebook, run_all
from tests.ui.labs import Demo, demo_lab, execute, queue_tab, side_panel

pytestmark = [
    pytest.mark.ui, pytest.mark.slow, pytest.mark.browser_context_args(timezone_id="Asia/Kolkata", locale="en-GB"),
]  # fmt: skip
RIG = "rig"
FACE = f"""
import qpi_jupyter
lab = qpi_jupyter.connect()
qpu = lab.qpus()["{RIG}"]
print(f"<{{qpu.status}} {{qpu.reason}} {{qpu.queued}} {{qpu.running}}>")
"""
BOOK = """
import qpi_jupyter
print(qpi_jupyter.connect().book("sim-b", "23:00", duration="30min"))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo lab, its kernels by UTC, and the QPU that the status bar shows."""
    home = tmp_path_factory.mktemp("truth")
    with demo_lab(home, TZ="UTC") as found:
        settings = home / "config/lab/user-settings/qpi-jupyter"
        settings.mkdir(parents=True)
        (settings / "settings.jupyterlab-settings").write_text(json.dumps({"defaultQpu": RIG}))
        found.ask("POST", "qpus", {"name": RIG, "kind": "device"})
        yield found


@contextmanager
def driver(lab: Demo) -> Iterator[None]:
    """A driver of the rig, which is busy for an hour with each job."""
    token = lab.ask("POST", "drivers", {"name": "pc", "qpu": RIG})["token"]
    command = [
        sys.executable, "-m", "qpi_agent", "start", "--qpi-addr", lab.notebooks.url, "--name", "pc",
        "--executor", "tests.faults.executors:SlowExecutor", "-o", "simulator=false",
        "--data-dir", str(lab.home / "agent"),
    ]  # fmt: skip
    with (lab.home / "agent.log").open("wb") as log:
        process = subprocess.Popen(command, env=python_env(QPI_ACCESS_TOKEN=token), stdout=log, stderr=log)
    try:
        wait_until(lambda: lab.ask("GET", f"qpus/{RIG}")["status"] == "online", 60, "the rig online")
        yield
    finally:
        process.kill()
        process.wait(30)


class Faces:
    """All that says how the rig is."""

    def __init__(self, page: Page, lab: Demo) -> None:
        self.page = page
        open_notebook(page, lab.notebooks.write("face.ipynb", FACE))
        self.card = side_panel(page).locator(f'.jp-QPI-Card[data-key="{RIG}"]')
        self.bar = page.locator(".jp-QPI-Status")

    def say(self, status: str, word: str, reason: str, waiting: int, running: int) -> None:
        """Each of them says this."""
        counts = f"{running} running, {waiting} waiting"
        expect(self.card.locator(".jp-QPI-State")).to_contain_text(word, timeout=30_000)
        expect(self.card).to_contain_text(counts, timeout=30_000)
        expect(self.card).to_contain_text(reason)
        expect(self.bar).to_contain_text(f"{RIG}: {word}", timeout=30_000)
        if waiting or running:
            expect(self.bar).to_contain_text(f"{running} running · {waiting} waiting", timeout=30_000)
        self._kernel(f"<{status} {reason} {waiting} {running}>")
        execute(self.page, "qpi:open-qpu", qpu=RIG)
        tab = self.page.locator(".jp-QPI-QpuTab")
        expect(tab.locator(".jp-QPI-Pill").first).to_have_text(word, timeout=30_000)
        expect(tab).to_contain_text(reason)
        for name, count in (("Running", running), ("Waiting", waiting)):
            expect(_fact(tab, name)).to_have_text(str(count), timeout=30_000)
        rows = queue_tab(self.page).locator('[role="row"][data-key]')
        for state, count in (("Running", running), ("Waiting", waiting)):
            shown = rows.filter(has=self.page.locator('[data-column="state"]', has_text=re.compile(f"^{state}$")))
            expect(shown).to_have_count(count, timeout=30_000)

    def _kernel(self, said: str) -> None:
        notebook = self.page.locator(".jp-Notebook")
        execute(self.page, "docmanager:open", path="face.ipynb")
        run_all(self.page)
        expect(notebook.locator(".jp-OutputArea-output").first).to_contain_text(said, timeout=60_000)


def _fact(tab: Locator, name: str) -> Locator:
    return tab.locator(".jp-QPI-QpuHead dl > div", has=tab.page.locator("dt", has_text=name)).locator("dd")


@pytest.fixture
def opened(page: Page, lab: Demo) -> Iterator[Page]:
    yield from loaded(page, lab.notebooks)


def test_every_face_says_the_same_of_a_qpu(opened: Page, lab: Demo) -> None:
    with driver(lab):
        faces = Faces(opened, lab)
        faces.say("online", "Online", "", 0, 0)
        jobs = [lab.submit(f"long {n}", qpu=RIG) for n in range(3)]
        wait_until(lambda: lab.ask("GET", f"jobs/{jobs[0]}")["status"] == "running", 60, "the first job's start")
        wait_until(lambda: lab.ask("GET", f"jobs/{jobs[1]}")["phase"] == "assigned", 60, "the second one staged")
        faces.say("online", "Online", "", 2, 1)
        last = side_panel(opened).locator(f'.jp-QPI-Row[data-key="{jobs[2]}"]')
        expect(last).to_contain_text("start not known yet")  # the rig has no history
        lab.ask("PATCH", f"qpus/{RIG}", {"hold": "helium refill"})
        faces.say("held", "On hold", "helium refill", 2, 1)
        expect(last).to_contain_text("on hold: helium refill")
        lab.ask("PATCH", f"qpus/{RIG}", {"hold": None, "maintenance": True})
        faces.say("maintenance", "In maintenance", "", 2, 1)
        expect(last).to_contain_text("in maintenance")
        lab.ask("PATCH", f"qpus/{RIG}", {"maintenance": False})
    faces.say("offline", "Offline", "", 2, 1)
    for job in jobs:
        lab.ask("POST", f"jobs/{job}/cancel")


def test_times_are_by_the_clock_of_the_person_who_looks(opened: Page, lab: Demo) -> None:
    card = side_panel(opened).locator('.jp-QPI-Card[data-key="sim-b"]')
    wait_until(lambda: lab.ask("GET", "me")["timezone"], 30, "the panel's word of its clock")
    open_notebook(opened, lab.notebooks.write("book.ipynb", BOOK))
    run_all(opened)
    output = opened.locator(".jp-OutputArea-output").first
    expect(output).to_contain_text("23:00-23:30 UTC+5:30", timeout=60_000)
    (booking,) = lab.ask("GET", "bookings?mine=true&status=booked")["bookings"]
    start = datetime.fromisoformat(booking["start_at"])
    assert (start.hour, start.minute) == (17, 30)
    expect(card).to_contain_text(re.compile(r"Free until (\w+,? .*)?23:00 UTC\+5:30, then you"), timeout=30_000)
