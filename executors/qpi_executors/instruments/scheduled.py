"""Schedules of qblox-scheduler and quantify-scheduler: filled alike; compiled, they hold the same dictionaries."""

from __future__ import annotations

import cmath
import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any  # the libraries' own schedules, read without importing them

from qpi_jupyter.core import Rejected

from .front import GRID_NS
from .pulses import Acquire, Event, Play, ResetPhase, ShiftPhase, Wait
from .timing import Timed, Timeline


def fill(schedule: Any, timeline: Timeline, made: Callable[[Timed], Any], branch: Callable[[Any, str], Any]) -> None:
    """Add what a timeline has to an empty schedule, at its times, and the initial reset before it.

    ``made`` is the library's operation for one of ours; a delay is asked for once, at the end. ``branch`` is that which
    plays a schedule where a trigger (its name is that of the qubit that sends it) came.
    """
    start = _begin(schedule, timeline, made)
    # Time ends with an operation that takes some: a change of phase at the very end would not compile.
    end = Timed(name="delay", qubits=timeline.qubits, start_ns=timeline.duration_ns, duration_ns=GRID_NS)
    bodies: dict[str, list[Timed]] = {}
    for operation in timeline.operations:
        if operation.condition:
            bodies.setdefault(operation.condition, []).append(operation)
    for operation in (*timeline.operations, end):
        at_s = (timeline.reset_ns + operation.start_ns) * 1e-9
        if operation.condition in bodies:
            body = _body(type(schedule)("branch"), bodies.pop(operation.condition), made)
            conditional = branch(body, timeline.decides[operation.condition])
            schedule.add(conditional, ref_op=start, ref_pt="start", rel_time=at_s)
        elif not operation.condition and (operation.name != "delay" or operation is end):
            schedule.add(made(operation), ref_op=start, ref_pt="start", rel_time=at_s)


def _begin(schedule: Any, timeline: Timeline, made: Callable[[Timed], Any]) -> Any:
    """Add the passive reset, or where there is none a step that takes no effect; times count from its start."""
    if not timeline.reset_ns:
        return schedule.add(made(Timed(name="delay", qubits=timeline.qubits, start_ns=0, duration_ns=GRID_NS)))
    resets = [
        Timed(name="reset", qubits=(name,), start_ns=0, duration_ns=timeline.reset_ns) for name in timeline.qubits
    ]
    start = schedule.add(made(resets[0]))
    for reset in resets[1:]:
        schedule.add(made(reset), ref_op=start, ref_pt="start")
    return start


def _body(body: Any, operations: list[Timed], made: Callable[[Timed], Any]) -> Any:
    """A schedule of these operations, the first of which begins with it."""
    begin_ns = operations[0].start_ns
    end_ns = max(operation.start_ns + operation.duration_ns for operation in operations)
    whole = Timed(name="delay", qubits=(), start_ns=begin_ns, duration_ns=end_ns - begin_ns)
    start = body.add(made(whole))
    for operation in operations:
        if operation.name != "delay":
            at_s = (operation.start_ns - begin_ns) * 1e-9
            body.add(made(operation), ref_op=start, ref_pt="start", rel_time=at_s)
    return body


def give_labels(
    schedule: Any, labels: Iterator[str], length_ns: Callable[[str], int], made: Callable[[Timed], Any]
) -> None:
    """Replace each measurement by one for each of its qubits, of which ``made`` is the library's operation.

    They begin together; what comes behind them by itself begins when the longest has ended.
    """
    placed, operations = schedule.schedulables, schedule.operations
    replaced: set[str] = set()
    before = None
    for key, one in [(key, placed.pop(key)) for key in list(placed)]:
        if before is not None:
            one["timing_constraints"] = [
                replace(given, ref_schedulable=before) if given.ref_schedulable is None else given
                for given in one["timing_constraints"]
            ]
        placed[key], before = one, None
        gate = operations[one["operation_id"]].data.get("gate_info") or {}
        if gate.get("operation_type") != "measure":
            continue
        replaced.add(one["operation_id"])
        named = [(name, next(labels)) for name in gate["device_elements"]]
        for index, (name, label) in enumerate(sorted(named, key=lambda pair: length_ns(pair[0]), reverse=True)):
            operation = made(Timed(name="measure", qubits=(name,), start_ns=0, duration_ns=0, label=label))
            operations[operation.hash] = operation
            if index:
                one = copy.deepcopy(placed[key])
                one["name"] = one["label"] = f"{key} {index}"
                (first, *_) = one["timing_constraints"]
                together = replace(first, ref_schedulable=key, ref_pt="start", ref_pt_new="start", rel_time=0.0)
                one["timing_constraints"] = [together]
                placed[one["name"]], before = one, key
            one["operation_id"] = operation.hash
    for key in replaced:
        del operations[key]


def events(schedule: Any, start_s: float = 0.0) -> Iterator[Event]:
    """What a schedule plays, by its absolute times; of its repetitions one.

    Raises
    ------
    Rejected
        a pulse of a shape that the twin knows nothing of; in a branch anything but pulses.
    """
    offsets: dict[str, tuple[float, float, str]] = {}
    for schedulable in schedule.schedulables.values():
        operation, at_s = schedule.operations[schedulable["operation_id"]], start_s + schedulable["abs_time"]
        if hasattr(operation, "schedulables"):
            yield from events(operation, at_s)
            continue
        control = operation.data.get("control_flow_info", {})
        if "feedback_trigger_label" in control:
            yield from _conditional(control["body"], at_s, str(control["feedback_trigger_label"]))
            continue
        if "body" in control:
            yield from events(control["body"], at_s)
            continue
        for acquisition in listed(operation.data.get("acquisition_info")):
            yield Acquire(
                start_s=at_s + acquisition.get("t0", 0.0), duration_s=acquisition["duration"], port=acquisition["port"],
                label=str(acquisition.get("acq_label", acquisition.get("acq_channel"))),
                trigger=str(acquisition.get("feedback_trigger_label") or ""),
            )  # fmt: skip
        gate, pulses = operation.data.get("gate_info") or {}, listed(operation.data.get("pulse_info"))
        if gate.get("operation_type") == "reset":
            qubits = tuple(gate.get("device_elements") or gate["qubits"])
            yield Wait(start_s=at_s, duration_s=max(pulse["duration"] for pulse in pulses), qubits=qubits)
        else:
            for pulse in pulses:
                yield from _played(pulse, at_s + pulse.get("t0", 0.0), offsets)


def _conditional(body: Any, at_s: float, trigger: str) -> Iterator[Event]:
    """What a branch plays where its trigger came."""
    for event in events(body, at_s):
        if not isinstance(event, Play):
            what = type(event).__name__
            raise Rejected(f"The twin of a device knows only pulses in a branch, no {what}.", code="unknown_pulse")
        yield replace(event, trigger=trigger)


def _played(pulse: Mapping[str, Any], at_s: float, offsets: dict[str, tuple[float, float, str]]) -> Iterator[Event]:
    """One pulse. A long one is an offset that is set and taken back (``offsets``: start, height and clock by port)."""
    if "phase_shift" in pulse:
        yield ShiftPhase(start_s=at_s, clock=pulse["clock"], phase_deg=pulse["phase_shift"])
    elif pulse.get("reset_clock_phase"):
        yield ResetPhase(start_s=at_s, clock=pulse["clock"])
    elif "offset_path_I" in pulse:
        port, height = pulse["port"], math.hypot(pulse["offset_path_I"], pulse["offset_path_Q"])
        if port in offsets:
            begun_s, before, clock = offsets.pop(port)
            yield Play(start_s=begun_s, duration_s=at_s - begun_s, port=port, clock=clock, amplitude=before)
        if height:
            offsets[port] = (at_s, height, pulse["clock"])
    elif pulse.get("port") and pulse.get("wf_func"):  # others are of the sequencer's own business
        amplitude, turned = _amplitude(pulse)
        yield Play(
            start_s=at_s, duration_s=pulse["duration"], port=pulse["port"], clock=pulse["clock"],
            amplitude=amplitude, phase_deg=pulse.get("phase", 0.0) + turned,
            shape=_shape(pulse["wf_func"]),
        )  # fmt: skip


def listed(found: Any) -> list[dict[str, Any]]:
    """One library has a list here, the other one or none."""
    if not found:
        return []
    return list(found) if isinstance(found, list | tuple) else [found]


def _amplitude(pulse: Mapping[str, Any]) -> tuple[float, float]:
    """Of a DRAG pulse one library calls it ``G_amp``, of a square one ``amp``; and its own phase, in degrees."""
    found = complex(next(pulse[key] for key in ("amplitude", "G_amp", "amp") if key in pulse))
    return (abs(found), math.degrees(cmath.phase(found))) if found.imag else (found.real, 0.0)


def _shape(function: str) -> str:
    shape = {"square": "square", "drag": "gaussian"}.get(function.rpartition(".")[2])
    if shape is None:
        raise Rejected(f"The twin of a device knows no pulse of the shape {function!r}.", code="unknown_pulse")
    return shape
