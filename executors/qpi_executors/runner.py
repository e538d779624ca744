"""One measured program: run, check what came back, stamp it with its provenance."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qpi_jupyter.core import Faulted, Program, QpiError, Rejected, require_calibration
from qpi_jupyter.data.conventions import Provenance

from .base import Executor, RunCancelled

if TYPE_CHECKING:
    import xarray as xr


def run_program(
    executor: Executor,
    program: Program,
    *,
    progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
    partial: Callable[[int, xr.Dataset], None] | None = None,
    calibration: str = "",
) -> list[xr.Dataset]:
    """The Datasets of an open executor, checked and with provenance: what a driver calls.

    ``partial`` hears what `Executor.partial` hands over. ``calibration`` is the id of the only one that the program
    may run on; empty: any.

    Raises
    ------
    RunCancelled
        ``cancelled()`` was true.
    QpiError
        the program is at fault (`Rejected`), or the bench (`Faulted`): everything unforeseen is the bench's. Where the
        calibration is another one, `Rejected` with the code ``other_calibration``.
    """
    started_at, start = datetime.now(UTC), time.perf_counter()
    executor.heard = partial
    try:
        current = executor.calibration().id
        if calibration:
            require_calibration(executor.capabilities().executor, calibration, current)
        datasets = executor.run(program, progress=progress, cancelled=cancelled)
    except (QpiError, RunCancelled):
        raise
    except Exception as error:
        raise Faulted(f"{type(executor).__name__} failed: {type(error).__name__}: {error}") from error
    finally:
        executor.heard = None
    busy_s = time.perf_counter() - start
    _check(executor, datasets)
    manifest = executor.capabilities()
    from qpi_jupyter.data.build import stamp

    stamp(
        datasets,
        Provenance(
            executor=manifest.executor,
            executor_version=manifest.executor_version,
            program_sha256=program.sha256,
            simulator=manifest.simulator,
            calibration_id=current,
            config_sha256=manifest.config_sha256,
            seed=program.options.seed_simulator,
            started_at=_rfc3339(started_at),
            finished_at=_rfc3339(datetime.now(UTC)),
            busy_s=round(busy_s, 6),
            **executor.provenance(program),
        ),
    )
    return datasets


def _check(executor: Executor, datasets: list[xr.Dataset]) -> None:
    import xarray as xr

    from qpi_jupyter.data.conventions import CONVENTIONS, CONVENTIONS_ATTR, circuit_info
    from qpi_jupyter.data.kinds import kind_of

    right = isinstance(datasets, list) and datasets
    if not right or not all(
        isinstance(dataset, xr.Dataset) and dataset.attrs.get(CONVENTIONS_ATTR) == CONVENTIONS for dataset in datasets
    ):
        raise Faulted(
            f"{type(executor).__name__}.run must return a list of Datasets in the conventions {CONVENTIONS}: "
            "make them with qpi_jupyter.data.build.",
            code="bad_executor",
        )
    for dataset in datasets:
        try:
            info = circuit_info(dataset.attrs)
            kind_of(dataset, info).check(dataset, info)
        except Rejected as error:
            raise Faulted(f"{type(executor).__name__}.run: {error.message}", code="bad_executor") from error


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
