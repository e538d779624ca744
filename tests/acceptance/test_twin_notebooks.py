"""The notebooks on the twin of the example chip, run in real kernels: they find what its device file says."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient

from qpi_executors.instruments.executor import EXAMPLE
from tests.support.servers import ROOT, TOKEN, lab_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
CHIP = list(json.loads(EXAMPLE[0].read_text())["qubits"].values())
WITHIN = 3.0
"""Standard errors. The twin's seeds are the notebooks' own, so that this is the same each time."""


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A lab whose twin was started as the panel's form starts it; what a kernel finds it by."""
    with lab_server(tmp_path_factory.mktemp("twin")) as server:
        me = server.client()
        me.post("qpi/v1/simulators", json={"name": "twin", "executor": "qblox"}).raise_for_status()
        wait_until(lambda: me.get("qpi/v1/qpus/twin").json()["status"] == "online", what="the start of the twin")
        yield {"QPI_LAB_URL": server.url, "QPI_LAB_TOKEN": TOKEN}


def executed(name: str, found: dict[str, str]) -> dict[str, Any]:
    """What these expressions have become at the end of a notebook, by name."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    values = ", ".join(f"{key!r}: {code}" for key, code in found.items())
    notebook.cells.append(nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({{{values}}}))"))
    try:
        NotebookClient(notebook, timeout=180, kernel_name="python3").execute()
    finally:
        ensure_event_loop().close()  # the one that it made
    told: dict[str, Any] = json.loads(notebook.cells[-1].outputs[-1]["text"])
    return told


def pull(measured: list[Any], due: float) -> float:
    """How many of its standard errors a fitted value is off; it has to be known to a sixth."""
    value, error, _ = measured
    assert 0 < error < abs(due) / 6
    return abs(value - due) / error


def test_a_rabi_curve_on_the_twin(twin: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in twin.items():
        monkeypatch.setenv(name, value)
    told = executed("03_rabi_on_a_twin", {
        "period": "fit['period']", "readout": "points.qpi.counts()", "redchi": "fit.reduced_chi_square",
    })  # fmt: skip
    assert pull(told["period"], 2 * math.pi) < WITHIN
    assert told["redchi"] < 2
    right = 1 - CHIP[0]["readout"]["p10"]
    assert told["readout"]["1"] == pytest.approx(600 * right, abs=4 * math.sqrt(600 * right * (1 - right)))


def test_the_figures_of_the_device_file_come_back(twin: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in twin.items():
        monkeypatch.setenv(name, value)
    told = executed("04_coherence_on_a_twin", {
        "short": "t1[3]['T1']", "long": "t1[2]['T1']", "t2": "echo['T2']", "t2star": "fringes['T2*']",
        "frequency": "fringes['frequency']", "detuning": "detuning", "clifford": "rb['error_per_clifford']",
        "expected": "expected", "same": "[[*which, counts] for which, counts in same.items()]",
    })  # fmt: skip
    assert pull(told["short"], CHIP[3]["t1_s"]) < WITHIN
    assert pull(told["long"], CHIP[2]["t1_s"]) < WITHIN
    errors = math.hypot(told["short"][1], told["long"][1])
    assert told["long"][0] - told["short"][0] > 5 * errors, "two qubits, two curves"
    assert pull(told["t2"], CHIP[0]["t2_s"]) < WITHIN
    assert pull(told["t2star"], CHIP[0]["t2_s"]) < WITHIN
    assert pull(told["frequency"], told["detuning"]) < WITHIN
    assert pull(told["clifford"], told["expected"]) < WITHIN
    waits = {(form, unit) for form, unit, _ in told["same"]}
    assert waits == {(form, unit) for form in ("circuit", "text") for unit in ("ns", "us", "s", "dt")}
    left = {counts["1"] for _, _, counts in told["same"]}
    assert len(left) == 1, "a delay is the same in every unit, as a circuit and as a text"
    chip = CHIP[0]
    excited = math.exp(-30e-6 / chip["t1_s"])
    ones = excited * (1 - chip["readout"]["p10"]) + (1 - excited) * chip["readout"]["p01"]
    assert left.pop() == pytest.approx(2000 * ones, abs=4 * math.sqrt(2000 * ones * (1 - ones)))
