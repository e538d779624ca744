"""A right frame of every kind that a driver sends, with nothing left out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from qpi_jupyter.core.calibrations import Calibration
from qpi_jupyter.core.formats import BUILT_IN
from qpi_jupyter.core.manifest import Estimate, GateProperties, Manifest, QubitProperties
from qpi_jupyter.core.reservations import Compiled
from qpi_jupyter.wire import WIRE_VERSION, frames
from qpi_jupyter.wire.results import CircuitResult, Origin, ResultHeader

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FULL_MANIFEST = Manifest(
    executor="scripted", executor_version="1", num_qubits=5, basis_gates=("h", "cx"), coupling_map=((0, 1), (1, 0)),
    dt_s=1e-9, gates=(GateProperties(gate="cx", qubits=(0, 1), duration_s=1e-7, error=0.01),),
    qubits=(QubitProperties(t1_s=1e-4, t2_s=1e-4, frequency_hz=5e9, readout_error=0.01),), options=("level",),
    formats=tuple(BUILT_IN), format_facts=tuple(form.facts() for form in BUILT_IN.values()),
)  # fmt: skip
HELD = frames.Held(job_id="job-0", attempt=1, phase="running")
FRAMES: dict[str, frames.Frame] = {
    frames.HELLO: frames.Hello(
        name="d", version="1", instance="i", places=1, manifest=FULL_MANIFEST, wire=WIRE_VERSION, host="h",
        memory_cap_bytes=1 << 30, job_timeout_s=60.0, held=[HELD],
    ),
    frames.CLAIM: frames.Claim(epoch=1, free=1),
    frames.STARTED: frames.Started(epoch=1, job_id="job-0", attempt=1, at=NOW),
    frames.PROGRESS: frames.Progress(epoch=1, job_id="job-0", attempt=1, fraction=0.5),
    frames.ROWS: frames.Rows(
        epoch=1, job_id="job-0", attempt=1, after=0, chunks=[frames.RowChunk(rows=[0], data=b"0")], measured=1,
        drawings=[{"draw": "note"}],
    ),
    frames.CALIBRATED: frames.Calibrated(
        epoch=1, calibration=Calibration(gates=FULL_MANIFEST.gates, qubits=FULL_MANIFEST.qubits, id="cal-1", at=NOW)
    ),
    frames.HEARTBEAT: frames.Heartbeat(
        epoch=1, held=[HELD], readings=[frames.Reading(channel="mxc", value=0.01, unit="K")]
    ),
    frames.LOG: frames.Log(
        epoch=1, lines=[frames.LogLine(at=NOW, level="info", logger="l", message="m", dropped=1)]
    ),
    frames.REPORT: frames.Report(
        epoch=1, job_id="job-0", attempt=1, outcome="errored", busy_s=0.1,
        error={"kind": "Rejected", "code": "bad", "message": "no", "data": {"line": 3}},
    ),
}  # fmt: skip
PREPARED = frames.Prepared(
    estimate=Estimate(estimate_s=0.1, upper_s=1.0, memory_bytes=1, num_circuits=1, details={"walks": 1.0}),
    error={"kind": "ProgramError", "code": "bad", "message": "no", "data": {"line": 3}},
    compiled=Compiled(esp=0.9, shot_s=1e-6, digest="d", calibration_id="c"),
)
HEADER = ResultHeader(
    success=True,
    circuits=[
        CircuitResult(
            name="bell", circuit=0, row=0, shots=10, meas_level=2, meas_return="single", creg_sizes=[("c", 2)],
            qreg_sizes=[("q", 2)], memory_slots=2, n_qubits=2, seed=1, metadata={"k": [1]}, truncated=False,
            counts={"0x0": 4, "0x3": 6}, memory=None,
        )
    ],
    provenance=Origin(
        executor_version="1", program_sha256="0" * 64, finished_at="2030-01-01T00:00:00Z", calibration_id="cal-1",
        busy_s=0.1,
    ),
)  # fmt: skip


def whole(frame: frames.Frame) -> dict[str, Any]:
    """The frame with its defaults written out."""
    return {name: getattr(frame, name) for name in frame.__struct_fields__}
