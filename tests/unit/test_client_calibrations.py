"""A QPU's calibrations as a Dataset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from qpi_jupyter.client.calibrations import dataset_of
from qpi_jupyter.wire.telemetry import CalibrationFigure, CalibrationModel

AT = datetime(2030, 1, 1, tzinfo=UTC)


def figure(quantity: str, value: float, *qubits: int, gate: str = "", unit: str = "s") -> CalibrationFigure:
    return CalibrationFigure(quantity=quantity, gate=gate, qubits=list(qubits), value=value, unit=unit)


def test_each_quantity_is_a_variable_and_what_is_missing_is_nan() -> None:
    newest = [
        figure("t1", 2e-4, 2),
        figure("error", 0.01, 1, 2, gate="cz", unit=""),
        figure("duration", 4e-8, 1, 2, gate="cz"),
        figure("error", 0.001, 2, gate="sx", unit=""),
    ]
    oldest = [figure("t1", 1e-4, 1), figure("t1", 3e-4, 2), figure("frequency", 5e9, 1, unit="Hz")]
    models = [
        CalibrationModel(id="b", at=AT + timedelta(hours=1), config_sha256="", figures=newest),
        CalibrationModel(id="a", at=AT, config_sha256="", figures=oldest),
    ]
    found = dataset_of("q1", models)
    assert found.attrs == {"qpu": "q1"}
    assert found.sizes == {"time": 2, "qubit": 2, "gate": 2}
    assert list(found.qubit.values) == [1, 2]
    assert list(found.gate.values) == ["cz(1, 2)", "sx(2)"]
    assert list(found.calibration_id.values) == ["a", "b"]
    assert found.time.values[1] - found.time.values[0] == np.timedelta64(1, "h")
    np.testing.assert_array_equal(found.t1.values, [[1e-4, 3e-4], [np.nan, 2e-4]])
    np.testing.assert_array_equal(found.gate_error.values, [[np.nan, np.nan], [0.01, 0.001]])
    units = {name: variable.attrs["units"] for name, variable in found.items()}
    assert units == {"t1": "s", "frequency": "Hz", "gate_error": "1", "gate_duration": "s"}


def test_a_qpu_without_calibrations_has_an_empty_one() -> None:
    found = dataset_of("q1", [])
    assert (dict(found.sizes), list(found.data_vars)) == ({"time": 0}, [])
