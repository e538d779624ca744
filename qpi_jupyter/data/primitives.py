"""Jobs of IBM's primitives as they travel: pubs as a program of the lab, and results as IBM's client reads them.

A source is JSON, ``{"backend": name, "params": {}, "max_execution_time": s, "default_shots": n}``. Its ``params`` are
those that IBM's client sends to ``POST jobs``, with pubs and options, whose values are written as by that client's
``RuntimeEncoder``: ``{"__type__": ..., "__value__": ...}``. Only the params are needed. The shots of the job's own run
options are those of pubs for which nothing else is said.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from qpi_jupyter.core import MAX_EXPANDED_BYTES, PRIMITIVE, ProgramError, ProgramFormat, QpiError, TooLarge

from . import conventions as c
from .arrays import NUM_BITS, arrays
from .formats import QPY

if TYPE_CHECKING:
    import xarray as xr
    from qiskit import QuantumCircuit

_TYPE, _VALUE = "__type__", "__value__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a source asks for: pubs with their circuits and arrays, options as the client sent them."""

    backend: str
    pubs: Sequence[Sequence[Any]]
    options: Mapping[str, Any] = field(default_factory=dict)
    resilience_level: Any = None
    max_execution_time: float | None = None
    default_shots: int | None = None


class PrimitiveProgram(ProgramFormat):
    """A list of pubs for one of IBM's primitives."""

    def read(self, source: bytes) -> Sequence[object]:
        """The circuits of the pubs; one in OpenQASM 3 stays a text."""
        return [pub[0] for pub in read_asked(source).pubs]

    def to_text(self, program: object) -> str:
        """The circuit in OpenQASM 3."""
        return program if isinstance(program, str) else QPY.to_text(program)

    def example(self) -> bytes:
        """One qubit, turned and measured, or its Z."""
        from qiskit import QuantumCircuit

        circuit = QuantumCircuit(1, name="example")
        circuit.x(0)
        if self is SAMPLER:
            circuit.measure_all()
        pub = [to_json(circuit), *([] if self is SAMPLER else [{"Z": 1.0}]), None, None]
        return json.dumps({"backend": "fake_manila@ideal", "params": {"pubs": [pub]}}).encode()


SAMPLER, ESTIMATOR = (
    PrimitiveProgram(
        name=f"runtime-{program}",
        noun="list of pubs",
        text=False,
        language="text/x-openqasm",
        suffix=".json",
        many=True,
    )
    for program in ("sampler", "estimator")
)


def read_asked(source: bytes) -> Asked:
    """What a source asks for.

    Raises
    ------
    ProgramError
        it is not JSON of this form, or a value in it cannot be read; the message says which.
    TooLarge
        its circuits and arrays are too large without their compression.
    """
    try:
        raw = json.loads(source, object_hook=Reader().value)
    except (ValueError, RecursionError) as error:
        raise ProgramError(f"The pubs are not valid JSON: {error}", code="bad_pub") from error
    raw = raw if isinstance(raw, dict) else {}
    params = raw.get("params")
    params = params if isinstance(params, dict) else {}
    pubs = params.get("pubs")
    if not isinstance(pubs, list) or not pubs:
        raise ProgramError("There are no pubs: run([circuit]) has one for each circuit.", code="bad_pub")
    from qiskit import QuantumCircuit

    for index, pub in enumerate(pubs):
        if not isinstance(pub, list) or not pub or not isinstance(pub[0], QuantumCircuit | str):
            message = f"Pub {index} does not begin with a QuantumCircuit, or with one in OpenQASM 3."
            raise ProgramError(message, code="bad_pub", circuit=index)
    options = params.get("options") or {}
    if not isinstance(options, dict):
        raise ProgramError("The options are not an object of names and values.", code="bad_option")
    return Asked(
        backend=str(raw.get("backend", "")),
        pubs=pubs,
        options={**options, **{name: params[name] for name in ("shots", "precision") if params.get(name) is not None}},
        resilience_level=params.get("resilience_level"),
        max_execution_time=raw.get("max_execution_time"),
        default_shots=raw.get("default_shots"),
    )


class Reader:
    """Reads typed values, all of which together keep to one limit. Strangers sent them: nothing is unpickled or
    imported, and a value of a type that no pub has stays what it is, for whoever meets it to refuse."""

    def __init__(self) -> None:
        self._left = MAX_EXPANDED_BYTES

    def value(self, found: dict[str, Any]) -> Any:
        kind, value = found.get(_TYPE), cast(Any, found.get(_VALUE))
        try:
            if kind == "QuantumCircuit":
                (circuit,) = self.circuits(value)
                return circuit
            if kind == "ndarray":
                return self._array(value)
            if kind == "complex":
                return complex(*value)
        except QpiError:
            raise
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # a reader written in Rust panics with a BaseException
            raise ProgramError(f"A {kind} of the pubs cannot be read: {error}", code="bad_pub") from error
        return found

    def circuits(self, value: str, *, compressed: bool = True) -> list[QuantumCircuit]:
        """The circuits of a QPY file in base64."""
        from .circuits import from_qpy

        data = self.expanded(value) if compressed else base64.b64decode(value)
        QPY.check(data, 0)
        return from_qpy(data)

    def _array(self, value: Any) -> Any:
        import numpy as np

        if not isinstance(value, str):
            return np.array(value)
        return np.load(io.BytesIO(self.expanded(value)), allow_pickle=False)

    def expanded(self, value: str) -> bytes:
        """Bytes in base64 without their compression (zlib).

        Raises
        ------
        TooLarge
            with all that this reader expanded before, they are more than a job may have.
        """
        expander = zlib.decompressobj()
        data = expander.decompress(base64.b64decode(value), self._left)
        if expander.unconsumed_tail or not expander.eof:
            message = f"The circuits and arrays have more than {MAX_EXPANDED_BYTES:,} bytes before compression."
            raise TooLarge(message, code="program_too_large", limit=MAX_EXPANDED_BYTES)
        self._left -= len(data)
        return data


# --- what IBM's client reads ------------------------------------------------------------------------------------------


def rendered(datasets: Sequence[xr.Dataset]) -> bytes | None:
    """A PrimitiveResult as IBM's client decodes it; None of Datasets that are not of pubs."""
    pubs, metadata = [], None
    for dataset in datasets:
        own = c.circuit_info(dataset.attrs).metadata.get(PRIMITIVE)
        if own is None:
            return None
        data, metadata = arrays(dataset), metadata or own["result"]
        sampled = any(hasattr(array, NUM_BITS) for array in data.values())
        value = {"data": _data_bin(data, own["shape"]), "metadata": own["pub"]}
        pubs.append(_typed("SamplerPubResult" if sampled else "PubResult", value))
    return json.dumps(_typed("PrimitiveResult", {"pub_results": pubs, "metadata": metadata})).encode()


def to_json(thing: Any) -> Any:
    """A circuit, an array or a BitArray as IBM's client writes it."""
    import numpy as np
    from qiskit import QuantumCircuit

    from .circuits import to_qpy

    if (bits := getattr(thing, NUM_BITS, None)) is not None:
        return _typed("BitArray", {"array": to_json(thing.array), "num_bits": bits})
    if isinstance(thing, QuantumCircuit):
        return _typed("QuantumCircuit", _packed(to_qpy([thing])))
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(thing), allow_pickle=False)
    return _typed("ndarray", _packed(buffer.getvalue()))


def span(start: str, stop: str, shapes: Sequence[tuple[tuple[int, ...], int]]) -> dict[str, Any]:
    """When (RFC 3339) all pubs were measured, as the ``execution_spans`` of a sampler's result."""
    slices = {}
    for index, (shape, shots) in enumerate(shapes):
        size = 1
        for length in shape:
            size *= length
        slices[str(index)] = [[*shape, shots], 0, size, 0, shots]
    times = {"start": _typed("datetime", start), "stop": _typed("datetime", stop)}
    return _typed("ExecutionSpans", {"spans": [_typed("DoubleSliceSpan", {**times, "data_slices": slices})]})


def _data_bin(data: Mapping[str, Any], shape: Sequence[int]) -> dict[str, Any]:
    types = ["BitArray" if hasattr(array, NUM_BITS) else "ndarray" for array in data.values()]
    fields = {name: to_json(array) for name, array in data.items()}
    return _typed("DataBin", {"field_names": list(data), "field_types": types, "shape": list(shape), "fields": fields})


def _packed(data: bytes) -> str:
    return base64.standard_b64encode(zlib.compress(data)).decode()


def _typed(kind: str, value: Any) -> dict[str, Any]:
    return {_TYPE: kind, _VALUE: value}
