"""From a Program to runs: parse, check, bind the parameter rows."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Parameter, ParameterExpression
from qiskit.exceptions import QiskitError

from qpi_jupyter.core import (
    MAX_BITS,
    MAX_CIRCUITS,
    MAX_EXPANDED_BYTES,
    OPENQASM2,
    OPENQASM3,
    Manifest,
    Program,
    ProgramError,
    Rejected,
    RunOptions,
    SweepAxis,
    TooLarge,
    counted,
    plain_json,
)
from qpi_jupyter.data.branchless import as_it_runs
from qpi_jupyter.data.circuits import expand
from qpi_jupyter.data.conventions import CircuitInfo, Slots
from qpi_jupyter.data.formats import QPY

from .analysis import MAX_DELAY, Analysis, analyse, require_names
from .own_gates import with_own_names
from .sources import locate, measuring_service, parse_openqasm2, parse_openqasm3, parse_qpy, reading

_CACHED_PROGRAMS = 8
_NUMBERED = re.compile(r"circuit-\d+")
"""How Qiskit calls a circuit that nobody has named: by a number that says nothing to its author."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One circuit of a program, with its figures."""

    circuit: QuantumCircuit
    analysis: Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One circuit with all parameters bound: what is measured ``shots`` times.

    ``row_index`` is None where the circuit has no parameter rows; ``parameters`` are the values in that row, and
    ``unbound`` is the circuit without them: one object for all its rows.
    """

    circuit_index: int
    row_index: int | None
    parameters: Mapping[str, float]
    axes: tuple[SweepAxis, ...]
    circuit: QuantumCircuit
    unbound: QuantumCircuit
    shots: int
    analysis: Analysis

    @property
    def slots(self) -> Slots:
        """One slot per classical bit."""
        return self.analysis.slots

    @property
    def num_clbits(self) -> int:
        """The classical bits of the circuit."""
        return int(self.circuit.num_clbits)

    def info(self, options: RunOptions, *, seed: int | None = None) -> CircuitInfo:
        """What the result says about this circuit; ``seed`` is the one it ran with."""
        circuit = self.circuit
        metadata, lost = plain_json(circuit.metadata)
        return CircuitInfo(
            name=circuit.name,
            circuit=self.circuit_index,
            row=self.row_index,
            parameters=self.parameters,
            axes=self.axes,
            shots=self.shots,
            meas_level=options.meas_level,
            meas_return=options.meas_return,
            creg_sizes=tuple((register.name, register.size) for register in circuit.cregs),
            qreg_sizes=tuple((register.name, register.size) for register in circuit.qregs),
            memory_slots=circuit.num_clbits,
            n_qubits=circuit.num_qubits,
            seed=options.seed_simulator if seed is None else seed,
            metadata=metadata,
            metadata_lost=tuple(lost),
        )


def parse(program: Program) -> list[Parsed]:
    """The program's circuits in order; the last few programs are remembered, so a checked one is not parsed again.

    Treat them as read-only.

    Raises
    ------
    ProgramError
        a source cannot be read, with circuit, line and column where there are any.
    """
    key = (program.format, program.sha256)
    if key in _parsed:
        _parsed.move_to_end(key)
        return _parsed[key]
    parsed: list[Parsed] = []
    for source in _expanded(program):
        for circuit in _read(program.format, source, len(parsed)):
            parsed.append(_parsed_circuit(program.format, source, circuit, len(parsed)))
    _parsed[key] = parsed
    while len(_parsed) > _CACHED_PROGRAMS:
        _parsed.popitem(last=False)
    return parsed


_parsed: OrderedDict[tuple[str, str], list[Parsed]] = OrderedDict()


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
            f"There are options for {counted(len(options.circuits), 'circuit')}, and the program has {len(circuits)}.",
            code="bad_option",
            field="circuits",
        )
    runs: list[Run] = []
    for index, read in enumerate(circuits):
        source = program.sources[index] if program.format in _TEXTS else b""
        parsed = _as_it_runs(manifest, read, index)
        _check_circuit(index, parsed, manifest, source)
        own = program.circuit_options(index)
        shots = options.shots if own.shots is None else own.shots
        names = [parameter.name for parameter in parsed.circuit.parameters]
        for row_index, circuit in _bound(index, parsed.circuit, own.parameter_values):
            row = () if row_index is None else own.parameter_values[row_index]
            runs.append(
                Run(
                    circuit_index=index,
                    row_index=row_index,
                    parameters=dict(zip(names, row, strict=True)) if row else {},
                    axes=own.axes,
                    circuit=circuit,
                    unbound=parsed.circuit,
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


def _expanded(program: Program) -> Iterator[bytes]:
    """The sources without compression: together they keep to one limit."""
    left = MAX_EXPANDED_BYTES
    for source in program.sources:
        if program.format == QPY.name:
            source = expand(source, limit=left)
            left -= len(source)
        yield source


def _read(form: str, source: bytes, index: int) -> list[QuantumCircuit]:
    if form == QPY.name:
        return parse_qpy(source, index)
    return [_TEXTS[form](source, index)]


_TEXTS = {OPENQASM2.name: parse_openqasm2, OPENQASM3.name: parse_openqasm3}


def _parsed_circuit(form: str, source: bytes, circuit: QuantumCircuit, index: int) -> Parsed:
    require_names(circuit, index)
    analysis = _analysed(form, source, circuit, index)  # first: it bounds what is looked at below
    with reading(index):
        own = with_own_names(circuit)
    if own is not circuit:
        analysis = _analysed(form, source, own, index)
    return Parsed(circuit=own, analysis=analysis)


def _analysed(form: str, source: bytes, circuit: QuantumCircuit, index: int) -> Analysis:
    if form == QPY.name:
        return analyse(circuit, index=index, unique_names=False)
    try:
        with reading(index):  # a gate's definition is evaluated at its first use
            return analyse(circuit, index=index, unique_names=True)
    except ProgramError as error:
        line, column = locate(source, str(error.data.get("gate", "")))
        raise ProgramError(
            f"{error.message.removesuffix('.')} (line {line})." if line else error.message,
            **{**error.data, "code": error.code, "line": line, "column": column},
        ) from None


def _as_it_runs(manifest: Manifest, parsed: Parsed, index: int) -> Parsed:
    """The circuit for this QPU, with the branches of services where the QPU has some."""
    if not parsed.analysis.control_flow or (circuit := as_it_runs(parsed.circuit, manifest)) is parsed.circuit:
        return parsed
    return Parsed(circuit=circuit, analysis=analyse(circuit, index=index, unique_names=False))


def _check_circuit(index: int, parsed: Parsed, manifest: Manifest, source: bytes) -> None:
    circuit, analysis = parsed.circuit, parsed.analysis
    called = "" if _NUMBERED.fullmatch(circuit.name) else f" ({circuit.name!r})"

    def refuse(message: str, code: str, **data: Any) -> ProgramError:
        return ProgramError(f"Circuit {index}{called} {message}", code=code, circuit=index, **data)

    if not circuit.num_qubits:
        raise refuse("has no qubits.", "no_qubits")
    if circuit.num_qubits > manifest.num_qubits:
        raise refuse(
            f"needs {counted(circuit.num_qubits, 'qubit')}; this QPU has {manifest.num_qubits}.",
            "too_many_qubits",
            qubits=circuit.num_qubits,
            limit=manifest.num_qubits,
        )
    if circuit.num_clbits > MAX_BITS:
        raise refuse(
            f"has {circuit.num_clbits:,} classical bits; the limit is {MAX_BITS:,}.", "program_too_complex",
            limit=MAX_BITS,
        )  # fmt: skip
    if not analysis.has_measurement:
        raise refuse("measures nothing: add a measurement, for example measure_all().", "no_measurement")
    if analysis.mid_circuit and not manifest.mid_circuit_measurement and (word := measuring_service(source)):
        line, column = locate(source, word)
        what = f"uses '{word}' (line {line}), which measures before its end; this QPU measures at the end only."
        raise refuse(what, "no_mid_circuit", service=word, line=line, column=column)
    if analysis.control_flow and not manifest.control_flow:
        raise refuse("has control flow (if, for, while, switch), which this QPU cannot run.", "no_control_flow")
    if analysis.mid_circuit and not manifest.mid_circuit_measurement:
        raise refuse("uses a qubit after its measurement, which this QPU cannot do.", "no_mid_circuit")
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
    waits = list(_waits(circuit)) if names else []
    bound: list[tuple[int | None, QuantumCircuit]] = []
    for row_index, row in enumerate(rows):
        if len(row) != len(names):
            problem = (
                f"gets {counted(len(row), 'value')} in row {row_index} for its {counted(len(names), 'parameter')}:"
            )
            raise _bad_parameters(index, names, problem)
        if not all(math.isfinite(value) for value in row):
            raise _bad_parameters(index, names, f"gets a value that is not finite in row {row_index} for")
        try:
            one = circuit.assign_parameters(list(row)) if names else circuit
            values = dict(zip(circuit.parameters, row, strict=True)) if waits else {}
            found = [(_number(wait, values), unit) for wait, unit in waits]
            one.name = circuit.name  # Qiskit numbers its copies
            bound.append((row_index, one))
        except (QiskitError, ArithmeticError, RuntimeError, TypeError, ValueError):
            problem = f"gets no finite real number from row {row_index} in one of its expressions of"
            raise _bad_parameters(index, names, problem) from None
        for value, unit in found:
            if not 0 <= value < MAX_DELAY or (unit == "dt" and value != int(value)):
                problem = f"gets a delay of {value:g} {unit} from row {row_index}; a delay is at least 0, below "
                raise _bad_parameters(
                    index, names, f"{problem}{MAX_DELAY:g}, and a whole number where it is in dt. It depends on"
                )
    return bound


def _waits(circuit: QuantumCircuit) -> Iterator[tuple[ParameterExpression, str]]:
    """The delays that depend on parameters, at any depth: Qiskit does not look at their values when it binds them."""
    for instruction in circuit.data:
        operation = instruction.operation
        for block in getattr(operation, "blocks", ()):
            yield from _waits(block)
        if isinstance(operation, Delay) and isinstance(operation.duration, ParameterExpression):
            yield operation.duration, operation.unit


def _number(expression: ParameterExpression, values: Mapping[Parameter, float]) -> float:
    return float(expression.bind({parameter: values[parameter] for parameter in expression.parameters}))


def _bad_parameters(index: int, names: list[str], what: str) -> ProgramError:
    listed = ", ".join(names[:16]) + (", ..." if len(names) > 16 else "") if names else "none"
    return ProgramError(
        f"Circuit {index} {what} {listed}.", code="bad_parameters", circuit=index, parameters=names[:1024]
    )
