"""No option of a built-in executor reaches a file: what people send for a simulator is names and numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from qpi_executors import load
from qpi_executors.aer import AerExecutor
from qpi_executors.mock import MockExecutor
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.programs import Program, RunOptions
from tests.circuits import BELL_QASM3

SECRET = "canary-5f1d"
EXECUTORS = {"qiskit_aer": AerExecutor, "mock": MockExecutor}
OPTIONS = [(name, option) for name, kind in EXECUTORS.items() for option in kind.Options.__struct_fields__]
opened: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def watched() -> None:
    """Note every file that Python opens (a hook stays for good: it does nothing else)."""
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)


def shapes(path: str) -> list[Any]:
    relative = f"../../../../../../../..{path}"
    texts = [path, relative, f"file://{path}", f"@{path}", f"~/../..{path}", f"{path}\x00.json"]
    return [*texts, *([text] for text in texts), *({"path": text, "gate_1q": text} for text in texts)]


@pytest.mark.parametrize(("executor", "option"), OPTIONS)
def test_no_option_opens_a_file(executor: str, option: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary.json"
    canary.write_text(f'{{"gate_1q": 0.5, "x": "{SECRET}"}}')
    opened.clear()
    for value in shapes(str(canary)):
        with pytest.raises(Rejected) as caught:
            load(executor, **{option: value}).capabilities()
        assert SECRET not in str(caught.value)
    assert not [path for path in opened if canary.name in path]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_no_run_option_does(executor: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary.json"
    canary.write_text(SECRET)
    opened.clear()
    for name in ("noise_model", "calibration", "config", "file", "include", "method"):
        options = RunOptions(extra={name: str(canary)})
        program = Program(format="openqasm3", sources=(BELL_QASM3,), options=options)
        with pytest.raises(Rejected, match="no run option"):
            load(executor).validate(program)
    assert not [path for path in opened if canary.name in path]


@pytest.mark.parametrize(
    "name",
    ["generic-0", "generic-100000000", "generic-1e9", "__class__", "FakeProvider", "FakeProviderForBackendV2", "os"],
)
def test_a_fake_backend_is_one_of_those_there_are(name: str) -> None:
    with pytest.raises(Rejected, match=r"generic|fake backend"):
        AerExecutor(fake_backend=name)
