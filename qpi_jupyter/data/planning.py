"""In which ways a circuit can be run on several QPUs, and how well each of its parts would do there.

The circuit as it is; its connected components, each by itself; and, where that is possible, cut into parts of at most
as many qubits as the QPUs have. Each way has its programs, and a recipe that puts their results together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import qiskit
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Bit, CircuitInstruction, ControlFlowOp
from qiskit.exceptions import QiskitError
from qiskit.transpiler import StagedPassManager, generate_preset_pass_manager

from qpi_jupyter.core import Manifest, ProgramError, Rejected, counted, pack
from qpi_jupyter.core.planning import Part, Study, Way, check_observables, too_many_counts
from qpi_jupyter.core.plans import MAX_DRAWN, MAX_FRAGMENTS, Operation, PlanKind, PlanRequest
from qpi_jupyter.core.programs import digest

from .circuits import to_qpy
from .cutting import INSTALL, CutPart, Cuts, Cutter, components
from .figures import Transpiler, hardest
from .figures import digest as digest_of
from .measuring import measuring, reading, restricted
from .reconstruction import PartRecipe, Recipe, write_recipe

MAX_WIDTHS = 4
"""Different widths of QPUs for which cuts are looked for, the largest first."""
SEARCH_S = 2.0
"""Processor time for all searches together."""
MAX_SAMPLES = 1_296
"""Combinations of what the cuts' sums have: four cut gates."""
_GATE_TERMS, _WIRE_TERMS = 6, 8
_BASIS = [
    "id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "p", "u", "cx", "cy", "cz", "ch",
    "cp", "crx", "cry", "crz", "csx", "rxx", "ryy", "rzz", "rzx", "swap", "iswap", "ecr", "dcx",
]  # fmt: skip
"""Operations that are left as they are before cutting: all of them act on one or two qubits."""
Limit = Callable[[float], AbstractContextManager[object]]
"""Within it, work that takes more processor time (s) is ended with a TimeoutError."""


@lru_cache(maxsize=1)
def _flattening() -> StagedPassManager:
    return generate_preset_pass_manager(optimization_level=0, basis_gates=_BASIS)


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """The circuit, and what is wanted of it."""

    circuit: QuantumCircuit
    request: PlanRequest
    measured: Mapping[int, int]
    """The classical bit that each qubit is read into at its end."""
    final: frozenset[int]
    """The places of these measurements."""

    @cached_property
    def unmeasured(self) -> QuantumCircuit:
        """The circuit without them."""
        left = self.circuit.copy_empty_like()
        for index, instruction in enumerate(self.circuit.data):
            if index not in self.final:
                left.append(instruction)
        return left

    @cached_property
    def branches(self) -> bool:
        """Whether results decide what it does."""
        return bool(self.circuit.num_vars) or any(isinstance(one.operation, ControlFlowOp) for one in self.circuit.data)

    @cached_property
    def dynamic(self) -> bool:
        """Whether it measures, resets or branches before its end."""
        return self.branches or any(one.clbits or one.name == "reset" for one in self.unmeasured.data)

    @cached_property
    def flat(self) -> QuantumCircuit | None:
        """Its operations on one and two qubits, without its final measurements and classical bits.

        None where it measures, resets or branches before its end, or has operations that cannot be written so.
        """
        if self.dynamic:
            return None
        bare = QuantumCircuit(self.circuit.num_qubits)
        for one in self.unmeasured.data:
            if one.name != "barrier":
                bare.append(one.operation, [self.circuit.find_bit(qubit).index for qubit in one.qubits])
        try:
            found = _flattening().run(bare)
        except QiskitError:
            return None
        return None if any(one.name == "reset" for one in found.data) else found


@dataclass(slots=True)
class _Programs:
    """Makes the study's blobs and parts."""

    targets: Mapping[str, Manifest]
    transpiler: Transpiler
    seed: int
    blobs: list[bytes] = field(default_factory=list)
    _parts: list[tuple[Part, QuantumCircuit]] = field(default_factory=list)
    """Each with the circuit that its figures are of."""

    def keep(self, blob: bytes) -> int:
        """Its place."""
        self.blobs.append(blob)
        return len(self.blobs) - 1

    def part(self, qubits: Sequence[int], circuits: Sequence[QuantumCircuit]) -> Part:
        """A part with its program; its figures come with `weigh`."""
        program = to_qpy(circuits)
        part = Part(
            qubits=tuple(qubits), num_qubits=circuits[0].num_qubits, num_circuits=len(circuits),
            program_sha256=digest(pack((program,))), program=self.keep(program),
        )  # fmt: skip
        self._parts.append((part, hardest(circuits)))
        return part

    def weigh(self) -> None:
        """Find the figures of all parts on all targets that are wide enough: target by target, each is built once."""
        for name, manifest in sorted(self.targets.items()):
            for part, circuit in self._parts:
                if manifest.num_qubits >= part.num_qubits:
                    sha256 = part.program_sha256
                    part.on[name] = self.transpiler.figures(sha256, circuit, name, manifest, self.seed)


def study(
    circuit: QuantumCircuit,
    request: PlanRequest,
    targets: Mapping[str, Manifest],
    *,
    cutter: Cutter | None,
    transpiler: Transpiler | None = None,
    limit: Limit = nullcontext,
) -> tuple[Study, list[bytes]]:
    """The ways to run a circuit, and the programs and recipes that they name.

    Parameters
    ----------
    targets
        what the QPUs can do, by names that change with their calibrations.
    limit
        bounds the search for cuts.

    Raises
    ------
    ProgramError
        the circuit has unbound parameters, no qubits, or gives nothing of what is wanted.
    Rejected
        an observable is not as wide as the circuit.
    """
    subject = _subject(circuit, request)
    programs = _Programs(targets, transpiler or Transpiler(), request.seed)
    ways = [_whole(subject, programs)]
    if (split := _components(subject, programs)) is not None:
        ways.append(split)
    ways += _cut(subject, programs, cutter, limit)
    programs.weigh()
    versions = {"qiskit": qiskit.__version__, "qiskit-addon-cutting": "" if cutter is None else cutter.version}
    found = Study(
        circuit_sha256=digest_of(circuit), num_qubits=circuit.num_qubits, ways=tuple(ways),
        operations=_operations(subject), versions=versions,
    )  # fmt: skip
    return found, programs.blobs


def _subject(circuit: QuantumCircuit, request: PlanRequest) -> _Subject:
    if not circuit.num_qubits:
        raise ProgramError("The circuit has no qubits.", code="no_qubits", circuit=0)
    if circuit.parameters:
        names = ", ".join(one.name for one in list(circuit.parameters)[:16])
        raise ProgramError(
            f"The circuit has unbound parameters ({names}): bind them with assign_parameters before planning.",
            code="bad_parameters", circuit=0,
        )  # fmt: skip
    check_observables(request, circuit.num_qubits)
    measured, final = _final_measurements(circuit)
    if not request.observables and not any(one.name == "measure" for one in circuit.data):
        raise ProgramError(
            "The circuit measures nothing: add a measurement, for example measure_all(), or name observables.",
            code="no_measurement", circuit=0,
        )  # fmt: skip
    return _Subject(circuit=circuit, request=request, measured=measured, final=final)


def _final_measurements(circuit: QuantumCircuit) -> tuple[dict[int, int], frozenset[int]]:
    """The measurements after which nothing happens to their qubit and their bit: qubit to bit, and their places."""
    later: set[Bit] = set()
    measured, final = {}, set()
    for index in reversed(range(len(circuit.data))):
        one = circuit.data[index]
        bits = {*one.qubits, *one.clbits}
        if one.name == "measure" and later.isdisjoint(bits):
            measured[circuit.find_bit(one.qubits[0]).index] = circuit.find_bit(one.clbits[0]).index
            final.add(index)
        if one.name != "barrier":
            later |= bits
    return measured, frozenset(final)


def _whole(subject: _Subject, programs: _Programs) -> Way:
    circuit, request = subject.circuit, subject.request
    if request.observables:
        circuits, recipe = measuring(subject.unmeasured, request.observables)
    else:
        circuits, recipe = [circuit], reading(range(circuit.num_clbits))
    return Way(
        kind=PlanKind.WHOLE,
        width=circuit.num_qubits,
        parts=(programs.part(range(circuit.num_qubits), circuits),),
        recipe=programs.keep(write_recipe(_recipe(subject, PlanKind.WHOLE, [recipe]))),
    )


def _components(subject: _Subject, programs: _Programs) -> Way | None:
    """The circuit in its connected components; None where it is one, on all its qubits."""
    source = subject.unmeasured if subject.request.observables else subject.circuit
    held = components(source)
    if len(held) < 2 and len(held[0] if held else ()) == subject.circuit.num_qubits:
        return None
    width = max(map(len, held), default=0)
    problem = ""
    if not held:
        problem = "Nothing acts on any of its qubits."
    elif subject.branches:
        problem = "Its results decide what it does: such a circuit is not taken apart."
    elif len(held) > MAX_FRAGMENTS:
        problem = f"It has {len(held):,} components; the limit is {MAX_FRAGMENTS:,}."
    if problem:
        return Way(kind=PlanKind.COMPONENTS, width=width, problem=problem)
    parts, recipes = [], []
    for qubits in held:
        alone, bits = _alone(source, qubits)
        if subject.request.observables:
            circuits, recipe = measuring(alone, restricted(subject.request.observables, qubits))
        else:
            circuits, recipe = [alone], reading(bits)
        parts.append(programs.part(qubits, circuits))
        recipes.append(recipe)
    recipe_at = programs.keep(write_recipe(_recipe(subject, PlanKind.COMPONENTS, recipes, held)))
    return Way(kind=PlanKind.COMPONENTS, width=width, parts=tuple(parts), recipe=recipe_at)


def _cut(subject: _Subject, programs: _Programs, cutter: Cutter | None, limit: Limit) -> list[Way]:
    """The circuit cut for each width of the QPUs, as long as the price is within the budget."""
    acted = tuple(sorted({qubit for held in components(subject.unmeasured) for qubit in held}))
    widths = sorted({one.num_qubits for one in programs.targets.values() if one.num_qubits < len(acted)}, reverse=True)
    if not widths:
        return []
    problem, flat = "", subject.flat
    if subject.dynamic:
        problem = "It measures, resets or branches before its end: such a circuit is not cut."
    elif flat is None:
        problem = "It has operations that cannot be written as gates on one and two qubits: such a circuit is not cut."
    elif not subject.request.observables and (many := too_many_counts(len(subject.measured))):
        problem = many
    elif cutter is None:
        problem = f"The lab's server has no qiskit-addon-cutting: {INSTALL}."
    if problem or cutter is None or flat is None:
        return [Way(kind=PlanKind.CUT, width=widths[0], problem=problem)]
    bare = _compact(flat, acted)
    ways: list[Way] = []
    until = time.process_time() + SEARCH_S
    for width in widths[:MAX_WIDTHS]:
        way = _cut_for(subject, programs, cutter, bare, acted, width, limit, until - time.process_time())
        if way is None:
            continue
        ways.append(way)
        if way.problem or way.overhead > subject.request.max_overhead:
            break  # a smaller width never costs less
    return ways


def _cut_for(
    subject: _Subject, programs: _Programs, cutter: Cutter, bare: QuantumCircuit, acted: Sequence[int], width: int,
    limit: Limit, left_s: float,
) -> Way | None:  # fmt: skip
    """The circuit in parts of at most so many qubits; None where nothing has to be cut for that."""
    try:
        with limit(max(left_s, 0.01)):
            cuts = cutter.find(bare, width, max_overhead=subject.request.max_overhead, seed=subject.request.seed)
    except TimeoutError:
        return Way(kind=PlanKind.CUT, width=width, problem=f"No cuts were found within {SEARCH_S:g} s.")
    except Rejected as error:
        return Way(kind=PlanKind.CUT, width=width, problem=error.message)
    if not cuts.num_cuts:
        return None
    way = Way(kind=PlanKind.CUT, width=width, overhead=cuts.overhead, num_cuts=cuts.num_cuts)
    if cuts.overhead > subject.request.max_overhead:
        return way
    if _samples(cuts) > MAX_SAMPLES:
        return replace(way, problem=f"{counted(cuts.num_cuts, 'cut')} need more than {MAX_SAMPLES:,} experiments.")
    place = {qubit: index for index, qubit in enumerate(acted)}
    measured = [(place[qubit], bit) for qubit, bit in sorted(subject.measured.items()) if qubit in place]
    found, coefficients = cutter.parts(cuts, restricted(subject.request.observables, acted), measured)
    recipe = _recipe(subject, PlanKind.CUT, [one.recipe for one in found], [acted], coefficients)
    return replace(
        way,
        cut=cuts.gates,
        wires=tuple((at, acted[qubit]) for at, qubit in cuts.wires),
        owners=_owners(found, map(place.get, sorted(subject.measured))) if cuts.wires else (),
        recipe=programs.keep(write_recipe(recipe)),
        parts=tuple(programs.part([acted[qubit] for qubit in one.qubits], _named(one.circuits)) for one in found),
    )


def _owners(found: Sequence[CutPart], measured: Iterable[int | None]) -> tuple[int | None, ...]:
    """The part of each operation that is drawn (`_operations`); a measured qubit that nothing acts on is in none."""
    by_index = {at: label for label, one in enumerate(found) for at in one.operations}
    ends = {qubit: label for label, one in enumerate(found) for qubit in one.ends}
    parts = [by_index[at] for at in range(len(by_index))]
    return (*parts, *(None if qubit is None else ends[qubit] for qubit in measured))[:MAX_DRAWN]


def _samples(cuts: Cuts) -> int:
    return int(_GATE_TERMS ** len(cuts.gates) * _WIRE_TERMS ** len(cuts.wires))


def _named(circuits: Sequence[QuantumCircuit]) -> list[QuantumCircuit]:
    """The experiments with names of their own: those that Qiskit gives count on from one plan to the next."""
    named = []
    for index, one in enumerate(circuits):
        registers = [ClassicalRegister(register.size, register.name) for register in one.cregs if register.size]
        copy = QuantumCircuit(
            QuantumRegister(one.num_qubits, "q"), *registers, name=f"experiment-{index}", global_phase=one.global_phase
        )
        for instruction in one.data:
            qubits = [one.find_bit(qubit).index for qubit in instruction.qubits]
            copy.append(instruction.operation, qubits, [one.find_bit(bit).index for bit in instruction.clbits])
        named.append(copy)
    return named


def _recipe(
    subject: _Subject, kind: PlanKind, parts: Sequence[PartRecipe], held: Sequence[Sequence[int]] | None = None,
    coefficients: Sequence[float] = (1.0,),
) -> Recipe:  # fmt: skip
    """``held``: the qubits of the parts; of all others, which stay 0, the observables have a constant value."""
    circuit, observables = subject.circuit, subject.request.observables
    acted = {qubit for qubits in held for qubit in qubits} if held is not None else set(range(circuit.num_qubits))
    constant = tuple(
        float(all(letter in "IZ" for qubit, letter in enumerate(reversed(row)) if qubit not in acted))
        for row in observables
    )
    return Recipe(
        kind=kind, observables=observables, num_clbits=circuit.num_clbits,
        registers=tuple((register.name, register.size) for register in circuit.cregs), parts=tuple(parts),
        coefficients=tuple(coefficients), constant=constant, seed=subject.request.seed,
    )  # fmt: skip


def _alone(circuit: QuantumCircuit, qubits: Sequence[int]) -> tuple[QuantumCircuit, list[int]]:
    """A component as a circuit of its own, and which classical bit each of its bits is."""
    held = {circuit.qubits[qubit]: place for place, qubit in enumerate(qubits)}
    own = [one for one in circuit.data if one.name != "barrier" and held.keys() & set(one.qubits)]
    bits = sorted({circuit.find_bit(bit).index for one in own for bit in one.clbits})
    place = {circuit.clbits[bit]: index for index, bit in enumerate(bits)}
    alone = QuantumCircuit(len(qubits), len(bits), name=f"component-{qubits[0]}")
    for one in own:
        alone.append(one.operation, [held[qubit] for qubit in one.qubits], [place[bit] for bit in one.clbits])
    return alone, bits


def _compact(circuit: QuantumCircuit, qubits: Sequence[int]) -> QuantumCircuit:
    """The circuit on these of its qubits alone, which are all that it acts on."""
    place = {circuit.qubits[qubit]: index for index, qubit in enumerate(qubits)}
    compact = QuantumCircuit(len(qubits), name="compact")
    for one in circuit.data:
        compact.data.append(CircuitInstruction(one.operation, [compact.qubits[place[qubit]] for qubit in one.qubits]))
    return compact


def _operations(subject: _Subject) -> tuple[Operation, ...]:
    """What is drawn: what cuts are named by, and the measurements after it."""
    source = subject.circuit if subject.flat is None else subject.flat
    found = [
        Operation(name=one.name, qubits=tuple(source.find_bit(qubit).index for qubit in one.qubits))
        for one in source.data[:MAX_DRAWN]
    ]
    if subject.flat is not None:
        found += [Operation(name="measure", qubits=(qubit,)) for qubit in sorted(subject.measured)]
    return tuple(found[:MAX_DRAWN])
