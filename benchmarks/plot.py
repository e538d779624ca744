"""How soon somebody has their first plot after `make lab`, with everything set up: the same command, a browser, the
quick-start notebook, and its cells run as soon as there is a kernel."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser

from tests.ui.jupyterlab import ROOT, address_of

from .browser import browser
from .harness import Figure

MOST_S = 8.0
PLAIN = {
    "nbformat": 4, "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "cells": [
        {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": None, "outputs": [], "source": "6 * 7"}
    ],
}  # fmt: skip
"""What is run instead where there is no lab."""
NO_LAB = "--ServerApp.jpserver_extensions={'qpi_server': False}"
RUN = """async () => {
  const current = () => window.jupyterapp?.shell.currentWidget?.sessionContext;
  while (!current()) await new Promise(requestAnimationFrame);
  await current().ready;
  void window.jupyterapp.commands.execute('notebook:run-all-cells');
}"""


def run(*, quick: bool) -> Iterator[Figure]:
    """From the command to the first histogram; in turn JupyterLab without the lab's server, to the first number."""
    command, address = _command()
    ours, bare = list[float](), list[float]()
    with browser() as running:
        for _ in range(1 if quick else 5):
            ours.append(_first(running, command, address, ".jp-QPI-Output .jp-QPI-Bar"))
            bare.append(_first(running, [*command, NO_LAB], address, ".jp-OutputArea-output >> text=42", plain=True))
    taken, without = statistics.median(ours), statistics.median(bare)
    yield Figure(
        name="first plot after `make lab` (s)", ratio=taken, goal=MOST_S, ours=taken, bare=without,
        unit=" s to a first number without a lab", note=f"quickest {min(ours):.1f} s",
    )  # fmt: skip


def _command() -> tuple[list[str], str]:
    """What `make lab` runs, but for the folder, and where it opens."""
    dry = subprocess.run(["make", "-n", "lab"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in dry.splitlines() if "bin/jupyter lab " in line]
    *command, _ = shlex.split(line)
    (address,) = [part.split("=", 1)[1] for part in command if part.startswith("--LabApp.default_url=")]
    return command, address


def _first(browser: Browser, command: list[str], address: str, shown: str, *, plain: bool = False) -> float:
    """How long until that is on the page (s); in a home where nobody has been."""
    with tempfile.TemporaryDirectory(prefix="qpi-plot-") as folder:
        home = Path(folder)
        for notebook in (ROOT / "notebooks").glob("*.ipynb"):
            (home / notebook.name).write_text(json.dumps(PLAIN) if plain else notebook.read_text())
        token = secrets.token_hex(16)
        options = [
            "--no-browser", "--port=0", "--ip=127.0.0.1", f"--IdentityProvider.token={token}",
            "--LabApp.expose_app_in_browser=True", f"--LabApp.workspaces_dir={home / 'workspaces'}", folder,
        ]  # fmt: skip
        own = {
            "HOME": folder, "JUPYTER_CONFIG_DIR": f"{folder}/config", "JUPYTER_DATA_DIR": f"{folder}/data",
            "JUPYTER_RUNTIME_DIR": f"{folder}/runtime", "IPYTHONDIR": f"{folder}/ipython",
        }  # fmt: skip
        env = {name: value for name, value in os.environ.items() if not name.startswith("QPI_")} | own
        began = time.perf_counter()
        with (home / "lab.log").open("wb") as log:
            server = subprocess.Popen([*command, *options], env=env, stdout=log, stderr=log)
        try:
            url = address_of(server, home)
            page = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
            page.goto(f"{url}{address}?token={token}")
            page.evaluate(RUN)
            page.wait_for_selector(shown, timeout=120_000)
            took = time.perf_counter() - began
            page.context.close()
            return took
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
