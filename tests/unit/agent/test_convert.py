from __future__ import annotations

import json
from pathlib import Path

import pytest

from qpi_agent.cli import main
from tests.support.instrument_files import QBLOX_TYPE, chip, cluster, qpi_yaml, write


def test_convert_writes_files_and_says_what_it_assumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    device, hardware = write(tmp_path, "device.yml", qpi_yaml(coupler=True)), cluster(tmp_path, library="quantify")
    out = tmp_path / "new" / "files"
    assert main(["convert", str(device), str(hardware), "--to", "qblox", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines() == [
        str(out / "device.json"),
        str(out / "hardware.json"),
        "Assumed:",
        "  device.yml: q3_q7 is written as a CompositeSquareEdge: the frequency of its coupler is left out",
        "Would not work on an instrument:",
        "  device.yml: q3_q7 modulates a coupler: a CZ is a square pulse on the flux port of q3 here; take the edge "
        "out to run without it",
    ]
    assert json.loads((out / "hardware.json").read_text())["config_type"] == QBLOX_TYPE
    assert set(json.loads((out / "device.json").read_text())["elements"]) == {"q3", "q7"}


def test_convert_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "new.json", "{}")
    for taken, out in ((tmp_path / "hardware.json", tmp_path), (None, tmp_path / "new.json")):
        assert (
            main(["convert", str(chip(tmp_path)), str(cluster(tmp_path)), "--to", "quantify", "--out", str(out)]) == 2
        )
        said = capsys.readouterr()
        assert said.out == ""
        assert "is there already" in said.err if taken else "Cannot write to" in said.err
        assert (tmp_path / "new.json").read_text() == "{}"


def test_convert_writes_through_no_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "from").mkdir()
    device, elsewhere = chip(tmp_path / "from"), tmp_path / "elsewhere"
    (tmp_path / "device.json").symlink_to(elsewhere)
    assert main(["convert", str(device), "--to", "quantify", "--out", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert not elsewhere.exists()
    assert main(["convert", str(device), "--to", "quantify", "--out", str(tmp_path / ("x" * 5000))]) == 2
    assert "Cannot write to" in capsys.readouterr().err


def test_convert_refuses_by_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    device = chip(tmp_path, lambda tree: tree["data"]["elements"]["q3"]["data"]["rxy"].update(amp180="much"))
    assert main(["convert", str(device), "--to", "qblox", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "qpi-agent: device.json: data.elements.q3.data.rxy.amp180 must be a number from -10 to 10, not 'much'.\n"
    )
    assert not (tmp_path / "out").exists()
