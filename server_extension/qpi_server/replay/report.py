"""What a policy would have meant: waits, use of the QPUs, fairness, bookings kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from qpi_jupyter.core import Booking, Job

from .simulate import Outcome, Run
from .trace import Trace

K = TypeVar("K", bound=Hashable)
CLASSES = ("heavy", "regular", "light")


def figures(trace: Trace, outcome: Outcome) -> dict[str, Any]:
    """Everything that the table shows and more, for programs; durations in seconds."""
    groups = _by_class(outcome.runs) | _by_priority(outcome.runs)
    own = set(_in_own_booking(outcome))
    groups["in own booking"] = [run for run in outcome.runs if run.job.id in own]
    late = [kept.late_s for kept in outcome.bookings if kept.late_s > 0]
    over = sum(run.busy_s > run.job.upper_s for run in outcome.runs)
    return {
        "policy": asdict(outcome.policy),
        "jobs": len(outcome.runs),
        "never_ran": outcome.never,
        "waits": {"everybody": _waits(outcome.runs), **{name: _waits(runs) for name, runs in groups.items()}},
        "people": {person: _waits(runs) for person, runs in sorted(_by(outcome.runs, lambda job: job.owner).items())},
        "utilisation": _utilisation(trace, outcome.runs),
        "fairness": _fairness(outcome.runs),
        "bookings": {
            "total": len(outcome.bookings),
            "kept": len(outcome.bookings) - len(late),
            "no_show": sum(kept.no_show for kept in outcome.bookings),
            "latest_s": max(late, default=0.0),
        },
        "estimates": {"outlasted": over, "within": 1 - over / len(outcome.runs) if outcome.runs else 1.0},
    }


def table(names: Sequence[str], found: Sequence[dict[str, Any]]) -> str:
    """The policies side by side."""
    columns = [dict(_lines(one)) for one in found]
    rows = [("", *names), *((label, *(column[label] for column in columns)) for label in columns[0])]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )


def jain(values: Iterable[float]) -> float:
    """Jain's index: 1 where all are equal, 1/n where one has everything."""
    numbers = list(values)
    squares = sum(x * x for x in numbers)
    return sum(numbers) ** 2 / (len(numbers) * squares) if squares else 1.0


def _lines(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for group, waits in one["waits"].items():
        for key in ("mean_s", "p50_s", "p95_s"):
            yield f"wait, {group}, {key.removesuffix('_s')}", _duration(waits[key])
    for qpu, used in one["utilisation"].items():
        yield f"utilisation of {qpu}", f"{used:.1%}"
    yield "fairness of waits (Jain)", f"{one['fairness']['waits']:.3f}"
    yield "fairness of service (Jain)", f"{one['fairness']['served']:.3f}"
    booked = one["bookings"]
    yield "bookings that began in time", f"{booked['kept']} of {booked['total']}"
    yield "bookings given back unused", str(booked["no_show"])
    yield "jobs within their upper bound", f"{one['estimates']['within']:.1%}"
    yield "jobs that never ran", str(one["never_ran"])


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _by(runs: Sequence[Run], key: Callable[[Job], K]) -> dict[K, list[Run]]:
    groups: dict[K, list[Run]] = defaultdict(list)
    for run in runs:
        groups[key(run.job)].append(run)
    return groups


def _by_priority(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The highest first; nothing where all have the same."""
    found = _by(runs, lambda job: job.priority)
    return {f"priority {level}": found[level] for level in sorted(found, reverse=True)} if len(found) > 1 else {}


def _by_class(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Heavy: those who together used the first half of the QPU time; light: the last tenth; regular: between."""
    used: dict[str, float] = defaultdict(float)
    for run in runs:
        used[run.job.owner] += run.busy_s
    total, before = sum(used.values()), 0.0
    kind: dict[str, str] = {}
    for person, seconds in sorted(used.items(), key=lambda item: (-item[1], item[0])):
        kind[person] = CLASSES[(before >= 0.5 * total) + (before >= 0.9 * total)]
        before += seconds
    found = _by(runs, lambda job: kind[job.owner])
    return {name: found.get(name, []) for name in CLASSES}


def _in_own_booking(outcome: Outcome) -> Iterator[str]:
    """Jobs that were submitted inside a booking of their owner's."""
    of: dict[tuple[str, str], list[Booking]] = defaultdict(list)
    for kept in outcome.bookings:
        for person in {kept.booking.booked_by, *kept.booking.invited}:
            of[kept.booking.qpu, person].append(kept.booking)
    for run in outcome.runs:
        at = run.job.submitted_at
        if at is not None and any(booking.covers(at) for booking in of[run.job.qpu, run.job.owner]):
            yield run.job.id


def _waits(runs: Sequence[Run]) -> dict[str, float | int | None]:
    waits = sorted(run.wait_s for run in runs)
    if not waits:
        return {"jobs": 0, "mean_s": None, "p50_s": None, "p95_s": None}
    last = len(waits) - 1
    return {
        "jobs": len(waits),
        "mean_s": sum(waits) / len(waits),
        "p50_s": waits[round(0.5 * last)],
        "p95_s": waits[round(0.95 * last)],
    }


def _utilisation(trace: Trace, runs: Sequence[Run]) -> dict[str, float]:
    """Busy time over the time from the first submit to the last end."""
    if not runs:
        return dict.fromkeys(trace.qpus, 0.0)
    begin = min(job.submitted_at for job in trace.jobs)
    span_s = (max(run.ended_at for run in runs) - begin).total_seconds()
    busy: dict[str, float] = defaultdict(float)
    for run in runs:
        busy[run.job.qpu] += run.busy_s
    return {qpu: busy[qpu] / (span_s * places) if span_s else 0.0 for qpu, places in trace.qpus.items()}


def _fairness(runs: Sequence[Run]) -> dict[str, float]:
    """Over people: of their mean waits, and of the share of their jobs' time in the lab that was service."""
    waits: dict[str, list[float]] = defaultdict(list)
    busy: dict[str, float] = defaultdict(float)
    for run in runs:
        waits[run.job.owner].append(run.wait_s)
        busy[run.job.owner] += run.busy_s
    served = (
        busy[person] / (busy[person] + sum(times)) if busy[person] + sum(times) else 1.0
        for person, times in waits.items()
    )
    return {"waits": jain(sum(times) / len(times) for times in waits.values()), "served": jain(served)}
