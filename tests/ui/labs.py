"""Labs for the browser: a JupyterLab with its lab, another one that forwards to it, and a driver started by hand."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.servers import wait_until
from tests.ui.conftest import SOURCES, Notebooks, start_jupyterlab

PASSWORD = "correct horse battery"


@contextmanager
def jupyterlab_at(home: Path, env: dict[str, str], *options: str) -> Iterator[Notebooks]:
    """JupyterLab with the lab's extension."""
    enabled = "--ServerApp.jpserver_extensions={'qpi_server': True}"
    process, notebooks = start_jupyterlab(home, env, enabled, *options)
    try:
        yield notebooks
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def demo_lab(home: Path, *options: str) -> Iterator[Notebooks]:
    """JupyterLab with the demo lab inside, both simulators online, and accounts of its own."""
    ways = ("--QPIServer.demo=True", "--QPIServer.local_accounts=True", *options)
    with jupyterlab_at(home, {"QPI_LAB_DIR": str(home / "lab")}, *ways) as notebooks:
        with client_of(notebooks) as admin:
            wait_until(lambda: online(admin) >= 2, 90, "both QPUs online")
        yield notebooks


@contextmanager
def forwarding(lab: Notebooks, token: str, home: Path) -> Iterator[Notebooks]:
    """A second person's JupyterLab, which passes everything on to ``lab`` with that person's token."""
    env = {"QPI_UPSTREAM_URL": lab.url, "QPI_UPSTREAM_TOKEN": token, "QPI_LAB_DIR": str(home / "none")}
    with jupyterlab_at(home, env) as notebooks:
        yield notebooks


def client_of(notebooks: Notebooks, token: str | None = None) -> httpx.Client:
    """The lab behind a server, as its user or as the owner of a lab token."""
    headers = {"Authorization": f"Bearer {notebooks.token if token is None else token}"}
    return httpx.Client(base_url=f"{notebooks.url}/qpi/v1/", headers=headers, trust_env=False, timeout=30)


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
