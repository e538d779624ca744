"""The published qpi-client, unmodified, each version in an environment of its own, against a real lab."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.servers import ROOT, lab_server
from tests.support.waiting import wait_until

HERE = Path(__file__).parent
FOLDER = ROOT / ".compat"
"""Kept between runs; git ignores it."""
PASSWORD = "correct horse battery"
OLDEST, NEWEST = "0.1.2", "0.4.2"
INSTALL_S = 280.0


def python_of(version: str) -> Path:
    """The Python of an environment with this qpi-client and Qiskit, made if it is not there."""
    place = FOLDER / f"qpi-client-{version}-{sys.version_info.major}.{sys.version_info.minor}"
    python, done = place / "bin" / "python", place / "installed"
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        packages = [f"qpi-client=={version}", "qiskit>=2.1,<3"]
        subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=INSTALL_S)
        # Compiled is only what the client imports, when it does.
        install = [python, "-m", "pip", "install", "-q", "--no-compile", *packages]
        subprocess.run(install, check=True, timeout=INSTALL_S)
        done.touch()
    return python


@pytest.mark.timeout(600)
@pytest.mark.slow  # the first run installs them
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_method_of_the_published_client(version: str, tmp_path: Path) -> None:
    python = python_of(version)
    with lab_server(tmp_path, "--demo", "--QPIServer.local_accounts=True") as server:
        admin = server.client()
        wait_until(lambda: len(admin.get("qpi/health").json()["drivers"]) == 2, what="the drivers' start")
        admin_token = token_of(admin)
        ann = {"name": "ann", "email": "ann@lab.example", "password": PASSWORD}
        assert admin.post("qpi/v1/users", json=ann).status_code == 201
        signed_in = admin.post("qpi/v1/sign-in", json={"name": "ann", "password": PASSWORD}).json()
        user_token = token_of(server.client(signed_in["token"]))
        done = subprocess.run(
            [python, HERE / "script.py", f"{server.url}qpi", admin_token, user_token, "ann", PASSWORD],
            capture_output=True, text=True, timeout=300, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.endswith("all methods used\n"), done.stdout


def token_of(client: httpx.Client) -> str:
    """A new API token of whoever the client is signed in as."""
    token: str = client.post("qpi/v1/tokens", json={"name": "compat"}).json()["token"]
    return token
