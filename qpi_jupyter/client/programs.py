"""From what a person hands over (circuits, texts, numpy numbers) to a `SubmitRequest`.

Text stays text and needs no Qiskit. Circuits travel as QPY, the oldest version that the lab takes, so that a lab with
an older Qiskit can read them.
"""

from __future__ import annotations

import io
import operator
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from qpi_jupyter.core.errors import ProgramError, Rejected
from qpi_jupyter.core.programs import MAX_SOURCE_BYTES, MIN_QPY_VERSION, ProgramFormat
from qpi_jupyter.wire.rest import CircuitIn, OptionsIn, ProgramIn

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_HEADER = re.compile(r"(?:\s|//[^\n]*(?:\n|$)|/\*.*?\*/)*OPENQASM\s+(\d+)", re.DOTALL)


def is_circuit(thing: object) -> TypeGuard[QuantumCircuit]:
    """Whether this is a Qiskit circuit; false without importing Qiskit where nobody else did."""
    module = sys.modules.get("qiskit.circuit")
    return module is not None and isinstance(thing, module.QuantumCircuit)


def is_program(thing: object) -> bool:
    """Whether `program_of` could take this: a circuit, a text, or a list of either."""
    if isinstance(thing, (list, tuple)):
        return bool(thing) and all(is_circuit(item) or isinstance(item, str) for item in thing)
    return is_circuit(thing) or isinstance(thing, str)


def text_format(text: str) -> ProgramFormat:
    """The format that a circuit's text says it is in; OpenQASM 3 where it does not say."""
    found = _HEADER.match(text)
    if found is None or found[1] == "3":
        return ProgramFormat.OPENQASM3
    if found[1] == "2":
        return ProgramFormat.OPENQASM2
    line = text.count("\n", 0, found.start(1)) + 1
    column = found.start(1) - text.rfind("\n", 0, found.start(1))
    raise ProgramError(
        f"OpenQASM {found[1]} is not known: the lab reads versions 2 and 3 (line {line}, column {column}).",
        code="unknown_format",
        line=line,
        column=column,
    )


def program_of(circuits: object) -> ProgramIn:
    """One circuit or a sequence of them, as the wire's program.

    Raises
    ------
    ProgramError
        the list is empty or mixes formats.
    TypeError
        something in it is no circuit.
    """
    items = as_list(circuits)
    if not items:
        raise ProgramError("The list of circuits is empty: send at least one.", code="empty_program")
    if all(is_circuit(item) for item in items):
        return ProgramIn(format=ProgramFormat.QPY, data=_qpy_files(items))
    if all(isinstance(item, (bytes, bytearray)) for item in items):
        return ProgramIn(format=ProgramFormat.QPY, data=[bytes(item) for item in items])
    for item in items:
        if not isinstance(item, str) and not is_circuit(item):
            raise TypeError(
                f"{type(item).__name__} is no circuit: send a QuantumCircuit, an OpenQASM text, or a list of them."
            )
    formats = {ProgramFormat.QPY if is_circuit(item) else text_format(item) for item in items}
    if len(formats) > 1:
        raise ProgramError(
            f"One job has one format, not {' and '.join(sorted(formats))}: submit them as several jobs.",
            code="mixed_formats",
        )
    return ProgramIn(format=formats.pop(), sources=list(items))


def as_list(circuits: object) -> list[Any]:
    """The circuits as a list; a single one becomes a list of one."""
    if isinstance(circuits, (str, bytes, bytearray)) or is_circuit(circuits):
        return [circuits]
    # A QuantumCircuit is a sequence of instructions, too: it was taken above.
    return list(circuits) if isinstance(circuits, Iterable) else [circuits]


def _qpy_files(circuits: Sequence[QuantumCircuit]) -> list[bytes]:
    """As few QPY files as fit the limit of one source."""
    whole = _qpy(circuits)
    if len(whole) <= MAX_SOURCE_BYTES or len(circuits) == 1:
        return [whole]
    half = len(circuits) // 2
    return _qpy_files(circuits[:half]) + _qpy_files(circuits[half:])


def _qpy(circuits: Sequence[QuantumCircuit]) -> bytes:
    from qiskit import qpy

    for version in (MIN_QPY_VERSION, None):
        file = io.BytesIO()
        try:
            qpy.dump(list(circuits), file, version=version)
        except qpy.UnsupportedFeatureForVersion:
            if version is None:
                raise
            continue
        return file.getvalue()
    raise AssertionError("the last version either works or raises")


def options_of(
    circuits: object,
    *,
    shots: object = None,
    seed_simulator: object = None,
    meas_level: object = 2,
    meas_return: str = "single",
    parameter_values: object = None,
    memory: bool = True,
    extra: Mapping[str, Any] | None = None,
) -> OptionsIn:
    """The run options as the wire has them; numpy numbers become Python's.

    Raises
    ------
    TypeError
        a number that is no whole number.
    Rejected
        a list whose length is not the number of circuits.
    """
    items = as_list(circuits)
    common, per_circuit_shots = _shots(shots, len(items))
    rows = _parameter_rows(circuits, items, parameter_values)
    overrides: list[CircuitIn] = []
    if per_circuit_shots is not None or rows is not None:
        overrides = [
            CircuitIn(
                shots=per_circuit_shots[i] if per_circuit_shots is not None else None,
                parameter_values=rows[i] if rows is not None else [],
            )
            for i in range(len(items))
        ]
    # Aer and the primitives hand the level over as an enum.
    level = getattr(meas_level, "value", meas_level)
    options = OptionsIn(
        seed_simulator=None if seed_simulator is None else whole("seed_simulator", seed_simulator),
        meas_level=whole("meas_level", level),
        meas_return=str(getattr(meas_return, "value", meas_return)),
        memory=bool(memory),
        circuits=overrides,
        extra=dict(extra or {}),
    )
    if common is not None:
        options.shots = common
    return options


def whole(name: str, value: Any) -> int:
    """``value`` as an int; numpy's integers are fine, floats and booleans are not."""
    if not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{name} is a whole number, not {value!r}.")


def _shots(shots: Any, count: int) -> tuple[int | None, list[int] | None]:
    if shots is None:
        return None, None
    if isinstance(shots, (list, tuple)) or getattr(shots, "ndim", 0) == 1:
        each = [whole("shots", value) for value in shots]
        if len(each) != count:
            raise Rejected(
                f"shots has {len(each)} entries for {count} circuits: give one number, or one for each circuit.",
                code="bad_shots",
                field="shots",
            )
        return max(each, default=None), each
    return whole("shots", shots), None


def _parameter_rows(circuits: object, items: list[Any], values: Any) -> list[list[list[float]]] | None:
    if values is None:
        return None
    single = isinstance(circuits, (str, bytes, bytearray)) or is_circuit(circuits)
    per_circuit = [values] if single else list(values)
    if len(per_circuit) != len(items):
        raise Rejected(
            f"parameter_values has {len(per_circuit)} entries for {len(items)} circuits: give one for each circuit "
            "(its rows, or None).",
            code="bad_option",
            field="parameter_values",
        )
    return [_rows(item, entry) for item, entry in zip(items, per_circuit, strict=True)]


def _rows(circuit: object, values: Any) -> list[list[float]]:
    if values is None:
        return []
    if isinstance(values, Mapping):
        values = _columns(circuit, values)
    try:
        rows = [list(row) for row in values] if _depth(values) == 2 else [list(values)]
        return [[float(value) for value in row] for row in rows]
    except (TypeError, ValueError):
        raise TypeError(
            "parameter_values is a row of numbers in the order of circuit.parameters, a list of such rows, or a dict "
            "from parameter to number or list of numbers."
        ) from None


def _columns(circuit: object, values: Mapping[Any, Any]) -> list[list[Any]]:
    """A dict of columns as rows, in the circuit's own order of its parameters."""
    if not is_circuit(circuit):
        raise TypeError("parameter_values as a dict needs a QuantumCircuit, which knows the order of its parameters.")
    named = {getattr(key, "name", str(key)): value for key, value in values.items()}
    wanted = [parameter.name for parameter in circuit.parameters]
    if set(named) != set(wanted):
        raise Rejected(
            f"The circuit's parameters are {', '.join(wanted) or 'none'}; parameter_values has "
            f"{', '.join(sorted(named)) or 'none'}.",
            code="bad_option",
            field="parameter_values",
        )
    columns = [list(named[name]) if _depth(named[name]) else None for name in wanted]
    lengths = {len(column) for column in columns if column is not None}
    if len(lengths) > 1:
        raise Rejected("The lists in parameter_values have different lengths.", code="bad_option")
    count = lengths.pop() if lengths else 1
    full = [c if c is not None else [named[name]] * count for name, c in zip(wanted, columns, strict=True)]
    return [[column[i] for column in full] for i in range(count)]


def _depth(values: Any) -> int:
    """0 for a number, 1 for a row, 2 for rows; numpy arrays say so themselves."""
    if (ndim := getattr(values, "ndim", None)) is not None:
        return int(ndim)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return 0
    first = next(iter(values), None)
    return 1 if first is None else 1 + _depth(first)
