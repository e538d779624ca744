"""What a name holds between ``%%qpi_submit --to ds`` and the end of the job."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle


class Pending:
    """A Dataset that is still being measured; ``%qpi_wait ds`` waits for it, and whoever uses it before is told so."""

    __slots__ = ("job", "name")

    def __init__(self, name: str, job: JobHandle) -> None:
        self.name = name
        self.job = job

    def __await__(self) -> Generator[Any, None, Any]:
        return self.job.dataset.aio().__await__()

    def __repr__(self) -> str:
        if self.job.error is not None:
            return f"<{self.name}: there is no data. {self.job.explanation()}>"
        where = f"Job {self.job.id}: {self.job.explanation()}"
        return f"<{self.name}: not there yet. {where}; `%qpi_wait {self.name}` waits for the data>"

    def __getattr__(self, attribute: str) -> Any:
        # Dunder and IPython's display lookups must fail quietly, so that the repr above is what is shown.
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        if (error := self.job.error) is not None:
            raise error
        raise AttributeError(
            f"{self.name} is not there yet. Job {self.job.id}: {self.job.explanation()}. "
            f"`%qpi_wait {self.name}` waits for it, and so does %%qpi_submit --wait."
        )

    def __getitem__(self, key: Any) -> Any:
        return getattr(self, f"[{key!r}]")
