"""What QPI's own tests leave open, from the client's side: circuits fit the QPU, results are as Qiskit has them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client import KernelManager
from jupyter_core.utils import ensure_event_loop
from qiskit import QuantumCircuit, transpile

from qpi_jupyter.client import Lab
from tests.circuits import bell
from tests.support.servers import TOKEN, lab_server, python_env

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


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


def run_cell(url: str, home: Path, cell_id: str, code: str) -> str:
    """What a fresh kernel prints when it executes ``code`` as a notebook's cell."""
    manager = KernelManager()
    manager.start_kernel(env=python_env(QPI_LAB_URL=url, QPI_LAB_TOKEN=TOKEN, HOME=str(home), IPYTHONDIR=str(home)))
    kernel = manager.blocking_client()
    kernel.start_channels()
    try:
        kernel.wait_for_ready(timeout=60)
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        request = kernel.session.msg("execute_request", content, metadata={"cellId": cell_id})
        kernel.shell_channel.send(request)
        printed = ""
        while True:
            message = kernel.get_iopub_msg(timeout=60)
            if message["msg_type"] == "stream":
                printed += message["content"]["text"]
            assert message["msg_type"] != "error", message["content"]
            mine = message["parent_header"].get("msg_id") == request["header"]["msg_id"]
            if mine and message["content"].get("execution_state") == "idle":
                return printed.strip()
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)
        ensure_event_loop().close()  # the one that the client made


def test_19_after_a_kernel_restart_a_handle_is_found_by_id_and_by_notebook_cell(lab: Lab, tmp_path: Path) -> None:
    cell = uuid.uuid4().hex
    submit = f"import qpi_jupyter\njob = qpi_jupyter.connect().submit({BELL!r}, qpu='sim-b', shots=50)\nprint(job.id)"
    job_id = run_cell(lab.url, tmp_path, cell, submit)

    again = f"import qpi_jupyter\nprint(sum(qpi_jupyter.job({job_id!r}).counts(timeout=60).values()))"
    assert run_cell(lab.url, tmp_path, "another cell", again) == "50"
    assert run_cell(lab.url, tmp_path, cell, "import qpi_jupyter\nprint(qpi_jupyter.job().id)") == job_id
    nowhere = "import qpi_jupyter\ntry:\n    qpi_jupyter.job()\nexcept Exception as error:\n    print(error)"
    assert "this notebook cell" in run_cell(lab.url, tmp_path, "a third cell", nowhere)
