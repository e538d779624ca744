"""The notebooks that measure and compare, in real kernels, and `jupyter qpi evaluate` with its troubles."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient

from qpi_jupyter.client import Lab
from tests.support.servers import ROOT, TOKEN, lab_server
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A demo lab, and what a kernel finds it by."""
    with lab_server(tmp_path_factory.mktemp("lab"), "--QPIServer.demo=True") as server, Lab(server.url, TOKEN) as lab:
        wait_until(lambda: all(qpu.status == "online" for qpu in lab.qpus()), what="both QPUs online")
        yield {"QPI_LAB_URL": server.url, "QPI_LAB_TOKEN": TOKEN}


def executed(name: str, expression: str, folder: Path) -> Any:
    """What an expression has become at the end of a notebook that ran in a folder."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    notebook.cells.append(nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({expression}))"))
    resources = {"metadata": {"path": str(folder)}}
    try:
        NotebookClient(notebook, timeout=int(PATIENCE_S), kernel_name="python3", resources=resources).execute()
    finally:
        ensure_event_loop().close()  # the one that it made
    return json.loads(notebook.cells[-1].outputs[-1]["text"])


def test_a_portfolio_is_held_against_brute_force(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in demo.items():
        monkeypatch.setenv(name, value)
    table = executed("06_portfolio_selection", "table.to_dict('index')", tmp_path)
    best, blind = table["brute force"]["mean cost"], table["random choice"]
    one, two = table["QAOA, 1 layer"], table["QAOA, 2 layers"]
    assert best < two["mean cost"] < one["mean cost"] < blind["mean cost"]
    assert two["finds the best"] > 2 * blind["finds the best"]
    assert two["holds three"] > 0.6
    assert best <= two["best of 20"], "nothing beats what is exact"


def test_fr_013_whole_against_parts_with_a_slow_network_a_lost_node_and_a_degraded_one(tmp_path: Path) -> None:
    """Through `jupyter qpi evaluate`, as the notebook calls it."""
    executed("05_distributed_evaluation", "len(trials.scenario)", tmp_path)
    with (tmp_path / "evaluation" / "trials.csv").open() as file:
        found = {(row["scenario"], row["circuit"]): row for row in csv.DictReader(file)}
    assert {row["outcome"] for row in found.values()} == {"completed"}, found

    def figure(name: str, scenario: str, circuit: str = "blocks") -> float:
        return float(found[scenario, circuit][name])

    kinds = {scenario: found[scenario, "blocks"]["kind"] for scenario, _ in found}
    assert kinds == {"centralised": "whole", **dict.fromkeys(
        ("distributed", "slow network", "node lost", "node degraded"), "cut"
    )}  # fmt: skip
    assert found["distributed", "pairs"]["kind"] == "components"
    assert (figure("overhead", "distributed", "pairs"), figure("overhead", "distributed")) == (1, 9)
    for circuit in ("pairs", "blocks"):
        assert figure("rmse", "distributed", circuit) < figure("rmse", "centralised", circuit)
        assert figure("esp", "distributed", circuit) > figure("esp", "centralised", circuit)
    assert figure("rmse", "node degraded") > figure("rmse", "distributed")
    assert figure("esp", "node degraded") < figure("esp", "distributed")
    assert figure("run_s", "slow network") > 2 * 0.1, "there and back at least"
    assert (figure("moved", "distributed"), figure("moved", "node lost")) == (0, 1)
    assert figure("attempts", "node lost") > figure("attempts", "distributed")
