"""Files of a chip and its hardware for either scheduler, as the libraries read them."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qpi_executors.instruments.device import PORTS
from qpi_jupyter.core import Rejected

from .chip import DURATION_S, Chip, Part
from .device import device
from .findings import Findings
from .hardware import for_library
from .setup import read_all

_WRITTEN = ("reset", "rxy", "measure", "pulse_compensation", "ports", "clock_freqs")
_LOST = "T1, T2, errors and points of the readout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """Texts by file name. ``assumed`` and ``warnings`` are sentences that begin with a file and a key.

    ``warnings`` tell what would not work on an instrument; it is written as it was read all the same.
    """

    files: Mapping[str, str]
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]


def convert(paths: Sequence[Path], library: str) -> Converted:
    """What these files say as ``device.json`` and ``hardware.json`` for ``qblox`` (qblox-scheduler) or ``quantify``.

    Raises
    ------
    Rejected
        as `load`; also where the library has no place for something that changes what is played.
    """
    contents = read_all(paths)
    findings, files = contents.findings, {}
    if contents.chip is None and contents.hardware is None:
        raise Rejected("Name a device file, a hardware configuration, or both.", code="bad_config", field="files")
    if contents.chip is not None:
        device(contents.chip, deepcopy(contents.hardware), findings, contents.file)  # for what it finds
        files["device.json"] = device_file(contents.chip, library, findings)
    if contents.hardware is not None:
        files["hardware.json"] = _json(for_library(contents.hardware, library, contents.file))
    return Converted(files=files, assumed=tuple(findings.assumed), warnings=tuple(findings.faults))


def device_file(chip: Chip, library: str, findings: Findings) -> str:
    """The JSON that ``QuantumDevice.from_json_file`` of a library reads: basic transmons and square CZs."""
    element, edge = _QBLOX if library == "qblox" else _QUANTIFY
    if chip.made:
        findings.assume(next(iter(chip.elements.values())).node, f"and the others lose {_LOST}, which no scheduler has")
    for part in (*chip.elements.values(), *chip.edges.values()):
        if part.values.get("coherence") and not chip.made:
            findings.assume(part.node.child("coherence", None), "is left out: no scheduler has T1 and T2")
        if part.modulated:
            findings.assume(part.node, "is written as a CompositeSquareEdge: the frequency of its coupler is left out")
    data: dict[str, Any] = {
        "name": re.sub(r"^(?=\d)|\W", "_", chip.name),  # what both libraries take for a name
        "elements": {name: element(part, k, findings) for k, (name, part) in enumerate(chip.elements.items())},
        "edges": {part.name: edge(part) for part in chip.edges.values()}, "cfg_sched_repetitions": chip.repetitions,
    }  # fmt: skip
    if library == "quantify":
        data["cfg_sched_repetitions"] = str(chip.repetitions)  # what quantify writes itself
        data = {"deserialization_type": "quantify_scheduler.QuantumDevice", "data": data}
    return _json(data)


def _sections(part: Part) -> dict[str, dict[str, Any]]:
    found = {section: dict(part.values[section]) for section in _WRITTEN if part.values.get(section)}
    usual = {kind: f"{part.name}:{short}" for kind, short in PORTS.items()}
    return {**found, "ports": {**usual, **found.get("ports", {})}}


def _quantify_element(part: Part, index: int, findings: Findings) -> dict[str, Any]:
    sections = _sections(part)
    measure = sections.setdefault("measure", {})
    if "acq_channel" not in measure:
        measure["acq_channel"] = index
        findings.assume(part.at("measure", "acq_channel"), f"is missing, and taken as {index}: each qubit has its own")
    for key in ("acq_weights_a", "acq_weights_b"):
        if key in measure:
            measure[key] = {"deserialization_type": "ndarray", "mode": "__init__", "data": measure[key]}
    return _serialized("BasicTransmonElement", {"name": part.name, **sections})


def _quantify_edge(part: Part) -> dict[str, Any]:
    named = {
        f"{which}_phase_correction": f"{name}_phase_correction"
        for which, name in (("parent", part.parent), ("child", part.child))
    }
    cz = {named.get(key, key): value for key, value in part.values.get("cz", {}).items()}
    return _serialized(
        "CompositeSquareEdge", {"parent_element_name": part.parent, "child_element_name": part.child, "cz": cz}
    )  # fmt: skip


def _serialized(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {"deserialization_type": f"quantify_scheduler.{name}", "mode": "__init__", "data": data}


def _qblox_element(part: Part, index: int, findings: Findings) -> dict[str, Any]:
    sections = _sections(part)
    rxy, measure = sections.setdefault("rxy", {}), sections.setdefault("measure", {})
    if rxy.get("motzoi") and "duration" not in rxy:
        findings.assume(part.at("rxy", "duration"), f"is missing, and taken as {DURATION_S:g} s to make beta of motzoi")
    if "motzoi" in rxy:
        rxy["beta"] = rxy.pop("motzoi") * rxy.get("duration", DURATION_S) / 8
    measure["acq_label"] = measure.pop("acq_channel", part.name)
    for key in ("acq_weights_a", "acq_weights_b"):
        if key in measure:
            values = measure[key]
            content = base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode("ascii")
            measure[key] = {"data": content, "shape": [len(values)], "dtype": "float64"}
    for key, usual in (("acq_weights_sampling_rate", 1e9), ("num_points", 1)):
        if measure.pop(key, usual) != usual:
            findings.assume(part.at("measure", key), "is left out: qblox-scheduler has no such parameter")
    sections.setdefault("clock_freqs", {}).setdefault(
        "f12", float("nan")
    )  # how qblox-scheduler writes what is not known
    return {
        "name": part.name, "element_type": "BasicTransmonElement",
        **{section: {**values, "name": section} for section, values in sections.items()},
    }  # fmt: skip


def _qblox_edge(part: Part) -> dict[str, Any]:
    return {
        "name": part.name, "edge_type": "CompositeSquareEdge", "parent_element_name": part.parent,
        "child_element_name": part.child, "cz": {**part.values.get("cz", {}), "name": "cz"},
    }  # fmt: skip


_Writers = tuple[Callable[[Part, int, Findings], dict[str, Any]], Callable[[Part], dict[str, Any]]]
_QUANTIFY: _Writers = (_quantify_element, _quantify_edge)
_QBLOX: _Writers = (_qblox_element, _qblox_edge)


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
