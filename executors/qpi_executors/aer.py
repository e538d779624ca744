"""``qiskit_aer``: Qiskit Aer with all its methods, noise models and fake backends."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from qiskit import QuantumCircuit
from qiskit.circuit import BreakLoopOp, ContinueLoopOp, ForLoopOp, IfElseOp, SwitchCaseOp, WhileLoopOp
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import CouplingMap, PassManager, Target, generate_preset_pass_manager
from qiskit_aer import AerSimulator, __version__
from qiskit_aer.aererror import AerError

from qpi_jupyter.core.errors import Faulted, Rejected
from qpi_jupyter.core.manifest import Manifest

from .aer_models import load_backend, noise_facts, noise_model, target_facts
from .base import Option
from .costs import simulation_cost
from .programs import Run
from .simulator import Cost, Outcome, SimulatorExecutor

_BRANCHES = {
    "if_else": IfElseOp,
    "while_loop": WhileLoopOp,
    "for_loop": ForLoopOp,
    "switch_case": SwitchCaseOp,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
}
PARALLEL_FROM = 14
"""From this width on Aer shares the work on one state among threads (its ``statevector_parallel_threshold``)."""


class AerExecutor(SimulatorExecutor):
    """Aer, ideal and all-to-all unless an option says otherwise.

    Seeded counts are those of ``AerSimulator().run(pm.run(circuits), shots=..., seed_simulator=...)`` with the preset
    pass manager of optimization level 0, for one circuit and for a list: circuit ``i`` runs with ``seed + 2113 * i``
    as in Aer's own batch, wherever the batch is cut.  Circuits with different shots follow the same rule.
    Circuits that Aer takes as they are skip the pass manager, which would not change them.  With a coupling map or a
    fake backend the pass manager has level 1 and a fixed seed.
    """

    options: ClassVar[Mapping[str, Option]] = {
        **SimulatorExecutor.options,
        "num_qubits": Option(doc="the largest circuit (a fake backend brings its own)", default=24, kind=int),
        "method": Option(doc="Aer's simulation method", default="automatic"),
        "device": Option(doc="'CPU' or 'GPU' (extra gpu)", default="CPU"),
        "precision": Option(doc="'double' or 'single'", default="double"),
        "max_parallel_threads": Option(doc="threads; unset: all cores", kind=int),
        "coupling_map": Option(doc="edges as [[0, 1], ...]; unset: all-to-all", kind=list),
        "fake_backend": Option(doc="a class of qiskit_ibm_runtime.fake_provider, or 'generic-5' for 5 qubits"),
        "noise_model": Option(
            doc="error rates as {'gate_1q': 0.001, 'gate_2q': 0.01, 'readout': 0.02}, all optional", kind=dict
        ),
    }
    libraries: ClassVar[tuple[str, ...]] = (*SimulatorExecutor.libraries, "qiskit-aer", "qiskit-aer-gpu")

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._check_edges()
        self._simulator = self._make_simulator()
        # A narrow circuit has no work for a second thread, which would only spin and steal another place's core.
        noisy = self._simulator.options.noise_model is not None
        self._lone_thread = self.settings["max_parallel_threads"] is None and not noisy
        self._warm = False

    def capabilities(self) -> Manifest:
        """The simulator as a QPU; with a fake backend, that device's gates, durations and errors."""
        return self._manifest

    def compile(self, run: Run) -> QuantumCircuit:
        """The circuit in Aer's own operations."""
        analysis = run.analysis
        if self._routed is None and not analysis.control_flow and analysis.names <= self._operations:
            return run.circuit
        return self._passes.run(run.circuit)

    def simulate(
        self, circuits: list[QuantumCircuit], *, shots: int, seed: int | None, memory: bool, sampled: bool
    ) -> list[Outcome]:
        """One call of Aer for all of them."""
        options: dict[str, Any] = {"shots": shots, "seed_simulator": seed, "memory": memory}
        if sampled and self._lone_thread and max(circuit.num_qubits for circuit in circuits) < PARALLEL_FROM:
            options["max_parallel_threads"] = 1
        result = self._simulator.run(circuits, **options).result()
        for index, experiment in enumerate(result.results):
            if not experiment.success:
                raise Rejected(f"Aer cannot run circuit {circuits[index].name!r}: {experiment.status}", code="aer")
        if not result.success or len(result.results) != len(circuits):
            raise Faulted(f"Aer failed: {result.status}", code="aer")
        return [
            Outcome(
                counts=experiment.data.counts,
                memory=experiment.data.memory if memory else None,
                seed=experiment.seed_simulator,
            )
            for experiment in result.results
        ]

    def cost(self, run: Run) -> Cost:
        """By the rules of `costs`."""
        return simulation_cost(
            run,
            method=self.settings["method"],
            noisy=self._simulator.options.noise_model is not None,
            single_precision=self.settings["precision"] == "single",
        )

    def open(self) -> None:
        """Run one qubit once: that loads what Aer loads late, and tells whether the device is really there.

        Raises
        ------
        Faulted
            there is no such device.
        """
        if self._warm:
            return
        circuit = QuantumCircuit(1, 1)
        circuit.measure(0, 0)
        try:
            result = self._simulator.run(circuit, shots=1).result()
            problem = None if result.success else result.status
        except (AerError, RuntimeError) as error:
            problem = str(error)
        if problem:
            raise Faulted(f"Aer cannot use the device {self.settings['device']}: {problem}", code="no_device")
        self._warm = True

    def _check_edges(self) -> None:
        edges, qubits = self.settings["coupling_map"], self.settings["num_qubits"]
        if edges is not None and self.settings["fake_backend"] is not None:
            raise Rejected("A fake backend has its own coupling_map.", code="bad_option", field="coupling_map")
        for edge in edges or ():
            if len(edge) != 2 or not all(type(qubit) is int and 0 <= qubit < qubits for qubit in edge):
                raise Rejected(
                    f"coupling_map is a list of pairs of qubits below {qubits}, not {edge!r}.",
                    code="bad_option",
                    field="coupling_map",
                )

    def _make_simulator(self) -> AerSimulator:
        settings = self.settings
        options: dict[str, Any] = {
            name: settings[name] for name in ("method", "device", "precision") if settings[name] is not None
        }
        options["max_parallel_threads"] = settings["max_parallel_threads"] or len(os.sched_getaffinity(0))
        if settings["noise_model"] is not None:
            options["noise_model"] = noise_model(settings["noise_model"])
        try:
            if settings["fake_backend"] is not None:
                return AerSimulator.from_backend(load_backend(settings["fake_backend"]), **options)
            return AerSimulator(**options)
        except AerError as error:
            raise Rejected(f"Aer refuses these options: {error.message}", code="bad_option") from error

    @cached_property
    def _operations(self) -> frozenset[str]:
        """What Aer runs as it is (a barrier it skips)."""
        return frozenset(self._simulator.target.operation_names) - _BRANCHES.keys() - {"store"} | {"barrier"}

    @cached_property
    def _routed(self) -> tuple[tuple[int, int], ...] | None:
        """The edges, where there are only some; those of an option count both ways."""
        if self.settings["coupling_map"] is not None:
            pairs = self.settings["coupling_map"]
            return tuple(sorted({edge for a, b in pairs for edge in ((a, b), (b, a))}))
        edges = self._simulator.coupling_map
        return None if edges is None else tuple(sorted((int(a), int(b)) for a, b in edges))

    @cached_property
    def _passes(self) -> PassManager:
        if self._routed is None:
            return generate_preset_pass_manager(0, self._simulator)
        target = self._simulator.target
        if self.settings["fake_backend"] is None:
            # Aer's own target knows no edges, and its wide gates would not fit on any.
            target = Target.from_configuration(
                basis_gates=[*self._basis, "measure", "reset", "delay", *_BRANCHES],
                custom_name_mapping=dict(_BRANCHES),
                num_qubits=self.settings["num_qubits"],
                coupling_map=CouplingMap(list(self._routed)),
            )
        return generate_preset_pass_manager(1, target=target, seed_transpiler=0)

    @cached_property
    def _basis(self) -> tuple[str, ...]:
        """Standard gates that a client's Target may name."""
        known = {
            name: gate
            for name, gate in get_standard_gate_name_mapping().items()
            if name not in ("measure", "reset", "delay", "global_phase")
        }
        names = known.keys() & set(self._simulator.target.operation_names)
        return tuple(sorted(name for name in names if self._routed is None or known[name].num_qubits <= 2))

    @cached_property
    def _manifest(self) -> Manifest:
        settings = self.settings
        fake = settings["fake_backend"]
        facts = target_facts(self._simulator.target) if fake else {}
        noisy = self._simulator.options.noise_model is not None
        manifest = Manifest(
            executor="qiskit_aer",
            executor_version=__version__,
            num_qubits=self._simulator.num_qubits if fake else settings["num_qubits"],
            basis_gates=self._basis,
            coupling_map=self._routed,
            meas_levels=(1, 2),
            control_flow=not fake or "if_else" in self._simulator.target.operation_names,
            config_sha256=hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest(),
            description=f"Qiskit Aer, {settings['method']}, {fake or ('noisy' if noisy else 'ideal')}.",
            **facts,
        )
        if settings["noise_model"] is None:
            return manifest
        return noise_facts(self._simulator.options.noise_model, settings["noise_model"], manifest)
