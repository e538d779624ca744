"""Circuits through a real lab: the client, the server, a driver's check, the run and the result."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qpi_jupyter.client import Lab
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
