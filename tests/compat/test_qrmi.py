"""QRMI, by which Slurm's jobs reach a QPU, unmodified and in an environment of its own, against a real lab."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.runtime import CRN, runtime_lab, token_of
from tests.support.servers import LabServer

pytestmark = pytest.mark.slow
PYTHON = Path(sys.prefix) / "clients/qrmi/bin/python"
"""`make test-slow` sets it up."""
SCRIPT = Path(__file__).with_name("qrmi_script.py")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with runtime_lab(tmp_path_factory.mktemp("qrmi")) as server:
        yield server


@pytest.mark.parametrize(("name", "least"), [("sim-a", 1.0), ("fake_manila@aer", 0.7)])
def test_status_target_session_sampler_estimator_sweep_and_release(server: LabServer, name: str, least: float) -> None:
    admin = server.client()
    settings = {
        "ENDPOINT": f"{server.url}qpi/experimental/v1", "IAM_ENDPOINT": f"{server.url}qpi/iam",
        "IAM_APIKEY": token_of(admin), "SERVICE_CRN": CRN, "SESSION_MODE": "dedicated",
    }  # fmt: skip
    env = {f"{name}_QRMI_IBM_QCS_{setting}": value for setting, value in settings.items()}
    env |= {"QRMI_JOB_QPU_RESOURCES": name, "QRMI_JOB_QPU_TYPES": "ibm-quantum-compute-service"}
    ran = subprocess.run([str(PYTHON), str(SCRIPT), name], env=env, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert (found["status"], found["accessible"]) == ("ResourceStatusCode.Online", True)
    assert found["width"] == (24 if name == "sim-a" else 5)
    assert sum(found["counts"].values()) == 400
    assert found["counts"]["00"] + found["counts"]["11"] >= least * 400
    assert all(least - 0.1 < value <= 1.1 for value in found["evs"])
    none, half, every = found["ones"]
    assert none <= 400 * (1.1 - least)
    assert 120 < half < 280
    assert every >= least * 400
    assert "completed" in found["logs"]
    assert name in found["session"]
    assert [one for one in admin.get("qpi/v1/sessions").json()["sessions"] if one["closed_at"] is None] == []
