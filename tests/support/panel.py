"""JupyterLab with a demo lab inside, for the tests of the panel."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.support.servers import wait_until
from tests.ui.conftest import Notebooks, start_jupyterlab

OPTIONS = (
    "--ServerApp.jpserver_extensions={'qpi_server': True}", "--QPIServer.demo=True", "--QPIServer.local_accounts=True",
    "--JupyterNotebookApp.expose_app_in_browser=True",
)  # fmt: skip
PASSWORD = "correct-horse-battery"
BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'
HEAVY = "OPENQASM 3.0;\nqubit[22] q;\nbit[22] c;\n" + "U(0.1, 0.2, 0.3) q;\n" * 1000 + "c = measure q;\n"


@dataclass(slots=True, kw_only=True)
class Demo:
    """A JupyterLab with the demo lab inside, and its REST surface as the person of the page."""

    home: Path
    process: subprocess.Popen[bytes]
    notebooks: Notebooks
    client: httpx.Client

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, path, json=body).raise_for_status()
        return answer.json() if answer.content else None

    def submit(self, name: str, source: str = BELL, **more: Any) -> str:
        shots = more.pop("shots", 100)
        program = {"format": "openqasm3", "sources": [source]}
        body = {"program": program, "qpu": "sim-a", "name": name, "options": {"shots": shots}, **more}
        return str(self.ask("POST", "jobs", body)["id"])

    def ended(self, job_id: str) -> str:
        return str(self.ask("GET", f"jobs/{job_id}?wait_s=20")["status"])

    def newcomer(self, name: str) -> str:
        """A plain person of the lab, new to it; the token of their sign-in."""
        self.ask("POST", "users", {"name": name, "roles": ["user"], "password": PASSWORD})
        return str(self.ask("POST", "sign-in", {"name": name, "password": PASSWORD})["token"])

    def online(self) -> bool:
        try:
            return all(qpu["status"] == "online" for qpu in self.ask("GET", "qpus")["qpus"])
        except httpx.HTTPError:
            return False


@contextmanager
def demo_lab(home: Path, *options: str, **env: str) -> Iterator[Demo]:
    """A demo lab under ``home``, both QPUs online."""
    process, notebooks = start_jupyterlab(home, {"QPI_LAB_DIR": str(home / "lab"), **env}, *OPTIONS, *options)
    try:
        with client_of(notebooks) as client:
            demo = Demo(home=home, process=process, notebooks=notebooks, client=client)
            wait_until(demo.online, 90, "both QPUs online")
            yield demo
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def client_of(notebooks: Notebooks, token: str | None = None) -> httpx.Client:
    """REST as the person of a page, or as whoever has ``token``."""
    headers = {"Authorization": f"Bearer {token or notebooks.token}"}
    return httpx.Client(base_url=f"{notebooks.url}/qpi/v1/", headers=headers, timeout=30, trust_env=False)


def execute(page: Page, command: str, **args: str) -> None:
    page.evaluate("([id, args]) => { void window.jupyterapp.commands.execute(id, args) }", [command, args])


def side_panel(page: Page) -> Locator:
    """The side panel, opened and filled."""
    panel = page.locator("#qpi-lab-panel")
    execute(page, "qpi:open-panel")
    expect(panel.locator(".jp-QPI-Card").first).to_be_visible()
    return panel


def queue_tab(page: Page) -> Locator:
    execute(page, "qpi:open-queue")
    tab = page.locator("#qpi-queue")
    expect(tab.get_by_role("grid", name="Jobs")).to_be_visible()
    return tab


def row_of(tab: Locator, job_id: str) -> Locator:
    return tab.locator(f'[role="row"][data-key="{job_id}"]')


def picture(page: Page, name: str) -> None:
    """What a developer wants to look at: with ``QPI_PICTURES`` set to a folder, it is put there."""
    if folder := os.environ.get("QPI_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")
