"""The how-to's own format and executor, run as they are printed."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qpi_executors import RunCancelled, load, run_program
from qpi_jupyter.client.programs import program_of
from qpi_jupyter.core import Program, ProgramError, RunOptions, TooLarge
from tests.support.packages import a_package, installed

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "program-format.md"


@pytest.fixture
def pulses(tmp_path: Path) -> Iterator[types.ModuleType]:
    """The how-to's package, installed."""
    text = HOW_TO.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (points,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    groups: dict[str, dict[str, str]] = {}
    for group, name, value in re.findall(r'points\."(.*?)"\]\n(\S+) = "(.*?)"', points):
        groups[group] = {name: value}
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab" / "__init__.py").touch()
    (tmp_path / "mylab" / "pulses.py").write_text(code)
    a_package(tmp_path, "mylab", groups)
    with installed(tmp_path):
        import mylab.pulses

        yield mylab.pulses
    for name in ("mylab", "mylab.pulses"):
        del sys.modules[name]


def program(pulse: Any, **options: Any) -> Program:
    sent = program_of(pulse)
    return Program(format=sent.format, sources=tuple(s.encode() for s in sent.sources), options=RunOptions(**options))


def test_its_object_is_recognised_checked_and_run(pulses: types.ModuleType) -> None:
    executor = load("mylab_pulse")
    half = program(pulses.Pulse(0.5, 20), shots=200)
    assert half.format == "mylab-pulse"
    executor.validate(half)
    (dataset,) = run_program(executor, half)
    assert dataset.qpi.counts() == {"1": 200}
    (dataset,) = run_program(executor, program([pulses.Pulse(1.0, 20)], shots=200))
    assert dataset.qpi.counts() == {"0": 200}


def test_it_tells_its_progress_and_hears_a_cancel(pulses: types.ModuleType) -> None:
    executor, shares = load("mylab_pulse"), list[float]()
    two = program([pulses.Pulse(0.5, 20)] * 2)
    run_program(executor, two, progress=shares.append)
    assert (shares, shares[-1]) == (sorted(shares), 1.0)
    with pytest.raises(RunCancelled):
        run_program(executor, two, cancelled=lambda: True)


def test_what_is_wrong_is_refused_in_its_own_words(pulses: types.ModuleType) -> None:
    executor = load("mylab_pulse")
    with pytest.raises(ProgramError, match="Pulse 1 cannot be read"):
        executor.validate(Program(format="mylab-pulse", sources=(pulses.PULSE.example(), b"{}")))
    with pytest.raises(TooLarge, match="101 pulses in one job; the limit is 100"):
        executor.validate(program([pulses.Pulse(1.0, 20)] * 101))
    with pytest.raises(TypeError, match="of type float: send"):
        program(0.5)
