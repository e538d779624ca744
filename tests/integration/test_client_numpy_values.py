"""What a notebook holds, NumPy's numbers and pandas' times among it, goes over the wire as what it means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from qpi_jupyter.client import Lab
from qpi_jupyter.client.numpy_values import encode, to_python
from tests.faults.scripted_rest import TOKEN, ScriptedLab

BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit q; bit c; c = measure q;'


@pytest.fixture
def server() -> Iterator[ScriptedLab]:
    with ScriptedLab() as server:
        yield server


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.str_("a"), "a"), (np.int64(3), 3), (np.uint8(3), 3), (np.float32(0.5), 0.5), (np.float64(0.5), 0.5),
        (np.bool_(True), True), (np.array(3), 3), (np.array([1, 2]), [1, 2]), (np.array(["a", "b"]), ["a", "b"]),
        (np.array([[1.5]]), [[1.5]]), (pd.Series(["a", "b"]), ["a", "b"]), (pd.Index([1, 2]), [1, 2]),
        (xr.DataArray(3), 3), (xr.DataArray(["a"]), ["a"]),
        (pd.Timestamp("2026-05-04T14:00Z"), datetime.fromisoformat("2026-05-04T14:00+00:00")),
        (pd.Timedelta("90min"), timedelta(minutes=90)), (np.timedelta64(90, "m"), timedelta(minutes=90)),
        (np.datetime64("2026-05-04T14:00"), datetime(2026, 5, 4, 14)),
        (None, None), ("a", "a"), (3, 3), (2.5, 2.5), ([1], [1]),
    ],
)  # fmt: skip
def test_a_value_becomes_a_plain_one(value: Any, expected: Any) -> None:
    found = to_python(value)
    assert found == expected
    assert type(found) is type(expected)
    assert msgspec.json.decode(encode({"x": [value]})) == msgspec.json.decode(msgspec.json.encode({"x": [expected]}))


def test_what_means_nothing_to_a_lab_is_named() -> None:
    with pytest.raises(TypeError, match="Thread cannot be sent"):
        encode({"x": Thread()})


def test_a_job_with_everything_from_arrays(server: ScriptedLab) -> None:
    table = pd.DataFrame({"tag": ["t1", "cold"], "qpu": ["sim-a", "sim-b"], "priority": [0, -2]})
    with Lab(server.url, TOKEN) as lab:
        job = lab.submit(
            BELL, qpu=table.qpu.to_numpy(dtype=str)[0], tags=table.tag.to_numpy(dtype=str), name=np.str_("scan"),
            project=np.str_("p"), priority=table.priority[1], shots=np.int32(7), method=np.str_("statevector"),
            retry_safe=np.bool_(True),
        )  # fmt: skip
        sent = server.submits[-1]
        assert (sent.qpu, sent.tags, sent.name, sent.project) == ("sim-a", ["t1", "cold"], "scan", "p")
        assert (sent.priority, sent.options.shots, sent.retry_safe) == (-2, 7, True)
        assert sent.options.extra == {"method": "statevector"}
        assert lab.job(np.str_(f" {job.id}\n")).id == job.id
