"""JupyterLab as a process of its own, and what one does with its page in a browser."""

from __future__ import annotations

import json
import os
import secrets
import shutil
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

from tests.support.template import prepare

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


def chromium() -> str:
    """Where the browser is."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if found is None:
        pytest.fail("no Chromium: `make system` installs it, or says how")
    return found


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
    return process, Notebooks(url=address_of(process, home), token=token, folder=folder)


def restart_jupyterlab(home: Path, notebooks: Notebooks, env: dict[str, str], *options: str) -> subprocess.Popen[bytes]:
    """The same JupyterLab again, where the browser looks for it."""
    port = urlsplit(notebooks.url).port or 0
    process = _launch(home, notebooks.token, port, env, *options)
    assert address_of(process, home) == notebooks.url
    return process


def _launch(home: Path, token: str, port: int, env: dict[str, str], *options: str) -> subprocess.Popen[bytes]:
    folder = home / "work"
    if "QPI_LAB_DIR" in env and "QPI_UPSTREAM_URL" not in env:
        prepare(Path(env["QPI_LAB_DIR"]))
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


def address_of(process: subprocess.Popen[bytes], home: Path) -> str:
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
