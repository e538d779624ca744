"""A sweep as a person asks for it: values by parameter, as rows and axes; and the key that finds its job again."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from qpi_jupyter.core import MAX_CIRCUITS, Rejected, TooLarge
from qpi_jupyter.data.formats import is_circuit
from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.rest import CircuitIn, SweepAxisIn

from .calling import did_you_mean, no_option
from .programs import as_list


def rows_of(circuit: object, values: Mapping[str, Any], *, zipped: bool) -> CircuitIn:
    """The rows of all points, and their axes: a grid with an axis for each parameter in the order given, the last one
    running fastest; ``zipped``, all along one axis. A single number stays as it is.

    Raises
    ------
    Rejected
        there are no values, not those of the circuit's parameters, or lists of unlike lengths side by side.
    TooLarge
        more points than a job may have.
    """
    columns = {name: _column(name, given) for name, given in values.items()}
    names = _names(circuit, columns)
    swept = {name: column for name, column in columns.items() if isinstance(column, list)}
    if not swept:
        raise _wrong("A sweep needs a parameter with several values, such as theta=np.linspace(0, np.pi, 41).")
    lengths = {name: len(column) for name, column in swept.items()}
    if zipped and len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise _wrong(f"Parameters that change together have as many values each; here: {told}.")
    size = next(iter(lengths.values())) if zipped else math.prod(lengths.values())
    if not 0 < size <= MAX_CIRCUITS:
        raise TooLarge(
            f"This sweep has {size:,} points; one job has 1 to {MAX_CIRCUITS:,}. Submit it in parts, for example with "
            "every part of the values in a sweep of its own.",
            code="too_many_points", limit=MAX_CIRCUITS,
        )  # fmt: skip
    units = {name: str(unit) for name in swept if (unit := _unit(values[name]))}
    grouped = [list(swept)] if zipped else [[name] for name in swept]
    axes = [
        SweepAxisIn(
            parameters=group, length=lengths[group[0]], units={name: units[name] for name in group if name in units}
        )
        for group in grouped
    ]
    rows = []
    for place in itertools.product(*(range(axis.length) for axis in axes)):
        at = {name: k for group, k in zip(grouped, place, strict=True) for name in group}
        rows.append([swept[name][at[name]] if name in swept else columns[name] for name in names])
    return CircuitIn(parameter_values=rows, axes=axes)


def check_words(circuit: object, given: Iterable[str], options: Iterable[str]) -> None:
    """Refuse a keyword that is no parameter of the circuit, but nearly one, or nearly an option.

    Raises
    ------
    TypeError
        with what was probably meant.
    """
    if not is_circuit(circuit):
        return
    known = [parameter.name for parameter in circuit.parameters]
    for word in given:
        if word not in known and did_you_mean(word, [*options, *known]):
            raise no_option("sweep", word, [*options, *known])


def key_of(circuit: object, request: SubmitRequest) -> str:
    """The same for the same sweep: of what is measured and where, and not of the cell or the hour."""
    options, qpu = request.options, request.qpu
    what = [
        _form(circuit), [(one.parameter_values, [axis.parameters for axis in one.axes]) for one in options.circuits],
        qpu, options.shots, options.seed_simulator, options.meas_level, options.meas_return, options.memory,
        options.extra,
    ]  # fmt: skip
    return f"sweep-{hashlib.sha256(json.dumps(what, sort_keys=True, default=repr).encode()).hexdigest()[:32]}"


def _column(name: str, given: Any) -> Any:
    try:
        if getattr(given, "ndim", 1) == 0 or not isinstance(given, Iterable):
            return _finite(name, float(given))
        return [_finite(name, float(value)) for value in given]
    except (TypeError, ValueError):
        raise TypeError(f"The values of {name!r} are a list of numbers, or one number, not {given!r}.") from None


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise _wrong(f"The values of {name!r} have {value}: give finite numbers.")
    return value


def _unit(given: Any) -> Any:
    """What xarray says of a coordinate."""
    return getattr(given, "attrs", {}).get("units")


def _names(circuit: object, given: Iterable[str]) -> list[str]:
    """The circuit's parameters in its own order, which is that of their names."""
    if not is_circuit(circuit):
        return sorted(given)
    known = [parameter.name for parameter in circuit.parameters]
    if set(known) != set(given):
        asked = f"the sweep has values for {', '.join(given)}" if given else "the sweep has no values"
        if not known:
            raise _wrong(f"The circuit has no parameters; {asked}.")
        raise _wrong(f"The circuit's parameters are {', '.join(known)}; {asked}.")
    return known


def _wrong(message: str) -> Rejected:
    return Rejected(message, code="bad_option", field="parameter_values")


def _form(thing: Any) -> Any:
    """A circuit by what it does: neither its name nor what Qiskit makes up anew in every process is in it."""
    if not is_circuit(thing):
        return [one if isinstance(one, str) else repr(one) for one in as_list(thing)]
    find = thing.find_bit
    return [
        thing.num_qubits, [(register.name, register.size) for register in thing.cregs],
        [
            [
                step.operation.name, [find(bit).index for bit in step.qubits], [find(bit).index for bit in step.clbits],
                [_value(one) for one in step.operation.params], str(getattr(step.operation, "condition", "")),
                _inside(step.operation),
            ]
            for step in thing.data
        ],
        str(thing.global_phase),
    ]  # fmt: skip


def _value(parameter: Any) -> Any:
    if is_circuit(parameter):
        return _form(parameter)
    return parameter.tolist() if hasattr(parameter, "tolist") else str(parameter)


def _inside(operation: Any) -> Any:
    """The definition of a gate that is nobody's standard."""
    kind = getattr(operation, "base_class", type(operation))
    if kind.__module__.startswith("qiskit.circuit.library") or hasattr(operation, "blocks"):
        return None
    definition = getattr(operation, "definition", None)
    return None if definition is None else _form(definition)
