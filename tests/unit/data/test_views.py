"""What people see: histograms, IQ views, plots, the accessor."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.data import drawings
from qpi_jupyter.data.build import bits_dataset, iq_dataset, stamp
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.conventions import CircuitInfo, Provenance, Slots
from qpi_jupyter.data.discrimination import discriminator
from qpi_jupyter.data.pictures import html_of
from qpi_jupyter.data.plots import draw
from qpi_jupyter.data.points import POINTS
from qpi_jupyter.data.views import counts_html, counts_text, histogram, iq_points, measured_qubits

SLOTS = Slots(clbit=(0, 1), qubit=(3, 1), acq_index=(0, 0))
CENTRES = np.array([[-1.0, 1.0], [-1.0j, 1.0j]])


@pytest.fixture(autouse=True)
def _no_window():
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def info(**changes) -> CircuitInfo:
    plain = {"name": "c", "shots": 400, "memory_slots": 2, "n_qubits": 4, "creg_sizes": (("c", 2),)}
    return CircuitInfo(**{**plain, **changes})


def level_1(sigma: float = 0.1, *, known: bool = False, averaged: bool = False):
    rng = np.random.default_rng(1)
    bits = np.repeat([[0, 0], [1, 0], [1, 1], [0, 1]], 100, axis=0)
    points = np.stack([CENTRES[k][bits[:, k]] for k in range(2)], axis=1)
    points = points + sigma * (rng.normal(size=points.shape) + 1j * rng.normal(size=points.shape))
    returned = "avg" if averaged else "single"
    dataset = iq_dataset(info(meas_level=1, meas_return=returned), points.mean(axis=0) if averaged else points, SLOTS)
    if known:
        centres = {"3": [[-1.0, 0.0], [1.0, 0.0]], "1": [[0.0, -1.0], [0.0, 1.0]]}
        moment = "2026-01-01T00:00:00Z"
        readout = {"centres": centres, "sigma": sigma}
        origin = Provenance(
            executor="x", executor_version="1", program_sha256="", simulator=True, started_at=moment,
            finished_at=moment, busy_s=0.0, readout=readout,
        )  # fmt: skip
        stamp([dataset], origin)
    return dataset


def test_all_outcomes_by_key_while_they_fit():
    bars = histogram({"11": 3, "00": 1})
    assert [(bar.label, bar.count, bar.share) for bar in bars] == [("00", 1, 0.25), ("11", 3, 0.75)]


def test_many_outcomes_become_the_top_ones_and_the_rest():
    counts = {format(k, "08b"): k + 1 for k in range(256)}
    bars = histogram(counts, limit=10)
    assert len(bars) == 10
    assert bars[0].label == "11111111"
    assert bars[-1].rest
    assert bars[-1].label == "247 other outcomes"
    assert sum(bar.count for bar in bars) == sum(counts.values())
    assert sum(bar.share for bar in bars) == pytest.approx(1)


def test_no_counts_draw_an_empty_picture():
    assert histogram({}) == []
    assert counts_text({}) == ""
    ET.fromstring(counts_html({}))


@pytest.mark.parametrize("outcomes", [2, 20, 300])
def test_pictures_of_counts(outcomes):
    counts = {format(k, "09b"): k + 1 for k in range(outcomes)}
    shown = outcomes if outcomes <= 32 else 31
    assert len(ET.fromstring(counts_html(counts)).findall("tbody/tr")) == shown
    rest = "269 other outcomes with 36,315 shots together" in html_of(drawings.counts(counts))
    assert rest == (outcomes == 300)
    assert rest == ("269 other outcomes" in drawings.text_of(drawings.counts(counts)))
    draw(Figure().subplots(), drawings.counts(counts))
    assert len(counts_text(counts).splitlines()) == min(outcomes, 16)


def test_labels_cannot_smuggle_markup():
    assert "<script>" not in counts_html({"<script>": 1})


@pytest.mark.parametrize("known", [True, False], ids=["model", "clusters"])
def test_iq_points_are_told_apart(known):
    view = iq_points(level_1(known=known))
    assert (view.qubit, view.clbit, view.total, view.averaged) == (3, 0, 400, False)
    assert np.array(view.centres) == pytest.approx(np.array([[-1, 0], [1, 0]]), abs=0.05)
    assert view.bits == [0] * 100 + [1] * 200 + [0] * 100
    assert view.fidelity == pytest.approx(1.0, abs=1e-6)
    assert [point[0] for point in view.line] == pytest.approx([0, 0], abs=0.05)


def test_fidelity_falls_with_the_noise():
    sharp, blurred = (discriminator(level_1(sigma, known=True), 0).fidelity for sigma in (0.3, 1.0))
    assert blurred == pytest.approx(0.8413, abs=1e-4)
    assert sharp > 0.999


def test_many_points_are_thinned_evenly():
    view = iq_points(level_1(), qubit=1, max_points=50)
    assert len(view.i) == len(view.q) == len(view.bits) == 50
    assert view.total == 400


def test_an_unknown_qubit_names_the_measured_ones():
    assert measured_qubits(level_1()) == [1, 3]
    with pytest.raises(Rejected, match="Qubit 0 is not measured; measured: 1, 3"):
        iq_points(level_1(), qubit=0)


def test_averaged_points():
    view = iq_points(level_1(averaged=True, known=True))
    assert view.averaged
    assert len(view.i) == 1
    with pytest.raises(Rejected, match="have no counts"):
        level_1(averaged=True, known=True).qpi.counts()


def test_level_1_counts_are_those_of_the_discriminated_points():
    assert level_1().qpi.counts() == {"00": 100, "01": 100, "10": 100, "11": 100}


def test_plot_returns_axes_with_names_and_units():
    counted = bits_dataset(info(), np.zeros((400, 2))).qpi.plot()
    assert (counted.get_xlabel(), counted.get_ylabel()) == ("Outcome", "Shots")
    plane = level_1().qpi.plot(qubit=1)
    assert plane.get_xlabel() == "I (arb. unit)"
    assert "Qubit 1" in plane.get_title()
    assert "threshold" in [text.get_text() for text in plane.get_legend().get_texts()]


def test_plot_draws_where_it_is_told():
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2)
    assert level_1().qpi.plot(right) is right
    assert not left.has_data()


def test_drawing_into_axes_of_ones_own_leaves_no_figure_open():
    import matplotlib.pyplot as plt

    for dataset in (level_1(), level_1(averaged=True)):
        draw(Figure().subplots(), POINTS.drawing(dataset))
    assert plt.get_fignums() == []


def test_a_job_of_several_circuits():
    datasets = [bits_dataset(info(circuit=k, name=f"c{k}"), np.full((400, 2), k % 2)) for k in range(14)]
    tree = decode(encode(datasets))
    assert len(tree.qpi) == 14
    assert tree.qpi.counts()[:2] == [{"00": 400}, {"11": 400}]
    assert tree.qpi[3].identical(datasets[3])
    assert [entry["name"] for entry in tree.qpi.info][:2] == ["c0", "c1"]
    panels = tree.qpi.plot()
    assert len(panels) == 12
    assert panels[1].get_title() == "1: c1"
    assert tree.qpi.to_qiskit().get_counts(1) == {"11": 400}
    assert tree.qpi.bits()[1].shape == (400, 2)
