"""Calibrations with real processes: from a driver that drifts to the client's Dataset, to reruns and to a twin."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from qpi_jupyter.client import Lab
from qpi_jupyter.core import Conflict, Rejected
from tests.faults.agent_process import AgentProcess
from tests.support.driver import register
from tests.support.servers import TOKEN, lab_server
from tests.support.waiting import PATIENCE_S, wait_until

FLIP = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nc = measure q;\n'


@pytest.mark.slow
def test_calibrations_are_kept_hold_jobs_to_them_and_make_a_twin(tmp_path: Path) -> None:
    with lab_server(tmp_path / "server") as server, Lab(server.url, TOKEN) as lab:
        env = {"QPI_ACCESS_TOKEN": register(server.client(), "q1")}
        (tmp_path / "driver").mkdir()
        driver = AgentProcess(tmp_path / "driver", server.url, executor="DriftingExecutor", env=env)
        try:
            first = lab.submit(FLIP, qpu="q1", shots=100, name="first")
            first.counts(timeout=PATIENCE_S)
            wait_until(lambda: lab.qpu("q1").calibration_id == "drift-1", PATIENCE_S, "the new calibration")

            history = lab.qpu("q1").calibration
            assert history.sizes == {"time": 2, "qubit": 2, "gate": 1}
            assert list(history.calibration_id.values) == ["drift-0", "drift-1"]
            assert history.t1.sel(qubit=0).values == pytest.approx([1e-6, 2e-6])
            assert (history.t1.attrs["units"], history.readout_error.attrs["units"]) == ("s", "1")
            assert history.gate_error.sel(gate="cx(0, 1)").values == pytest.approx([0.01, 0.01])
            assert np.all(np.diff(history.time.values) > np.timedelta64(0))
            assert lab.qpu("q1").calibrations(qubit=1, quantity="t1").sizes == {"time": 2, "qubit": 1}
            assert first.dataset().qpi.info["provenance"]["calibration_id"] == "drift-0"
            assert [job.id for job in lab.jobs(calibration="drift-0")] == [first.id]

            with pytest.raises(Rejected, match="for calibration drift-0 of q1, and its calibration is drift-1 now"):
                first.rerun(calibration="same")
            with pytest.raises(Rejected, match="has had no calibration 'x'"):
                lab.submit(FLIP, qpu="q1", calibration="x")
            again = first.rerun(calibration="drift-1", name="again")
            assert again.counts(timeout=PATIENCE_S) == first.counts()
            assert (again.refresh().model.calibration_id, again.name) == ("drift-1", "again")

            wait_until(lambda: lab.qpu("q1").calibration_id == "drift-2", PATIENCE_S, "the new calibration")
            twin = lab.qpu("q1").twin(seed=7)
            with pytest.raises(Conflict, match="called q1-twin already"):
                lab.qpu("q1").twin()
            wait_until(lambda: twin.refresh().status == "online", PATIENCE_S, "the twin")
        finally:
            driver.send(signal.SIGTERM)
            driver.process.wait(PATIENCE_S)
        wait_until(lambda: lab.qpu("q1").status == "offline", PATIENCE_S, "the end of the driver")
        assert (twin.calibration_id, twin.simulator, twin.num_qubits) == ("drift-2", True, 2)
        assert twin.manifest is not None
        assert (twin.manifest.qubits, twin.manifest.gates) == (lab.qpu("q1").manifest.qubits, twin.manifest.gates)
        job = lab.submit(FLIP, qpu="q1-twin", shots=20_000)
        read = job.counts(timeout=PATIENCE_S)
        assert read["01"] / 20_000 == pytest.approx(0.09, abs=0.012), "every tenth bit is read wrong"
        assert job.refresh().model.calibration_id == "drift-2"
        assert "Twin of q1, calibration drift-2" in twin.description
