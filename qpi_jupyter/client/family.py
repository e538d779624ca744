"""The jobs that hang together because one waits for the other, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from qpi_jupyter.core import counted, length
from qpi_jupyter.wire.jobs import FamilyJob, FamilyModel, JobModel

from .status import job_word, qpus_of
from .tables import ModelTable


class Family(ModelTable[FamilyJob]):
    """The family of one job, oldest first. An item has the job's ``id``, and the ids that it waits for in ``after``.

    ``cost_s`` is what all of them used so far and what is reserved for those that have not ended (QPU-seconds); None
    where they are somebody else's.
    """

    columns = ("id", "status", "qpu", "name", "after", "part of")

    def __init__(self, model: FamilyModel, own: JobModel) -> None:
        super().__init__(model.jobs)
        self.own = own
        self.cost_s = model.cost_s
        cost = "" if self.cost_s is None else f", {length(self.cost_s)} of QPU time"
        self.caption = counted(len(model.jobs), "job") + cost

    def row(self, item: FamilyJob) -> tuple[str, ...]:
        called = self.called
        after = ", ".join(called.get(job_id, job_id) for job_id in item.after)
        part_of = called.get(item.parent or "", item.parent or "")
        rule, qpus = "" if item.after else "place", item.qpu or ""
        if item.id == self.own.id:  # only of this one is it known that it runs a plan
            rule, qpus = self.own.reason.rule if self.own.reason else rule, qpus_of(self.own)
        return item.id, job_word(item.phase, rule), qpus, item.name, after, part_of

    @property
    def called(self) -> Mapping[str, str]:
        """What to call each job, by id: its name, unless it has none or another has the same."""
        names = Counter(item.name for item in self)
        return {item.id: item.name if item.name and names[item.name] == 1 else item.id for item in self}

    def __repr__(self) -> str:
        return f"{self.caption}\n{super().__repr__()}"
