from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qpi_jupyter.wire.faultpoint import POINTS, trap_from

ROOT = Path(__file__).parents[3]
CODE = """
from qpi_jupyter.wire.faultpoint import reach
for point in ("put_sent", "run_started", "put_sent"):
    print(point, flush=True)
    reach(point)
"""


def run(**env: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QPI_FAULT")}
    command = [sys.executable, "-c", CODE]
    return subprocess.run(command, cwd=ROOT, env=clean | env, capture_output=True, text=True, timeout=30, check=False)


def test_without_the_variable_nothing_happens() -> None:
    done = run()
    assert (done.returncode, len(done.stdout.split())) == (0, 3)


@pytest.mark.parametrize(("where", "seen"), [("put_sent", 1), ("run_started:1", 2), ("put_sent:2", 3)])
def test_the_process_dies_there_and_leaves_proof(where: str, seen: int, tmp_path: Path) -> None:
    log = tmp_path / "hits"
    done = run(QPI_FAULT_POINT=where, QPI_FAULT_LOG=str(log))
    assert (done.returncode, len(done.stdout.split())) == (-signal.SIGKILL, seen)
    assert log.read_text() == where.partition(":")[0] + "\n"


@pytest.mark.parametrize("wrong", ["nowhere", "put_sent:0", "put_sent:x", ":1"])
def test_a_misspelt_point_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="QPI_FAULT_POINT"):
        trap_from({"QPI_FAULT_POINT": wrong})


def test_there_are_at_least_twelve_points() -> None:
    assert len(set(POINTS)) >= 12
    assert trap_from({}) is None
