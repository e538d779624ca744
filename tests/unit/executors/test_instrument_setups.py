from __future__ import annotations

from pathlib import Path

import pytest

from qpi_executors.instruments.files import LIBRARIES, load
from qpi_jupyter.core import Rejected
from tests.support import faulty_setups as faulty
from tests.support import instrument_files as given
from tests.support.instrument_files import Change, chip, cluster, write


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("change", "words"), [row[1:] for row in faulty.CANNOT_WORK], ids=[row[0] for row in faulty.CANNOT_WORK]
)
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
    lonely = load([chip(tmp_path), cluster(tmp_path, faulty.without("q7:mw"))], library="qblox", dummy=True)
    assert (lonely.device.names, dict(lonely.device.edges)) == (("q3",), {})
    mended = load([chip(tmp_path), cluster(tmp_path, faulty.frequencies())], library="qblox", dummy=True)
    assert mended.hardware["hardware_options"]["modulation_frequencies"]["q7:mw-q7.01"] == {"lo_freq": 4.51e9}
    with pytest.raises(Rejected, match="reaches no qubit of the device, whose ports are q3:mw"):
        load(
            [chip(tmp_path), cluster(tmp_path, lambda t: t["connectivity"].update(graph=[]))],
            library="qblox",
            dummy=True,
        )


def test_an_address_is_needed_only_by_a_real_cluster(tmp_path: Path) -> None:
    files = [chip(tmp_path), cluster(tmp_path, lambda tree: faulty.described(tree).pop("ip"))]
    assert load(files, library="qblox", dummy=True).warnings == ()
    with pytest.raises(Rejected, match=r"hardware_description\.cluster1\.ip is missing: the address"):
        load(files, library="qblox", dummy=False)


def test_a_tunable_coupler_is_played_as_a_square_pulse_in_dummy_mode(tmp_path: Path) -> None:
    files = [write(tmp_path, "device.yml", given.qpi_yaml(coupler=True)), cluster(tmp_path)]
    setup = load(files, library="qblox", dummy=True)
    assert setup.device.edges == given.device().edges
    with pytest.raises(Rejected, match=r"device\.yml: q3_q7 modulates a coupler"):
        load(files, library="qblox", dummy=False)
