"""Rows that are handed over while `run` goes on."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
import xarray as xr
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qpi_agent import partial
from qpi_agent.messages import Rows
from qpi_agent.partial import Partials
from qpi_executors import Executor, load, run_program, simulator
from qpi_jupyter.core import CircuitOptions, Program
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.selection import as_list
from tests.circuits import qpy_program


def rabi(points: int = 9) -> Program:
    circuit = QuantumCircuit(1, 1)
    circuit.rx(Parameter("theta"), 0)
    circuit.measure(0, 0)
    rows = tuple((float(theta),) for theta in np.linspace(0, np.pi, points))
    return qpy_program(circuit, entries=(CircuitOptions(parameter_values=rows),), shots=50, seed_simulator=7)


@pytest.mark.parametrize("name", ["mock", "qiskit_aer"])
def test_rows_come_in_pieces_and_are_those_of_the_result(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    executor: Executor = load(name)
    executor.open()
    whole = run_program(executor, rabi())
    seen: dict[int, xr.Dataset] = {}
    monkeypatch.setattr(simulator, "_CHUNK_S", 0.0)  # a row at a time
    found = run_program(executor, rabi(), partial=seen.__setitem__)
    executor.close()
    assert list(seen) == list(range(8)), "the last piece is the result's own"
    assert all(found[index] is row for index, row in seen.items())
    for one, other in zip(found, whole, strict=True):
        xr.testing.assert_equal(one, other)
    assert executor.heard is None


def test_a_slow_machine_gets_smaller_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = load("mock")
    likely_s = executor.cost(executor.runs(rabi())[0]).likely_s
    monkeypatch.setattr(simulator, "_CHUNK_S", 4.5 * likely_s)
    clock, pieces, measure = [0.0], list[int](), executor.simulate

    def simulate(circuits: list[QuantumCircuit], **options: Any) -> list[simulator.Outcome]:
        pieces.append(len(circuits))
        clock[0] += 2 * likely_s * len(circuits)
        return measure(circuits, **options)

    monkeypatch.setattr(executor, "simulate", simulate)
    monkeypatch.setattr(simulator.time, "perf_counter", lambda: clock[0])
    run_program(executor, rabi())
    assert pieces == [4, 2, 2, 1]


def handed_on() -> tuple[Partials, list[Rows], list[float]]:
    sent, clock = list[Rows](), [0.0]
    return Partials(sent.append, lambda: clock[0]), sent, clock


def test_what_is_handed_on_is_packed_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = run_program(load("mock"), rabi())
    partials, sent, clock = handed_on()
    partials.heard(0, datasets[0])
    assert sent == [], "a short run is told by its end"
    clock[0] = partial.FIRST_S
    partials.heard(1, datasets[1])
    partials.heard(2, datasets[2])
    assert [chunk.rows for chunk in sent[0].chunks] == [[0, 1]], "the next ones when it is time to"
    clock[0] += partial.EVERY_S
    partials.heard(4, datasets[4])
    assert [chunk.rows for chunk in sent[1].chunks] == [[2, 4]]
    assert sent[1].measured == 4
    for row, one in zip([2, 4], as_list(decode(zlib.decompress(sent[1].chunks[0].data))), strict=True):
        xr.testing.assert_equal(one, datasets[row])
    partials.begin()
    partials.heard(0, datasets[0])
    assert len(sent) == 2, "another run begins anew"


def test_a_sweep_is_drawn_with_the_points_that_it_has() -> None:
    datasets = run_program(load("mock"), rabi())
    partials, sent, clock = handed_on()
    partials.begin(rabi())
    clock[0] = 1.0
    partials.heard(0, datasets[0])
    clock[0] = 2.0
    partials.heard(4, datasets[4])
    (drawing,) = sent[-1].drawings
    assert (drawing["draw"], drawing["x_label"], len(drawing["x"])) == ("lines", "theta", 9)
    assert {line["label"] for line in drawing["lines"]} == {"0", "1"}
    assert [place for place, y in enumerate(drawing["lines"][0]["y"]) if y is not None] == [0, 4]


def test_packing_takes_a_small_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = run_program(load("mock"), rabi())
    clock, sent = [1.0], list[float]()

    def slowly(rows: Rows) -> None:
        sent.append(clock[0])
        clock[0] += 0.6

    partials = Partials(slowly, lambda: clock[0])
    while clock[0] < 100.0:
        partials.heard(len(sent), datasets[0])
        clock[0] += 1.0
    assert len(sent) * 0.6 < 2 * partial.SHARE * 100


def test_large_pieces_are_cut_and_what_is_too_large_waits_for_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = run_program(load("mock"), rabi())
    one = len(zlib.compress(encode(datasets[:1]), 1))
    monkeypatch.setattr(partial, "ROWS_BYTES", one + 50)
    partials, sent, clock = handed_on()
    for index, dataset in enumerate(datasets):
        partials.heard(index, dataset)
    clock[0] = 1.0
    partials.offer()
    assert sorted(row for chunk in sent[0].chunks for row in chunk.rows) == list(range(9))
    assert all(len(chunk.data) <= one + 50 for chunk in sent[0].chunks)
    monkeypatch.setattr(partial, "MAX_ROW_BYTES", 1)
    partials.begin()
    clock[0] = 2.0
    partials.heard(0, datasets[0])
    assert (sent[1].chunks, sent[1].measured) == ([], 1)


def test_a_part_that_cannot_be_shown_does_not_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    partials, sent, clock = handed_on()
    clock[0] = 1.0
    partials.heard(0, xr.Dataset({"odd": ("x", [object()])}))
    assert sent == []
