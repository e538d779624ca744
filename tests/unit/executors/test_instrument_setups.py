from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qpi_executors.instruments.files import LIBRARIES, load
from qpi_jupyter.core import Rejected
from tests.support import instrument_files as given
from tests.support.instrument_files import Change, chip, cluster, write


def _described(tree: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = tree["hardware_description"]["cluster1"]
    return found


def _no_inputs(tree: dict[str, Any]) -> None:
    graph = tree["connectivity"]["graph"]
    tree["connectivity"]["graph"] = [wire for wire in graph if "_input_" not in wire[0]]


def _without(port: str) -> Change:
    def change(tree: dict[str, Any]) -> None:
        tree["connectivity"]["graph"] = [wire for wire in tree["connectivity"]["graph"] if wire[1] != port]

    return change


def _frequencies(**given_: Any) -> Change:
    return lambda tree: tree["hardware_options"]["modulation_frequencies"].update({"q7:mw-q7.01": given_})


CANNOT_WORK: list[tuple[str, Change, str]] = [
    (
        "no readout input",
        _no_inputs,
        "has no input for q3:res: nothing would be acquired; add [cluster1.module9.complex_input_0, q3:res]",
    ),
    (
        "real and complex",
        lambda t: t["connectivity"]["graph"].append(["cluster1.module5.complex_output_0", "q3_q7:fl"]),
        "connectivity.graph uses cluster1.module5.complex_output_0 and cluster1.module5.real_output_0, which",
    ),
    (
        "no oscillator",
        _frequencies(interm_freq=None, lo_freq=None),
        "hardware_options.modulation_frequencies.q7:mw-q7.01 has neither interm_freq nor lo_freq",
    ),
    (
        "contradiction",
        _frequencies(interm_freq=1e8, lo_freq=4e9),
        "q7:mw-q7.01 has lo_freq + interm_freq = 4100000000 Hz, but q7:mw-q7.01 is at 4610000000 Hz",
    ),
    (
        "too far",
        _frequencies(lo_freq=3.9e9),
        "hardware_options.modulation_frequencies.q7:mw-q7.01 needs an intermediate frequency of 7.1e+08 Hz",
    ),
    (
        "shared oscillator",
        lambda t: t["hardware_options"]["modulation_frequencies"].update({"q7:res-q7.ro": {"interm_freq": 1e8}}),
        "q7:res-q7.ro needs the local oscillator of cluster1.module9.complex_output_0 at 6890000000 Hz, and another",
    ),
    (
        "not driven",
        _without("q7:mw"),
        "connectivity.graph has no output for q7:mw: q7 cannot be driven, and is left out",
    ),
    ("no flux", _without("q3:fl"), "data.edges.q3_q7.data is left out: connectivity.graph has no output for q3:fl"),
]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("change", "words"), [row[1:] for row in CANNOT_WORK], ids=[row[0] for row in CANNOT_WORK])
def test_what_cannot_work_is_a_warning_in_dummy_mode_and_a_refusal_otherwise(
    tmp_path: Path, change: Change, words: str, library: str
) -> None:
    files = [chip(tmp_path), cluster(tmp_path, change)]
    setup = load(files, library=library, dummy=True)
    assert any(words in warning for warning in setup.warnings)
    assert all(warning.startswith(("hardware.json: ", "device.json: ")) for warning in setup.warnings)
    with pytest.raises(Rejected, match="only with simulated instruments") as refused:
        load(files, library=library, dummy=False)
    assert words in refused.value.message


def test_the_warned_of_is_left_out_or_replaced(tmp_path: Path) -> None:
    lonely = load([chip(tmp_path), cluster(tmp_path, _without("q7:mw"))], library="qblox", dummy=True)
    assert (lonely.device.names, dict(lonely.device.edges)) == (("q3",), {})
    mended = load([chip(tmp_path), cluster(tmp_path, _frequencies())], library="qblox", dummy=True)
    assert mended.hardware["hardware_options"]["modulation_frequencies"]["q7:mw-q7.01"] == {"lo_freq": 4.51e9}
    with pytest.raises(Rejected, match="reaches no qubit of the device, whose ports are q3:mw"):
        load(
            [chip(tmp_path), cluster(tmp_path, lambda t: t["connectivity"].update(graph=[]))],
            library="qblox",
            dummy=True,
        )


def test_an_address_is_needed_only_by_a_real_cluster(tmp_path: Path) -> None:
    files = [chip(tmp_path), cluster(tmp_path, lambda tree: _described(tree).pop("ip"))]
    assert load(files, library="qblox", dummy=True).warnings == ()
    with pytest.raises(Rejected, match=r"hardware_description\.cluster1\.ip is missing: the address"):
        load(files, library="qblox", dummy=False)


def test_a_tunable_coupler_is_played_as_a_square_pulse_in_dummy_mode(tmp_path: Path) -> None:
    files = [write(tmp_path, "device.yml", given.qpi_yaml(coupler=True)), cluster(tmp_path)]
    setup = load(files, library="qblox", dummy=True)
    assert setup.device.edges == given.device().edges
    with pytest.raises(Rejected, match=r"device\.yml: q3_q7 modulates a coupler"):
        load(files, library="qblox", dummy=False)
