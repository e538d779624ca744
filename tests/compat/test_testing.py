"""What other projects' tests get: the fixture `qpi_runtime_service`, and a lab while a command runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import TOKEN, LabServer, lab_server, python_env

THEIRS = """
def test_theirs(qpi_runtime_service):
    assert qpi_runtime_service.backend("fake_manila@aer").num_qubits == 5
"""
ASKS = "from qiskit_ibm_runtime import QiskitRuntimeService as S; print(S().backend('fake_manila@ideal').name)"
MODULE = [sys.executable, "-m", "qpi_jupyter.testing"]


def run(folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, env=python_env(HOME=str(folder), **env)
    )  # fmt: skip


@pytest.mark.slow
def test_their_test_has_a_lab_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    ran = run(tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/made")
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert list((tmp_path / "made").rglob("lab.sqlite3")), "the lab lay in the folder of the session"


@pytest.mark.slow
def test_a_command_has_a_lab_and_its_own_status(tmp_path: Path) -> None:
    ran = run(tmp_path, *MODULE, sys.executable, "-c", f"{ASKS}; raise SystemExit(7)")
    assert (ran.stdout, ran.returncode) == ("fake_manila@ideal\n", 7), ran.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("running")) as server:
        yield server


def test_without_a_command_the_variables_of_a_lab_are_printed(server: LabServer, tmp_path: Path) -> None:
    ran = run(tmp_path, *MODULE, QPI_LAB_URL=server.url, QPI_LAB_TOKEN=TOKEN)
    found = dict(line.split("=", 1) for line in ran.stdout.splitlines())
    assert found["QISKIT_IBM_URL"] == f"{server.url}qpi/experimental/v1"
    assert found["IAM_URL"] == f"{server.url}qpi/iam"
    assert server.client(found["QISKIT_IBM_TOKEN"]).get("qpi/experimental/v1/backends").is_success


def test_where_there_is_no_lab_it_says_so(tmp_path: Path) -> None:
    ran = run(tmp_path, *MODULE, QPI_LAB_URL="http://127.0.0.1:9")
    assert ran.returncode == 1
    assert "127.0.0.1:9" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_command_that_is_not_there_is_told_before_a_lab_starts(tmp_path: Path) -> None:
    ran = run(tmp_path, *MODULE, "no-such-command")
    assert (ran.returncode, ran.stderr) == (127, "There is no command 'no-such-command' here.\n")
