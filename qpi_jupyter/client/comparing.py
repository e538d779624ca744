"""`compare`: results of several jobs side by side."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import Rejected, counted

from . import times
from .job_handle import JobHandle

if TYPE_CHECKING:
    import xarray as xr

    from qpi_jupyter.data.comparison import Comparison


def compare(*results: JobHandle | xr.Dataset, names: list[str] | None = None) -> Comparison:
    """Overlay results of one circuit, and tell their differences and what each was measured with.

    Parameters
    ----------
    results
        jobs (it waits for those that have not ended), or their Datasets; two or more.
    names
        what they are called, in their order; by default the names of the QPUs, or of the jobs.

    Raises
    ------
    QpiError
        a job failed; or the results have nothing in common.
    """
    import xarray as xr

    from qpi_jupyter.data.comparison import Comparison

    for one in results:
        if not isinstance(one, (JobHandle, xr.Dataset, xr.DataTree)):
            raise TypeError(f"compare() takes jobs and Datasets, not {one!r}. A job by its id: lab.job({str(one)!r}).")
    datasets: list[Any] = [one if isinstance(one, (xr.Dataset, xr.DataTree)) else one.dataset() for one in results]
    if any(isinstance(one, xr.DataTree) for one in datasets):
        raise Rejected("Compare one circuit of a job with several: tree['name'].to_dataset().", code="several_circuits")
    told = names or _names(datasets)
    if len(told) != len(datasets) or len(set(told)) != len(told):
        raise Rejected(f"Give {counted(len(datasets), 'name')}, each another: one for each result.", code="bad_names")
    return Comparison(dict(zip(told, datasets, strict=True)), written=_moment)


def _moment(text: str) -> str:
    """By the person's clock, in full: a comparison is often one of days."""
    at = datetime.fromisoformat(text)
    return f"{at.astimezone(times.zone_of()):%Y-%m-%d %H:%M:%S} {times.offset(times.zone_of(), at)}"


def _names(datasets: list[Any]) -> list[str]:
    """The first of these that tells all apart: QPU, name, job, number."""
    for key in ("qpu", "name", "job_id"):
        found = [str(dataset.attrs.get(key, "")) for dataset in datasets]
        if all(found) and len(set(found)) == len(found):
            return found
    return [f"{number} {dataset.attrs.get('name', '')}".strip() for number, dataset in enumerate(datasets, 1)]
