"""A QPU's twin on Aer: its gates, its edges, its noise, its calibration."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace

import msgspec
import pytest
from qiskit import QuantumCircuit

from qpi_executors import load, run_program
from qpi_executors.base import Executor
from qpi_jupyter.core import Manifest, Program, QubitProperties, Rejected, RunOptions, pack_twin, unpack_twin
from qpi_jupyter.core.twins import MAX_BYTES
from qpi_jupyter.data.circuits import to_qpy
from tests.circuits import bell, qpy_program

PLAIN = Manifest(
    executor="mylab", executor_version="1", num_qubits=2, basis_gates=("rz", "sx", "x", "cz"), simulator=False,
    coupling_map=((0, 1), (1, 0)), calibration_id="monday",
    qubits=(QubitProperties(t1_s=1e-5, readout_error=0.25), QubitProperties(readout_error=0.0)),
)  # fmt: skip


def twin_of(manifest: Manifest, **options: object) -> Executor:
    return load("qiskit_aer", twin=pack_twin("q1", msgspec.to_builtins(manifest)), **options)


def counts(executor: Executor, circuit: QuantumCircuit, shots: int = 20_000) -> dict[str, int]:
    program = Program(
        format="qpy", sources=(to_qpy([circuit]),), options=RunOptions(shots=shots, seed_simulator=5)
    )  # fmt: skip
    (dataset,) = run_program(executor, program)
    found: dict[str, int] = dataset.qpi.counts()
    return found


def test_a_twin_of_a_noisy_device_gives_its_counts() -> None:
    device = load("qiskit_aer", fake_backend="generic-5")
    twin = twin_of(device.manifest)
    for name in ("num_qubits", "basis_gates", "coupling_map", "gates", "qubits", "dt_s", "calibration_id"):
        assert getattr(twin.manifest, name) == getattr(device.manifest, name), name
    assert twin.manifest.simulator
    assert "twin of q1, calibration" in twin.manifest.description
    assert counts(twin, bell()) == counts(device, bell())


def test_each_qubit_has_its_own_readout_error_and_its_own_decay() -> None:
    twin = twin_of(PLAIN)
    nothing = QuantumCircuit(2, 2)
    nothing.measure([0, 1], [0, 1])
    read = counts(twin, nothing)
    assert set(read) == {"00", "01"}
    assert read["01"] / 20_000 == pytest.approx(0.25, abs=0.02)
    wait = QuantumCircuit(2, 2)
    wait.x([0, 1])
    wait.delay(10, [0, 1], "us")
    wait.measure([0, 1], [0, 1])
    decayed = counts(twin_of(replace(PLAIN, qubits=(QubitProperties(t1_s=1e-5), QubitProperties()))), wait)
    assert set(decayed) == {"10", "11"}
    assert decayed["11"] / 20_000 == pytest.approx(0.368, abs=0.02), "one T1 later"


def test_results_of_a_twin_name_the_calibration_that_it_was_made_of() -> None:
    (dataset,) = run_program(twin_of(PLAIN), qpy_program(bell(), shots=10))
    assert dataset.qpi.info["provenance"]["calibration_id"] == "monday"


def test_without_edges_all_qubits_are_coupled() -> None:
    twin = twin_of(replace(PLAIN, num_qubits=3, coupling_map=None))
    assert twin.manifest.coupling_map is not None
    assert len(twin.manifest.coupling_map) == 6
    ghz = QuantumCircuit(3, 3)
    ghz.h(0)
    ghz.cx(0, 1)
    ghz.cx(0, 2)
    ghz.measure(range(3), range(3))
    assert sum(counts(twin, ghz, 100).values()) == 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"twin": "nonsense"}, "This is not a twin"),
        ({"twin": pack_twin("q1", {"executor": 3})}, "This twin cannot be read"),
        ({"twin": pack_twin("q1", {}), "noise_model": {"readout": 0.1}}, "A twin has its own noise"),
        ({"twin": pack_twin("q1", {}), "coupling_map": [[0, 1]]}, "has its own coupling_map"),
    ],
)
def test_what_is_no_twin_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(Rejected, match=message):
        load("qiskit_aer", **options)


def test_a_twin_survives_its_way_and_swells_no_further_than_it_may() -> None:
    facts = msgspec.to_builtins(PLAIN)
    assert unpack_twin(pack_twin("q1", facts)) == ("q1", msgspec.json.decode(msgspec.json.encode(facts)))
    bomb = base64.urlsafe_b64encode(zlib.compress(b" " * (MAX_BYTES + 1))).decode()
    with pytest.raises(Rejected, match="not a twin"):
        unpack_twin(bomb)
