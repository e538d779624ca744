"""From the files of a lab to what an executor starts with: a device, and the hardware that its library takes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qpi_executors.instruments.device import Device, Hardware
from qpi_jupyter.core import Rejected

from . import hardware as hardware_
from . import old_hardware, own, qpi, quantum_device, tergite
from .chip import Chip
from .device import device
from .findings import Findings
from .text import read
from .tree import Node
from .wiring import Wiring


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What an executor starts with. ``assumed`` and ``warnings`` are sentences that begin with a file and a key."""

    device: Device
    hardware: Hardware
    assumed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a set of files says: at most one chip and one hardware configuration, in one form each."""

    chip: Chip | None
    hardware: dict[str, Any] | None
    file: str
    findings: Findings


def load(paths: Sequence[Path], *, library: str, dummy: bool) -> Setup:
    """The device and the hardware of these files, for ``qblox`` or ``quantify``.

    What cannot work on an instrument becomes ``warnings`` in dummy mode, where it is left out or replaced.

    Raises
    ------
    Rejected
        a file cannot be read, a key is not known, missing or wrong, or, without ``dummy``,
        something in them cannot work;
        the message names the file and the key.
    """
    contents = read_all(paths)
    names = ", ".join(path.name for path in paths) or "no file"
    if contents.chip is None:
        raise Rejected(f"{names}: a device file is missing.", code="bad_config", field="device")
    if contents.hardware is None:
        raise Rejected(f"{names}: a hardware configuration is missing.", code="bad_config", field="hardware")
    findings = contents.findings
    found = device(contents.chip, contents.hardware, findings, contents.file)
    if not dummy:
        Wiring(contents.hardware, contents.file, findings).check_addresses()
    if findings.faults and not dummy:
        raise Rejected(
            f"This setup works only with simulated instruments (dummy mode). {'. '.join(findings.faults)}.",
            code="bad_config", field=findings.faults[0].partition(": ")[2].partition(" ")[0], faults=findings.faults,
        )  # fmt: skip
    return Setup(
        device=found, hardware=hardware_.for_library(contents.hardware, library, contents.file),
        assumed=tuple(findings.assumed),
        warnings=tuple(findings.faults),
    )  # fmt: skip


def read_all(paths: Sequence[Path]) -> Contents:
    """What these files say, whatever their families.

    Raises
    ------
    Rejected
        as `load`; also where two of them say the same, or one is of no known family.
    """
    findings = Findings()
    roots = [read(path) for path in dict.fromkeys(paths)]  # a device file may have its hardware in it: one for both
    for root in roots:
        root.mapping()
    hardware, file = _hardware(roots, findings)
    chips = [chip for root in roots if (chip := _chip(root, findings)) is not None]
    if backend := [root for root in roots if tergite.is_file(root)]:
        chips.append((backend[0], tergite.device(backend, findings)))
    _one([root for root, _ in chips], "device")
    for root in (root for root in roots if tergite.is_metadata(root)):
        _addresses(tergite.addresses(root, findings), hardware)
    return Contents(chip=chips[0][1] if chips else None, hardware=hardware, file=file, findings=findings)


def _hardware(roots: Sequence[Node], findings: Findings) -> tuple[dict[str, Any] | None, str]:
    found = []
    for root in roots:
        if hardware_.is_hardware(root):
            found.append(root)
        elif old_hardware.is_old(root):
            found.append(old_hardware.modern(root))
        elif (inside := quantum_device.hardware_of(root)) is not None:
            found.append(inside)
    _one(found, "hardware configuration")
    return (deepcopy(hardware_.hardware(found[0], findings)), found[0].file) if found else (None, "")


def _chip(root: Node, findings: Findings) -> tuple[Node, Chip] | None:
    if hardware_.is_hardware(root) or old_hardware.is_old(root) or tergite.is_file(root) or tergite.is_metadata(root):
        return None
    for is_one, chip in _DEVICE_FILES:
        if is_one(root):
            return root, chip(root, findings)
    raise root.refusal(
        "is of no known kind: neither a hardware configuration (hardware_description, connectivity), nor a device "
        "file of quantify-scheduler (deserialization_type), qblox-scheduler (elements), QPI (element_type), Tergite "
        "(calibration_config) or this project (qubits)",
    )  # fmt: skip


_DEVICE_FILES = (
    (quantum_device.is_serialized, quantum_device.serialized), (quantum_device.is_plain, quantum_device.plain),
    (own.is_device, lambda root, _: own.device(root)), (qpi.is_device, qpi.device),
)  # fmt: skip


def _one(roots: Sequence[Node], what: str) -> None:
    if len(roots) > 1:
        raise roots[1].refusal(f"is a second {what}, beside {roots[0].file}: give one of them")


def _addresses(found: dict[str, str], hardware: dict[str, Any] | None) -> None:
    for name, address in found.items():
        described = (hardware or {}).get("hardware_description", {}).get(name)
        if described is not None:
            described.setdefault("ip", address)
