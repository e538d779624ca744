"""The how-to of sweeps and fits, run as it stands on the built-in simulator."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import qpi_jupyter
from qpi_executors.aer import AerExecutor
from qpi_executors.runner import run_program
from qpi_jupyter.client.programs import options_of, program_of
from qpi_jupyter.core import Program
from qpi_jupyter.data.attributes import flat
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.fits import Fit
from qpi_jupyter.wire.rest import options_from

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "sweeps.md"


class _Job:
    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def dataset(self) -> Any:
        return self._dataset


class _Lab:
    """Runs what is submitted, here."""

    def submit(self, circuit: Any, **options: Any) -> _Job:
        program = Program(
            format="qpy",
            sources=tuple(program_of(circuit).data),
            options=options_from(options_of(circuit, **options)),
        )
        executor = AerExecutor()
        executor.open()
        dataset = decode(encode(run_program(executor, program)))
        executor.close()
        return _Job(flat(dataset, job_id="job-1", qpu="sim-a"))


def test_the_how_to_runs_as_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(qpi_jupyter, "connect", _Lab, raising=False)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, names)
    assert dict(names["ds"].sizes) == {"theta": 41, "shot": 500, "slot": 1}
    fit = names["fit"]
    assert isinstance(fit, Fit)
    assert abs(fit["period"].value - 6.2832) < 5 * fit["period"].error
    assert names["both"].difference.dims == ("result", "theta", "outcome")
    assert (tmp_path / "rabi.nc").exists()
