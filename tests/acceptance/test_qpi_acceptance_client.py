"""What QPI's own tests leave open, from the client's side: circuits fit the QPU, results are as Qiskit has them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from qiskit import QuantumCircuit, transpile

from qpi_jupyter.client import Lab
from tests.circuits import bell
from tests.support.servers import TOKEN, lab_server


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The demo lab with its simulators running."""
    with lab_server(tmp_path_factory.mktemp("lab"), "--demo") as server, Lab(server.url, TOKEN) as lab:
        # A job waits for its driver, so after it what the QPU can do is known.
        lab.submit(bell(), qpu="sim-b", shots=1).result(timeout=60)
        yield lab


def test_15_transpile_works_and_only_uses_advertised_edges(lab: Lab) -> None:
    backend = lab.backend("sim-b")
    far = QuantumCircuit(5)
    far.h(0)
    for other in range(1, 5):
        far.cx(0, other)  # a star on a line: it has to be routed
    far.measure_all()
    edges = set(backend.target.build_coupling_map().get_edges())

    for level in range(4):
        routed = transpile(far, backend, optimization_level=level, seed_transpiler=3)
        used = {
            tuple(routed.find_bit(qubit).index for qubit in gate.qubits)
            for gate in routed.data
            if len(gate.qubits) == 2 and gate.operation.name != "barrier"
        }
        assert used
        assert used <= edges
        assert set(routed.count_ops()) - {"barrier"} <= set(backend.operation_names)

    counts = backend.run(transpile(far, backend, seed_transpiler=3), shots=200).result().get_counts()
    assert set(counts) == {"00000", "11111"}


def test_16_backend_run_result_get_counts_end_to_end(lab: Lab) -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.measure(range(3), range(3))
    backend = lab.backend("sim-b")

    counts = backend.run(transpile(circuit, backend, seed_transpiler=1), shots=100).result().get_counts()

    assert counts == {"001": 100}
