"""From what a person hands over (circuits, texts, numpy numbers) to a `SubmitRequest`.

Text stays text and needs no Qiskit. Circuits travel as QPY: `data.circuits` says how. Other packages' programs travel
in the formats that these packages register.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import (
    BUILT_IN,
    ProgramError,
    ProgramFormat,
    Rejected,
    counted,
    openqasm,
    plain_json,
    text_format,
)
from qpi_jupyter.data.formats import FORMATS, QPY, has_name, is_circuit, recognised
from qpi_jupyter.wire.rest import CircuitIn, OptionsIn, ProgramIn

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_INPUT = re.compile(r"(?:^|[;}])\s*input\b", re.MULTILINE)
_NAMED, _LONGEST = 3, 80
"""So many of its circuits name a job, in so many characters."""


def is_program(thing: object) -> bool:
    """Whether `program_of` could take this: a circuit, a text, another package's program, or a list of them."""
    if isinstance(thing, (list, tuple)):
        return bool(thing) and all(map(_is_one, thing))
    return _is_one(thing)


def program_of(circuits: object, format: str | None = None) -> ProgramIn:
    """One program or a sequence of them, as the wire's program.

    Parameters
    ----------
    format
        the name of their format, where they do not say it themselves.

    Raises
    ------
    ProgramError
        the list is empty or mixes formats.
    TypeError
        something in it is no program.
    Rejected
        there is no such format.
    """
    items = as_list(circuits)
    if not items:
        raise ProgramError("The list of circuits is empty: send at least one.", code="empty_program")
    form = _format_of(items) if format is None else BUILT_IN.get(format) or FORMATS.load(format)
    if form.name == QPY.name:
        form = QPY
    sources = form.encode(items)
    if form.text:
        return ProgramIn(format=form.name, sources=[source.decode() for source in sources])
    return ProgramIn(format=form.name, data=sources)


def _format_of(items: list[Any]) -> ProgramFormat:
    formats = {form.name: form for form in map(_format_of_one, items)}
    if len(formats) > 1:
        raise ProgramError(
            f"One job has one format, not {' and '.join(sorted(formats))}: submit them as several jobs.",
            code="mixed_formats",
        )
    return formats.popitem()[1]


def _format_of_one(item: object) -> ProgramFormat:
    if isinstance(item, str):
        return text_format(item)
    form = QPY if isinstance(item, bytes | bytearray) else recognised(item)
    if form is None:
        raise TypeError(
            f"Cannot submit an object of type {type(item).__name__}: send a QuantumCircuit, an OpenQASM text, or "
            "a list of them; name the format of anything else (format=...)."
        )
    return form


def _is_one(thing: object) -> bool:
    """Whether it is one program, also where it can be gone through like a list."""
    if isinstance(thing, str) or is_circuit(thing):
        return True
    plain = thing is None or isinstance(thing, (bool, int, float, list, tuple, Iterator))
    return not plain and recognised(thing) is not None


def as_list(circuits: object) -> list[Any]:
    """The circuits as a list; a single one becomes a list of one."""
    if isinstance(circuits, (bytes, bytearray)) or _is_one(circuits):
        return [circuits]
    return list(circuits) if isinstance(circuits, Iterable) else [circuits]


def called(circuits: object) -> str:
    """What to call a job of these: the names that people gave the circuits; empty where they gave none."""
    given = (getattr(item, "name", None) for item in as_list(circuits))
    names = dict.fromkeys(name for name in given if isinstance(name, str) and has_name(name))
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    listed = ", ".join(list(names)[:_NAMED])
    readable = " ".join("".join(sign if sign.isprintable() else " " for sign in listed).split())
    return readable[:_LONGEST] + more


def once(circuits: object) -> object:
    """The circuits so that they can be gone through again: an iterator's as a list."""
    return list(circuits) if isinstance(circuits, Iterator) else circuits


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
        a number that is no whole number, or an option of the QPU's that JSON cannot say.
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
        extra=_extra(extra or {}),
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


def _extra(options: Mapping[str, Any]) -> dict[str, Any]:
    found, lost = plain_json(options)
    if lost:
        raise TypeError(f"An option is made of text, finite numbers, lists and dicts: {'; '.join(lost[:4])}.")
    return found


def _shots(shots: Any, count: int) -> tuple[int | None, list[int] | None]:
    if shots is None:
        return None, None
    if isinstance(shots, (list, tuple)) or getattr(shots, "ndim", 0) == 1:
        each = [whole("shots", value) for value in shots]
        if len(each) != count:
            raise Rejected(
                f"shots has {counted(len(each), 'value')} for {counted(count, 'circuit')}: give one number, or one for "
                "each circuit.",
                code="bad_shots",
                field="shots",
            )
        return max(each, default=None), each
    return whole("shots", shots), None


def _parameter_rows(circuits: object, items: list[Any], values: Any) -> list[list[list[float]]] | None:
    if values is None:
        return None
    single = isinstance(circuits, (bytes, bytearray)) or _is_one(circuits)
    per_circuit = [values] if single else list(values)
    if len(per_circuit) != len(items):
        raise Rejected(
            f"parameter_values has {counted(len(per_circuit), 'value')} for {counted(len(items), 'circuit')}: "
            "give one for each circuit "
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
        depth = _depth(values)
        if depth == 1 and _has_one_parameter(circuit):
            values, depth = [[value] for value in values], 2
        rows = [list(row) for row in values] if depth == 2 else [list(values)] if depth else [[values]]
        numbers = [[float(value) for value in row] for row in rows]
    except OverflowError:
        raise _not_finite("a number too large for a float") from None
    except (TypeError, ValueError):
        raise TypeError(
            "parameter_values is a row of numbers in the order of circuit.parameters, a list of such rows, the values "
            "of a circuit's one parameter, or a dict from parameter to number or list of numbers (from ParameterVector "
            "to one row of them, or a list of rows)."
        ) from None
    for number in itertools.chain.from_iterable(numbers):
        if not math.isfinite(number):
            raise _not_finite(str(number))
    return numbers


def _has_one_parameter(circuit: object) -> bool:
    """Whether a list of numbers is a value for each row, not a row with a value for each parameter."""
    if isinstance(circuit, str):
        return len(_INPUT.findall(_COMMENT.sub("", openqasm.clean(circuit)))) == 1
    return is_circuit(circuit) and len(circuit.parameters) == 1


def _not_finite(found: str) -> Rejected:
    return Rejected(f"parameter_values has {found}: give finite numbers.", code="bad_option", field="parameter_values")


def _columns(circuit: object, values: Mapping[Any, Any]) -> list[list[Any]]:
    """A dict of columns as rows, in the circuit's own order of its parameters."""
    if not is_circuit(circuit):
        raise TypeError("parameter_values as a dict needs a QuantumCircuit, which knows the order of its parameters.")
    named = _by_parameter(circuit, values)
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


def _by_parameter(circuit: QuantumCircuit, values: Mapping[Any, Any]) -> dict[str, Any]:
    """One entry a parameter: what stands for several (a vector, its name, a tuple) is taken apart."""
    known = {parameter.name for parameter in circuit.parameters}
    vectors = {p.vector.name: p.vector for p in circuit.parameters if hasattr(p, "vector")}
    named: dict[str, Any] = {}
    for key, value in values.items():
        name = str(getattr(key, "name", key))
        several = key if isinstance(key, tuple) or name in known else vectors.get(name, key)
        if isinstance(several, str) or not isinstance(several, Iterable):
            named[name] = value
            continue
        names = [str(getattr(one, "name", one)) for one in several]
        rows = [list(row) for row in value] if _depth(value) == 2 else [list(value)]
        if any(len(row) != len(names) for row in rows):
            wrong = next(len(row) for row in rows if len(row) != len(names))
            raise Rejected(
                f"parameter_values has {counted(wrong, 'value')} in a row for {name}, which has "
                f"{counted(len(names), 'parameter')}.",
                code="bad_option",
                field="parameter_values",
            )
        single = _depth(value) < 2
        named |= {one: rows[0][i] if single else [row[i] for row in rows] for i, one in enumerate(names)}
    # Of a vector, a circuit may use a part.
    parts = {p.name for vector in vectors.values() for p in vector} - known
    return {name: value for name, value in named.items() if name not in parts}


def _depth(values: Any) -> int:
    """0 for a number, 1 for a row, 2 for rows; numpy arrays say so themselves."""
    if (ndim := getattr(values, "ndim", None)) is not None:
        return int(ndim)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return 0
    first = next(iter(values), None)
    return 1 if first is None else 1 + _depth(first)
