"""What `Lab.jobs` may be asked for, and how it is written into the address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, TypedDict

import msgspec

from .times import When, moment, zone_of


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
    submitted_after: When | None
    submitted_before: When | None
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
            value = msgspec.to_builtins(moment(value, zone_of(), datetime.now(UTC)))  # type: ignore[arg-type]
        params.append((name, ("false", "true")[value] if isinstance(value, bool) else str(value)))
    return params
