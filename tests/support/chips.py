"""Manifests of small chips on a line, with the errors that a test wants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qpi_jupyter.core import GateProperties, Manifest, QubitProperties


def chip(num_qubits: int, error: float = 0.01, readout_error: float = 0.0, **fields: Any) -> Manifest:
    """Qubits on a line: CX in both directions with that error, 300 ns long (Any: fields of the manifest)."""
    line = [(index, index + 1) for index in range(num_qubits - 1)]
    edges = tuple(line + [(b, a) for a, b in line])
    manifest = Manifest(
        executor="chip", executor_version="1", num_qubits=num_qubits, basis_gates=("rz", "sx", "x", "cx"),
        coupling_map=edges, formats=("openqasm2", "openqasm3", "qpy"), calibration_id=f"cal-{num_qubits}-{error}",
        gates=tuple(GateProperties(gate="cx", qubits=edge, error=error, duration_s=300e-9) for edge in edges),
        qubits=(QubitProperties(readout_error=readout_error),) * num_qubits,
    )  # fmt: skip
    return replace(manifest, **fields)
