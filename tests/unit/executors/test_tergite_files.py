from __future__ import annotations

import math
from pathlib import Path

import pytest

from qpi_executors.instruments.files import load
from qpi_jupyter.core import Rejected
from tests.support import instrument_files as given
from tests.support.instrument_files import cluster, write


def test_tergite_has_its_calibration_couplers_and_addresses_in_three_files(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "seed.toml", given.TERGITE_SEED), write(tmp_path, "backend.toml", given.TERGITE_BACKEND),
        write(tmp_path, "metadata.yml", given.TERGITE_METADATA),
        cluster(tmp_path, lambda tree: tree["hardware_description"]["cluster1"].pop("ip")),
    ]  # fmt: skip
    setup = load(files, library="quantify", dummy=True)
    first, second = (setup.device.qubits[name] for name in ("q3", "q7"))
    assert (first.f01_hz, first.f12_hz, first.readout_hz) == (4.42e9, 4.21e9, 6.93e9)
    assert (first.t1_s, first.t2_s, second.t1_s) == (4.1e-5, 2.6e-5, None)
    assert (first.drive.amp180, first.drive.duration_s) == (0.17, 24e-9)
    assert setup.hardware["hardware_description"]["cluster1"]["ip"] == "192.0.2.7"
    edge = setup.device.edges["q3", "q7"]
    assert (edge.amplitude, edge.duration_s) == (0.31, pytest.approx(36e-9))
    assert edge.parent_phase_deg == pytest.approx(28.6479, abs=1e-4)
    assert any("seed.toml: calibration_config.coupler.0 modulates a coupler" in warning for warning in setup.warnings)
    # 300 I - 400 Q > 2, as a rotation and a threshold: a point on either side of that line
    readout = first.readout
    for point, bit in ((0.02 + 0.0099j, True), (0.02 + 0.0101j, False), (0.0067, True), (0.0066, False)):
        turned = point * complex(*_unit(readout.rotation_deg))
        assert (turned.real > readout.threshold) is bit
        assert (300 * complex(point).real - 400 * complex(point).imag > 2) is bit


OTHER = given.TERGITE_SEED.replace("amplitude = 0.17", "amplitude = 0.6")
SIMULATOR = OTHER.replace("calibration_config", "simulator_config")


@pytest.mark.parametrize(
    ("texts", "amp180", "said"),
    [
        ([given.TERGITE_SEED, given.TERGITE_BACKEND + OTHER], 0.17, "1.toml: calibration_config is left out"),
        ([given.TERGITE_BACKEND + OTHER, given.TERGITE_SEED], 0.17, "0.toml: calibration_config is left out"),
        ([given.TERGITE_BACKEND + OTHER], 0.6, "calibration_config.qubit.0 has no DRAG"),
        ([given.TERGITE_BACKEND + SIMULATOR, given.TERGITE_SEED], 0.17, "calibration_config.qubit.0 has no DRAG"),
        ([given.TERGITE_BACKEND + SIMULATOR], 0.6, "0.toml: simulator_config has the values"),
    ],
)
def test_tergites_seed_holds_before_what_its_backend_has(
    tmp_path: Path, texts: list[str], amp180: float, said: str
) -> None:
    files = [write(tmp_path, f"{k}.toml", text) for k, text in enumerate(texts)]
    setup = load([*files, cluster(tmp_path)], library="qblox", dummy=True)
    assert setup.device.qubits["q3"].drive.amp180 == amp180
    assert any(said in sentence for sentence in setup.assumed)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([given.TERGITE_BACKEND], "0.toml: calibration_config is missing: give the calibration seed, too"),
        ([given.TERGITE_SEED, OTHER], "1.toml: calibration_config stands in 0.toml, too"),
        (
            [given.TERGITE_SEED.replace('"Hz"', '"GHz"')],
            "calibration_config.units.qubit.frequency must be 'Hz', not 'GHz'",
        ),
        (
            [given.TERGITE_SEED.replace('"Gaussian"', '"Cosine"')],
            "calibration_config.qubit.0.pulse_type must be Gaussian",
        ),
        ([given.TERGITE_SEED.replace("-400.0", "0.0").replace("300.0", "0.0")], "lda.q3.coef_0 and coef_1 are both 0"),
        ([given.TERGITE_SEED.replace("t2_decoherence = 2.6e-5", "t2_decoherence = 9e-5")], "must be at most twice t1"),
    ],
)
def test_what_is_wrong_in_tergites_files_is_refused_by_its_key(tmp_path: Path, texts: list[str], words: str) -> None:
    files = [write(tmp_path, f"{k}.toml", text) for k, text in enumerate(texts)]
    with pytest.raises(Rejected) as refused:
        load([*files, cluster(tmp_path)], library="qblox", dummy=True)
    assert words in refused.value.message


def test_pulses_of_another_width_are_not_for_an_instrument(tmp_path: Path) -> None:
    seed = write(tmp_path, "seed.toml", given.TERGITE_SEED.replace("pulse_sigma = 3e-9", "pulse_sigma = 5e-9"))
    setup = load([seed, cluster(tmp_path)], library="qblox", dummy=True)
    assert any("seed.toml: calibration_config.qubit.0.pulse_sigma is 5e-09 s" in said for said in setup.warnings)
    with pytest.raises(Rejected, match="only with simulated instruments"):
        load([seed, cluster(tmp_path)], library="qblox", dummy=False)


def _unit(degrees: float) -> tuple[float, float]:
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
