"""A store of another package under a real server: jobs run, and nothing of SQLite's is in the lab's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qpi_jupyter.client import connect
from tests.support.packages import TOY_STORE, installed
from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LabServer]:
    lab_dir = tmp_path / "lab"
    lab_dir.mkdir()
    with installed(TOY_STORE), lab_server(tmp_path, lab_dir=lab_dir, QPI_DB_URL="toymemory://ann:hush@here") as server:
        yield server


def test_jobs_run_on_it_and_its_password_is_not_shown(server: LabServer) -> None:
    client = server.client()
    made = client.post("qpi/v1/simulators", json={"name": "sim", "executor": "mock", "options": {"num_qubits": 2}})
    assert made.status_code == 201, made.text
    wait_until(lambda: client.get("qpi/v1/qpus/sim").json()["status"] == "online", PATIENCE_S, "the simulator's start")
    with connect(server.url, TOKEN) as lab:
        text = 'OPENQASM 3.0; include "stdgates.inc"; qubit q; bit c; x q; c = measure q;'
        assert lab.submit(text, qpu="sim", shots=10).result(timeout=60).get_counts() == {"1": 10}
        assert len(lab.jobs()) == 1
    health = client.get("qpi/health").json()
    assert (health["status"], health["services"]["database"]) == ("up", "up")
    assert "lab.sqlite3" not in {path.name for path in server.lab_dir.iterdir()}
    shown = {row["name"]: row for row in client.get("qpi/v1/config").json()["settings"]}["db_url"]
    assert (shown["value"], shown["source"]) == ("toymemory://ann:********@here", "QPI_DB_URL")
    assert "hush" not in server.log.read_text()
