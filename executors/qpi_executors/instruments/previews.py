"""A circuit's compiled pulses for people: rows of a timeline, what each plays, and what decays meanwhile."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from qpi_jupyter.core import CircuitPreview, PreviewedPulse, PulseKind, PulseRow, short
from qpi_jupyter.core.previews import MAX_PULSES, MAX_WARNINGS

from .device import Device
from .front import GRID_NS
from .pulses import Acquire, Event, Play, ShiftPhase, Wait
from .submitted import Submitted
from .timing import Timed, Timeline

DECAY = 0.1
"""Share of a qubit's T1 or T2 beyond which people are warned: about as much of the signal is lost."""
_TOUCH_S = 1e-12
_KINDS: tuple[PulseKind, ...] = ("drive", "flux", "readout")
_PORTS = ("microwave", "flux", "readout")


def in_time(preview: CircuitPreview, plan: Timeline, device: Device, events: Iterable[Event]) -> CircuitPreview:
    """The preview with its timeline.

    Parameters
    ----------
    events
        what one shot of the compiled schedule plays.
    """
    found = list(events)
    zero_s = _end_of_reset(found)
    played = sorted(_played(found, zero_s, device), key=lambda item: item[1].start_s)
    rows = _rows({port for port, _ in played}, device)
    places = {row.port: index for index, row in enumerate(rows)}
    operations = _by_qubit(plan)
    pulses = [
        _pulse(places[port], rows[places[port]], event, zero_s, operations) for port, event in played[:MAX_PULSES]
    ]
    warnings = [*_rounded(plan), *decays(plan, device)]
    duration_s, reset_s = _lengths(plan, found, zero_s)
    return replace(
        preview, duration_s=duration_s, reset_s=reset_s, rows=tuple(rows),
        pulses=tuple(pulses), total_pulses=len(played), warnings=tuple(warnings[:MAX_WARNINGS]),
    )  # fmt: skip


def _rows(played: Collection[str], device: Device) -> list[PulseRow]:
    """The ports that play, in the device's order, and then those that it knows nothing of."""
    known = [
        PulseRow(port=device.port(port, name), qubit=name, kind=kind)
        for name in device.names
        for port, kind in zip(_PORTS, _KINDS, strict=True)
        if device.port(port, name) in played
    ]
    others = sorted(set(played) - {row.port for row in known})
    return [*known, *(PulseRow(port=port, qubit="", kind="other") for port in others)]


def _by_qubit(plan: Timeline) -> dict[str, list[Timed]]:
    """What takes time on each qubit, in order."""
    found: dict[str, list[Timed]] = {}
    for operation in plan.operations:
        if operation.duration_ns:
            for name in operation.qubits:
                found.setdefault(name, []).append(operation)
    return found


def _end_of_reset(events: Sequence[Event]) -> float:
    """When the wait that begins the shot, before anything plays, is over."""
    begun_s = min((event.start_s for event in events if isinstance(event, Play | Acquire)), default=math.inf)
    waits = [event for event in events if isinstance(event, Wait) and event.start_s < begun_s]
    first = min((wait.start_s for wait in waits), default=0.0)
    return max((wait.start_s + wait.duration_s for wait in waits if wait.start_s == first), default=0.0)


def _lengths(plan: Timeline, events: Sequence[Event], zero_s: float) -> tuple[float, float]:
    """Of one shot and of the reset before it: a circuit's as they are planned, and of a submitted schedule, whose plan
    is only a bound, as it plays."""
    if not isinstance(plan, Submitted):
        return plan.duration_ns * 1e-9, plan.reset_ns * 1e-9
    ends = (event.start_s + event.duration_s for event in events if isinstance(event, Play | Acquire | Wait))
    return round(max(ends, default=zero_s) - zero_s, 12), round(zero_s, 12)


def _played(
    events: Sequence[Event], zero_s: float, device: Device
) -> Iterator[tuple[str, Play | Acquire | ShiftPhase]]:
    """By port; pieces of one pulse are one, and so are turns of a clock at one time."""
    clocks = {f"{name}.01": device.port("microwave", name) for name in device.names}
    last: dict[tuple[str, type], Play | ShiftPhase] = {}
    for event in events:
        if isinstance(event, Acquire):
            yield event.port, event
        if not isinstance(event, Play | ShiftPhase) or event.start_s < zero_s - _TOUCH_S:
            continue
        port = event.port if isinstance(event, Play) else clocks.get(event.clock, event.clock)
        key = port, type(event)
        before = last.get(key)
        if before is not None and (joined := _joined(before, event)) is not None:
            last[key] = joined
            continue
        if before is not None:
            yield port, before
        last[key] = event
    for (port, _), event in last.items():
        yield port, event


def _joined(before: Play | ShiftPhase, event: Play | ShiftPhase) -> Play | ShiftPhase | None:
    """Both as one, if that is what they are."""
    if isinstance(before, ShiftPhase) and isinstance(event, ShiftPhase):
        together = before.clock == event.clock and abs(before.start_s - event.start_s) < _TOUCH_S
        return replace(before, phase_deg=before.phase_deg + event.phase_deg) if together else None
    assert isinstance(before, Play)
    assert isinstance(event, Play)
    end_s = before.start_s + before.duration_s
    alike = replace(event, start_s=before.start_s, duration_s=before.duration_s) == before
    if alike and event.shape == "square" and abs(event.start_s - end_s) < _TOUCH_S:
        return replace(before, duration_s=event.start_s + event.duration_s - before.start_s)
    return None


def _pulse(
    row: int, where: PulseRow, event: Play | Acquire | ShiftPhase, zero_s: float, operations: Mapping[str, list[Timed]]
) -> PreviewedPulse:
    start_s = round(event.start_s - zero_s, 12)
    if isinstance(event, ShiftPhase):
        return PreviewedPulse(
            row=row, label="rz", kind="phase", start_s=start_s, clock=event.clock,
            phase_deg=round((event.phase_deg + 180) % 360 - 180, 9),
        )  # fmt: skip
    if isinstance(event, Acquire):
        return PreviewedPulse(
            row=row, label=event.label, kind="acquisition", start_s=start_s, duration_s=round(event.duration_s, 12)
        )
    return PreviewedPulse(
        row=row, label=_operation(where, start_s, operations), kind=where.kind, start_s=start_s,
        duration_s=round(event.duration_s, 12), clock=event.clock, amplitude=round(event.amplitude, 9),
        phase_deg=round(event.phase_deg, 9),
    )  # fmt: skip


def _operation(where: PulseRow, start_s: float, operations: Mapping[str, list[Timed]]) -> str:
    """The native operation that plays there then; the row's kind where none is known to."""
    mine, at_ns = operations.get(where.qubit, []), round(start_s * 1e9, 3)
    last = bisect_right(mine, at_ns, key=lambda operation: operation.start_ns) - 1
    return mine[last].name if last >= 0 and at_ns < _end_ns(mine[last]) else where.kind


def _end_ns(operation: Timed) -> int:
    return operation.start_ns + operation.duration_ns


def _rounded(plan: Timeline) -> Iterator[str]:
    for asked_s, taken_s in dict.fromkeys(plan.rounded):
        yield f"A delay of {short(asked_s)} is rounded to {short(taken_s)}, on the instrument's grid of {GRID_NS} ns."


def decays(plan: Timeline, device: Device) -> list[str]:
    """A sentence for each qubit that has to keep its state for more than `DECAY` of its T1 or T2, the worst first."""
    found = []
    for name in plan.qubits:
        busy_s = _kept_s(name, plan)
        qubit = device.qubits[name]
        limits = [(t_s, what) for t_s, what in ((qubit.t1_s, "T1"), (qubit.t2_s, "T2")) if t_s is not None]
        if limits and busy_s > DECAY * min(limits)[0]:
            found.append((busy_s / min(limits)[0], name, busy_s, *min(limits)))
    return [
        f"{name} has to keep its state for {short(busy_s)}, {100 * share:.0f} % of its {what} ({short(limit_s)}): "
        "expect it to decay."
        for share, name, busy_s, limit_s, what in sorted(found, reverse=True)
    ]


def _kept_s(name: str, plan: Timeline) -> float:
    """From the first pulse on a qubit until its last measurement begins, or its last pulse ends; of the times between
    resets, the longest."""
    resets = set(plan.decides).difference(*plan.acquisitions.values())  # active ones, by the labels of their readings
    begun_ns, longest_ns = None, 0
    for one in plan.operations:
        if name not in one.qubits or one.name in ("rz", "delay"):
            continue
        if one.name == "reset" or not resets.isdisjoint((one.label, one.condition)):
            begun_ns = None
            continue
        begun_ns = one.start_ns if begun_ns is None else begun_ns
        longest_ns = max(longest_ns, _ended_ns(one) - begun_ns)
    return longest_ns * 1e-9


def _ended_ns(operation: Timed) -> int:
    return operation.start_ns if operation.name == "measure" else _end_ns(operation)
