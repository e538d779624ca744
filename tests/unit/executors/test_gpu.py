"""The executor ``gpu`` where there is no GPU: what it says, and how it would ask Aer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import RuntimeEncoder

from qpi_executors import load, run_program
from qpi_executors.gpu import GpuExecutor
from qpi_executors.registry import find
from qpi_jupyter.core import Faulted, Program, ProgramError, Rejected, RunOptions
from qpi_jupyter.data.conventions import provenance
from tests.circuits import bell, qpy_program


class Pretended(GpuExecutor):
    """One whose GPU is this machine's CPU, to see what it does with programs; Aer takes no such options here."""

    def place(self, simulator: AerSimulator) -> None:
        super().place(simulator)
        assert (simulator.options.device, simulator.options.cuStateVec_enable) == ("GPU", True)
        assert simulator.options.target_gpus == [self.options.device]
        simulator.set_options(device="CPU", cuStateVec_enable=False)

    def tried(self, metadata: dict[str, Any]) -> str:
        return super().tried({**metadata, "device": "GPU", "cuStateVec_enable": True})


def pubs(backend: str, circuit: QuantumCircuit) -> Program:
    asked = {"backend": backend, "params": {"pubs": [[circuit]], "options": {}, "version": 2}}
    return Program(
        format="runtime-sampler", sources=(json.dumps(asked, cls=RuntimeEncoder).encode(),),
        options=RunOptions(shots=200),
    )  # fmt: skip


def device(dataset: Any) -> str:
    return provenance(dataset.attrs).device


@pytest.mark.parametrize("name", ["gpu", "custatevec"])
def test_without_a_gpu_it_says_what_is_missing(name: str) -> None:
    executor = load(name)
    assert executor.capabilities().executor == "gpu", "what it can do is known before"
    executor.validate(qpy_program(bell()))
    with pytest.raises(Faulted, match=r"no GPU here.*qpi-jupyter\[gpu\]") as refused:
        executor.open()
    assert refused.value.code == "no_device"
    executor.close()


def test_a_trial_run_that_fell_back_on_the_cpu_is_no_gpu() -> None:
    class Falls(Pretended):
        def tried(self, metadata: dict[str, Any]) -> str:
            return GpuExecutor.tried(self, metadata)

    with pytest.raises(Faulted, match="it ran on the CPU"):
        Falls().open()


def test_its_options_are_the_gpu_and_the_most_shots() -> None:
    assert GpuExecutor(device=3).simulator.options.target_gpus == [3]
    assert GpuExecutor(max_shots=500).capabilities().max_shots == 500
    with pytest.raises(Rejected, match="500"):
        GpuExecutor(max_shots=500).validate(qpy_program(bell()))
    for wrong in ({"device": -1}, {"device": "GPU"}, {"method": "stabilizer"}, {"max_shots": 0}):
        with pytest.raises(Rejected):
            GpuExecutor(**wrong)


def test_of_the_cpu_s_executor_the_option_is_gone() -> None:
    with pytest.raises(Rejected, match="device"):
        load("qiskit_aer", device="GPU")


def test_results_name_the_gpu() -> None:
    executor = Pretended(device=1)
    executor.open()
    [dataset] = run_program(executor, qpy_program(bell()))
    assert sum(dataset.qpi.counts().values()) == RunOptions().shots
    assert device(dataset) == "GPU 1 (cuStateVec)"
    [plain] = run_program(load("qiskit_aer"), qpy_program(bell()))
    assert device(plain) == ""


@pytest.mark.parametrize("backend", ["fake_manila@gpu", "fake_manila@custatevec"])
def test_ibms_fake_backends_run_with_their_noise(backend: str) -> None:
    circuit = QuantumCircuit(5, 2)
    circuit.x(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    executor = Pretended()
    executor.open()
    [dataset] = run_program(executor, pubs(backend, circuit))
    counts = dataset.qpi.arrays()["c"].get_counts()
    assert 120 < counts["11"] < 200
    assert device(dataset) == "GPU 0 (cuStateVec)"
    wrong = QuantumCircuit(5, 1)
    wrong.h(0)
    wrong.measure(0, 0)
    with pytest.raises(ProgramError, match="not supported by the target system"):
        executor.validate(pubs(backend, wrong))
    with pytest.raises(Rejected, match="fake_manila@gpu"):
        executor.validate(pubs("fake_nowhere@gpu", circuit))


def test_its_own_name_takes_pubs_as_every_qpu_does() -> None:
    executor = Pretended()
    executor.open()
    [dataset] = run_program(executor, pubs("gpu-1", bell()))
    assert set(dataset.qpi.arrays()["c"].get_counts()) == {"00", "11"}
    assert executor.estimate(pubs("gpu-1", bell())).num_circuits == 1


def test_both_names_are_one_executor() -> None:
    assert find("gpu") is find("custatevec") is GpuExecutor


def test_it_previews_circuits_and_says_that_it_has_none_of_pubs() -> None:
    executor = Pretended()
    assert "measure" in executor.preview(qpy_program(bell())).circuits[0].native
    for backend in ("fake_manila@gpu", "gpu-1"):
        with pytest.raises(Rejected, match="has no preview of runtime-sampler programs"):
            executor.preview(pubs(backend, bell()))
