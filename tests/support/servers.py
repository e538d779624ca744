"""Real lab servers in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from .template import prepare
from .waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "jupyter-token-of-the-tests"
UNFORESEEN = ("Uncaught exception", "exception was never retrieved", "Exception in callback", "exception handler")


def python_env(**extra: str) -> dict[str, str]:
    """An environment without settings of a surrounding lab, in which a child finds these sources."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QPI_", "JUPYTER", "JPY_", "PYTEST"))}
    places = [ROOT, ROOT / "server_extension", ROOT / "executors"]
    inherited = [kept["PYTHONPATH"]] if "PYTHONPATH" in kept else []
    return {**kept, "PYTHONPATH": os.pathsep.join([*map(str, places), *inherited]), **extra}


@dataclass
class LabServer:
    """One server process: its address (with base path), its data folder and its log."""

    url: str
    process: subprocess.Popen[bytes]
    lab_dir: Path
    log: Path
    verify: Any = True
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, token: str | None = TOKEN, **headers: str) -> httpx.Client:
        """A client that is signed in with ``token``; closed with the server."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        verify = self.url.startswith("https") and self.verify  # to load what verifies takes 20 ms
        client = httpx.Client(base_url=self.url, headers=headers, timeout=70, verify=verify, trust_env=False)
        self.clients.append(client)
        return client

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.process.kill()
        self.process.wait()


def spawn_server(
    folder: Path,
    *arguments: str,
    lab_dir: Path | None = None,
    module: str = "qpi_server.tools.standalone",
    port: int = 0,
    **env: str,
) -> LabServer:
    """A server that has just been started, with everything its own under ``folder``; nobody ends it but the caller."""
    folder.mkdir(parents=True, exist_ok=True)
    lab_dir = lab_dir or folder / "lab"
    if not lab_dir.exists() and "QPI_UPSTREAM_URL" not in env and "HINDERED" not in env:
        prepare(lab_dir)
    command = [sys.executable, "-m", module, f"--port={port}", "--ServerApp.ip=127.0.0.1", "--allow-root", *arguments]
    environment = python_env(
        QPI_LAB_DIR=str(lab_dir), JUPYTER_TOKEN=TOKEN, JUPYTER_RUNTIME_DIR=str(folder / "runtime"), HOME=str(folder),
        JUPYTER_CONFIG_DIR=str(folder / "config"), JUPYTER_DATA_DIR=str(folder / "data"), JUPYTER_NO_CONFIG="1", **env,
    )  # fmt: skip
    log = folder / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=folder)
    return LabServer(f"http://127.0.0.1:{port}/" if port else "", process, lab_dir, log)


@contextmanager
def lab_server(
    folder: Path,
    *arguments: str,
    verify: Callable[[Path], Any] | None = None,
    ready: tuple[int, ...] = (200,),
    **settings: Any,
) -> Iterator[LabServer]:
    """A server that answers (``GET health`` with a status in ``ready``); ``settings`` as of `spawn_server`."""
    server = spawn_server(folder, *arguments, **settings)
    process, log = server.process, server.log
    try:
        server.url = wait_until(lambda: _address(process, folder / "runtime", log), what="the server's start")
        server.verify = verify(server.lab_dir) if verify is not None else True
        client = server.client(None)
        wait_until(lambda: _answers(client, process, log, ready), what="the lab's start")
        yield server
    finally:
        for client in server.clients:
            client.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                raise
    written = log.read_text()
    assert not any(sign in written for sign in UNFORESEEN), f"the server's log has an exception:\n{written}"


def _address(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> str | None:
    _check_alive(process, log)
    try:
        info = json.loads((runtime / f"jpserver-{process.pid}.json").read_text())
    except (OSError, ValueError):
        return None
    scheme = "https" if info["secure"] else "http"
    return f"{scheme}://127.0.0.1:{info['port']}{info['base_url']}"


def _answers(client: httpx.Client, process: subprocess.Popen[bytes], log: Path, ready: tuple[int, ...]) -> bool:
    _check_alive(process, log)
    try:
        return client.get("qpi/health").status_code in ready
    except httpx.TransportError:
        return False


def _check_alive(process: subprocess.Popen[bytes], log: Path) -> None:
    if process.poll() is not None:
        raise AssertionError(f"the server ended with status {process.returncode}:\n{log.read_text()}")
