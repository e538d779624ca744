"""Quantum programs of IBM's client (its `Executor`, and the primitives that it builds on that) as they travel: the
program ``runtime-executor`` of the lab, and results as that client reads them.

A source is the JSON of `qpi_jupyter.data.primitives`; its ``params`` have ``schema_version``, ``quantum_program`` and
``options``, as the package ``ibm-quantum-schemas`` describes them (``executor``, v0.1 to v2.0). Nothing of that
package is needed to read them. A program that says no shots has those of the job's own run options.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import PRIMITIVE, ProgramError, ProgramFormat, QpiError

from . import conventions as c
from . import primitives
from .arrays import NUM_BITS, arrays
from .formats import QPY

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

SCHEMA = "schema_version"
"""The key of a result's facts that only a quantum program has."""
VERSIONS = ("v0.1", "v0.2", "v1.0", "v1.1", "v2.0")
_EACH_ITS_OWN = ("v0.1", "v0.2")
"""Versions in which each item has a file with its circuit."""
_COMPRESSED = "v2.0"
"""The version whose files and tensors are compressed (zlib)."""
_TYPES = {
    "bool": "?", "u8": "<u1", "u16": "<u2", "u32": "<u4", "u64": "<u8", "i8": "<i1", "i16": "<i2", "i32": "<i4",
    "i64": "<i8", "f16": "<f2", "f32": "<f4", "f64": "<f8", "c64": "<c8", "c128": "<c16",
}  # fmt: skip
_OLD_TYPES = {"bool": "bool", "uint8": "u8", "complex64": "c128", "complex128": "c128"}
"""What the older versions know; every other number is an ``f64``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One circuit of a program: with the values of its parameters, or with a samplex that draws them.

    ``shape`` is what was asked for; that of the values broadcasts to it. ``samplex`` is its JSON, whose arguments are
    numbers, arrays, and Pauli-Lindblad maps as (terms, number of qubits).
    """

    circuit: Any
    values: np.ndarray | None
    samplex: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedProgram:
    """What a source asks for; ``simulator`` are the options of the client's own simulation, the seed among them."""

    backend: str
    schema_version: str
    shots: int | None
    items: Sequence[Item]
    meas_level: str
    options: Mapping[str, Any]
    simulator: Mapping[str, Any]
    max_execution_time: float | None


class QuantumProgramFormat(ProgramFormat):
    """A quantum program of IBM's client."""

    def read(self, source: bytes) -> Sequence[object]:
        """The circuits of its items."""
        return [item.circuit for item in read_program(source).items]

    def to_text(self, program: object) -> str:
        """The circuit in OpenQASM 3."""
        return QPY.to_text(program)

    def example(self) -> bytes:
        """One qubit, turned and measured."""
        from qiskit import QuantumCircuit

        from .circuits import to_qpy

        circuit = QuantumCircuit(1, name="example")
        circuit.x(0)
        circuit.measure_all()
        data = base64.standard_b64encode(zlib.compress(to_qpy([circuit]))).decode()
        program = {
            "circuits": {"b64_data": data},
            "items": [{"item_type": "circuit", "circuit_arguments": tensor(_nothing(), _COMPRESSED), "shape": []}],
        }  # fmt: skip
        params = {SCHEMA: _COMPRESSED, "quantum_program": program, "options": {}}
        return json.dumps({"backend": "fake_manila@ideal", "params": params}).encode()


QUANTUM_PROGRAM = QuantumProgramFormat(
    name="runtime-executor",
    noun="quantum program",
    text=False,
    language="text/x-openqasm",
    suffix=".json",
    many=True,
)


def _nothing() -> np.ndarray:
    import numpy as np

    return np.zeros(0)


def read_program(source: bytes) -> AskedProgram:
    """What a source asks for.

    Raises
    ------
    ProgramError
        it is not JSON of this form, or a value in it cannot be read; the message says which.
    TooLarge
        its circuits and arrays are too large without their compression.
    """
    try:
        raw = json.loads(source)
        params = raw["params"]
        version = params[SCHEMA]
        program, options = params["quantum_program"], params.get("options") or {}
        shots, level = program.get("shots"), program.get("meas_level", "classified")
        items = list(_items(program, version)) if version in VERSIONS else []
        simulator = _simulator(program.get("passthrough_data"))
    except (QpiError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a reader written in Rust panics with a BaseException
        said = f"{type(error).__name__}: {error}"[:500]
        raise ProgramError(f"The quantum program cannot be read: {said}", code="bad_program") from error
    if version not in VERSIONS:
        message = f"This lab reads quantum programs of the schema versions {', '.join(VERSIONS)}, not {version!r}."
        raise ProgramError(message[:500], code="bad_program")
    if not items:
        raise ProgramError("The quantum program has no items: add one with append_circuit_item.", code="bad_program")
    if not isinstance(options, dict) or isinstance(shots, bool) or not isinstance(shots, int | None):
        raise ProgramError("The shots are a whole number, and the options an object.", code="bad_program")
    return AskedProgram(
        backend=str(raw.get("backend", "")), schema_version=version, shots=shots, items=items, meas_level=str(level),
        options=options, simulator=simulator, max_execution_time=raw.get("max_execution_time"),
    )  # fmt: skip


def _simulator(passed: Any) -> dict[str, Any]:
    """The client's own primitives hand their options through a program; what simulates it is said nowhere else."""
    for name in ("post_processor", "options", "simulator"):
        passed = passed.get(name) if isinstance(passed, dict) else None
    return passed if isinstance(passed, dict) else {}


def _items(program: Mapping[str, Any], version: str) -> Iterator[Item]:
    reader, items = primitives.Reader(), program["items"]
    circuits = _circuits(program, items, version, reader)
    if len(circuits) != len(items):
        raise ValueError(f"there are {len(circuits)} circuits for {len(items)} items")
    for circuit, item in zip(circuits, items, strict=True):
        shape = tuple(item.get("shape") or ())
        if not all(isinstance(length, int) and 0 <= length < 2**31 for length in shape) or len(shape) > 16:
            raise ValueError("the shape of an item is a list of a few lengths")
        if item["item_type"] == "circuit":
            values = _read_tensor(item["circuit_arguments"], version, reader)
            yield Item(circuit=circuit, values=values, shape=shape)
        else:
            samplex = str(item["samplex"]["samplex_json"])
            _check_samplex(json.loads(samplex))
            arguments = {name: _argument(value, version, reader) for name, value in item["samplex_arguments"].items()}
            yield Item(circuit=circuit, values=None, samplex=samplex, arguments=arguments, shape=shape)


def _circuits(program: Mapping[str, Any], items: Sequence[Any], version: str, reader: primitives.Reader) -> list[Any]:
    """Those of all items in one file, or each with its item, as the first versions have it."""
    if version in _EACH_ITS_OWN:
        files = [item["circuit"]["circuit_b64"] for item in items]
    elif "b64_data" in program["circuits"]:
        files = [program["circuits"]["b64_data"]]
    else:
        raise ProgramError("The circuits of a quantum program are taken as QPY only.", code="bad_program")
    return [circuit for file in files for circuit in reader.circuits(file, compressed=version == _COMPRESSED)]


def _argument(value: Any, version: str, reader: primitives.Reader) -> Any:
    if isinstance(value, bool | int):
        return value
    if "sparse_terms" in value:
        return [(str(paulis), list(qubits), float(rate)) for paulis, qubits, rate in value["sparse_terms"]], int(
            value["num_qubits"]
        )
    return _read_tensor(value, version, reader)


def _read_tensor(raw: Mapping[str, Any], version: str, reader: primitives.Reader) -> np.ndarray:
    import numpy as np

    kind, shape = raw["dtype"], [int(length) for length in raw["shape"]]
    size = math.prod(shape)
    data = reader.expanded(raw["data"]) if version == _COMPRESSED else base64.b64decode(raw["data"])
    if kind == "bool" and size <= 8 * len(data):  # what is missing would be filled up, however much it is
        flat = np.unpackbits(np.frombuffer(data, np.uint8), count=size, bitorder="little").astype(bool)
    else:
        flat = np.frombuffer(data, _TYPES[kind])
    if min(shape, default=0) < 0 or flat.size != size:
        raise ValueError(f"a tensor of the shape {shape} has {flat.size} elements")
    return flat.reshape(shape)


def _check_samplex(found: Any) -> None:
    """Refuse parts of a samplex in files that could run code; its texts hold JSON again."""
    if isinstance(found, dict):
        if isinstance(data := found.get("circuit_base64"), str):
            QPY.check(base64.b64decode(data), 0)
        found = list(found.values())
    if isinstance(found, list):
        for one in found:
            _check_samplex(one)
    elif isinstance(found, str) and found[:1] in ("{", "["):
        _check_samplex(json.loads(found))


# --- what IBM's client reads ------------------------------------------------------------------------------------------


def rendered(datasets: Sequence[xr.Dataset]) -> bytes | None:
    """The result of a primitive or of a quantum program as IBM's client decodes it; None of other Datasets.

    A quantum program's ``passthrough_data`` and ``semantic_role`` are not in it: whoever has the program adds them.
    """
    facts: list[Any] = [c.circuit_info(dataset.attrs).metadata.get(PRIMITIVE) for dataset in datasets]
    if any(own is None for own in facts) or SCHEMA not in facts[0]["result"]:
        return primitives.rendered(datasets)
    version, timing = facts[0]["result"][SCHEMA], facts[0]["result"]["timing"]
    metadata = None if version == VERSIONS[0] else {"scheduler_timing": None, "stretch_values": None}
    data = [
        {
            "results": {
                own["pub"]["names"].get(name, name): tensor(_plain(array), version)
                for name, array in arrays(dataset).items()
            },
            "metadata": metadata,
        }
        for own, dataset in zip(facts, datasets, strict=True)
    ]
    parts = [_part(index, own["shape"]) for index, own in enumerate(facts)]
    about = {"chunk_timing": [{**timing, "parts": parts}], "not_applied": facts[0]["result"].get("not_applied", [])}
    return json.dumps({SCHEMA: version, "data": data, "metadata": about}).encode()


def _plain(array: Any) -> Any:
    """Bits as booleans, the register's first bit first."""
    return array.to_bool_array(order="little") if hasattr(array, NUM_BITS) else array


def _part(index: int, shape: Sequence[int]) -> dict[str, Any]:
    size = math.prod(shape)
    axes = list(range(len(shape)))
    return {"idx_item": index, "size": size, "permutation": axes, "element_range": [0, size, 1]}


def tensor(array: Any, version: str) -> dict[str, Any]:
    """An array as a schema version writes it."""
    import numpy as np

    array = np.asarray(array)
    kinds = {str(np.dtype(kind)): name for name, kind in _TYPES.items()} if version == _COMPRESSED else _OLD_TYPES
    name = kinds.get(str(array.dtype), "f64")
    data = np.packbits(array, bitorder="little") if name == "bool" else array.astype(_TYPES[name])
    packed = zlib.compress(data.tobytes()) if version == _COMPRESSED else data.tobytes()
    return {"data": base64.standard_b64encode(packed).decode(), "shape": list(array.shape), "dtype": name}
