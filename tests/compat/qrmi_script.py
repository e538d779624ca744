"""Everything that a Slurm job does with QRMI, unmodified, on one resource; what came of it, as JSON.

It runs in an environment that has `qrmi[ibm]` and nothing of ours: its environment is what Slurm's plugin sets.
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qrmi.primitives import QRMIService
from qrmi.primitives.ibm import EstimatorV2, SamplerV2, get_backend

warnings.simplefilter("ignore")


def main(name: str) -> dict[str, object]:
    resource = QRMIService().resource(name)
    assert resource is not None, f"{name} is not accessible"
    session = resource.acquire()
    backend = get_backend(resource)
    passes = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1)

    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    state = passes.run(bell)
    bell.measure_all()
    counts = SamplerV2(resource).run([(passes.run(bell),)], shots=400).result()[0].data.meas.get_counts()

    pairs = [SparsePauliOp("ZZ").apply_layout(state.layout), SparsePauliOp("XX").apply_layout(state.layout)]
    values = EstimatorV2(resource).run([(state, pairs)]).result()[0].data

    theta = Parameter("theta")
    turn = QuantumCircuit(1)
    turn.ry(theta, 0)
    turn.measure_all()
    job = SamplerV2(resource).run([(passes.run(turn), [[0.0], [np.pi / 2], [np.pi]])], shots=400)
    swept = job.result()[0].data.meas
    logs = job.logs()

    resource.release(session)
    return {
        "status": str(resource.status().status), "accessible": resource.is_accessible(), "session": session,
        "width": backend.num_qubits, "counts": counts, "evs": np.asarray(values.evs).tolist(),
        "ones": [swept[index].get_counts().get("1", 0) for index in range(3)], "logs": logs,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
