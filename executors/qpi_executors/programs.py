"""From a Program to runs: parse, check, bind the parameter rows."""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit

from qpi_jupyter.core.errors import ProgramError, Rejected, TooLarge
from qpi_jupyter.core.manifest import Manifest
from qpi_jupyter.core.programs import MAX_CIRCUITS, Program, ProgramFormat, RunOptions
from qpi_jupyter.data.conventions import CircuitInfo, Slots

from .analysis import Analysis, analyse
from .sources import locate, parse_openqasm2, parse_openqasm3, parse_qpy

_CACHED_PROGRAMS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One circuit of a program, with its figures."""

    circuit: QuantumCircuit
    analysis: Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One circuit with all parameters bound: what is measured ``shots`` times.

    ``row_index`` is None where the circuit has no parameter rows.
    """

    circuit_index: int
    row_index: int | None
    circuit: QuantumCircuit
    shots: int
    analysis: Analysis

    @property
    def slots(self) -> Slots:
        """One slot per classical bit."""
        return self.analysis.slots

    def info(self, options: RunOptions, *, seed: int | None = None) -> CircuitInfo:
        """What the result says about this circuit; ``seed`` is the one it ran with."""
        circuit = self.circuit
        return CircuitInfo(
            name=circuit.name,
            circuit=self.circuit_index,
            row=self.row_index,
            shots=self.shots,
            meas_level=options.meas_level,
            meas_return=options.meas_return,
            creg_sizes=tuple((register.name, register.size) for register in circuit.cregs),
            qreg_sizes=tuple((register.name, register.size) for register in circuit.qregs),
            memory_slots=circuit.num_clbits,
            n_qubits=circuit.num_qubits,
            seed=options.seed_simulator if seed is None else seed,
            metadata=_plain(circuit.metadata),
        )


def parse(program: Program) -> list[Parsed]:
    """The program's circuits in order; the last few programs are remembered, so a checked one is not parsed again.

    Treat them as read-only.

    Raises
    ------
    ProgramError
        a source cannot be read, with circuit, line and column where there are any.
    """
    key = program_sha256(program)
    if key in _parsed:
        _parsed.move_to_end(key)
        return _parsed[key]
    parsed: list[Parsed] = []
    for source in program.sources:
        for circuit in _read(program.format, source, len(parsed)):
            parsed.append(Parsed(circuit=circuit, analysis=_analysed(program.format, source, circuit, len(parsed))))
    _parsed[key] = parsed
    while len(_parsed) > _CACHED_PROGRAMS:
        _parsed.popitem(last=False)
    return parsed


_parsed: OrderedDict[str, list[Parsed]] = OrderedDict()


def program_sha256(program: Program) -> str:
    """The hash of the format and the sources; one source alone hashes to itself."""
    if len(program.sources) == 1:
        return hashlib.sha256(program.sources[0]).hexdigest()
    digest = hashlib.sha256()
    for source in program.sources:
        digest.update(hashlib.sha256(source).digest())
    return digest.hexdigest()


def flatten(program: Program, manifest: Manifest) -> list[Run]:
    """Circuits times parameter rows, in order, each checked against the manifest.

    Raises
    ------
    Rejected, ProgramError, TooLarge
        what does not fit, with both figures.
    """
    circuits = parse(program)
    options = program.options
    if options.circuits and len(options.circuits) != len(circuits):
        raise Rejected(
            f"There are options for {len(options.circuits)} circuits, and the program has {len(circuits)}.",
            code="bad_option",
            field="circuits",
        )
    runs: list[Run] = []
    for index, parsed in enumerate(circuits):
        _check_circuit(index, parsed, manifest)
        own = program.circuit_options(index)
        shots = options.shots if own.shots is None else own.shots
        for row_index, circuit in _bound(index, parsed.circuit, own.parameter_values):
            runs.append(
                Run(
                    circuit_index=index,
                    row_index=row_index,
                    circuit=circuit,
                    shots=shots,
                    analysis=parsed.analysis,
                )
            )
    if len(runs) > MAX_CIRCUITS:
        raise TooLarge(
            f"{len(runs):,} circuits in one job; the limit is {MAX_CIRCUITS:,}.",
            code="too_many_circuits",
            limit=MAX_CIRCUITS,
        )
    return runs


def _read(form: ProgramFormat, source: bytes, index: int) -> list[QuantumCircuit]:
    if form is ProgramFormat.QPY:
        return parse_qpy(source, index)
    if form is ProgramFormat.OPENQASM2:
        return [parse_openqasm2(source, index)]
    if form is ProgramFormat.OPENQASM3:
        return [parse_openqasm3(source, index)]
    raise Rejected(f"{form} is not a circuit format.", code="bad_format", field="format")


def _analysed(form: ProgramFormat, source: bytes, circuit: QuantumCircuit, index: int) -> Analysis:
    if form is ProgramFormat.QPY:
        return analyse(circuit, index=index, unique_names=False)
    try:
        return analyse(circuit, index=index, unique_names=True)
    except ProgramError as error:
        line, column = locate(source.decode(), str(error.data.get("gate", "")))
        raise ProgramError(
            f"{error.message.removesuffix('.')} (line {line})." if line else error.message,
            **{**error.data, "code": error.code, "line": line, "column": column},
        ) from None


def _check_circuit(index: int, parsed: Parsed, manifest: Manifest) -> None:
    circuit, analysis = parsed.circuit, parsed.analysis

    def refuse(message: str, code: str, **data: Any) -> ProgramError:
        return ProgramError(f"Circuit {index} ({circuit.name!r}) {message}", code=code, circuit=index, **data)

    if not circuit.num_qubits:
        raise refuse("has no qubits.", "no_qubits")
    if circuit.num_qubits > manifest.num_qubits:
        raise refuse(
            f"needs {circuit.num_qubits} qubits; {manifest.executor} has {manifest.num_qubits}.",
            "too_many_qubits",
            qubits=circuit.num_qubits,
            limit=manifest.num_qubits,
        )
    if not analysis.has_measurement:
        raise refuse("measures nothing: add a measurement, for example measure_all().", "no_measurement")
    if analysis.control_flow and not manifest.control_flow:
        raise refuse(
            f"has control flow (if, for, while, switch), which {manifest.executor} cannot run.", "no_control_flow"
        )
    if analysis.mid_circuit and not manifest.mid_circuit_measurement:
        raise refuse(f"uses a qubit after its measurement, which {manifest.executor} cannot do.", "no_mid_circuit")
    if circuit.num_input_vars:
        names = ", ".join(var.name for var in circuit.iter_input_vars())
        raise refuse(f"has input variables ({names}): make them parameters (float or angle inputs).", "bad_parameters")


def _bound(
    index: int, circuit: QuantumCircuit, rows: tuple[tuple[float, ...], ...]
) -> list[tuple[int | None, QuantumCircuit]]:
    names = [parameter.name for parameter in circuit.parameters]
    if not rows:
        if names:
            raise _bad_parameters(index, names, "has unbound parameters; give parameter_values for")
        return [(None, circuit)]
    bound: list[tuple[int | None, QuantumCircuit]] = []
    for row_index, row in enumerate(rows):
        if len(row) != len(names):
            problem = f"gets {len(row)} values in row {row_index} for its {len(names)} parameters:"
            raise _bad_parameters(index, names, problem)
        if not all(math.isfinite(value) for value in row):
            raise _bad_parameters(index, names, f"gets a value that is not finite in row {row_index} for")
        bound.append((row_index, circuit.assign_parameters(list(row)) if names else circuit))
    return bound


def _bad_parameters(index: int, names: list[str], what: str) -> ProgramError:
    listed = ", ".join(names[:16]) + (", ..." if len(names) > 16 else "") if names else "none"
    return ProgramError(
        f"Circuit {index} {what} {listed}.", code="bad_parameters", circuit=index, parameters=names[:1024]
    )


def _plain(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """The circuit's metadata if it is JSON; a result carries nothing else."""
    if not metadata:
        return {}
    try:
        return dict(json.loads(json.dumps(dict(metadata), allow_nan=False)))
    except (TypeError, ValueError):
        return {}
