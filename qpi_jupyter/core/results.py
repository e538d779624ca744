"""Results as JSON: the header that a driver sends, and the Qiskit Result that the server renders from it.

The header is ``{"v": 1, "success": true, "circuits": [...], "provenance": {...} | null}``; each circuit has::

    name, circuit, row, shots, meas_level, meas_return, creg_sizes, qreg_sizes, memory_slots, n_qubits, seed, metadata
    kind        of the result, a name: "shots", "counts", "points", ...
    counts      {"0x3": 517, ...}: outcomes that came; null where the kind has none
    truncated   true: only the most frequent outcomes are here (or no level-1 data), the dataset has them all
    memory      points only: [[re, im], ...] per classical bit ("avg"), or such a list per shot ("single"), or null
    parameters  {"theta": 0.5, ...}: the values of this row, where the circuit has any
    drawings    what is to be drawn of a result of another kind, and of a sweep in its first row: see
                `qpi_jupyter.data.drawings`

A header of very many circuits has the fields that are the same for all in ``common``: read circuits with
`header_circuits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HEADER_VERSION = 1
MAX_HEADER_BYTES = 3 << 20
"""Room for what has to be said of each of the most circuits that a job may have."""
PRIMITIVE = "primitive"
"""The key in a circuit's metadata under which a pub's own facts are."""
MAX_NAME = 10_000
"""A circuit's or register's name (characters)."""
MAX_DRAWINGS = 25
"""Of one circuit."""
MAX_SHARED_BYTES = 16 << 20
"""What the circuits of a header share, written out for each of them (bytes)."""


def header_circuits(header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The circuits of a header, each with all its fields."""
    common = header.get("common") or {}
    return [{**common, **circuit} for circuit in header["circuits"]]


def share_common(header: dict[str, Any]) -> None:
    """Move the fields that all circuits share to ``common``, in place."""
    circuits: list[dict[str, Any]] = header["circuits"]
    first = circuits[0]
    shared = {name: value for name, value in first.items() if all(entry.get(name) == value for entry in circuits)}
    header["common"] = {**header.get("common", {}), **shared}
    header["circuits"] = [{name: value for name, value in entry.items() if name not in shared} for entry in circuits]


def format_outcome(value: int, creg_sizes: Iterable[Sequence[Any]], memory_slots: int) -> str:
    """One outcome as Qiskit keys it: the last register first, a space between registers."""
    text = format(value, f"0{memory_slots}b") if memory_slots else ""
    sizes = [int(register[1]) for register in creg_sizes]
    if sum(sizes) != memory_slots:
        # Loose or shared bits: Qiskit's own split by registers would lose some.
        return text
    parts, end = [], len(text)
    for size in sizes:
        parts.append(text[end - size : end])
        end -= size
    return " ".join(reversed(parts))


def not_applied(header: Mapping[str, Any]) -> list[str]:
    """Options of IBM's client that were set and changed nothing, where the result is that of a primitive."""
    found: Any = {**(header.get("common") or {}), **header["circuits"][0]}
    for key in ("metadata", PRIMITIVE, "result", "not_applied"):  # of another result, the circuit's own: anything
        found = found.get(key) if isinstance(found, dict) else None
    return [str(name) for name in found] if isinstance(found, list) else []


def parse_outcome(key: str) -> int:
    """The integer behind a Qiskit key (``"1 01"``) or a hex key (``"0x5"``)."""
    text = key.replace(" ", "")
    return int(text, 16) if text.startswith("0x") else int(text, 2)


def result_kind(circuit: Mapping[str, Any]) -> str:
    """Of which kind a circuit's result is; drivers of earlier versions had two to send, and don't say which."""
    return circuit.get("kind") or ("points" if circuit["meas_level"] == 1 else "counts")


def qiskit_result(header: Mapping[str, Any], job_id: str, backend_name: str) -> dict[str, Any]:
    """The header as the JSON of Qiskit's Result, which ``qiskit.result.Result.from_dict`` reads.

    Single shots are not in it at level 2: they are in the dataset.
    """
    origin = header.get("provenance") or {}
    return {
        "backend_name": backend_name,
        "backend_version": origin.get("executor_version", ""),
        "qobj_id": job_id,
        "job_id": job_id,
        "success": header["success"],
        "status": "COMPLETED" if header["success"] else "ERROR",
        "date": origin.get("finished_at"),
        "time_taken": origin.get("busy_s"),
        "results": [_experiment(circuit, header["success"]) for circuit in header_circuits(header)],
    }


def _experiment(circuit: Mapping[str, Any], success: bool) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if circuit["counts"] is not None:
        data["counts"] = circuit["counts"]
    if circuit.get("memory") is not None:
        data["memory"] = circuit["memory"]
    told = {} if circuit.get("drawings") is None else {"drawings": circuit["drawings"]}
    if circuit.get("row") is not None:
        told |= {"row": circuit["row"], "parameters": circuit.get("parameters") or {}}
    return {
        **told,
        "circuit": circuit.get("circuit", 0),
        "kind": result_kind(circuit),
        "shots": circuit["shots"],
        "success": success,
        "status": "DONE" if success else "ERROR",
        "meas_level": circuit["meas_level"],
        "meas_return": circuit["meas_return"],
        "seed_simulator": circuit.get("seed"),
        "truncated": circuit.get("truncated", False),
        "data": data,
        "header": {
            name: circuit.get(name)
            for name in ("name", "creg_sizes", "qreg_sizes", "memory_slots", "n_qubits", "metadata")
        },
    }
