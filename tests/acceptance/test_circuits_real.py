"""Circuits through a real lab: the client, the server, a driver's check, the run and the result."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.result import Result

from qpi_jupyter.client import Lab
from qpi_jupyter.core import ProgramError
from qpi_jupyter.ui.bundle import finished
from tests.support.servers import TOKEN, lab_server
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with (
        lab_server(tmp_path_factory.mktemp("lab"), "--QPIServer.demo=True") as server,
        Lab(server.url, TOKEN, retry_s=5.0) as lab,
    ):
        wait_until(lambda: all(qpu.status == "online" for qpu in lab.qpus()), 60, "both QPUs online")
        yield lab


def turning(operations: int) -> QuantumCircuit:
    rng, circuit = np.random.default_rng(1), QuantumCircuit(2, name="turning", metadata={"from": np.int64(operations)})
    circuit.x(0)
    for k, angle in enumerate(rng.uniform(0, 6, operations).tolist()):
        circuit.rz(angle, k % 2)
    circuit.measure_all()
    return circuit


@pytest.mark.slow
@pytest.mark.parametrize("operations", [20_500, 990_000])
def test_as_many_operations_as_the_docs_promise(lab: Lab, operations: int) -> None:
    dataset = lab.submit(turning(operations), qpu="sim-a", shots=20).wait(timeout=300).dataset()
    assert dataset.qpi.counts() == {"01": 20}
    assert dataset.qpi.info["metadata"] == {"from": operations}


SERVICES = """OPENQASM 3;
qubit[2] q;
bit[1] c;
bell_pair q[0], q[1];
cnot q[0], q[1];
cz q[0], q[1];
teleport q[0], q[1];
syndrome_extraction q[0];
distillation q[1];
measure q[0] -> c[0];
"""


@pytest.mark.parametrize("qpu", ["sim-a", "sim-b"])
def test_services_are_words_on_every_qpu_and_in_previews(lab: Lab, qpu: str) -> None:
    counts = lab.submit(SERVICES, qpu=qpu, shots=50).counts(timeout=60)
    assert isinstance(counts, dict)
    assert {bits.split()[-1] for bits in counts} <= {"0", "1"}
    assert {len(bits.split()) for bits in counts} == {4}  # distillation, syndrome_extraction, teleport, c
    assert "measure" in lab.preview(SERVICES, qpu=qpu).native
    with pytest.raises(ProgramError, match="line 7, column 1: 'teleport' takes 2 qubits, not 1"):
        lab.submit(SERVICES.replace("teleport q[0], q[1]", "teleport q[0]"), qpu=qpu)


def test_an_analysis_holds_counts_against_the_exact_state(lab: Lab) -> None:
    circuit = turning(3)
    job = lab.submit(circuit, qpu="sim-b", shots=200)
    found = job.analysis(timeout=60)
    assert isinstance(found, xr.Dataset)
    assert found["bloch_vectors"].sel(axis="Z").values == pytest.approx([-1, 1])
    assert float(found["classical_fidelity"]) > 0.9
    several = lab.submit([circuit, circuit], qpu="sim-b", shots=20).analysis(timeout=60, observables=["ZZ"])
    assert isinstance(several, list)
    assert [float(one["observable_expectations"].sel(observable="ZZ")) for one in several] == pytest.approx([-1, -1])
    text = lab.submit(SERVICES, qpu="sim-b", shots=20)
    of_text = text.analysis(timeout=60)
    assert isinstance(of_text, xr.Dataset)
    assert "statevector" not in of_text
    own = job.dataset()
    assert isinstance(own, xr.Dataset)
    assert own.qpi.analysis(circuit).equals(found)


@pytest.mark.parametrize("qpu", ["sim-a", "sim-b"])
def test_traces_come_with_their_kind_and_are_drawn(lab: Lab, qpu: str) -> None:
    level = {"meas_level": 0, "shots": 30, "seed_simulator": 3}
    each, mean = (lab.submit(turning(2), qpu=qpu, meas_return=kept, **level) for kept in ("single", "avg"))
    dataset = each.wait(timeout=60).dataset()
    assert (dataset.qpi.kind, dataset.qpi.traces().shape) == ("traces", (30, 2, 100))
    averaged = mean.wait(timeout=60).dataset().qpi.traces()
    assert averaged == pytest.approx(dataset.qpi.traces().mean(axis=0))
    assert each.result(memory=True).get_memory(0) == pytest.approx(dataset.qpi.traces())
    shown = asyncio.run(finished(each))
    assert "Signal (arb. unit) over Time (ns) from 0 to 990" in shown["text/plain"]
    assert "<svg" in shown["text/html"]


def test_a_bundle_of_a_family_is_read_without_us(lab: Lab, tmp_path: Path) -> None:
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    first = lab.submit([circuit, turning(2)], qpu="sim-a", shots=100, seed_simulator=1)
    last = lab.submit(qasm3.dumps(circuit), qpu="sim-a", shots=50, after=first)
    written = last.bundle(tmp_path / "both.zip", family=True, timeout=60)
    assert written.read_bytes() == last.bundle(tmp_path / "again.zip", family=True).read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.zip", "both.zip"]
    with zipfile.ZipFile(written) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    index = json.loads(files.pop("bundle.json"))
    assert index["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert (index["jobs"], index["left_out"]) == ([first.id, last.id], {})
    here = f"jobs/{first.id}"
    assert qpy.load(io.BytesIO(files[f"{here}/program/0.qpy"]))[0] == circuit
    assert "cx q[0], q[1];" in files[f"{here}/program/text/0.qasm"].decode()
    assert files[f"jobs/{last.id}/program/0.qasm"].decode() == qasm3.dumps(circuit)
    result = Result.from_dict(json.loads(files[f"{here}/result.json"]))
    assert result.get_counts(0) == first.counts()[0]
    for job, shape in ((first, {"circuit": 2, "shot": 100, "slot": 2}), (last, {"shot": 50, "slot": 2})):
        (tmp_path / "one.nc").write_bytes(files[f"jobs/{job.id}/result/0.nc"])
        with xr.open_dataset(tmp_path / "one.nc") as dataset:
            assert {name: dataset.sizes[name] for name in shape} == shape
    provenance = json.loads(files[f"{here}/provenance.json"])
    assert provenance["options"]["seed_simulator"] == 1
    assert provenance["result"]["executor_version"]
    told = [json.loads(line) for line in files["events.jsonl"].splitlines()]
    assert {event["job_id"] for event in told} == {first.id, last.id}
    assert [event["seq"] for event in told] == sorted(event["seq"] for event in told)
    assert json.loads(files[f"jobs/{last.id}/job.json"])["status"] == "completed"


def test_a_bundle_of_a_job_that_failed_says_why_and_nothing_lies_about(lab: Lab, tmp_path: Path) -> None:
    job = lab.submit(turning(20), qpu="sim-a").cancel()
    with zipfile.ZipFile(job.bundle(tmp_path / "job.zip")) as archive:
        assert json.loads(archive.read(f"jobs/{job.id}/job.json"))["status"] == job.status
    with pytest.raises(OSError, match="nowhere"):
        job.bundle(tmp_path / "nowhere" / "job.zip")
    assert [file.name for file in tmp_path.iterdir()] == ["job.zip"]


@pytest.mark.slow
def test_a_bundle_of_a_circuit_in_parts_has_its_plan(lab: Lab, tmp_path: Path) -> None:
    pairs = QuantumCircuit(4, name="pairs")
    for qubit in (0, 2):
        pairs.h(qubit)
        pairs.cx(qubit, qubit + 1)
    plan = lab.plan(pairs, observables=["ZZII", "IIZZ"], shots=100, qpus=["sim-a", "sim-b"], seed=1)
    job = lab.submit(plan)
    with zipfile.ZipFile(job.bundle(tmp_path / "pairs.zip", family=True, timeout=120)) as archive:
        index = json.loads(archive.read("bundle.json"))
        run = json.loads(archive.read(f"jobs/{job.id}/plan.json"))
        archive.extract(f"jobs/{job.id}/result/0.nc", tmp_path)
    assert run["plan"]["plan_id"] == plan.plan_id
    children = [fragment["job_id"] for fragment in run["fragments"]]
    assert set(index["jobs"]) == {job.id, *children}
    assert all(f"jobs/{child}/result/0.nc" in index["files"] for child in children)
    with xr.open_dataset(tmp_path / f"jobs/{job.id}/result/0.nc") as dataset:
        assert dataset.expectation_value.values == pytest.approx([1, 1], abs=0.05)
