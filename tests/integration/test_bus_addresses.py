"""An address of a bus that cannot be used: neither a server nor a driver starts with it, and each says what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_settings_process import run
from tests.support.packages import TOY_BUS, a_package, installed
from tests.support.servers import python_env

pytestmark = pytest.mark.slow

INSTALLED = "Installed: fallen, inproc, nats, p2p, tls, toymail, twin, ws, wss."
SAID = {
    "nosuch://ann:hush@host": f"There is no bus 'nosuch'. {INSTALLED} To get it: install its package.",
    "fallen://host": "The bus 'fallen' (fallen_bus:X) cannot be loaded: SystemExit: no licence.",
    "twin://host": "Several packages register the bus 'twin': left-bus (left_bus:X), right-bus (right_bus:X). "
    "Uninstall or rename all but one.",
    "ann:hush@host": f"The address of a bus is like scheme://place. {INSTALLED}",
}


@pytest.fixture(autouse=True)
def packages(tmp_path: Path) -> Iterator[None]:
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "fallen_bus.py").write_text("raise SystemExit('no licence')")
    a_package(folder, "fallen-bus", {"qpi.buses": {"fallen": "fallen_bus:X"}})
    for name in ("left-bus", "right-bus"):
        a_package(folder, name, {"qpi.buses": {"twin": f"{name.replace('-', '_')}:X"}})
    with installed(folder), installed(TOY_BUS):
        yield


@pytest.mark.parametrize("address", SAID)
def test_a_server_is_not_started_with_it(tmp_path: Path, address: str) -> None:
    done = run(tmp_path, QPI_BUSES=address)
    assert done.returncode == 2
    assert f"QPI_BUSES: {SAID[address]}" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stdout + done.stderr


@pytest.mark.parametrize("address", SAID)
def test_nor_is_a_driver(tmp_path: Path, address: str) -> None:
    command = [sys.executable, "-m", "qpi_agent", "start", "--data-dir", str(tmp_path)]
    env = python_env() | {"QPI_ACCESS_TOKEN": "qpi_x", "QPI_BUS": address}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert SAID[address] in done.stderr
    assert "hush" not in done.stdout + done.stderr
