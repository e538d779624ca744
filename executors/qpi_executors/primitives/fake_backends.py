"""``fake_backends``: those of the installed ``qiskit-ibm-runtime``, noisy (``@aer``) and ideal (``@ideal``)."""

from __future__ import annotations

import json
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence, Set
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import qiskit_aer
from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp
from qiskit.exceptions import QiskitError
from qiskit.primitives import BitArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.providers import BackendV2
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel
from qiskit_aer.primitives import EstimatorV2 as AerEstimatorV2
from qiskit_ibm_runtime import __version__ as client_version
from qiskit_ibm_runtime import fake_provider

from qpi_executors.aer import PARALLEL_FROM
from qpi_executors.aer_models import Described
from qpi_executors.analysis import active_qubits, analyse
from qpi_executors.base import Executor
from qpi_jupyter.core import Estimate, Faulted, Manifest, Program, ProgramError, ProgramFormat, Rejected
from qpi_jupyter.core.fakes import HOST, IDEAL, MAX_SHOTS, MOCK, STATEVECTOR, STATEVECTOR_QUBITS, ways_of
from qpi_jupyter.data.primitives import ESTIMATOR, SAMPLER
from qpi_jupyter.data.quantum_programs import QUANTUM_PROGRAM

from .components import Operation, joined, operations_of, parts_of
from .measuring import measured, on_backend
from .pubs import Work
from .quantum_programs import work_of

if TYPE_CHECKING:
    import xarray as xr

_FILES = Path(fake_provider.__file__).parent / "backends"
_KINDS: dict[str, type[BackendV2]] = {
    name: kind
    for kind in vars(fake_provider).values()
    if isinstance(kind, type) and isinstance(name := getattr(kind, "backend_name", None), str)
}
WIDE = STATEVECTOR_QUBITS
"""The most qubits of a state vector: what is wider runs in parts, and Aer's matrix product states take what is still
wider then."""
_KEPT = 32
"""Noise models that are remembered."""
_CIRCUIT_S, _SHOT_S, _PRODUCT_S = 0.02, 2e-5, 5e-3
"""Roughly what a circuit, a shot of it, and a shot of a matrix product state take (s)."""


class FakeBackends(Executor):
    """IBM's fake backends by name, with their noise (fake_manila@aer) or without (fake_manila@ideal)."""

    formats: ClassVar[tuple[ProgramFormat, ...]] = (SAMPLER, ESTIMATOR, QUANTUM_PROGRAM)
    ways: ClassVar[tuple[str, ...]] = ways_of(HOST)
    """What stands behind the ``@`` of the names that it runs."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._made: dict[str, BackendV2] = {}
        self._noise: OrderedDict[tuple[str, frozenset[Operation]], NoiseModel] = OrderedDict()

    def capabilities(self) -> Manifest:
        """As wide as the widest of them; a program says on which one it runs."""
        return self._manifest

    @cached_property
    def _manifest(self) -> Manifest:
        return Manifest(
            executor=HOST,
            executor_version=client_version,
            num_qubits=max(json.loads(path.read_text())["n_qubits"] for path in _FILES.glob("*/conf_*.json")),
            basis_gates=(),
            max_shots=MAX_SHOTS,
            control_flow=True,
            description="IBM's fake backends, for clients of IBM Quantum.",
        )

    def _backend(self, name: str) -> BackendV2:
        if name not in self._made:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that the errors of one of them are not typical
                self._made[name] = _KINDS[name]()
        return self._made[name]

    def provenance(self, program: Program) -> dict[str, Any]:
        """The versions of the client and of Aer."""
        return {"libraries": {"qiskit-ibm-runtime": client_version, "qiskit-aer": qiskit_aer.__version__}}

    def validate(self, program: Program) -> None:
        """Refuse pubs that the backend would not take, in its gates and on its edges."""
        self._work(program)

    def estimate(self, program: Program) -> Estimate:
        """By shots and circuits."""
        work, seconds = self._work(program), 0.0
        for index, pub in enumerate(work.pubs):
            parts = _narrow(pub.circuit)
            wide = any(len(active_qubits(part)) > WIDE for part in parts)
            each = work.shots(index) * (_PRODUCT_S if wide else _SHOT_S * len(parts))
            seconds += pub.parameter_values.size * (work.randomizations(index) * _CIRCUIT_S + each)
        return Estimate(estimate_s=seconds, upper_s=30 + 20 * seconds, num_circuits=len(work.pubs))

    def run(
        self, program: Program, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> list[xr.Dataset]:
        """As `Executor.run`: a Dataset of kind ``arrays`` for each pub."""
        work = self._work(program)
        if _is_mock(work.backend):
            return measured(work, lambda work, stop: invented(work), progress=progress, cancelled=cancelled)
        if work.backend == STATEVECTOR:
            return measured(work, lambda work, stop: _by_state_vector(work), progress=progress, cancelled=cancelled)
        name, _, how = work.backend.partition("@")
        fake = self._backend(name)
        if how == IDEAL and not work.sampler:
            return measured(work, lambda work, stop: exact(work), progress=progress, cancelled=cancelled)
        view = _Simulated(fake, lambda circuits: self._simulator(fake, how, circuits))
        return measured(work, lambda work, stop: on_backend(work, view), progress=progress, cancelled=cancelled)

    def _work(self, program: Program) -> Work:
        self.check(program)
        work = work_of(program, max_shots=MAX_SHOTS)
        name, _, how = work.backend.partition("@")
        named = work.backend == STATEVECTOR or _is_mock(work.backend)
        name = name.replace(MOCK, "fake", 1) if named else name
        if not named and (name not in _KINDS or how not in self.ways):
            raise Rejected(
                f"There is no backend {work.backend!r} here (qiskit-ibm-runtime {client_version}): service.backends() "
                f"lists them, for example {' and '.join(f'fake_manila@{way}' for way in self.ways)}.",
                code="unknown_backend", field="backend",
            )  # fmt: skip
        wide = max(pub.circuit.num_qubits for pub in work.pubs)
        if work.backend == STATEVECTOR and wide > WIDE:
            message = f"{STATEVECTOR} has {WIDE} qubits, and a circuit has {wide}."
            raise ProgramError(message, code="too_many_qubits")
        if work.meas_level != 2:
            raise Rejected(
                f"{work.backend} simulates bits, not IQ points: use options.execution.meas_type = 'classified'.",
                code="bad_option", field="execution.meas_type",
            )  # fmt: skip
        for index, pub in enumerate(work.pubs if name in _KINDS else ()):  # of a QPU's dry run, its gates are not known
            check_target(index, pub.circuit, self._backend(name).target, work.backend)
        return work.decoupled_by(self._backend(name).target if name in _KINDS else None, work.backend)

    def _simulator(self, fake: BackendV2, how: str, circuits: Sequence[QuantumCircuit]) -> AerSimulator:
        """A simulator of what the circuits do: the same errors, and the same counts at a seed, as
        ``AerSimulator.from_backend`` has of the whole device, which takes seconds each time. Aer reads all errors of a
        noise model with every run, so that those of gates that are not there would cost more than the shots."""
        wide = max((len(active_qubits(circuit)) for circuit in circuits), default=0) > WIDE
        method = "matrix_product_state" if wide else "automatic"
        options = {"method": method, "n_qubits": fake.num_qubits}
        if all(_drawn(circuit, PARALLEL_FROM if how == IDEAL else PARALLEL_FROM // 2) for circuit in circuits):
            options["max_parallel_threads"] = 1
        if how == IDEAL:
            return self.simulator(**options)
        used = frozenset(one for circuit in circuits for one in operations_of(circuit))
        key = (fake.name, used)
        if key not in self._noise:
            self._noise[key] = NoiseModel.from_backend(Described(fake.name, _restricted(fake.target, used)))
            while len(self._noise) > _KEPT:
                self._noise.popitem(last=False)
        self._noise.move_to_end(key)
        return self.simulator(noise_model=self._noise[key], **options)

    def simulator(self, **options: Any) -> AerSimulator:
        """Aer with these options."""
        return AerSimulator(**options)


def _narrow(circuit: QuantumCircuit) -> list[QuantumCircuit]:
    """A circuit, or its parts where it is wider than a state vector can be."""
    return parts_of(circuit) if len(active_qubits(circuit)) > WIDE else [circuit]


def _drawn(circuit: QuantumCircuit, width: int) -> bool:
    """Whether all shots are drawn from one state of fewer qubits, which has no work for a second thread: that would
    only spin. A density matrix has twice the qubits."""
    found = analyse(circuit, index=0, unique_names=False)
    return found.active < width and not found.mid_circuit and not found.control_flow


def _is_mock(backend: str) -> bool:
    return backend == MOCK or backend.startswith(f"{MOCK}_")


def _by_state_vector(work: Work) -> Sequence[Any]:
    """Ideal, of circuits with whatever gates Aer has."""
    if not work.sampler:
        return exact(work)
    ideal = AerSimulator()
    return on_backend(work, _Simulated(ideal, lambda circuits: ideal))


def invented(work: Work) -> Sequence[Any]:
    """Random data of the shapes that the results would have: what IBM calls a dry run."""
    random = np.random.default_rng(work.seed)

    def bits(pub: Any, size: int) -> BitArray:
        packed = random.integers(0, 256, (*pub.shape, pub.shots, -(-size // 8)), dtype=np.uint8)
        packed[..., 0] &= 0xFF >> (-size % 8)
        return BitArray(packed, size)

    found: list[dict[str, Any]] = []
    for pub in work.pubs:
        if work.sampler:
            found.append({register.name: bits(pub, register.size) for register in pub.circuit.cregs})
        else:
            found.append({"evs": random.uniform(-1, 1, pub.shape), "stds": np.full(pub.shape, pub.precision)})
    return [SimpleNamespace(data=data) for data in found]


def check_target(index: int, circuit: QuantumCircuit, target: Target, backend: str) -> None:
    """Refuse a circuit that is not in the gates of a backend, or not on its edges.

    Raises
    ------
    ProgramError
        which instruction, and what to do.
    """
    if circuit.num_qubits > target.num_qubits:
        raise ProgramError(
            f"The circuit of pub {index} has {circuit.num_qubits} qubits but the target system {backend} has "
            f"{target.num_qubits}.",
            code="too_many_qubits", circuit=index,
        )  # fmt: skip
    _check_block(index, circuit, target, backend, range(circuit.num_qubits))


def _check_block(index: int, circuit: QuantumCircuit, target: Target, backend: str, places: Sequence[int]) -> None:
    for one in circuit.data:
        operation = one.operation
        qubits = tuple(places[circuit.find_bit(qubit).index] for qubit in one.qubits)
        flow = isinstance(operation, ControlFlowOp)
        held = (
            operation.name in target.operation_names if flow else target.instruction_supported(operation.name, qubits)
        )
        if operation.name != "barrier" and not held:
            raise ProgramError(
                f"The instruction {operation.name} on qubits {qubits} is not supported by the target system {backend} "
                f"(pub {index}). Transpile the circuit for it first, for example with "
                "generate_preset_pass_manager(backend=backend, optimization_level=1).run(circuit).",
                code="not_isa", circuit=index,
            )  # fmt: skip
        for block in operation.blocks if flow else ():
            _check_block(index, block, target, backend, qubits)


def _restricted(target: Target, used: Set[Operation]) -> Target:
    """The target, of whose instructions only these are left."""
    part = Target(num_qubits=target.num_qubits, dt=target.dt, qubit_properties=target.qubit_properties)
    for name in target.operation_names:
        operation, properties = target.operation_from_name(name), target[name]
        if isinstance(operation, type):
            part.add_instruction(operation, name=name)
        elif properties is None or None in properties:
            part.add_instruction(operation, properties, name=name)
        elif kept := {qubits: facts for qubits, facts in properties.items() if (name, qubits) in used}:
            part.add_instruction(operation, kept, name=name)
    return part


class _Simulated(Described):
    """A fake backend whose circuits run on a simulator that is made for them."""

    def __init__(self, fake: BackendV2, simulator: Callable[[Sequence[QuantumCircuit]], AerSimulator]) -> None:
        super().__init__(fake.name, fake.target)
        self._simulator = simulator

    def run(self, run_input: Sequence[QuantumCircuit], **options: Any) -> Any:
        parts = [_narrow(circuit) for circuit in run_input]
        flat = [part for several in parts for part in several]
        if len(flat) > len(parts):
            options["memory"] = True
        return _Checked(self._simulator(flat).run(flat, **options), [len(several) for several in parts])


class _Checked:
    """Aer's job, of which a failure is an error."""

    def __init__(self, job: Any, counts: Sequence[int]) -> None:
        self._job, self._counts = job, counts

    def result(self) -> Any:
        try:
            result = self._job.result()
        except QiskitError as error:
            raise Rejected(f"Aer cannot read a circuit: {error.message}", code="aer") from error
        for experiment in result.results:
            if not experiment.success:
                said = experiment.status.removeprefix("ERROR: ")
                raise Rejected(f"Aer cannot run circuit {experiment.header['name']!r}: {said}", code="aer")
        if not result.success:
            raise Faulted(f"Aer failed: {result.status}", code="aer")
        return joined(result, self._counts)


def exact(work: Work) -> Sequence[Any]:
    """Exact expectation values, with normally distributed errors of the precision asked for."""
    wide = any(len(active_qubits(pub.circuit)) > WIDE for pub in work.pubs)
    options = {"method": "matrix_product_state"} if wide else {}
    estimator = AerEstimatorV2(options={"backend_options": options, "run_options": {"seed_simulator": work.seed}})
    return list(estimator.run([_narrowed(pub) for pub in work.pubs]).result())


def _narrowed(pub: EstimatorPub) -> EstimatorPub:
    """The pub on the qubits that the circuit or an observable touches; the others stay in 0."""
    circuit = pub.circuit
    terms = {term for observable in np.ravel(pub.observables) for term in observable}
    width = circuit.num_qubits
    used = active_qubits(circuit) | {width - 1 - k for term in terms for k, letter in enumerate(term) if letter != "I"}
    kept = sorted(used) or [0]
    place = {qubit: k for k, qubit in enumerate(kept)}
    narrow = QuantumCircuit(len(kept), circuit.num_clbits, metadata=circuit.metadata, global_phase=circuit.global_phase)
    for one in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in one.qubits]
        clbits = [circuit.find_bit(clbit).index for clbit in one.clbits]
        if one.operation.name != "barrier":
            narrow.append(one.operation, [place[qubit] for qubit in qubits], clbits)

    def cut(observable: Any) -> dict[str, float]:
        return {
            "".join(term[width - 1 - qubit] for qubit in reversed(kept)): factor for term, factor in observable.items()
        }

    cuts = np.empty(pub.observables.shape, dtype=object)
    for place_ in np.ndindex(cuts.shape):
        cuts[place_] = cut(pub.observables[place_])
    values = pub.parameter_values.as_array(circuit.parameters) if circuit.parameters else None
    return EstimatorPub.coerce((narrow, cuts.tolist(), values, pub.precision))
