"""What the installed executors take, as other processes read it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qpi_agent.cli import main
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


def test_what_a_check_finds_wrong_is_said_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "banner_guest.py").write_text(
        "from qpi_executors.mock import MockExecutor as Loud\nprint('a banner')\n"
    )
    with installed(tmp_path):
        assert main(["check", "--json", "--executor", "banner_guest:Loud", "--option", "nope=1"]) == 2
    assert "nope" in json.loads(capsys.readouterr().out)["message"]
