"""What one does with a job beside running it: read its story, name and share it, delete it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import msgspec
from msgspec import UNSET, UnsetType

from qpi_jupyter.wire.rest import EventPage, JobChange, JobModel

from .portal import Portal, both
from .story import Story

if TYPE_CHECKING:
    from .lab import Lab


class JobCare:
    """The part of a `JobHandle` that is about its row, not its run."""

    lab: Lab
    model: JobModel

    @property
    def portal(self) -> Portal:
        return self.lab.portal

    def _take(self, model: JobModel) -> None:
        # Answers may overtake one another; a version only grows.
        if model.version >= self.model.version:
            self.model = model

    @both
    async def story(self) -> Story:
        """The life of the job in plain words: attempts and their drivers, leases lost and regained, costs, edits."""
        page = await self.lab.http.call("GET", f"v1/jobs/{self.model.id}/events", EventPage)
        name = f" {self.model.name!r}" if self.model.name else ""
        return Story(f"Job {self.model.id}{name}", page.events)

    @both
    async def edit(
        self,
        *,
        name: str | UnsetType = UNSET,
        tags: str | Sequence[str] | UnsetType = UNSET,
        project: str | UnsetType = UNSET,
        shared_with: str | UnsetType | None = UNSET,
    ) -> Self:
        """Change what is given; the rest stays. ``shared_with=None`` makes the job private."""
        wanted = JobChange(
            name=name,
            tags=tags if tags is UNSET else [tags] if isinstance(tags, str) else list(tags),
            project=project,
            shared_with=shared_with,
        )
        content = msgspec.json.encode(wanted)
        self._take(await self.lab.http.call("PATCH", f"v1/jobs/{self.model.id}", JobModel, content=content))
        return self

    @both
    async def delete(self) -> None:
        """Take the job out of the lab for good, its program and data with it; what it cost stays in the ledger.

        Raises
        ------
        Conflict
            it has not ended: cancel it first.
        """
        await self.lab.http.call("DELETE", f"v1/jobs/{self.model.id}", type(None))
