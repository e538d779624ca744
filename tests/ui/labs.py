"""Labs for the browser: a JupyterLab with its lab, another one that forwards to it, and a driver started by hand."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.support.waiting import wait_until
from tests.ui.jupyterlab import SOURCES, Notebooks, restart_jupyterlab, start_jupyterlab

ENABLED = "--ServerApp.jpserver_extensions={'qpi_server': True}"
SLOW = 60_000
"""How long a browser waits for what may take long on a busy machine (ms)."""
PASSWORD = "correct horse battery"
BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'
GHZ = """OPENQASM 3.0;
include "stdgates.inc";
// Three qubits, one state
qubit[3] q;
bit[3] c;
h q[0];
cx q[0], q[1];
cx q[1], q[2];
c = measure q;
"""
RABI = """OPENQASM 3.0;
include "stdgates.inc";
input angle theta;
qubit[1] q;
bit[1] c;
rx(theta) q[0];
c = measure q;
"""
HEAVY = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[22] q;\nbit[22] c;\n'
    + "U(0.1, 0.2, 0.3) q;\ncx q[0:20], q[1:21];\n" * 200
    + "c = measure q;\n"
)
"""Runs for most of a minute on a quick machine: gates on one qubit alone would be fused into a single one."""


@contextmanager
def jupyterlab_at(home: Path, env: dict[str, str], *options: str) -> Iterator[Notebooks]:
    """JupyterLab with the lab's extension."""
    process, notebooks = start_jupyterlab(home, env, ENABLED, *options)
    try:
        yield notebooks
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@dataclass(slots=True, kw_only=True)
class Demo:
    """A JupyterLab with the demo lab inside, and its REST surface as its admin, who is the person of its page."""

    home: Path
    options: tuple[str, ...]
    env: dict[str, str]
    process: subprocess.Popen[bytes]
    notebooks: Notebooks
    client: httpx.Client

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def submit(self, name: str, source: str = BELL, **more: Any) -> str:
        shots = more.pop("shots", 100)
        program = {"format": "openqasm3", "sources": more.pop("sources", [source])}
        body = {"program": program, "qpu": "sim-a", "name": name, "options": {"shots": shots}, **more}
        return str(self.ask("POST", "jobs", body)["id"])

    def ended(self, job_id: str) -> str:
        return str(self.ask("GET", f"jobs/{job_id}?wait_s=20")["status"])

    def wait_online(self) -> None:
        wait_until(lambda: online(self.client) >= 2, 90, "both QPUs online")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    def start_again(self) -> None:
        """On the same port, with the same lab."""
        self.process = restart_jupyterlab(self.home, self.notebooks, self.env, *self.options)
        self.wait_online()


@contextmanager
def demo_lab(home: Path, *options: str, **env: str) -> Iterator[Demo]:
    """A demo lab under ``home`` with accounts of its own, both simulators online."""
    chosen = (ENABLED, "--QPIServer.demo=True", "--QPIServer.local_accounts=True", *options)
    given = {"QPI_LAB_DIR": str(home / "lab"), **env}
    process, notebooks = start_jupyterlab(home, given, *chosen)
    with client_of(notebooks) as client:
        demo = Demo(home=home, options=chosen, env=given, process=process, notebooks=notebooks, client=client)
        try:
            demo.wait_online()
            yield demo
        finally:
            demo.process.send_signal(signal.SIGTERM)
            demo.process.wait(30)


@contextmanager
def forwarding(lab: Notebooks, token: str, home: Path) -> Iterator[Notebooks]:
    """A second person's JupyterLab, which passes everything on to ``lab`` with that person's token."""
    env = {"QPI_UPSTREAM_URL": lab.url, "QPI_UPSTREAM_TOKEN": token, "QPI_LAB_DIR": str(home / "none")}
    with jupyterlab_at(home, env) as notebooks:
        yield notebooks


def client_of(notebooks: Notebooks, token: str | None = None) -> httpx.Client:
    """The lab behind a server, as its user or as the owner of a lab token."""
    headers = {"Authorization": f"Bearer {notebooks.token if token is None else token}"}
    return httpx.Client(base_url=f"{notebooks.url}/qpi/v1/", headers=headers, trust_env=False, timeout=120)


def ok(answer: httpx.Response) -> Any:
    """What a request that must be granted brought."""
    assert answer.is_success, answer.text
    return answer.json()


def online(client: httpx.Client) -> int:
    """How many QPUs are online; none while the server does not answer yet."""
    try:
        return sum(qpu["status"] == "online" for qpu in ok(client.get("qpus"))["qpus"])
    except httpx.HTTPError:
        return 0


def signed_up(admin: httpx.Client, name: str) -> str:
    """The token of a new plain user."""
    ok(admin.post("users", json={"name": name, "roles": ["user"], "password": PASSWORD}))
    return str(ok(admin.post("sign-in", json={"name": name, "password": PASSWORD}))["token"])


@contextmanager
def agent(command: str, home: Path) -> Iterator[None]:
    """What an engineer gets who types ``command`` on the driver's machine."""
    name, *words = shlex.split(command)
    assert name == "qpi-agent"
    env = {**os.environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(SOURCES)}
    with (home / "agent.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "qpi_agent", *words], cwd=home, env=env, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


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


def section(page: Page, name: str) -> Locator:
    """The section of the administration with that name, chosen from the list."""
    page.locator(".jp-QPI-AdminNav").get_by_role("tab", name=name, exact=True).click()
    shown = page.locator(".jp-QPI-AdminSection")
    expect(shown.get_by_role("heading", name=name, exact=True)).to_be_visible()
    return shown


def board_row(shown: Locator, name: str) -> Locator:
    """A row of a section's table."""
    return shown.locator("tr[data-key]", has_text=name)


def picture(page: Page, name: str) -> None:
    """What a developer wants to look at: with ``QPI_PICTURES`` set to a folder, it is put there."""
    if folder := os.environ.get("QPI_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")
