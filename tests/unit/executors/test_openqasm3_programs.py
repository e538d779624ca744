"""Every OpenQASM 3 program of `tests/programs` runs as its comments say, or is refused there with those words."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from qpi_executors import run_program
from qpi_executors.aer import AerExecutor
from qpi_executors.programs import parse
from qpi_jupyter.core.errors import ProgramError
from qpi_jupyter.core.programs import CircuitOptions
from tests.circuits import text_program
from tests.openqasm3_programs import FOLDER, Example, examples

SHOTS = 2000
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "openqasm.md"
PROGRAMS, MISTAKES = examples(), examples(FOLDER / "mistakes")


@pytest.fixture(scope="module")
def aer():
    return AerExecutor()


@pytest.mark.parametrize("example", PROGRAMS + MISTAKES, ids=lambda example: example.name)
def test_it_runs_or_is_refused_as_it_says(aer, example):
    rows = CircuitOptions(parameter_values=(example.values,)) if example.values else CircuitOptions()
    program = text_program(example.text, shots=SHOTS, seed_simulator=7, circuits=(rows,))
    if example.refused_at is not None:
        with pytest.raises(ProgramError) as caught:
            aer.runs(program)
        assert (caught.value.line, caught.value.column) == example.refused_at
        assert example.message in caught.value.message
        assert not re.search(r"AST|Error|node|Traceback|None|Clbit|expr\.", caught.value.message)
        return
    seen = counted(run_program(aer, program)[0].qpi.counts(), example, program)
    assert set(seen) <= set(example.expected)
    for bits, chance in example.expected.items():
        assert seen[bits] / SHOTS == pytest.approx(chance, abs=5 * (chance * (1 - chance) / SHOTS) ** 0.5 + 0.01)


def counted(counts: dict[str, int], example: Example, program) -> Counter[str]:
    if example.register is None:
        return Counter(counts)
    names = [register.name for register in parse(program)[0].circuit.cregs]
    at = len(names) - 1 - names.index(example.register)
    seen: Counter[str] = Counter()
    for bits, count in counts.items():
        seen[bits.split()[at]] += count
    return seen


def test_most_programs_run():
    """At least three quarters of those that do not compute while they run, with half of all read elsewhere."""
    computing = [example for example in PROGRAMS if "measured" in example.message]
    able = [example for example in PROGRAMS if example not in computing]
    assert len(PROGRAMS) >= 60
    assert sum(example.expected is not None for example in able) >= 0.75 * len(able)
    assert sum(example.after is not None for example in PROGRAMS) >= 30


def test_the_page_lists_every_program():
    page = PAGE.read_text()
    for example in PROGRAMS + MISTAKES:
        outcome = "runs" if example.refused_at is None else f"refused: {example.message}"
        assert f"| {example.shows} | {outcome} |" in page, f"python docs/generate.py ({example.name})"
