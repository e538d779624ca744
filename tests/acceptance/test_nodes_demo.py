"""``jupyter qpi demo --nodes``: a lab with QPUs on a bus, what the tutorial does with it, and nothing left of it."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from qpi_server.bus.p2p.process import PYTHON
from qpi_server.tools import nodes
from tests.support.buses import P2P_PYTHON
from tests.support.realworld import MARK, assert_gone
from tests.support.servers import ROOT, python_env

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs" / "tutorial" / "several-qpus.md"
PATIENCE_S = 180.0


@contextmanager
def demo(folder: Path, *words: str, **env: str) -> Iterator[tuple[dict[str, str], str]]:
    """The variables that it says to set, and all that it says."""
    mark = secrets.token_hex(8)
    command = [sys.executable, "-m", "qpi_server.tools.standalone", "demo", "--folder", str(folder), *words]
    process = subprocess.Popen(command, env=python_env(**env) | {MARK: mark}, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        found = dict(re.findall(r"(QPI_LAB_\w+)=(\S+)", said))
        assert len(found) == 2, said
        yield found, said
    finally:
        process.send_signal(signal.SIGINT)
        with process:
            status = process.wait(PATIENCE_S)
        assert_gone(mark)
    assert status == 0


def test_the_tutorial_runs_on_two_nodes_over_nats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with demo(tmp_path / "demo", "--nodes", "2", "--bus", "nats") as (variables, _):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        names: dict[str, Any] = {}
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(block, names)
        with names["lab"]:
            assert sum(names["together"].values()) == 1000
            equal = [key for key in names["together"] if all(key[n] == key[n + 1] for n in range(0, 10, 2))]
            assert sum(names["together"][key] for key in equal) > 500
            assert {fragment.qpu for fragment in names["job"].plan().fragments} == {"node-1", "node-2"}
            assert [(qpu.name, qpu.num_qubits) for qpu in names["qpus"]] == [("node-1", 5), ("node-2", 7)]
            for counts in names["counts"]:
                assert sum(counts.values()) == 2000
                assert 0 < sum(counts.get(key, 0) for key in ("01", "10")) < 400
        assert (tmp_path / "demo" / "nats" / "nats.conf").exists()
        assert "nats://" in (tmp_path / "demo" / "lab.log").read_text()


def test_what_it_says_next_is_so_over_the_labs_own_websocket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with demo(tmp_path / "demo", "--nodes", "2") as (variables, said):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        lines = [line.strip() for line in said.splitlines() if line.startswith("    ") and "export" not in line]
        names: dict[str, Any] = {}
        exec("\n".join(line for line in lines if not line.startswith("curl")), names)
        with names["lab"]:
            assert "node-1" in capsys.readouterr().out
        submit, jobs = (
            subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
            for line in lines if line.startswith("curl")
        )  # fmt: skip
        assert json.loads(submit)["job_id"] in jobs


def test_over_libp2p_they_dial_what_the_lab_has_said(tmp_path: Path) -> None:
    _is_online(tmp_path, "--nodes", "1", "--bus", "p2p", **{PYTHON: str(P2P_PYTHON)})


def _is_online(folder: Path, *words: str, **env: str) -> None:
    with demo(folder / "demo", *words, **env) as (variables, _):
        headers = {"Authorization": f"token {variables['QPI_LAB_TOKEN']}"}
        qpus = httpx.get(f"{variables['QPI_LAB_URL']}qpi/v1/qpus", headers=headers, trust_env=False).json()["qpus"]
        assert [(qpu["name"], qpu["status"]) for qpu in qpus] == [("node-1", "online")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--nodes", "0"], "--nodes takes a number from 1 to 64."),
        (["--nodes", "1", "--bus", "pigeon"], "--bus takes inproc, nats, p2p, or the address of a bus"),
        (["--nodes", "1", "--bus", "pigeon://roof"], "Not everything has started: see the logs in "),
        (
            ["--nodes", "1", "--bus", "nats://127.0.0.1:1"],
            "No driver can reach the lab at nats://127.0.0.1:1: The lab needs its keys at the broker",
        ),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, words: list[str], told: str) -> None:
    parser = argparse.ArgumentParser()
    nodes.add_arguments(parser)
    with pytest.raises(nodes.CannotBe, match=re.escape(told)), ExitStack() as stack:
        nodes.start(stack, tmp_path, parser.parse_args(words))
