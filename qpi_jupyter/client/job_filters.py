"""What `Lab.jobs` may be asked for, and how it is written into the address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, TypedDict

import msgspec

from qpi_jupyter.core.errors import Rejected


class JobFilters(TypedDict, total=False):
    """See `Lab.jobs`."""

    name: str | None
    tags: str | Sequence[str]
    project: str | None
    group: str | None
    owner: str | None
    qpu: str | None
    status: Literal["pending", "running", "completed", "failed", "cancelled"] | str | None
    cell: str | None
    submitted_after: datetime | str | None
    submitted_before: datetime | str | None
    mine: bool | None


def filter_params(wanted: JobFilters) -> list[tuple[str, str]]:
    """The query of ``GET jobs``.

    Raises
    ------
    TypeError
        there is no such filter.
    """
    if unknown := wanted.keys() - JobFilters.__annotations__.keys():
        known = ", ".join(JobFilters.__annotations__)
        raise TypeError(f"jobs() has no filter {sorted(unknown)[0]!r}; there are: {known}.")
    tags = wanted.get("tags", ())
    params = [("tag", tag) for tag in ([tags] if isinstance(tags, str) else tags)]
    for name, value in wanted.items():
        if name == "tags" or value is None:
            continue
        if name.startswith("submitted_"):
            value = _moment(value)
        params.append((name, ("false", "true")[value] if isinstance(value, bool) else str(value)))
    return params


def _moment(value: object) -> str:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise Rejected(f"{value!r} is no time: write 2026-05-04 or 2026-05-04 14:00.", code="bad_time") from None
    if not isinstance(value, datetime):
        raise Rejected(f"{value!r} is no time.", code="bad_time")
    return str(msgspec.to_builtins(value.astimezone(UTC)))
