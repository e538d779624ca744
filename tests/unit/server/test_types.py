"""Types are built before there are threads that read messages as them: what is half built ends the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.servers import python_env

OPEN_A_LAB = """
import asyncio, sys
from pathlib import Path
from qpi_jupyter.core.plans import Plan
from qpi_server.service import Lab
from qpi_server.service.base import LabConfig

BUILT = "__msgspec_cache__"  # where msgspec keeps what it knows of a dataclass

async def main():
    assert BUILT not in vars(Plan)
    lab = await Lab.open(LabConfig(lab_dir=Path(sys.argv[1])))
    await lab.close()
    assert BUILT in vars(Plan)

asyncio.run(main())
"""


def test_a_lab_has_built_them_when_it_is_open(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN_A_LAB, str(tmp_path / "lab")]
    ended = subprocess.run(command, env=python_env(), capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
