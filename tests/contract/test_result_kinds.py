"""What every kind of result promises: the built-in ones, and another package's."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from qiskit.primitives import BitArray

from qpi_agent.runs import write_result
from qpi_executors import Executor, run_program
from qpi_jupyter.core import Faulted, Manifest, Program, QpiError, Rejected, header_circuits, qiskit_result
from qpi_jupyter.data import conventions as c
from qpi_jupyter.data.build import (
    arrays_dataset,
    bits_dataset,
    counts_dataset,
    expectation_dataset,
    iq_dataset,
    traces_dataset,
)
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.conventions import CircuitInfo, Slots
from qpi_jupyter.data.drawings import text_of
from qpi_jupyter.data.header import result_header
from qpi_jupyter.data.kinds import KINDS, ResultKind, find
from qpi_jupyter.data.pictures import html_of
from qpi_jupyter.data.plots import draw
from qpi_jupyter.data.selection import as_list
from qpi_jupyter.ui.state import drawn
from qpi_jupyter.wire.results import Splitter, check_circuit, digest, read_header
from tests.support.packages import TOY_LAB, a_package, installed

matplotlib.use("agg")

with installed(TOY_LAB):
    NAMES = KINDS.names()


@pytest.fixture(autouse=True, scope="module")
def toy_lab() -> Iterator[None]:
    with installed(TOY_LAB):
        yield


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> ResultKind:
    return find(request.param)


class Sender(Executor):
    """Gives what it was given."""

    def __init__(self, datasets: list[xr.Dataset]) -> None:
        super().__init__()
        self._datasets = datasets

    def capabilities(self) -> Manifest:
        return Manifest(executor="sender", executor_version="1", num_qubits=4, basis_gates=())

    def run(
        self, program: Program, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> list[xr.Dataset]:
        return self._datasets


def measured(datasets: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """What a driver gets of the executor that gives these."""
    return run_program(Sender(list(datasets)), Program(format="none", sources=(b"x",)))


def plain(offered: object) -> str:
    """All of it, in an order that no file changes."""
    return repr(sorted(offered.items()) if isinstance(offered, dict) else offered)


# --- results of every kind -------------------------------------------------------------------------------------------

NUMBERS = st.floats(-1e6, 1e6)
ANY = st.floats(allow_nan=True, allow_infinity=True)


def about(shots: int, slots: int = 2, **facts: object) -> CircuitInfo:
    plain = {"name": "x", "shots": shots, "memory_slots": slots, "n_qubits": slots, "creg_sizes": (("c", slots),)}
    return CircuitInfo(**{**plain, **facts})  # type: ignore[arg-type]


def signals(draw: st.DrawFn, *shape: int) -> np.ndarray:
    count = 2 * math.prod(shape)
    return np.array(draw(st.lists(NUMBERS, min_size=count, max_size=count))).view(np.complex128).reshape(shape)


def columns(count: int) -> Slots:
    return Slots(clbit=tuple(range(count)), qubit=tuple(range(count)), acq_index=(0,) * count)


@st.composite
def shots(draw: st.DrawFn) -> xr.Dataset:
    count, slots = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    bits = draw(st.lists(st.integers(0, 1), min_size=count * slots, max_size=count * slots))
    return bits_dataset(about(count, slots), np.array(bits).reshape(count, slots))


@st.composite
def counts(draw: st.DrawFn) -> xr.Dataset:
    found = draw(st.dictionaries(st.integers(0, 7), st.integers(1, 10**6), min_size=1))
    return counts_dataset(about(sum(found.values()), 3), found)


@st.composite
def points(draw: st.DrawFn) -> xr.Dataset:
    count, averaged = draw(st.integers(1, 4)), draw(st.booleans())
    info = about(count, meas_level=1, meas_return="avg" if averaged else "single")
    return iq_dataset(info, signals(draw, *(() if averaged else (count,)), 2), columns(2))


@st.composite
def traces(draw: st.DrawFn) -> xr.Dataset:
    count, samples, averaged = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.booleans())
    info = about(count, meas_level=0, meas_return="avg" if averaged else "single")
    return traces_dataset(info, signals(draw, *(() if averaged else (count,)), 2, samples), columns(2), 1e-8)


@st.composite
def expectation_values(draw: st.DrawFn) -> xr.Dataset:
    errors = st.one_of(st.just(math.nan), st.floats(0, 10))
    labels = st.text("IXYZ", min_size=1, max_size=4)
    return expectation_dataset(about(100), draw(st.dictionaries(labels, st.tuples(NUMBERS, errors), max_size=4)))


@st.composite
def arrays(draw: st.DrawFn) -> xr.Dataset:
    count = draw(st.integers(1, 4))
    bits = np.array(draw(st.lists(st.integers(0, 255), min_size=2 * count, max_size=2 * count)), dtype=np.uint8)
    found = {
        "c": BitArray(bits.reshape(2, count, 1), 8),
        "evs": np.array(draw(st.lists(ANY, max_size=3))),
        "whole": np.array(draw(st.integers(-(2**63), 2**63 - 1))),
        "few": np.array(draw(st.lists(st.integers(0, 2**32 - 1), max_size=3)), dtype=np.uint32),
        "yes": np.array(draw(st.lists(st.booleans(), max_size=3)), dtype=bool),
        "signal": signals(draw, 2, 1).astype(draw(st.sampled_from(["complex64", "complex128"]))),
    }
    names = draw(st.lists(st.sampled_from(sorted(found)), min_size=1, unique=True))
    return arrays_dataset(about(count), {name: found[name] for name in names})


RESULTS = {
    "arrays": arrays(), "counts": counts(), "expectation_values": expectation_values(), "points": points(),
    "shots": shots(), "traces": traces(),
}  # fmt: skip
"""Of the built-in kinds; of another package's it is its example."""
SIGNAL = np.array([[1 + 1j, -1], [2j, 3]])
EXAMPLES = {
    "arrays": arrays_dataset(about(2), {"c": BitArray(np.array([[1], [3]], dtype=np.uint8), 2), "x": np.eye(2)}),
    "counts": counts_dataset(about(10), {0: 4, 3: 6}),
    "expectation_values": expectation_dataset(about(100), {"ZZ": (0.5, 0.01), "<XX>": (-0.25, math.nan)}),
    "points": iq_dataset(about(2, meas_level=1), SIGNAL, columns(2)),
    "shots": bits_dataset(about(2), [[0, 1], [1, 1]]),
    "traces": traces_dataset(about(2, meas_level=0), np.stack([SIGNAL, -SIGNAL], axis=-1), columns(2), 1e-8),
}


@pytest.fixture
def example(kind: ResultKind) -> xr.Dataset:
    return EXAMPLES[kind.name].copy() if kind.name in EXAMPLES else kind.example()


def test_there_is_a_result_of_each_kind_and_a_toy_is_among_them() -> None:
    assert set(RESULTS) == set(EXAMPLES) < set(NAMES)
    assert "toy-streaks" in NAMES
    with pytest.raises(NotImplementedError, match="The result kind 'shots' has no example"):
        find("shots").example()


def test_it_is_registered_under_its_own_name(kind: ResultKind) -> None:
    assert KINDS.load(kind.name) is kind
    assert kind.name in NAMES


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_an_executor_gives_comes_back_as_it_was(kind: ResultKind, data: st.DataObject) -> None:
    results = RESULTS[kind.name] if kind.name in RESULTS else st.builds(kind.example)
    datasets = measured(data.draw(st.lists(results, min_size=1, max_size=3)))
    again = as_list(decode(encode(datasets)))
    for sent, back in zip(datasets, again, strict=True):
        xr.testing.assert_identical(back, sent)
        assert dict(back.dtypes) == dict(sent.dtypes)
        assert back.qpi.kind == kind.name == sent.qpi.info["kind"]
        for offered in kind.offers:
            assert offered in dir(back.qpi)
            assert plain(getattr(back.qpi, offered)()) == plain(getattr(sent.qpi, offered)())


def test_a_driver_sends_it_and_the_lab_takes_it(kind: ResultKind, example: xr.Dataset, tmp_path: Path) -> None:
    datasets = measured([example.copy() for _ in range(2)])
    write_result(tmp_path / "result", datasets)
    sent = (tmp_path / "result").read_bytes()
    length = int.from_bytes(sent[8:16], "big")
    splitter = Splitter(digest(sent[16 : 16 + length]))
    blob = splitter.feed(sent)
    splitter.finish()
    header = read_header(splitter.header or b"")
    for index, circuit in enumerate(header.circuits):
        check_circuit(index, circuit)
        assert circuit.kind == kind.name
        assert not circuit.truncated
    assert all(back.identical(one) for back, one in zip(decode(blob).qpi, datasets, strict=True))


def test_the_lab_tells_its_kind_and_what_is_to_be_drawn(kind: ResultKind, example: xr.Dataset) -> None:
    header = result_header([example])
    (told,) = qiskit_result(json.loads(json.dumps(header, allow_nan=False)), "j", "q")["results"]
    assert told["kind"] == kind.name
    assert told.get("drawings") or told["data"]
    assert example.qpi.to_qiskit().results[0].shots == example.qpi.info["shots"]


def test_what_many_qubits_draw_is_cut_with_a_word() -> None:
    many = traces_dataset(about(1, 30, meas_level=0), np.ones((1, 30, 2)), columns(30), 1e-8)
    drawings = result_header([many])["circuits"][0]["drawings"]
    assert [drawing["label"] for drawing in drawings] == [*(f"q{qubit}" for qubit in range(24)), "..."]
    assert drawings[-1]["text"] == "6 more qubits: the dataset has them."


def test_what_is_measured_outlives_a_drawing_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = find("toy-streaks")
    example = kind.example()

    def fails(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(type(kind), "drawing", fails)
    write_result(tmp_path / "result", [example])
    said = 'Results of kind "toy-streaks" can\'t be drawn (ZeroDivisionError: division by zero).'
    (told,) = result_header([example])["circuits"][0]["drawings"]
    (shown,), _ = drawn(example)
    assert told["text"].startswith(said)
    assert shown["text"].startswith(said)


def test_a_header_without_room_leaves_it_out_and_says_so(example: xr.Dataset) -> None:
    header = result_header([example] * 40, max_bytes=16_000)
    assert len(json.dumps(header)) <= 16_000
    for circuit in header_circuits(header):
        whole = circuit["counts"] or circuit["memory"] or circuit.get("drawings")
        assert whole or circuit["truncated"]


def test_it_is_drawn_in_words_as_html_and_where_it_says_more_as_a_picture(
    kind: ResultKind, example: xr.Dataset
) -> None:
    dataset = example
    for qubit in kind.qubits(dataset):
        drawing = kind.drawing(dataset, qubit)
        assert json.loads(json.dumps(drawing, allow_nan=False))["draw"]
        html = html_of(drawing)
        ET.fromstring(f"<div>{html}</div>")
        assert "<XX>" not in html
        assert html or text_of(drawing)
        draw(Figure().subplots(), drawing)
    assert dataset.qpi.plot().figure
    tabs, total = drawn(dataset)
    assert len(tabs) == total == len(kind.qubits(dataset))
    assert all(tab["label"] for tab in tabs)


def test_what_is_not_of_its_kind_is_the_executors_fault_and_no_result(kind: ResultKind, example: xr.Dataset) -> None:
    dataset = example
    due = kind.quantities(dataset, c.circuit_info(dataset.attrs))
    name = next(iter(due))
    spoilt = {
        "nothing in it": dataset.drop_vars(list(dataset.data_vars)),
        "other numbers": dataset.assign({name: dataset[name].astype("complex64")}),
        "a taken name": dataset.assign({"row_size": 1}),
    }
    if c.SHOT in dataset.dims:
        spoilt["a shot missing"] = dataset.isel({c.SHOT: slice(1)})
    if c.SLOT in dataset.dims:
        spoilt["no qubits"] = dataset.drop_vars(c.QUBIT)
        spoilt["no such bit"] = dataset.assign_coords({c.CLBIT: dataset[c.CLBIT] + 1})
    turned = dataset.assign({name: dataset[name].expand_dims("more")})
    if kind.quantities(turned, c.circuit_info(dataset.attrs)) == due:
        spoilt["another dimension"] = turned
    for what, wrong in spoilt.items():
        with pytest.raises(Faulted, match=f"Sender.run: This is not a result of kind '{kind.name}'") as caught:
            measured([wrong])
        assert caught.value.code == "bad_executor", what
    for what in ("nothing in it", "a shot missing", "no qubits", "no such bit", "another dimension"):
        if what in spoilt:
            with pytest.raises(Rejected, match=f"not a result of kind '{kind.name}'"):
                decode(encode([spoilt[what]]))


# --- kinds that a reader doesn't know --------------------------------------------------------------------------------


def of_kind(name: str) -> xr.Dataset:
    dataset = find("toy-streaks").example()
    info = c.circuit_info(dataset.attrs)
    dataset.attrs = {**dataset.attrs, c.CIRCUIT_ATTR: json.dumps(replace(info, kind=name).to_dict())}
    return dataset


def test_an_unknown_kind_is_kept_and_told_by_its_name() -> None:
    dataset = of_kind("x-rays")
    known = EXAMPLES["shots"]
    tree = decode(encode([dataset, known]))
    assert tree.qpi.kind == ["x-rays", "shots"]
    back = tree.qpi[0]
    assert back["streak"].values.tolist() == [3, 2**40]
    assert back.qpi.info["shots"] == 10
    missing = "There is no result kind 'x-rays'. Installed: .*shots.* To get it: install its package."
    for ask in (back.qpi.plot, back.qpi.to_qiskit, lambda: back.qpi.streaks):
        with pytest.raises((Rejected, AttributeError), match=missing):
            ask()
    tabs, total = drawn(tree)
    assert total == 2
    assert tabs[0]["text"].startswith('Results of kind "x-rays" can\'t be drawn here: There is no result kind')
    assert [tab["draw"] for tab in tabs] == ["note", "counts"]
    with pytest.raises(Faulted, match="There is no result kind 'x-rays'"):
        measured([dataset])


def test_one_that_breaks_and_two_of_one_name_disturb_no_other(tmp_path: Path) -> None:
    (tmp_path / "leaves.py").write_text("raise SystemExit('no licence')")
    a_package(
        tmp_path, "broken-kinds", {"qpi.results": {"toy-leaves": "leaves:X [driver]", "toy-no-kind": "json:dumps"}}
    )
    for name in ("left-kinds", "right-kinds"):
        a_package(tmp_path, name, {"qpi.results": {"toy-twin": f"{name.replace('-', '_')}:X"}})
    a_package(tmp_path, "thief", {"qpi.results": {"shots": "leaves:X"}})
    with installed(tmp_path):
        for name, said in {
            "toy-leaves": "SystemExit: no licence. Install it with: pip install 'broken-kinds[driver]'",
            "toy-no-kind": "is not a qpi_jupyter.data.kinds.ResultKind",
            "toy-twin": "Several packages register the result kind 'toy-twin': left-kinds (",
        }.items():
            with pytest.raises(QpiError, match=re.escape(said)):
                find(name)
            (tab,), _ = drawn(decode(encode([of_kind(name)])))
            assert name in tab["text"]
        assert KINDS.load("shots") is find("shots")


def test_a_dataset_of_no_kind_says_what_it_holds() -> None:
    dataset = of_kind("").rename(streak="length")
    with pytest.raises(Rejected, match="does not name its kind; it holds length"):
        _ = dataset.qpi.kind
