"""Device and hardware files: those that the executors take, and the example that comes with the package."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from qpi_jupyter.core import Rejected

from .device import Device, Edge, Hardware, Qubit

EXAMPLE_DEVICE, EXAMPLE_HARDWARE = "five_transmons.json", "five_transmons_cluster.json"


def read(path: str | None, example: str, option: str) -> bytes:
    """The file of an executor's option, or the example that stands for none.

    Raises
    ------
    Rejected
        the file cannot be read.
    """
    if path is None:
        return (files(__package__) / "examples" / example).read_bytes()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Rejected(
            f"Cannot read the file of the option {option!r}: {error.strerror}: {path}.", code="bad_option", field=option
        ) from None


def device(source: bytes) -> Device:
    """A device from our own JSON: the fields of `Device`, complex numbers as ``[re, im]``, edges as ``PARENT_CHILD``.

    Raises
    ------
    Rejected
        it is no such file; the message names the key.
    """
    try:
        raw = msgspec.json.decode(source, type=_DeviceFile, dec_hook=_complex)
        edges = {_pair(name, raw.qubits): edge for name, edge in raw.edges.items()}
        return Device(name=raw.name, qubits=raw.qubits, edges=edges, calibration_id=raw.calibration_id)
    except (msgspec.DecodeError, ValueError) as error:
        raise Rejected(f"Cannot read the device file: {error}.", code="bad_option", field="device") from None


def hardware(source: bytes, config_type: str, *, example: bool) -> Hardware:
    """A hardware configuration for the library that has this ``config_type``.

    Raises
    ------
    Rejected
        it is no JSON, or meant for another library.
    """
    try:
        found: dict[str, Any] = json.loads(source)
        kind = found.get("config_type")
    except (ValueError, AttributeError) as error:
        raise Rejected(f"Cannot read the hardware file: {error}.", code="bad_option", field="hardware") from None
    if example:
        return {**found, "config_type": config_type}
    if kind != config_type:
        raise Rejected(
            f"The hardware file has the config_type {kind!r}; this executor takes {config_type!r}.",
            code="bad_option", field="hardware",
        )  # fmt: skip
    return found


class _DeviceFile(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    qubits: dict[str, Qubit]
    edges: dict[str, Edge] = {}
    calibration_id: str = ""


def _complex(kind: type, value: Any) -> complex:  # Any: JSON
    if kind is complex and isinstance(value, list) and len(value) == 2:
        return complex(*value)
    raise ValueError(f"expected a pair of numbers, got {value!r}")


def _pair(name: str, qubits: dict[str, Qubit]) -> tuple[str, str]:
    for parent in qubits:
        child = name.removeprefix(f"{parent}_")
        if child != name and child in qubits:
            return parent, child
    raise ValueError(f"the edge {name!r} must be named as PARENT_CHILD, after two of the qubits")
