"""From points to bits, and what the columns of a result are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qpi_jupyter.core import Faulted, Program, Rejected

from .device import Device
from .stack import Points
from .timing import Timeline

if TYPE_CHECKING:
    import xarray as xr

    from qpi_jupyter.data.conventions import CircuitInfo, Slots


def bits(
    info: CircuitInfo, points: NDArray[np.complex128], slots: Slots, plan: Timeline, device: Device, *, memory: bool
) -> xr.Dataset:
    """Points of shape ``(shots, slots)`` as bits, by the rotation and threshold of each qubit; bits unwritten are 0."""
    from qpi_jupyter.data.build import bits_dataset, counts_dataset
    from qpi_jupyter.data.conventions import Slots

    found = np.zeros((len(points), info.memory_slots), dtype=np.int8)
    for column, (clbit, qubit) in enumerate(zip(slots.clbit, slots.qubit, strict=True)):
        if plan.labels[clbit] in plan.decides:
            found[:, clbit] = points[:, column].real > 0.5
            continue
        readout = device.qubits[device.names[qubit]].readout
        turned = points[:, column] * np.exp(1j * math.radians(readout.rotation_deg))
        found[:, clbit] = turned.real > readout.threshold
    if memory:
        where = dict(zip(slots.clbit, zip(slots.qubit, slots.acq_index, strict=True), strict=True))
        every = [where.get(clbit, (-1, -1)) for clbit in range(info.memory_slots)]
        qubits, indices = zip(*every, strict=True)
        return bits_dataset(info, found, Slots(clbit=tuple(range(len(every))), qubit=qubits, acq_index=indices))
    rows, counts = np.unique(found, axis=0, return_counts=True)
    outcomes = (int("".join(map(str, row[::-1])), 2) for row in rows.tolist())
    return counts_dataset(info, dict(zip(outcomes, map(int, counts), strict=True)))


def slots_of(plan: Timeline, device: Device) -> Slots:
    """What is measured: for each classical bit the device's qubit, and which of its measurements."""
    from qpi_jupyter.data.conventions import Slots

    index = {label: (k, name) for name, labels in plan.acquisitions.items() for k, label in enumerate(labels)}
    read = [(clbit, *index[label]) for clbit, label in plan.labels.items()]
    return Slots(
        clbit=tuple(clbit for clbit, _, _ in read),
        qubit=tuple(device.names.index(name) for _, _, name in read),
        acq_index=tuple(k for _, k, _ in read),
    )


def chunks(shots: int, measurements: int, bins: int) -> Iterator[int]:
    """How many shots each go has: as many as fit into a sequencer's bins."""
    most = max(bins // max(measurements, 1), 1)
    while shots > 0:
        yield min(shots, most)
        shots -= most


def complete(found: Points, plan: Timeline, count: int) -> NDArray[np.complex128]:
    """All points that were asked for, shape ``(count, slots)``.

    Raises
    ------
    Faulted
        some are missing, or are no numbers: what an instrument does not deliver is not made up.
    """
    columns = []
    for label in plan.labels.values():
        points = found.get(label, np.empty(0, dtype=np.complex128))
        missing = count - points.size + int(np.count_nonzero(~np.isfinite(points)))
        if label in plan.decides:
            missing += int(np.count_nonzero(points.real < 0))
        if points.size != count or missing:
            name = next(name for name, labels in plan.acquisitions.items() if label in labels)
            raise no_data(name, f"data for {count - max(missing, 0)} of {count} shots")
        columns.append(points)
    return np.stack(columns, axis=-1)


def no_data(name: str, what: str) -> Faulted:
    """The error of a qubit whose signal is missing."""
    return Faulted(
        f"The instrument delivered {what} of {name}: check that its readout line is connected and its input is wired "
        "in the hardware file; the job is tried again.",
        code="no_data", qubit=name,
    )  # fmt: skip


def require_bits(plan: Timeline, program: Program, circuit: int) -> None:
    """Refuse other levels than 2 where measurements decide branches: of those the instrument has a bit, and no point.

    Raises
    ------
    Rejected
        it names the measurement.
    """
    if program.options.meas_level == 2:
        return
    for clbit, label in plan.labels.items():
        if label in plan.decides:
            raise Rejected(
                f"Circuit {circuit}: the measurement of {plan.decides[label]} into classical bit {clbit} "
                "decides a branch, so the instrument makes a bit of it: ask for meas_level=2.",
                code="bad_option", field="meas_level",
            )  # fmt: skip
