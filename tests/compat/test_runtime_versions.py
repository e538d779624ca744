"""Old and new versions of IBM's client beside one another, each in front of this environment's packages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.runtime import runtime_lab, token_of
from tests.support.servers import ROOT, LabServer, python_env

FOLDER = ROOT / ".compat"
"""Kept between runs; git ignores it."""
SCRIPT = Path(__file__).parent / "runtime_script.py"
INSTALL_S = 120.0
VERSIONS = {
    "0.43.1": "without quantum programs", "0.46.1": "with quantum programs", "0.49.0": "with quantum programs",
    "": "with quantum programs",
}  # fmt: skip
"""The last one is what is installed here."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with runtime_lab(tmp_path_factory.mktemp("versions")) as server:
        yield server


def client(version: str) -> dict[str, str]:
    """The environment in which this version is imported; installed if it is not there."""
    if not version:
        return {}
    place = FOLDER / f"qiskit-ibm-runtime-{version}"
    done = place / "installed"
    if not done.exists():
        wanted = ["--no-deps", "--no-compile", "--upgrade", "--target", str(place), f"qiskit-ibm-runtime=={version}"]
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *wanted], check=True, timeout=INSTALL_S)
        done.touch()
    return {"PYTHONPATH": str(place)}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_call_of_a_version(version: str, server: LabServer) -> None:
    env = python_env(HOME=str(server.lab_dir), **client(version))
    command = [sys.executable, str(SCRIPT), server.url, token_of(server.client())]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=240)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}"
    assert done.stdout.splitlines()[-1].endswith(VERSIONS[version])
    assert done.stdout.splitlines()[-1].startswith(version)
