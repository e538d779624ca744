"""Calibrations: ids of content, and the figures in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from qpi_jupyter.core import Calibration, GateProperties, Manifest, QubitProperties, Rejected, calibration_of
from qpi_jupyter.core.calibrations import require_calibration

QUBITS = (QubitProperties(t1_s=1e-4, readout_error=0.01), QubitProperties(t2_s=5e-5))
GATES = (GateProperties(gate="cx", qubits=(0, 1), error=0.005, duration_s=3e-7),)
MANIFEST = Manifest(executor="x", executor_version="1", num_qubits=2, basis_gates=("cx",), qubits=QUBITS, gates=GATES)


def test_the_id_is_the_executors_or_one_of_the_values() -> None:
    one = calibration_of(MANIFEST)
    assert len(one.id) == 16
    assert calibration_of(replace(MANIFEST, description="another")).id == one.id
    assert calibration_of(replace(MANIFEST, qubits=QUBITS[::-1])).id != one.id
    assert calibration_of(replace(MANIFEST, calibration_id="monday")).id == "monday"
    assert calibration_of(replace(MANIFEST, qubits=(), gates=())).id == ""


def test_an_id_is_made_of_what_is_known_alone() -> None:
    # The same, whatever quantities are added: else a lab that is updated would take each QPU for calibrated anew.
    assert Calibration(qubits=(QubitProperties(t1_s=1e-4),)).id == "2c65fb672947968c"


def test_a_calibration_goes_into_a_manifest_and_comes_out_of_it() -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    fresh = Calibration(qubits=QUBITS[:1], id="tuesday", at=at)
    manifest = fresh.into(MANIFEST)
    assert calibration_of(manifest) == fresh
    assert (manifest.calibration_id, manifest.calibrated_at, manifest.gates) == ("tuesday", at, ())


def test_figures_have_units_and_channels() -> None:
    said = [(one.channel, one.value, one.unit) for one in calibration_of(MANIFEST).figures()]
    assert said == [
        ("q0/t1", 1e-4, "s"),
        ("q0/readout_error", 0.01, ""),
        ("q1/t2", 5e-5, "s"),
        ("cx/0-1/error", 0.005, ""),
        ("cx/0-1/duration", 3e-7, "s"),
    ]


def test_another_calibration_is_refused_with_both() -> None:
    require_calibration("q1", "a", "a")
    with pytest.raises(Rejected, match="calibration a of q1, and its calibration is b now") as caught:
        require_calibration("q1", "a", "b")
    assert caught.value.code == "other_calibration"
