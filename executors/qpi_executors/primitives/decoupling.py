"""Dynamical decoupling of pubs: Qiskit's own passes, on the gate times of a target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Gate, QuantumRegister, Qubit
from qiskit.circuit.library import RZGate, XGate
from qiskit.transpiler import PassManager, Target, TranspilerError
from qiskit.transpiler.passes import (
    ALAPScheduleAnalysis,
    ASAPScheduleAnalysis,
    PadDelay,
    PadDynamicalDecoupling,
    TimeUnitConversion,
)

from qpi_jupyter.core import ProgramError, Rejected

_SEQUENCES = {"XX": (0.0, 0.0), "XpXm": (0.0, math.pi), "XY4": (0.0, math.pi / 2, math.pi, -math.pi / 2)}
"""The axes of the flips by their angle from X, as IBM's client documents them."""
_CHOICES = {
    "sequence_type": tuple(_SEQUENCES), "extra_slack_distribution": ("middle", "edges"),
    "scheduling_method": ("alap", "asap"), "skip_reset_qubits": (False, True),
}  # fmt: skip
"""What the options may be, IBM's default first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoupling:
    """How idle qubits are decoupled."""

    sequence_type: str
    extra_slack_distribution: str
    scheduling_method: str
    skip_reset_qubits: bool


def decoupling_of(options: Mapping[str, Any]) -> Decoupling | None:
    """What a primitive's options, by their paths, say of dynamical decoupling; None: there is none.

    Raises
    ------
    Rejected
        a value that is none of the client's.
    """
    chosen: dict[str, Any] = {}
    for name, choices in {"enable": (False, True), **_CHOICES}.items():
        path = f"dynamical_decoupling.{name}"
        value = options.get(path)
        chosen[name] = choices[0] if value is None else value
        if not any(type(chosen[name]) is type(choice) and chosen[name] == choice for choice in choices):
            message = f"options.{path} is {' or '.join(map(str, choices))}, not {value!r}."
            raise Rejected(message, code="bad_option", field=path)
    return Decoupling(**chosen) if chosen.pop("enable") else None


def missing(decoupling: Decoupling, target: Target) -> str:
    """What a target lacks for it, if anything."""
    needed = {"x"} | ({"rz"} if set(_SEQUENCES[decoupling.sequence_type]) != {0.0} else set())
    if lacking := sorted(needed - set(target.operation_names)):
        return f"no {lacking[0]} gate"
    known = any(one is not None and one.duration is not None for one in (target["x"] or {}).values())
    return "" if known and target.dt else "no gate durations"


def decoupled(
    index: int, circuit: QuantumCircuit, decoupling: Decoupling, target: Target, used: Set[int] | None
) -> QuantumCircuit:
    """The circuit of a pub, scheduled, with flips in its delays and in those that the schedule makes.

    Parameters
    ----------
    used
        the qubits that are measured when the circuit is over, or are idle no longer then; None: the circuit measures
        itself, and what would come after it is left out.

    Raises
    ------
    ProgramError
        it has no schedule, for example because of control flow.
    """
    physical = QuantumCircuit(
        QuantumRegister(circuit.num_qubits, "q"), circuit.clbits, *circuit.cregs, name=circuit.name,
        metadata=circuit.metadata,
    )  # fmt: skip
    physical.compose(circuit, physical.qubits, physical.clbits, inplace=True)
    try:
        scheduled = _passes(decoupling, target).run(physical)
    except TranspilerError as error:
        raise ProgramError(
            f"Dynamical decoupling needs the times of all gates, and the circuit of pub {index} has no schedule: "
            f"{error.message} Switch options.dynamical_decoupling.enable off for it.",
            code="no_schedule", circuit=index,
        ) from error  # fmt: skip
    return _trimmed(scheduled, target, used)


def _passes(decoupling: Decoupling, target: Target) -> PassManager:
    axes = _SEQUENCES[decoupling.sequence_type]
    gates: list[Gate] = []
    spacing: list[float] = []
    for place, angle in enumerate(axes):
        flip = [RZGate(angle), XGate(), RZGate(-angle)] if angle else [XGate()]
        gates += flip
        spacing += [(1 if place else 0.5) / len(axes), *[0.0] * (len(flip) - 1)]
    schedule = ALAPScheduleAnalysis if decoupling.scheduling_method == "alap" else ASAPScheduleAnalysis
    return PassManager([
        TimeUnitConversion(target=target),
        schedule(target=target),
        PadDynamicalDecoupling(
            dd_sequence=gates, spacing=[*spacing, 0.5 / len(axes)], skip_reset_qubits=decoupling.skip_reset_qubits,
            extra_slack_distribution=decoupling.extra_slack_distribution, target=target,
        ),
        PadDelay(target=target),
    ])  # fmt: skip


def _trimmed(scheduled: QuantumCircuit, target: Target, used: Set[int] | None) -> QuantumCircuit:
    """The circuit with its delays in seconds, and without what changes nothing that is measured: qubits that are always
    idle, and what comes after the last measurement of one."""
    wanted: set[Qubit] = {scheduled.qubits[k] for k in used or ()}
    kept = []
    for one in reversed(scheduled.data):
        operation = one.operation
        if operation.name != "barrier" and (one.clbits or len(one.qubits) != 1):
            wanted.update(one.qubits)
        if operation.name == "barrier" or not wanted.isdisjoint(one.qubits):
            if isinstance(operation, Delay) and operation.unit == "dt":
                one = one.replace(operation=Delay(operation.duration * target.dt, "s"))
            kept.append(one)
    trimmed = scheduled.copy_empty_like()
    for one in reversed(kept):
        trimmed.append(one)
    return trimmed
