"""A real JupyterLab with the lab inside, and Chromium."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.ui.jupyterlab import CHROMIUM_FLAGS, Notebooks, chromium, start_jupyterlab

LAB = "--ServerApp.jpserver_extensions={'qpi_server': True}"
DEMO = "--QPIServer.demo=True"


@contextmanager
def jupyterlab(*options: str) -> Iterator[Notebooks]:
    """A server with an empty home, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="qpi-browser-") as folder:
        home = Path(folder)
        process, notebooks = start_jupyterlab(home, {"QPI_LAB_DIR": str(home / "lab")}, LAB, *options)
        try:
            yield notebooks
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        yield running
        running.close()


def loaded(page: Page, notebooks: Notebooks) -> None:
    """JupyterLab is on the page and ready."""
    page.goto(f"{notebooks.url}/lab?token={notebooks.token}&reset")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
    page.wait_for_function("() => window.jupyterapp && document.querySelector('.jp-Launcher')")


def open_queue(page: Page, notebooks: Notebooks) -> None:
    """The queue tab, with at least one job in it."""
    loaded(page, notebooks)
    page.evaluate("() => { void window.jupyterapp.commands.execute('qpi:open-queue') }")
    page.wait_for_selector("#qpi-queue [role=row][data-key]")
