"""A real JupyterLab and a real browser: one server a session, a fresh page a test. Collected last, because Playwright's
own event loop stays until the session ends."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.faults.scripted_rest import TOKEN
from tests.faults.scripted_rules import RulesLab
from tests.support.servers import wait_until
from tests.ui.calendar_page import Ask, booked, open_calendar

ROOT = Path(__file__).parents[2]
SOURCES = [str(ROOT), str(ROOT / "server_extension"), str(ROOT / "executors")]
CHROMIUM_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
OPEN = """async path => {
  const app = window.jupyterapp;
  // Naming the kernel keeps the "Select Kernel" dialog away, which would wait for ever.
  const panel = await app.commands.execute('docmanager:open', {path, factory: 'Notebook', kernel: {name: 'python3'}});
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  app.shell.activateById(panel.id);
}"""
THEME = "async name => { await window.jupyterapp.commands.execute('apputils:change-theme', {theme: name}) }"


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Playwright owns the event loop here: keep pytest-jupyter's autouse fixture out."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """As `jp_asyncio_loop`."""


def chromium() -> str:
    """Where the browser is."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if found is None:
        pytest.fail("no Chromium: `make system` installs it, or says how")
    return found


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": chromium(), "args": CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {
        **browser_context_args, "viewport": {"width": 1200, "height": 900}, "timezone_id": "UTC",
        "device_scale_factor": 2,
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebooks:
    """A running JupyterLab and the folder it shows."""

    url: str
    token: str
    folder: Path

    def write(self, name: str, *cells: str) -> str:
        """A notebook of code cells; its name."""
        document = {
            "nbformat": 4, "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "cells": [
                {"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "execution_count": None, "outputs": [],
                 "source": text.strip()}
                for n, text in enumerate(cells)
            ],
        }  # fmt: skip
        (self.folder / name).write_text(json.dumps(document))
        return name

    def read(self, name: str) -> dict[str, Any]:
        """A notebook as it was saved."""
        return dict(json.loads((self.folder / name).read_text()))


def start_jupyterlab(home: Path, env: dict[str, str], *options: str) -> tuple[subprocess.Popen[bytes], Notebooks]:
    """JupyterLab with a home of its own; it has said where it is when this returns."""
    folder = home / "work"
    for place in (folder, home / "runtime", home / "config"):
        place.mkdir()
    news = home / "config/lab/user-settings/@jupyterlab/apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    token = secrets.token_hex(16)
    process = _launch(home, token, 0, env, *options)
    return process, Notebooks(url=_address(process, home), token=token, folder=folder)


def restart_jupyterlab(home: Path, notebooks: Notebooks, env: dict[str, str], *options: str) -> subprocess.Popen[bytes]:
    """The same JupyterLab again, where the browser looks for it."""
    port = urlsplit(notebooks.url).port or 0
    process = _launch(home, notebooks.token, port, env, *options)
    assert _address(process, home) == notebooks.url
    return process


def _launch(home: Path, token: str, port: int, env: dict[str, str], *options: str) -> subprocess.Popen[bytes]:
    folder = home / "work"
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly", f"--LabApp.workspaces_dir={home / 'workspaces'}", *options,
    ]  # fmt: skip
    own = {
        "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": os.pathsep.join(filter(None, [*SOURCES, os.environ.get("PYTHONPATH")])),
    }  # fmt: skip
    with (home / "lab.log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env={**os.environ, **own, **env}, stdout=log, stderr=log)


def _address(process: subprocess.Popen[bytes], home: Path) -> str:
    """Where the server answers, once it does."""
    runtime = home / "runtime" / f"jpserver-{process.pid}.json"
    for _ in range(600):
        assert process.poll() is None, (home / "lab.log").read_text()
        try:
            url = str(json.loads(runtime.read_text())["url"]).rstrip("/")
            urllib.request.urlopen(f"{url}/api", timeout=1).close()
        except (OSError, ValueError):
            # Another process starts: there is no event to wait for, only a deadline.
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        else:
            return url
    raise AssertionError((home / "lab.log").read_text())


@pytest.fixture(scope="session")
def scripted() -> Iterator[RulesLab]:
    with RulesLab() as server:
        yield server


@pytest.fixture(scope="session")
def notebooks(scripted: RulesLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebooks]:
    """JupyterLab whose kernels talk to the scripted lab."""
    home = tmp_path_factory.mktemp("jupyterlab")
    # The lab's own extension stays out: the scripted lab takes its place.
    process, found = start_jupyterlab(
        home,
        {"QPI_LAB_URL": scripted.url, "QPI_LAB_TOKEN": TOKEN},
        "--ServerApp.jpserver_extensions={'qpi_server': False}",
    )
    try:
        yield found
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def jupyterlab(page: Page, notebooks: Notebooks) -> Iterator[Page]:
    """JupyterLab, loaded, in an empty workspace."""
    yield from loaded(page, notebooks)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Notebooks, int]]:
    """JupyterLab with the demo lab inside, both QPUs online; and the server's process id. Started by its first user."""
    home = tmp_path_factory.mktemp("demo")
    process, notebooks = start_jupyterlab(
        home, {"QPI_LAB_DIR": str(home / "lab")},
        "--ServerApp.jpserver_extensions={'qpi_server': True}", "--QPIServer.demo=True",
    )  # fmt: skip
    try:
        wait_until(lambda: online(notebooks) >= 2, 90, "both QPUs online")
        yield notebooks, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def online(notebooks: Notebooks) -> int:
    request = urllib.request.Request(
        f"{notebooks.url}/qpi/v1/qpus", headers={"Authorization": f"token {notebooks.token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return sum(qpu["status"] == "online" for qpu in json.load(answer)["qpus"])
    except OSError:
        return 0


@pytest.fixture
def page_of_demo(page: Page, demo: tuple[Notebooks, int]) -> Iterator[Page]:
    yield from loaded(page, demo[0])


@pytest.fixture(scope="session")
def calendar_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebooks]:
    """JupyterLab with the demo lab inside."""
    home = tmp_path_factory.mktemp("calendar")
    process, notebooks = start_jupyterlab(
        home, {"QPI_LAB_DIR": str(home / "lab")},
        "--ServerApp.jpserver_extensions={'qpi_server': True}", "--QPIServer.demo=True",
    )  # fmt: skip
    try:
        yield notebooks
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture
def ask(calendar_lab: Notebooks) -> Iterator[Ask]:
    """The lab's REST surface, as the person of the page; without a booking before and after."""

    def ask(method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"token {calendar_lab.token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(
            urllib.request.Request(f"{calendar_lab.url}/qpi/v1/{path}", data, headers, method=method), timeout=10
        ) as answer:
            return json.load(answer)

    wait_until(lambda: len(ask("GET", "qpus")["qpus"]) >= 2, 60, "both QPUs")
    yield ask
    for booking in booked(ask):
        ask("DELETE", f"bookings/{booking['id']}")


@pytest.fixture
def calendar(page: Page, calendar_lab: Notebooks, ask: Ask) -> Iterator[Page]:
    """The calendar of the week after this one, nearly all of its hours in view."""
    page.set_viewport_size({"width": 1280, "height": 1400})
    for opened in loaded(page, calendar_lab):
        open_calendar(opened)
        yield opened


def loaded(page: Page, notebooks: Notebooks) -> Iterator[Page]:
    """The page with JupyterLab in it; an uncaught error on the page fails the test."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{notebooks.url}/lab?token={notebooks.token}&reset")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
    page.wait_for_function("() => window.jupyterapp && document.querySelector('.jp-Launcher')")
    yield page
    assert not errors, errors


def open_notebook(page: Page, name: str) -> None:
    """Open it with a running kernel."""
    page.evaluate(OPEN, name)


def run_all(page: Page) -> None:
    """Start all cells, without waiting for them."""
    page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells') }")


def save(page: Page) -> None:
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")


def change_theme(page: Page, name: str) -> None:
    """``JupyterLab Light`` or ``JupyterLab Dark``."""
    page.evaluate(THEME, name)
    light = "true" if name.endswith("Light") else "false"
    # Changing the theme shows the splash screen for a moment.
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
