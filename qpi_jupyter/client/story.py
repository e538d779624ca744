"""A job's life in plain words, from the events that the lab recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qpi_jupyter.wire.rest import EventModel

from .tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that happened, ``after_s`` seconds after the submit."""

    after_s: float
    text: str


class Story(Table[Moment]):
    """What happened to one job, oldest first."""

    empty = "Nothing is recorded of this job any more."
    columns = ("after", "what")

    def __init__(self, title: str, events: Sequence[EventModel]) -> None:
        super().__init__(tuple(_moments(events)))
        self.caption = title

    def row(self, item: Moment) -> tuple[str, ...]:
        return _after(item.after_s), item.text

    def __repr__(self) -> str:
        return f"{self.caption}\n{super().__repr__()}"


def _after(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2f} s"


def _moments(events: Sequence[EventModel]) -> Iterator[Moment]:
    phase, held = "", 0.0
    for event in events:
        text = _text(event, phase)
        phase = event.data.get("phase", phase)
        costs, held = _costs(event.data.get("ledger", []), held)
        if said := [part for part in (text, *costs) if part]:
            yield Moment(after_s=(event.at - events[0].at).total_seconds(), text="; ".join(said))


def _text(event: EventModel, before: str) -> str:
    data = event.data
    match event.kind:
        case "job.submitted":
            return f"{data.get('owner', 'somebody')} submitted it to {event.qpu}"
        case "job.checked":
            return "the program was checked"
        case "job.edited":
            return _edit(data)
        case "job.changed":
            return _change(data, before, f"attempt {data.get('attempt')}")
    return ""  # progress, and what later versions add


def _change(data: dict[str, Any], before: str, attempt: str) -> str:
    now = data.get("phase", "")
    why = f": {data['error']['message']}" if data.get("error") else ""
    driver = data.get("driver_name") or "a driver"
    match before, now:
        case "lost", "running":
            return "its driver is back, and still has it"
        case _, "assigned":
            return f"{driver} took it as {attempt}"
        case _, "running":
            return f"{attempt} began"
        case _, "lost":
            return f"{driver} fell silent; what it measured is waited for"
        case _, "queued":
            return f"{attempt} ended without a result; it waits again"
        case _, "cancelling":
            return "it was asked to stop"
        case _, ("completed" | "failed" | "cancelled"):
            return f"{now}{why}"
    return ""


def _edit(data: dict[str, Any]) -> str:
    parts = []
    if "name" in data["changed"]:
        parts.append(f"named it {data['name']!r}")
    if "tags" in data["changed"]:
        parts.append("tagged it " + (", ".join(data["tags"]) or "with nothing"))
    if "project" in data["changed"]:
        parts.append(f"put it into {data['project']!r}" if data["project"] else "took it out of its project")
    if "shared_with" in data["changed"]:
        parts.append(f"shared it with {data['shared_with']}" if data["shared_with"] else "made it private")
    return f"{data['by']} " + " and ".join(parts)


def _costs(lines: Sequence[dict[str, Any]], held: float) -> tuple[list[str], float]:
    """What the ledger's lines say, and what is held after them: a settle gives that back and takes what was used."""
    said = []
    for line in lines:
        amount = float(line["amount_s"])
        match line["kind"]:
            case "hold":
                held = -amount
                said.append(f"{held:.3g} s of QPU time held")
            case "settle":
                said.append(f"{max(0.0, held - amount):.3g} s charged")
                held = 0.0
            case "refund":
                said.append(f"{amount:.3g} s given back")
                held = 0.0
    return said, held
