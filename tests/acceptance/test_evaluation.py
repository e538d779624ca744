"""The notebooks that measure and compare, in real kernels, and `jupyter qpi evaluate` with its troubles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient

from qpi_jupyter.client import Lab
from tests.support.servers import ROOT, TOKEN, lab_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A demo lab, and what a kernel finds it by."""
    with lab_server(tmp_path_factory.mktemp("lab"), "--QPIServer.demo=True") as server, Lab(server.url, TOKEN) as lab:
        wait_until(lambda: all(qpu.status == "online" for qpu in lab.qpus()), what="both QPUs online")
        yield {"QPI_LAB_URL": server.url, "QPI_LAB_TOKEN": TOKEN}


def executed(name: str, expression: str) -> Any:
    """What an expression has become at the end of a notebook."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    notebook.cells.append(nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({expression}))"))
    try:
        NotebookClient(notebook, timeout=180, kernel_name="python3").execute()
    finally:
        ensure_event_loop().close()  # the one that it made
    return json.loads(notebook.cells[-1].outputs[-1]["text"])


def test_a_portfolio_is_held_against_brute_force(demo: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in demo.items():
        monkeypatch.setenv(name, value)
    table = executed("06_portfolio_selection", "table.to_dict('index')")
    best, blind = table["brute force"]["mean cost"], table["random choice"]
    one, two = table["QAOA, 1 layer"], table["QAOA, 2 layers"]
    assert best < two["mean cost"] < one["mean cost"] < blind["mean cost"]
    assert two["finds the best"] > 2 * blind["finds the best"]
    assert two["holds three"] > 0.6
    assert best <= two["best of 20"], "nothing beats what is exact"
