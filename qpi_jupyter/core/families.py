"""Jobs that wait for others, and what becomes of them when those end.

A job waits for the jobs that it names, its dependencies. Some of them may be its children: those are a part of it, and
have no purpose once it cannot complete. Whoever is named exists, so that no circle can come about. All that hang
together are a family, and have one owner.

What happens to one happens to the others in the same transaction: completed, the jobs that wait for it are let go;
failed, they fail; cancelled, they are cancelled; and the children of one that failed or was cancelled are cancelled.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from .errors import Conflict, Faulted, QpiError, TooLarge
from .jobs import Job, JobState
from .lifecycle import Event, EventKind
from .planner import Reason, Rule
from .words import counted

MAX_FAMILY = 1_024
"""Jobs of a family: they may all end at once."""
_DEPENDENCY_FAILED, _CANCELLED_WITH = "dependency_failed", "cancelled_with"


def waits_for(needed: Iterable[Job]) -> int:
    """How many of the jobs that a new one needs have not completed.

    Raises
    ------
    Conflict
        one of them will have no result.
    """
    count = 0
    for job in needed:
        if job.state in (JobState.FAILED, JobState.CANCELLED, JobState.CANCELLING):
            word = "has failed" if job.state is JobState.FAILED else "is cancelled"
            raise Conflict(
                f"Job {job.id} {word}, so no job can wait for it. Run it again, and name the new one.",
                code=_DEPENDENCY_FAILED, job_id=job.id,
            )  # fmt: skip
        count += job.state is not JobState.COMPLETED
    return count


def require_size(jobs: int) -> None:
    """Refuse a family of more than `MAX_FAMILY` jobs.

    Raises
    ------
    TooLarge
        it would have more.
    """
    if jobs > MAX_FAMILY:
        raise TooLarge(
            f"This would be a family of {jobs:,} jobs that wait for one another; the limit is {MAX_FAMILY:,}. Put "
            "several circuits into one job, or submit the next ones when these have ended.",
            code="family_too_large", jobs=jobs, limit=MAX_FAMILY,
        )  # fmt: skip


def consequences(job: Job, at: datetime) -> tuple[Event | None, Event | None]:
    """What the present state of a job means for each that waits for it, and for each of its children."""
    if job.state is JobState.COMPLETED:
        return Event(kind=EventKind.DEPENDENCY_DONE, at=at), None
    if job.state is JobState.FAILED:
        failed = Event(kind=EventKind.DEPENDENCY_FAILED, at=at, error=_failure(job))
        why = Conflict(f"Job {job.id} failed, and this job was a part of it.", code=_CANCELLED_WITH, job_id=job.id)
        return failed, Event(kind=EventKind.CANCEL_REQUESTED, at=at, error=why.to_dict())
    if job.state in (JobState.CANCELLING, JobState.CANCELLED):
        cancelled = Event(kind=EventKind.CANCEL_REQUESTED, at=at, error=_cancel(job))
        return cancelled, cancelled
    return None, None


def spread(
    job: Job,
    at: datetime,
    *,
    waiting: Callable[[Job], Iterable[Job]],
    children: Callable[[Job], Iterable[Job]],
    advance: Callable[[Job, Event], Job],
) -> None:
    """Do to the rest of the family what a change of ``job`` means for it.

    Parameters
    ----------
    waiting
        the blocked jobs that wait for a job.
    children
        a job's children that have not ended.
    advance
        takes a job through an event; the job after it.
    """
    todo = deque([job])
    while todo:
        cause = todo.popleft()
        for event, find in zip(consequences(cause, at), (waiting, children), strict=True):
            if event is None:
                continue
            for other in find(cause):
                after = advance(other, event)
                if after.state is not other.state:
                    todo.append(after)


def _failure(job: Job) -> dict[str, Any]:
    """Why those that need a failed job fail."""
    cause = QpiError.from_dict(job.error or {})
    why = f"Job {job.id}, which this one needs, failed: {cause.message}"
    return _first(job, Faulted(why, code=_DEPENDENCY_FAILED, job_id=job.id))


def _cancel(job: Job) -> dict[str, Any]:
    """Why those that need a cancelled job, or are a part of it, are cancelled."""
    why = f"Job {job.id} was cancelled, and this job with it."
    return _first(job, Conflict(why, code=_CANCELLED_WITH, job_id=job.id))


def _first(job: Job, why: QpiError) -> dict[str, Any]:
    """The reason that is told: it names the first job that ended so, however long the row of those after it."""
    told = job.error or {}
    return told if told.get("code") == why.code else why.to_dict()


_DOES = {JobState.RUNNING: "on", JobState.COMPLETED: "completed"}
"""What a fragment does; else it waits for its QPU."""


class FragmentState(NamedTuple):
    """How the job of a plan's fragment is, and on which QPU."""

    qpu: str
    state: JobState


def needs(job: Job, first: str, count: int, fragments: Sequence[FragmentState] = ()) -> Reason:
    """Why a blocked job waits: the id of the ``first`` of those that it needs and that have not completed, and how many
    those are. None: it is a fragment whose place is prepared, or of a plan that is being made. A plan's job says how
    its ``fragments`` are."""
    rule, message = Rule.PLACE, f"Its place on {job.qpu} is being prepared."
    if fragments:
        rule, message = _fragments(fragments)
    elif count:
        more = f" and {counted(count - 1, 'other')} have" if count > 1 else " has"
        rule, message = Rule.DEPENDENCY, f"Job {first}{more} to complete first."
    elif job.family == job.id:
        rule, message = Rule.PLANNING, "The circuit is being planned."
    return Reason(rule=rule, message=message, since=job.submitted_at)


def _fragments(fragments: Sequence[FragmentState]) -> tuple[Rule, str]:
    """What a plan's job does, from what its fragments do."""
    of, by = counted(len(fragments), "fragment"), defaultdict[str, list[str]](list)
    for one in fragments:
        by[_DOES.get(one.state, "waiting for")].append(one.qpu)
    if len(by["completed"]) == len(fragments):
        return Rule.FRAGMENTS, f"Combining the results of {of}."
    told: list[str] = []
    for does in ("on", "completed", "waiting for"):
        if qpus := by[does]:
            where = "" if does == "completed" else f" {', '.join(dict.fromkeys(qpus))}"
            told.append(f"{len(qpus)}{'' if told else f' of {of}'} {does}{where}")
    return Rule.FRAGMENTS if by["on"] or by["completed"] else Rule.PLACE, f"{'; '.join(told)}."
