"""``mock``: a small chip in pure Python, for trying things out and for tests."""

from __future__ import annotations

import secrets
from functools import cached_property
from typing import Annotated, Literal

from msgspec import Meta
from qiskit import QuantumCircuit, __version__
from qiskit.converters import circuit_to_dag, dag_to_circuit
from qiskit.providers.basic_provider import BasicSimulator
from qiskit.transpiler import CouplingMap, PassManager, Target, generate_preset_pass_manager

from qpi_jupyter.core import Manifest, Rejected

from .programs import Run
from .simulator import SEED_SHIFT, Cost, Outcome, SimulatorExecutor

MAX_QUBITS = 18
_BASIS = ("rz", "sx", "x", "cz")
_ALWAYS = frozenset({"measure", "reset", "barrier", "delay"})


class MockExecutor(SimulatorExecutor):
    """Qiskit's BasicSimulator behind a coupling map: circuits are compiled to ``rz sx x cz`` on its edges.

    No control flow. Slow beyond a dozen qubits; `MAX_QUBITS` is the limit.
    """

    class Options(SimulatorExecutor.Options, frozen=True, kw_only=True):
        num_qubits: Annotated[int, Meta(ge=1, le=MAX_QUBITS, description="qubits; for more, qiskit_aer")] = 5
        coupling: Annotated[Literal["line", "ring", "all"], Meta(description="the shape of the chip")] = "line"
        coupling_map: (
            Annotated[list[tuple[int, int]], Meta(description="edges as [[0, 1], [1, 2], ...], instead of coupling")]
            | None
        ) = None

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        qubits = self.options.num_qubits
        self._edges = _edges(qubits, self.options.coupling, self.options.coupling_map)
        self._simulator = BasicSimulator()
        self._manifest = Manifest(
            executor="mock",
            executor_version=__version__,
            num_qubits=qubits,
            basis_gates=_BASIS,
            coupling_map=self._edges,
            meas_levels=(0, 1, 2),
            description="A small simulated chip (Qiskit BasicSimulator), ideal.",
        )

    def capabilities(self) -> Manifest:
        """The chip: its basis gates and edges."""
        return self._manifest

    def compile(self, run: Run) -> QuantumCircuit:
        """The circuit on the chip's edges, without its idle qubits."""
        circuit = run.circuit if self._fits(run) else self._passes.run(run.circuit)
        return _without_idle_qubits(circuit)

    def simulate(
        self, circuits: list[QuantumCircuit], *, shots: int, seed: int | None, memory: bool, sampled: bool
    ) -> list[Outcome]:
        """Sample each circuit with BasicSimulator."""
        outcomes = []
        for index, circuit in enumerate(circuits):
            own_seed = secrets.randbits(32) if seed is None else seed + SEED_SHIFT * index
            result = self._simulator.run(circuit, shots=shots, seed_simulator=own_seed, memory=memory).result()
            experiment = result.results[0]
            outcomes.append(
                Outcome(
                    counts=experiment.data.counts,
                    memory=experiment.data.memory if memory else None,
                    seed=own_seed,
                )
            )
        return outcomes

    def cost(self, run: Run) -> Cost:
        """Each operation walks the state; a circuit that measures midway walks it once a shot."""
        analysis = run.analysis
        walks = run.shots if analysis.mid_circuit or "reset" in analysis.names else 1
        state = 2**run.circuit.num_qubits
        likely_s = 2e-3 + walks * analysis.operations * (20e-6 + 40e-9 * state)
        return Cost(likely_s=likely_s, upper_s=20 * likely_s, memory_bytes=64 * state)

    @cached_property
    def _passes(self) -> PassManager:
        target = Target.from_configuration(
            basis_gates=[*_BASIS, "measure", "reset", "delay"],
            num_qubits=self._manifest.num_qubits,
            coupling_map=CouplingMap(list(self._edges)) if self._edges is not None else None,
        )
        return generate_preset_pass_manager(1, target=target, seed_transpiler=0)

    def _fits(self, run: Run) -> bool:
        """It is in the basis and on the edges already: a client transpiled it."""
        if not run.analysis.names <= _ALWAYS | set(_BASIS):
            return False
        find = run.circuit.find_bit
        return self._edges is None or all(
            tuple(find(bit).index for bit in instruction.qubits) in self._edges
            for instruction in run.circuit.data
            if instruction.name == "cz"
        )


def _edges(qubits: int, shape: str, listed: list[tuple[int, int]] | None) -> tuple[tuple[int, int], ...] | None:
    """Both directions of every edge; None for all-to-all."""
    pairs = listed
    if pairs is None:
        if shape == "all":
            return None
        pairs = [(q, q + 1) for q in range(qubits - 1)]
        if shape == "ring" and qubits > 2:
            pairs.append((qubits - 1, 0))
    elif not all(0 <= a < qubits and 0 <= b < qubits and a != b for a, b in pairs):
        raise Rejected(
            f"coupling_map is a list of pairs of different qubits below {qubits}.",
            code="bad_option",
            field="coupling_map",
        )
    return tuple(sorted({edge for a, b in pairs for edge in ((a, b), (b, a))}))


def _without_idle_qubits(circuit: QuantumCircuit) -> QuantumCircuit:
    """The same circuit on its used qubits only: each idle one would double the state."""
    used = {bit for instruction in circuit.data for bit in instruction.qubits if instruction.name not in _PASSIVE}
    if len(used) == circuit.num_qubits:
        return circuit
    dag = circuit_to_dag(circuit)
    for node in [node for node in dag.op_nodes() if not used.issuperset(node.qargs)]:
        dag.remove_op_node(node)
    dag.remove_qubits(*[bit for bit in circuit.qubits if bit not in used])
    return dag_to_circuit(dag)


_PASSIVE = frozenset({"barrier", "delay"})
