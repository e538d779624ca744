"""Converted files, in the schedulers themselves."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qpi_executors.instruments.files import convert
from tests.support import instrument_files as given
from tests.support.dummy_probe import SHOTS
from tests.support.faulty_setups import CANNOT_WORK
from tests.support.instrument_files import chip, cluster, write

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("library", ["qblox", "quantify"])
def test_every_converted_family_loads_and_compiles_a_bell_pair(tmp_path: Path, library: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    pairs = {(family, "pairs") for family in given.DEVICES} | {("own.json", family) for family in given.HARDWARE}
    folders = []
    for device, hardware in sorted(pairs):
        paths = [write(source, *given.DEVICES[device]), write(source, *given.HARDWARE[hardware])]
        found = convert(paths, library)
        assert found.warnings == ()
        folder = tmp_path / f"{device} {hardware}"
        folder.mkdir()
        for name, text in found.files.items():
            (folder / name).write_text(text)
        folders.append(str(folder))
    said = subprocess.run(
        [sys.executable, "-m", "tests.support.scheduler_probe", library, *folders],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=300,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr[-3000:]
    compiled = json.loads(said.stdout.splitlines()[-1])
    # reset, four pulses and a CZ one after another, then the readouts (at once with quantify, in turns with qblox)
    readouts = 820e-9 * (1 if library == "quantify" else 2)
    expected = 180e-6 + 24e-9 + 32e-9 + 36e-9 + 32e-9 + readouts + 4e-9
    for folder, (duration_s, modules) in compiled.items():
        assert duration_s == pytest.approx(expected, abs=5e-9), folder
        assert modules == 3, folder


@pytest.mark.parametrize("library", ["qblox", "quantify"])
def test_what_cannot_work_on_an_instrument_runs_in_dummy_mode(tmp_path: Path, library: str) -> None:
    changes = {name: change for name, change, _ in CANNOT_WORK}

    def worst(tree: dict[str, Any]) -> None:
        for name in ("no readout input", "real and complex", "no oscillator"):
            changes[name](tree)

    lonely = tmp_path / "lonely"
    lonely.mkdir()
    files = [write(tmp_path, "device.yml", given.qpi_yaml(coupler=True)), cluster(tmp_path, worst)]
    files += [chip(lonely), cluster(lonely, changes["not driven"])]
    said = subprocess.run(
        [sys.executable, "-m", "tests.support.dummy_probe", library, *map(str, files)],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=300,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr[-3000:]
    assert json.loads(said.stdout.splitlines()[-1]) == [SHOTS, SHOTS]


def test_the_conversion_agrees_with_qblox_schedulers_own(tmp_path: Path) -> None:
    paths = []
    for name, tree in (("device.json", given.old_quantify_json()), ("hardware.json", given.hardware("quantify"))):
        # that tool knows the corrections of a CZ only where the qubits are called q0 and q1
        text = json.dumps(tree).replace("q3", "q0").replace("q7", "q1").replace("two-", "two_")
        paths.append(write(tmp_path, name, text))
    ours = convert(paths, "qblox")
    said = subprocess.run(
        [Path(sys.executable).with_name("qblox-scheduler"), "migrate-configs", str(tmp_path)],
        input="y\n", capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr
    theirs = json.loads((tmp_path / "device.json").read_text())
    assert _plain(json.loads(ours.files["device.json"])) == _plain(theirs)
    assert _plain(json.loads(ours.files["hardware.json"])) == _plain(
        json.loads((tmp_path / "hardware.json").read_text())
    )


def test_old_hardware_files_are_read_as_quantify_scheduler_reads_them(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tests.support.scheduler_probe", "old", str(tmp_path)],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=120,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr[-3000:]
    read = json.loads(said.stdout.splitlines()[-1])
    assert len(read) == 2
    for ours, theirs in read:
        assert ours == theirs
        assert len(ours["connectivity"]["graph"]) > 5


def _plain(value: Any) -> Any:
    """Without what is not set, and numbers to twelve digits."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if part is not None and part == part}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value:
        return round(value, 12 - math.ceil(math.log10(abs(value))))
    return value
