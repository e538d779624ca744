"""Results side by side."""

from __future__ import annotations

import re

import numpy as np
import pytest

import qpi_jupyter
from qpi_jupyter.core import Rejected, SweepAxis
from qpi_jupyter.data import drawings, pictures
from qpi_jupyter.data.attributes import flat
from qpi_jupyter.data.build import arrays_dataset, counts_dataset, iq_dataset, stamp
from qpi_jupyter.data.conventions import CircuitInfo, Provenance, Slots
from qpi_jupyter.data.sweeps import from_rows


def origin(calibration: str) -> Provenance:
    return Provenance(
        executor="chip", executor_version="1", program_sha256="0" * 64, simulator=False, calibration_id=calibration,
        started_at="2026-01-01T00:00:00Z", finished_at="2026-01-01T00:00:01Z", busy_s=1.0,
    )  # fmt: skip


def one(counts, qpu="q1", calibration="c1"):
    info = CircuitInfo(name="bell", shots=sum(counts.values()), memory_slots=2, n_qubits=2)
    dataset = counts_dataset(info, counts)
    stamp([dataset], origin(calibration))
    return flat(dataset, job_id=f"job-{qpu}", qpu=qpu)


def curve(shares, points, qpu):
    axes = (SweepAxis(parameters=("theta",), length=len(points)),)
    rows = []
    for k, (at, share) in enumerate(zip(points, shares, strict=True)):
        facts = {"row": k, "parameters": {"theta": at}, "axes": axes}
        info = CircuitInfo(name="rabi", shots=100, memory_slots=1, n_qubits=1, **facts)
        ones = round(100 * share)
        rows.append(counts_dataset(info, {v: n for v, n in ((0, 100 - ones), (1, ones)) if n}))
    return flat(from_rows(rows), job_id=f"job-{qpu}", qpu=qpu)


def test_two_histograms_and_their_difference():
    both = qpi_jupyter.compare(one({0: 50, 3: 50}), one({0: 40, 1: 10, 3: 50}, "q2", "c2"))
    assert both.names == ["q1", "q2"]
    assert both.difference.sel(result="q2").values.tolist() == pytest.approx([-0.1, 0.1, 0, 0])
    drawing = both.drawing()
    assert drawing["columns"] == ["Outcome", "q1", "q2", "q2 minus q1"]
    assert drawing["rows"][0] == ["00", "0.5", "0.4", "-0.1"]
    assert [row["Calibration"] for row in both.facts()] == ["c1", "c2"]
    assert [row["Job"] for row in both.facts()] == ["job-q1", "job-q2"]
    assert "c2" in both._repr_html_()
    assert "q2 minus q1" in repr(both)
    assert [text.get_text() for text in both.plot().get_legend().get_texts()] == ["q1", "q2"]


def test_curves_are_overlaid_on_all_their_points():
    both = qpi_jupyter.compare(curve([0, 0.5, 1], [0.0, 1.0, 2.0], "q1"), curve([0.6, 0.9], [1.0, 3.0], "q2"))
    drawing = both.drawing()
    assert (drawing["draw"], drawing["x"]) == (drawings.LINES, [0, 1, 2, 3])
    assert [line["label"] for line in drawing["lines"]] == ["q1", "q2"]
    assert drawing["lines"][0]["y"] == [0, 0.5, 1, None]
    assert drawing["lines"][1]["y"] == [None, 0.6, None, 0.9]
    assert drawing["y_label"] == "Probability of 1"
    assert drawing["note"] == "q2 differs by at most 0.1 at the 1 point that both have"
    curves = re.findall("<path fill='none'[^>]* d='([^']*)'", pictures.html_of(drawing))
    assert [path.count("M") for path in curves] == [1, 1], "a curve each, over the points of the other"
    assert [len(line.get_xdata()) for line in both.plot().lines] == [3, 2]
    assert both.plot().get_xlabel() == "theta"


def test_times_are_the_persons(monkeypatch):
    monkeypatch.setenv("QPI_TIMEZONE", "Asia/Tokyo")
    both = qpi_jupyter.compare(one({0: 1}), one({0: 1}, "q2"))
    assert [row["Started"] for row in both.facts()] == ["2026-01-01 09:00:00 UTC+9"] * 2


def test_names_tell_all_apart():
    same = [one({0: 1}), one({3: 1})]
    assert qpi_jupyter.compare(*same).names == ["1 bell", "2 bell"]
    assert qpi_jupyter.compare(*same, names=["a", "b"]).names == ["a", "b"]
    with pytest.raises(Rejected, match="Give 2 names, each another"):
        qpi_jupyter.compare(*same, names=["a", "a"])


def test_what_cannot_be_compared_is_said():
    with pytest.raises(Rejected, match="two results or more"):
        qpi_jupyter.compare(one({0: 1}))
    with pytest.raises(TypeError, match=r"takes jobs and Datasets, not 'job-1'\. A job by its id: lab\.job\('job-1'\)"):
        qpi_jupyter.compare(one({0: 1}), "job-1")
    with pytest.raises(Rejected, match="other swept parameters"):
        qpi_jupyter.compare(one({0: 1}), curve([0, 1], [0.0, 1.0], "q2"))
    arrays = arrays_dataset(CircuitInfo(name="e", shots=1, memory_slots=0, n_qubits=1), {"z": np.ones(2)})
    with pytest.raises(Rejected, match="'b' cannot be compared: its kind of result, 'arrays', has no curve"):
        qpi_jupyter.compare(one({0: 1}), arrays, names=["a", "b"])
    with pytest.raises(Rejected, match="A result of kind 'arrays' has neither bits nor counts; it has z"):
        arrays.qpi.counts()
    info = CircuitInfo(name="iq", shots=2, memory_slots=1, n_qubits=1, meas_level=1)
    points = iq_dataset(info, np.ones((2, 1)), Slots(clbit=(0,), qubit=(0,), acq_index=(0,)))
    with pytest.raises(Rejected, match="unlike kinds"):
        qpi_jupyter.compare(one({0: 1}), points)
