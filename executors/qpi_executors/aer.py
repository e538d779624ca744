"""``qiskit_aer``: Qiskit Aer with all its methods, noise models and fake backends."""

from __future__ import annotations

import hashlib
import os
from copy import deepcopy
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta
from qiskit import QuantumCircuit
from qiskit.circuit import BreakLoopOp, ContinueLoopOp, ForLoopOp, IfElseOp, SwitchCaseOp, WhileLoopOp
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.transpiler import CouplingMap, PassManager, Target, generate_preset_pass_manager
from qiskit_aer import AerSimulator, __version__
from qiskit_aer.aererror import AerError

from qpi_jupyter.core import Faulted, Manifest, Program, ProgramError, Rejected

from .aer_classical import unsupported
from .aer_models import load_backend, noise_facts, noise_model, read_twin, target_facts, twin_backend, twin_facts
from .analysis import Opaque, active_qubits
from .costs import CLIFFORD, dense_bytes, simulation_cost, usable_bytes
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
_ALIGNMENTS = ("granularity", "min_length", "pulse_alignment", "acquire_alignment")
"""Rules of a device's electronics. A simulator needs none, and the pass manager refuses delays that break them."""
_EXACT = frozenset({"automatic", "statevector", "density_matrix", "stabilizer"})
"""Methods that give the same samples whatever the order of gates that commute."""
_UNREAD = ["quantum_channel"]
"""In Aer's target, but it runs only what they are made of."""
_ROUTED_TO_LOOK = 16
"""Circuits of a job that are routed to see how many qubits that takes; the others are taken to be like them."""
_CUT_OFF = "Invalid jump destination"
PARALLEL_FROM = 14
"""From this width on Aer shares the work on one state among threads (its ``statevector_parallel_threshold``)."""


class AerExecutor(SimulatorExecutor):
    """Aer, ideal and all-to-all unless an option says otherwise.

    Seeded counts are those of ``AerSimulator().run(pm.run(circuits), shots=..., seed_simulator=...)`` with the preset
    pass manager of optimization level 0, for one circuit and for a list: circuit ``i`` runs with ``seed + 2113 * i``
    as in Aer's own batch, wherever the batch is cut.  Circuits with different shots follow the same rule.
    The pass manager also sorts the operations, and where Aer simulates each shot by itself its random numbers follow
    that order; only circuits whose samples all come from one state skip it.  With a coupling map or a fake backend the
    pass manager has level 1 and a fixed seed.
    """

    class Options(SimulatorExecutor.Options, frozen=True, kw_only=True):
        num_qubits: Annotated[int, Meta(ge=1, description="the largest circuit (a fake backend brings its own)")] = 24
        method: Annotated[str, Meta(description="Aer's simulation method")] = "automatic"
        precision: Annotated[Literal["double", "single"], Meta(description="of the amplitudes")] = "double"
        max_parallel_threads: Annotated[int, Meta(ge=1, description="threads; unset: all cores")] | None = None
        coupling_map: (
            Annotated[list[tuple[int, int]], Meta(description="edges as [[0, 1], ...]; unset: all-to-all")] | None
        ) = None
        fake_backend: (
            Annotated[str, Meta(description="a class of qiskit_ibm_runtime.fake_provider, or 'generic-5' for 5 qubits")]
            | None
        ) = None
        twin: (
            Annotated[str, Meta(description="a QPU's twin, as the lab makes it", extra_json_schema={"readOnly": True})]
            | None
        ) = None
        noise_model: (
            Annotated[
                dict[str, Annotated[float, Meta(ge=0, le=1)]],
                Meta(description='error rates as {"gate_1q": 0.001, "gate_2q": 0.01, "readout": 0.02}, all optional'),
            ]
            | None
        ) = None

    no_device: ClassVar[str] = "Aer does not run here: {problem}"
    """What is said where the trial run fails."""
    libraries: ClassVar[tuple[str, ...]] = (*SimulatorExecutor.libraries, "qiskit-aer", "qiskit-aer-gpu")

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._check_edges()
        self.simulator = self._make_simulator()
        self.place(self.simulator)
        # A narrow circuit has no work for a second thread, which would only spin and steal another place's core.
        self._lone_thread = self.options.max_parallel_threads is None and not self._noisy
        self._warm = False
        self._widths: dict[int, int] = {}

    def place(self, simulator: AerSimulator) -> None:
        """Have it run where this executor runs: here, on the CPU."""

    def capabilities(self) -> Manifest:
        """The simulator as a QPU; with a fake backend or as a twin, that device's gates, durations and errors."""
        return self._manifest

    def compile(self, run: Run) -> QuantumCircuit:
        """The circuit in Aer's own operations."""
        analysis, circuit = run.analysis, run.circuit
        if not analysis.names.isdisjoint(_UNREAD):
            circuit = circuit.decompose(_UNREAD)
        elif analysis.names <= self._orderless and not analysis.mid_circuit:
            return circuit
        return self.passes.run(circuit)

    def simulate(
        self, circuits: list[QuantumCircuit], *, shots: int, seed: int | None, memory: bool, sampled: bool
    ) -> list[Outcome]:
        """One call of Aer for all of them."""
        options: dict[str, Any] = {"shots": shots, "seed_simulator": seed, "memory": memory}
        if any(self._too_dense(len(active_qubits(circuit)), shots) for circuit in circuits):
            options["method"] = "statevector"
        if sampled and self._lone_thread and max(circuit.num_qubits for circuit in circuits) < PARALLEL_FROM:
            options["max_parallel_threads"] = 1
        try:
            result = self.simulator.run(circuits, **options).result()
            if not result.success and _CUT_OFF in str(result.status):
                # Aer drops what stands behind the last measurement, and with it the end of a loop that holds it.
                result = self.simulator.run(circuits, **options, enable_truncation=False).result()
        except (QiskitError, ArithmeticError, TypeError, ValueError) as error:
            # Before Aer begins it reads the circuits: what it cannot read is in them.
            said = error.message if isinstance(error, QiskitError) else "an operation has parameters of another kind."
            said = "a number in it is too large." if isinstance(error, ArithmeticError) else said
            raise Rejected(f"Aer cannot read this circuit: {said}", code="aer") from error
        for index, experiment in enumerate(result.results):
            if not experiment.success:
                raise Rejected(
                    f"Aer cannot run circuit {circuits[index].name!r}: {experiment.status.removeprefix('ERROR: ')}",
                    code="aer",
                )
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

    def knows(self, operation: Opaque) -> bool:
        """Aer's channels and initial states, which have no class of Qiskit's, in the right shape."""
        size = 2**operation.num_qubits
        shape = {
            "kraus": (size, size),
            "superop": (size * size, size * size),
            "set_statevector": (size,),
            "set_density_matrix": (size, size),
        }.get(operation.name)
        return shape is not None and operation.shapes == {shape}

    def cost(self, run: Run) -> Cost:
        """By the rules of `costs`."""
        width = self._width(run)
        return simulation_cost(
            run,
            method=self._method(run.analysis.names, width, run.shots),
            width=width,
            noisy=self._noisy,
            single_precision=self._single,
        )

    @cached_property
    def _twin(self) -> Manifest | None:
        """What it is the twin of."""
        return None if self.options.twin is None else read_twin(self.options.twin)

    @property
    def _device(self) -> bool:
        """Whether it stands for a device, which has qubits and edges of its own."""
        return self.options.fake_backend is not None or self.options.twin is not None

    @cached_property
    def _noisy(self) -> bool:
        """Whether anything but the readout goes wrong: flipped bits alone do not touch the state."""
        model = self.simulator.options.noise_model
        return model is not None and bool(set(model.noise_instructions) - {"measure"})

    @property
    def _single(self) -> bool:
        return bool(self.options.precision == "single")

    def _method(self, names: frozenset[str], width: int, shots: int) -> str:
        """The method that Aer takes by itself, except where `_too_dense`.

        Aer's rule: a stabilizer for Clifford circuits without noise; with noise the density matrix where there are more
        shots than amplitudes; else the state vector. It asks for the memory afterwards.
        """
        method: str = self.options.method
        if method != "automatic":
            return method
        if not self._noisy:
            return "stabilizer" if names <= CLIFFORD else "statevector"
        return "density_matrix" if shots > 2**width and not self._too_dense(width, shots) else "statevector"

    def _too_dense(self, width: int, shots: int) -> bool:
        """Whether Aer would take a density matrix that does not fit, where one state vector a shot does."""
        dense = self.options.method == "automatic" and self._noisy and shots > 2**width
        return dense and dense_bytes(2 * width, single_precision=self._single) > usable_bytes()

    def _width(self, run: Run) -> int:
        """The qubits that Aer keeps: those that anything touches; after routing, where there are edges."""
        if self._routed is None:
            return run.analysis.active
        index = run.circuit_index
        if index not in self._widths:
            routed = len(active_qubits(self._compiled(run))) if len(self._widths) < _ROUTED_TO_LOOK else 0
            self._widths[index] = max(routed, run.analysis.active, *self._widths.values(), 0)
        return self._widths[index]

    def runs(self, program: Program) -> list[Run]:
        """As `SimulatorExecutor.runs`."""
        self._widths.clear()  # they are another program's
        runs = super().runs(program)
        for run in runs:
            if run.analysis.control_flow and run.row_index in (None, 0) and (what := unsupported(run.circuit)):
                raise ProgramError(
                    f"Circuit {run.circuit_index} ({run.circuit.name!r}) {what}.",
                    code="unsupported_operation",
                    circuit=run.circuit_index,
                )
        return runs

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
            result = self.simulator.run(circuit, shots=1).result()
            problem = self.tried(result.results[0].metadata) if result.success else str(result.status)
        except (AerError, RuntimeError) as error:
            problem = str(error)
        if problem:
            raise Faulted(self.no_device.format(problem=problem.removeprefix("ERROR: ")), code="no_device")
        self._warm = True

    def tried(self, metadata: dict[str, Any]) -> str:
        """What is wrong with the trial run, by what Aer says of it; nothing where all is well."""
        return ""

    def _check_edges(self) -> None:
        edges, qubits = self.options.coupling_map, self.options.num_qubits
        if edges is not None and self._device:
            raise Rejected("A fake backend has its own coupling_map.", code="bad_option", field="coupling_map")
        if self.options.twin is not None and (self.options.fake_backend or self.options.noise_model):
            message = "A twin has its own noise: leave out noise_model and fake_backend."
            raise Rejected(message, code="bad_option", field="twin")
        for edge in edges or ():
            if not all(0 <= qubit < qubits for qubit in edge):
                raise Rejected(
                    f"coupling_map is a list of pairs of qubits below {qubits}, not {list(edge)!r}.",
                    code="bad_option",
                    field="coupling_map",
                )

    def _make_simulator(self) -> AerSimulator:
        settings = self.options
        options: dict[str, Any] = {
            "method": settings.method, "precision": settings.precision,
            "max_parallel_threads": settings.max_parallel_threads or len(os.sched_getaffinity(0)),
        }  # fmt: skip
        if settings.noise_model is not None:
            options["noise_model"] = noise_model(settings.noise_model)
        if settings.method in ("unitary", "superop"):
            raise Rejected(
                f"The method {settings.method!r} measures nothing, and a lab's results are measurements: take "
                "another, for example 'automatic'.",
                code="bad_option",
                field="method",
            )
        try:
            if self._twin is not None:
                return AerSimulator.from_backend(twin_backend(self._twin), **options)
            if settings.fake_backend is not None:
                return AerSimulator.from_backend(load_backend(settings.fake_backend), **options)
            simulator = AerSimulator(**options)
            if simulator.num_qubits < settings.num_qubits:
                # By itself Aer is as wide as a state vector in this memory; its pass manager knows no wider circuit.
                simulator.set_options(n_qubits=settings.num_qubits)
            return simulator
        except AerError as error:
            raise Rejected(f"Aer refuses these options: {error.message}", code="bad_option") from error

    @cached_property
    def _orderless(self) -> frozenset[str]:
        """What may come in any order: gates between qubits that are measured once, from one state without noise."""
        noisy = self.simulator.options.noise_model is not None
        if noisy or self._routed is not None or self.options.method not in _EXACT:
            return frozenset()
        return frozenset(self._basis) | {"measure", "barrier"}

    @cached_property
    def _routed(self) -> tuple[tuple[int, int], ...] | None:
        """The edges, where there are only some; those of an option count both ways."""
        if self.options.coupling_map is not None:
            pairs = self.options.coupling_map
            return tuple(sorted({edge for a, b in pairs for edge in ((a, b), (b, a))}))
        edges = self.simulator.coupling_map
        return None if edges is None else tuple(sorted((int(a), int(b)) for a, b in edges))

    @cached_property
    def passes(self) -> PassManager:
        """What brings a circuit into Aer's own operations, and onto the edges."""
        if self._routed is None:
            return generate_preset_pass_manager(0, self.simulator)
        target = deepcopy(self.simulator.target)
        for rule in _ALIGNMENTS:
            setattr(target, rule, 1)
        if not self._device:
            # Aer's own target knows no edges, and its wide gates would not fit on any.
            target = Target.from_configuration(
                basis_gates=[*self._basis, "measure", "reset", "delay", *_BRANCHES],
                custom_name_mapping=dict(_BRANCHES),
                num_qubits=self.options.num_qubits,
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
        names = known.keys() & set(self.simulator.target.operation_names)
        return tuple(sorted(name for name in names if self._routed is None or known[name].num_qubits <= 2))

    @cached_property
    def _manifest(self) -> Manifest:
        settings = self.options
        fake, twin = settings.fake_backend, self._twin
        facts = twin_facts(twin) if twin else target_facts(self.simulator.target) if fake else {}
        noisy = self.simulator.options.noise_model is not None
        what = twin.description if twin else fake or ("noisy" if noisy else "ideal")
        manifest = Manifest(
            executor="qiskit_aer",
            executor_version=__version__,
            num_qubits=self.simulator.num_qubits if self._device else settings.num_qubits,
            basis_gates=self._basis,
            coupling_map=self._routed,
            meas_levels=(0, 1, 2),
            control_flow=not self._device or "if_else" in self.simulator.target.operation_names,
            config_sha256=hashlib.sha256(msgspec.json.encode(settings, order="sorted")).hexdigest(),
            description=f"Qiskit Aer, {settings.method}, {what}.",
            **facts,
        )
        if settings.noise_model is None:
            return manifest
        return noise_facts(self.simulator.options.noise_model, settings.noise_model, manifest)
