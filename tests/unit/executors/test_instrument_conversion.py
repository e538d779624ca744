from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qpi_executors.instruments.files import LIBRARIES, convert, load
from qpi_jupyter.core import Rejected
from tests.support import instrument_files as given
from tests.support.instrument_files import Change, chip, cluster, element, same, write


def _described(tree: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = tree["hardware_description"]["cluster1"]
    return found


@pytest.mark.parametrize("family", given.DEVICES)
def test_converted_there_and_back_a_device_stays_the_same(tmp_path: Path, family: str) -> None:
    path, wires = write(tmp_path, *given.DEVICES[family]), cluster(tmp_path)
    for k, library in enumerate(("qblox", "quantify", "qblox")):
        found = convert([path, wires], library)
        folder = tmp_path / str(k)
        folder.mkdir()
        path, wires = (write(folder, name, found.files[name]) for name in ("device.json", "hardware.json"))
        assert found.warnings == ()
    same(load([path, wires], library="qblox", dummy=False).device, given.device())


def test_a_conversion_follows_the_libraries_names_and_units(tmp_path: Path) -> None:
    to_qblox = json.loads(convert([chip(tmp_path)], "qblox").files["device.json"])
    rxy = to_qblox["elements"]["q3"]["rxy"]
    assert rxy["beta"] == pytest.approx(0.08 * 24e-9 / 8)
    assert "motzoi" not in rxy
    assert to_qblox["elements"]["q3"]["measure"]["acq_label"] == 3
    assert to_qblox["edges"]["q3_q7"]["cz"]["parent_phase_correction"] == -12
    assert to_qblox["cfg_sched_repetitions"] == 2048
    back = json.loads(convert([write(tmp_path, "there.json", json.dumps(to_qblox))], "quantify").files["device.json"])
    assert back["data"]["edges"]["q3_q7"]["data"]["cz"]["q7_phase_correction"] == 7.5
    config = json.loads(convert([cluster(tmp_path)], "quantify").files["hardware.json"])
    assert config["config_type"] == given.QUANTIFY_TYPE


@pytest.mark.parametrize(
    ("change", "library", "key"),
    [
        (
            lambda t: t["hardware_options"].update(
                distortion_corrections={"q3:fl-cl0.baseband": {"exp0_coeffs": [9, 0.1]}}
            ),
            "qblox",
            "hardware_options.distortion_corrections.q3:fl-cl0.baseband.exp0_coeffs",
        ),
        (
            lambda t: t["hardware_options"]["output_att"].update({"q3:mw-q3.01": 6.5}),
            "quantify",
            "hardware_options.output_att.q3:mw-q3.01",
        ),
        (
            lambda t: _described(t)["modules"]["2"].update(rf_output_on="auto"),
            "quantify",
            "hardware_description.cluster1.modules.2.rf_output_on",
        ),
        (lambda t: t.update(allow_off_grid_nco_ops=True), "qblox", "allow_off_grid_nco_ops"),
        (lambda t: t.update(compiler_options={"auto_rf_switch": True}), "qblox", "compiler_options.auto_rf_switch"),
    ],
    ids=["filter", "attenuation", "switch", "off the grid", "quantify's switch"],
)
def test_what_the_other_library_lacks_is_refused_by_its_key(
    tmp_path: Path, change: Change, library: str, key: str
) -> None:
    with pytest.raises(Rejected) as refused:
        convert([cluster(tmp_path, change)], library)
    assert refused.value.data["field"] == key
    (other,) = set(LIBRARIES) - {library}
    assert convert([cluster(tmp_path, change)], other).files


def test_a_derivative_without_a_duration_takes_the_libraries_own(tmp_path: Path) -> None:
    found = convert([chip(tmp_path, lambda tree: element(tree)["rxy"].pop("duration"))], "qblox")
    assert json.loads(found.files["device.json"])["elements"]["q3"]["rxy"]["beta"] == pytest.approx(0.08 * 20e-9 / 8)
    assert any("data.elements.q3.data.rxy.duration is missing, and taken as 2e-08 s" in said for said in found.assumed)


def test_a_conversion_lists_what_it_assumed_and_left_out(tmp_path: Path) -> None:
    device = "\n".join(line for line in given.qpi_yaml(coupler=True).splitlines() if "acq_channel" not in line)
    found = convert([write(tmp_path, "device.yml", device)], "quantify")
    assert "device.yml: q7.measure.acq_channel is missing, and taken as 1: each qubit has its own" in found.assumed
    assert any(
        sentence.startswith("device.yml: q3_q7 is written as a CompositeSquareEdge") for sentence in found.assumed
    )
    assert any(sentence.startswith("device.yml: q3_q7 modulates") for sentence in found.warnings)
    passes = cluster(tmp_path, lambda tree: tree.update(compilation_passes=[{"compilation_func": "os.system"}]))
    hardware = convert([passes], "qblox")
    assert "compilation_passes" not in hardware.files["hardware.json"]
    assert hardware.assumed == ("hardware.json: compilation_passes is left out: the library's own passes are used",)
