"""Fragments that are compiled for a calibration: by a driver's check child, and by the lab's own child."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from qiskit import QuantumCircuit

from qpi_agent.child import Checks
from qpi_agent.messages import Check
from qpi_executors import load
from qpi_executors.compiling import Compiler
from qpi_executors.planning import Planner
from qpi_jupyter.core import Figure, Program, calibration_of, pack, unpack
from qpi_jupyter.core.calibrations import with_figures
from qpi_jupyter.core.plans import PlanRequest
from qpi_jupyter.core.reservations import Compiled
from qpi_jupyter.data.circuits import to_qpy
from qpi_jupyter.wire.frames import ProgramRef
from qpi_jupyter.wire.rest import OptionsIn
from tests.support.chips import chip
from tests.unit.agent.test_told_errors import OneQuestion

CHIP = chip(3, 0.1)


def chain(width: int) -> QuantumCircuit:
    circuit = QuantumCircuit(width)
    circuit.h(0)
    for index in range(width - 1):
        circuit.cx(index, index + 1)
    circuit.measure_all()
    return circuit


FRAGMENT = to_qpy([chain(2), chain(3)])
PROGRAM = Program(format="qpy", sources=(FRAGMENT,))


def test_the_hardest_circuit_is_compiled_for_the_calibration_and_the_same_is_the_same() -> None:
    found = Compiler().compile(PROGRAM, CHIP, seed=5)
    assert found is not None
    assert found.esp == pytest.approx(0.9**2)
    assert found.shot_s == pytest.approx(600e-9)
    assert found.calibration_id == CHIP.calibration_id
    assert Compiler().compile(PROGRAM, CHIP, seed=5) == found
    compiler = Compiler()
    for error in (0.1, 0.2):  # whatever their calibrations are called
        other = compiler.compile(PROGRAM, chip(3, error, calibration_id="noon"), seed=5)
        assert other is not None
        assert other.esp == pytest.approx((1 - error) ** 2)
    assert compiler.compile(PROGRAM, chip(2), seed=5) is None, "it is too small"


def test_a_check_child_compiles_where_that_is_asked_for() -> None:
    for target in (None, CHIP):
        ref = ProgramRef(format="qpy", sha256=PROGRAM.sha256, sources=[FRAGMENT], options=OptionsIn(shots=10))
        channel = OneQuestion(Check(program=ref, target=target, seed=5))
        with pytest.raises(EOFError):
            Checks(channel, load("qiskit_aer")).serve()
        [answer] = channel.answers
        assert answer.error is None
        assert answer.estimate is not None
        assert answer.compiled == (None if target is None else Compiler().compile(PROGRAM, CHIP, seed=5))


def test_a_check_child_that_cannot_compile_says_why_in_its_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object) -> None:
        raise KeyError("no such gate")

    monkeypatch.setattr(Compiler, "compile", fail)
    ref = ProgramRef(format="qpy", sha256=PROGRAM.sha256, sources=[FRAGMENT], options=OptionsIn(shots=10))
    channel = OneQuestion(Check(program=ref, target=CHIP, seed=5))
    with pytest.raises(EOFError):
        Checks(channel, load("qiskit_aer")).serve()
    assert (channel.answers[0].error, channel.answers[0].compiled) == (None, None)
    assert "no such gate" in caplog.text


def test_the_labs_child_compiles_for_a_calibration_of_the_past() -> None:
    past = with_figures(chip(3, 0.01), "past", calibration_of(CHIP).figures())
    assert past == replace(CHIP, calibration_id="past")
    head = {"format": "qpy", "request": PlanRequest(seed=5), "targets": {"": past}, "compile": True}
    said = msgspec.json.decode(unpack(Planner().answer(pack((msgspec.json.encode(head), FRAGMENT))))[0])
    assert msgspec.convert(said["compiled"], Compiled).esp == pytest.approx(0.9**2)
    assert said["study"] is None


def test_figures_of_gates_and_qubits_that_are_not_there_any_more_are_left_out() -> None:
    figures = [
        Figure("readout_error", (5,), 0.5),
        Figure("readout_error", (1,), 0.25),
        Figure("error", (4, 5), 0.5, "cx"),
    ]
    past = with_figures(chip(2, 0.01), "past", figures)
    assert [one.readout_error for one in past.qubits] == [None, 0.25]
    assert [one.qubits for one in past.gates] == [(0, 1), (1, 0)]
