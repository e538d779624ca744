"""What the installed executors take, as other processes read it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qpi_agent.cli import main
from qpi_executors.catalogue import catalogue
from qpi_executors.registry import find
from qpi_jupyter.core import Rejected
from tests.support.packages import a_package, installed

GUEST = """
import os
from qpi_executors.mock import MockExecutor
from qpi_executors.options import ExecutorOptions

print("a banner")
os.write(1, b"a banner from below Python")


class Nan(MockExecutor):
    class Options(ExecutorOptions, frozen=True, kw_only=True):
        gain: float = float("nan")
"""


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    (tmp_path / "loud_guest.py").write_text(GUEST)
    a_package(tmp_path, "loud-lab", {"qpi.executors": {"loud": "loud_guest:MockExecutor", "nan": "loud_guest:Nan"}})
    return tmp_path


def test_a_guest_that_prints_or_that_json_cannot_say_spoils_nobody_elses_entry(guest: Path) -> None:
    with installed(guest):
        said = subprocess.run(
            [sys.executable, "-m", "qpi_executors.catalogue"], capture_output=True, check=True, timeout=60
        )
    found = {entry["name"]: entry for entry in json.loads(said.stdout)}
    assert found["mock"]["problem"] == found["loud"]["problem"] == ""
    assert "not JSON compliant" in found["nan"]["problem"]
    assert b"a banner from below Python" in said.stderr


@pytest.mark.parametrize(("name", "module"), [("qblox", "qblox_scheduler"), ("quantify", "quantify_scheduler")])
def test_a_twin_is_offered_by_name_or_with_the_command_that_installs_it(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offered = next(entry for entry in catalogue() if entry["name"] == name)
    assert (offered["simulator"], offered["problem"]) == (True, "")
    assert offered["summary"] == f"five-transmons through {name}-scheduler, a physical twin."

    monkeypatch.setattr("qpi_executors.registry.find_spec", lambda asked: None if asked == module else object())
    greyed = next(entry for entry in catalogue() if entry["name"] == name)
    why = (
        f"The executor '{name}' needs {module}, not installed here. Install it with: pip install 'qpi-jupyter[{name}]'."
    )
    assert greyed == {**offered, "problem": why}
    assert main(["check", "--json", "--simulator", "--executor", name]) == 2
    assert json.loads(capsys.readouterr().out)["message"] == why
    assert main(["check", "--executor", name]) == 0, "its programs are checked without the library"


def test_what_a_check_finds_wrong_is_said_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "banner_guest.py").write_text(
        "from qpi_executors.mock import MockExecutor as Loud\nprint('a banner')\n"
    )
    with installed(tmp_path):
        assert main(["check", "--json", "--executor", "banner_guest:Loud", "--option", "nope=1"]) == 2
    assert "nope" in json.loads(capsys.readouterr().out)["message"]


@pytest.mark.parametrize("name", [":", ":::", "a b:C", "mylab:", ":Class"])
def test_a_name_that_is_no_place_in_a_module_is_refused(name: str) -> None:
    with pytest.raises(Rejected, match="module:Class"):
        find(name)
