"""A job's result as QPI's drivers send it, with the header and the shots that they leave out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Raw

MAX_MEMORY_BYTES = 64 << 20
"""Single shots as text, of all circuits of a job together."""
MAX_KEYS_BYTES = 16 << 20
"""The outcomes of all circuits written out as bits; where they are more, the later circuits come without counts."""

_Json = Mapping[str, Any]


def qpi_results(result: _Json) -> dict[str, Any]:
    """QPI's result dictionary, from Qiskit's Result JSON.

    Without ``memory`` Qiskit's ``BackendSamplerV2`` reads every shot as zeros. The lab keeps single shots in the
    dataset alone, so that those here are the counted ones, outcome by outcome: right in number, without their order.
    """
    room, keys_room = MAX_MEMORY_BYTES, MAX_KEYS_BYTES
    circuits: list[dict[str, Any]] = []
    for experiment in result["results"]:
        counts = experiment["data"].get("counts")
        keys_room -= len(counts or ()) * experiment["header"]["memory_slots"]
        entry = _circuit(experiment, whole=keys_room >= 0)
        if counts is not None and keys_room >= 0:
            shots = _shots(counts, room)
            if shots is not None:
                entry["memory"] = shots
                room -= len(bytes(shots))
        circuits.append(entry)
    first = {name: circuits[0][name] for name in _summary(circuits[0])} if circuits else {}
    return {
        "shots": circuits[0]["shots"] if circuits else 0,
        "backend": result["backend_name"],
        "success": result["success"],
        "circuit_results": circuits,
        **first,
    }


def _summary(circuit: _Json) -> tuple[str, ...]:
    """What of the first circuit stands at the top, too."""
    return ("counts",) if "counts" in circuit else ("memory",) if "memory" in circuit else ()


def _circuit(experiment: _Json, *, whole: bool) -> dict[str, Any]:
    """One circuit's entry; unless it is ``whole``, without its counts."""
    header, data = experiment["header"], experiment["data"]
    width, sizes = header["memory_slots"], header["creg_sizes"]
    told: dict[str, Any] = {"name": header["name"], "memory_slots": width}
    if sum(size for _, size in sizes) == width:  # else Qiskit would cut the loose bits off
        told["creg_sizes"] = sizes
    entry: dict[str, Any] = {"shots": experiment["shots"], "header": told}
    if (counts := data.get("counts")) is not None:
        entry["counts"] = {format(int(key, 16), f"0{width}b"): n for key, n in counts.items()} if whole else {}
    elif (memory := data.get("memory")) is not None:
        entry["memory"] = [memory] if experiment["meas_return"] == "avg" else memory
    if experiment["truncated"] or not whole:
        entry["truncated"] = True
    return entry


def _shots(counts: Mapping[str, int], room: int) -> Raw | None:
    """Every shot as a JSON string, or None if they need more than ``room`` bytes."""
    size = sum((len(key) + 3) * count for key, count in counts.items())
    if size > room:
        return None
    text = b"".join(f'"{key}",'.encode() * count for key, count in counts.items())
    return Raw(b"[" + text[:-1] + b"]")
