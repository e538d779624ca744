"""A plan's fragments, run with Aer in this process, and the result that is put together from theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

from qpi_jupyter.core import Manifest
from qpi_jupyter.core.planning import Candidate, Study, Way, make_plan
from qpi_jupyter.core.plans import Plan, PlanRequest
from qpi_jupyter.data.circuits import from_qpy
from qpi_jupyter.data.cutting import Cutter
from qpi_jupyter.data.figures import Transpiler
from qpi_jupyter.data.planning import study
from qpi_jupyter.data.reconstruction import Counts, Reconstructed, read_recipe, reconstruct

TRANSPILER = Transpiler()


def candidates(chips: Mapping[str, Manifest]) -> list[Candidate]:
    """Each chip as an idle QPU of that name."""
    return [
        Candidate(qpu=name, target=name, calibration_id=chip.calibration_id, num_qubits=chip.num_qubits)
        for name, chip in chips.items()
    ]


def planned(
    circuit: QuantumCircuit, request: PlanRequest, chips: Mapping[str, Manifest], cutter: Cutter | None
) -> tuple[Plan, Way, list[bytes], Study]:
    """The plan for these chips, the way that it takes, and the blobs of the study."""
    found, blobs = study(circuit, request, chips, cutter=cutter, transpiler=TRANSPILER)
    plan, way = make_plan(request, found, candidates(chips))
    return plan, way, blobs, found


def counted(way: Way, blobs: Sequence[bytes], shots: int, seed: int) -> list[list[Counts]]:
    """The joint counts of each circuit of each part, without noise."""
    results: list[list[Counts]] = []
    for index, part in enumerate(way.parts):
        circuits = from_qpy(blobs[part.program])
        simulator = AerSimulator(seed_simulator=1_000 * seed + index)  # else the parts would roll the same dice
        result = simulator.run(circuits, shots=shots).result()
        counts = [result.get_counts(place) for place in range(len(circuits))]
        results.append([{int(key.replace(" ", ""), 2): n for key, n in one.items()} for one in counts])
    return results


def put_together(way: Way, blobs: Sequence[bytes], results: Sequence[Sequence[Counts]]) -> Reconstructed:
    """As the lab does it."""
    return reconstruct(read_recipe(blobs[way.recipe]), results)
