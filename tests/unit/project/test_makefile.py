"""What `make` installs: the real Makefile, with an interpreter that writes down what pip would do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Without what a `make` above this test was told.
OWN = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "EXTRAS"))}
PYTHON = """#!/bin/sh
[ "$1" != -c ] || exec {real} "$@"
echo "$@" >> {log}
"""


class Environment:
    """An environment made by `make`: `ran` are the commands that its Python got since they were last asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._log = folder, folder / "log"
        (folder / "bin").mkdir(parents=True)
        for name, text in {
            "python": PYTHON.format(real=sys.executable, log=self._log),
            "qpi-agent": "#!/bin/sh\n",
        }.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)

    def make(self, *words: str) -> list[str]:
        self._log.write_text("")
        told = subprocess.run(
            ["make", f"VENV={self._folder}", *words], cwd=ROOT, env=OWN, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stderr
        return self._log.read_text().splitlines()

    def required(self) -> str:
        return (self._folder / ".qpi" / "requirements").read_text()


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    assert shutil.which("make")
    return Environment(tmp_path / "environment")


def installs(ran: list[str]) -> list[str]:
    return [line.removeprefix("-m pip install -q ") for line in ran if " pip " in line]


def test_using_the_lab_needs_neither_schedulers_nor_a_hub(environment: Environment) -> None:
    first, project = installs(environment.make("demo"))
    assert "requirements" in first
    assert project == "--no-deps -e ."
    assert "jupyterlab" in environment.required()
    assert "qiskit-aer" in environment.required()
    for unneeded in ("qblox", "quantify", "jupyterhub", "pytest"):
        assert unneeded not in environment.required()


def test_tests_add_what_is_missing_and_the_lab_then_installs_nothing(environment: Environment) -> None:
    environment.make("demo")
    (added,) = installs(environment.make("setup"))
    assert "requirements" in added
    for wanted in ("jupyterlab", "qblox", "quantify", "jupyterhub", "pytest"):
        assert wanted in environment.required()
    assert installs(environment.make("demo")) == []
    assert installs(environment.make("setup")) == []


def test_an_extra_that_is_not_there_installs_nothing(environment: Environment) -> None:
    with pytest.raises(AssertionError, match="nonsense"):
        environment.make("setup", "EXTRAS=nonsense")
    with pytest.raises(AssertionError, match="nonsense"):
        environment.make("setup", "EXTRAS=nonsense")
