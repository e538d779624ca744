"""A job's life in plain words, from the events that the lab recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from qpi_jupyter.core import counted, length
from qpi_jupyter.wire.events import JobChanged, JobChecked, JobEdited, JobSubmitted, LabEvent, LedgerLine
from qpi_jupyter.wire.jobs import TEXT_LABELS, JobData, JobEditData

from .tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that happened, ``after_s`` seconds after the first submit."""

    after_s: float
    job_id: str
    text: str


class Story(Table[Moment]):
    """What happened to one job, or to the jobs that are ``called`` something (by id), oldest first."""

    empty = "Nothing is recorded of this job any more."

    def __init__(self, title: str, events: Sequence[LabEvent], called: Mapping[str, str] | None = None) -> None:
        super().__init__(tuple(_moments(events)))
        self.caption, self._called = title, called
        self.columns = ("after", "what") if called is None else ("after", "job", "what")

    def row(self, item: Moment) -> tuple[str, ...]:
        if self._called is None:
            return _after(item.after_s), item.text
        return _after(item.after_s), self._called.get(item.job_id, item.job_id), item.text

    def __repr__(self) -> str:
        return f"{self.caption}\n{super().__repr__()}"


def _after(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2f} s"


def _moments(events: Sequence[LabEvent]) -> Iterator[Moment]:
    phases, held = defaultdict[str, str](str), defaultdict[str, float](float)
    for event in events:
        job_id = event.job_id or ""
        said = [_text(event, phases[job_id])]
        if isinstance(event.data, JobData):
            costs, held[job_id] = _costs(event.data.ledger or [], held[job_id])
            phases[job_id], said = event.data.phase, [*said, *costs]
        if any(said):
            after_s = (event.at - events[0].at).total_seconds()
            yield Moment(after_s=after_s, job_id=job_id, text="; ".join(filter(None, said)))


def _text(event: LabEvent, before: str) -> str:
    match event:
        case JobSubmitted():
            return f"{event.data.owner or 'somebody'} submitted it to {event.qpu}" + _needs(
                event.data, ", to run after {}"
            )
        case JobChecked():
            return "the program was checked"
        case JobEdited():
            return _edit(event.data)
        case JobChanged():
            return _change(event.data, before)
    return ""  # progress, and what later versions add


def _change(data: JobData, before: str) -> str:
    attempt, driver = f"attempt {data.attempt}", data.driver_name or "a driver"
    match before, data.phase:
        case "blocked", "blocked":
            return "a job that it waits for has completed" + _needs(data, "; still waiting for {}")
        case "blocked", "queued":
            return "all jobs that it waited for have completed; queued"
        case "lost", "running":
            return "its driver is back and still has the job"
        case _, "assigned":
            return f"assigned to {driver} ({attempt})"
        case _, "running":
            return f"{attempt} started"
        case _, "lost":
            return f"lost contact with {driver}; waiting for its result"
        case _, "queued":
            return f"{attempt} ended without a result; queued again"
        case _, "cancelling":
            return "it was asked to stop" + (f": {data.error.message}" if data.error else "")
    return f"{data.phase}: {data.error.message}" if data.error else data.phase


def _needs(data: JobData, words: str) -> str:
    count = data.waits_for or 0
    return words.format(counted(count, "job")) if count else ""


_WORDS = {"project": ("put it into", "took it out of its project")}


def _edit(data: JobEditData) -> str:
    parts = []
    if "name" in data.changed:
        parts.append(f"named it {data.name!r}")
    if data.tags is not UNSET:
        parts.append("tagged it " + (", ".join(data.tags) or "with nothing"))
    for name in TEXT_LABELS:
        if (value := getattr(data, name)) is not UNSET:
            put, gone = _WORDS.get(name, (f"set its {name} to", f"took its {name} away"))
            parts.append(f"{put} {value!r}" if value else gone)
    if data.shared_with is not UNSET:
        parts.append(f"shared it with {data.shared_with}" if data.shared_with else "made it private")
    return f"{data.by} " + " and ".join(parts)


def _costs(lines: Sequence[LedgerLine], held: float) -> tuple[list[str], float]:
    """What the ledger's lines say, and what is held after them: a settle gives that back and takes what was used."""
    said = []
    for line in lines:
        amount = line.amount_s
        match line.kind:
            case "hold":
                held = -amount
                said.append(f"{length(held)} of QPU time reserved")
            case "settle":
                said.append(f"{length(max(0.0, held - amount))} charged")
                held = 0.0
            case "refund":
                said.append(f"{length(amount)} given back")
                held = 0.0
    return said, held
