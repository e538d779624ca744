"""What every program format promises, and every executor of each: the built-in ones, and another package's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
import xarray as xr

from qpi_executors import Executor, RunCancelled, load, names, run_program
from qpi_executors.transcript import transcribe
from qpi_jupyter.client.programs import program_of
from qpi_jupyter.core import (
    MAX_PROGRAM_BYTES,
    Manifest,
    Program,
    ProgramError,
    ProgramFormat,
    Rejected,
    RunOptions,
    TooLarge,
    check_program,
    pack,
)
from qpi_jupyter.core.programs import digest
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.conventions import circuit_info, provenance
from qpi_jupyter.data.formats import FORMATS
from qpi_jupyter.data.header import result_header
from qpi_jupyter.data.selection import as_list
from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.rest import decode as decode_body
from tests.support.packages import TOY_LAB, installed

with installed(TOY_LAB):
    PAIRS = [(name, form.name) for name in names() for form in (load(name).formats)]
    NAMES = FORMATS.names()


@pytest.fixture(autouse=True, scope="module")
def toy_lab() -> Iterator[None]:
    with installed(TOY_LAB):
        yield


@pytest.fixture(params=NAMES)
def form(request: pytest.FixtureRequest) -> ProgramFormat:
    return FORMATS.load(request.param)


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Executor, ProgramFormat]]:
    name, form = request.param
    executor = load(name)
    executor.open()
    yield executor, FORMATS.load(form)
    executor.close()


def example(form: ProgramFormat, count: int = 1, **options: object) -> Program:
    return Program(format=form.name, sources=(form.example(),) * count, options=RunOptions(**options))


def test_a_toy_is_among_them() -> None:
    assert ("toy_coins", "toy-coins") in PAIRS
    assert {
        "openqasm2",
        "openqasm3",
        "qblox-schedule",
        "qpy",
        "quantify-schedule",
        "runtime-estimator",
        "runtime-sampler",
        "toy-coins",
    } == set(NAMES)


def test_it_is_registered_under_its_own_name_and_its_example_is_fine(form: ProgramFormat) -> None:
    assert FORMATS.load(form.name) is form
    check_program(example(form), form, max_shots=2000)


def test_its_facts_travel(form: ProgramFormat) -> None:
    manifest = Manifest(
        executor="x", executor_version="1", num_qubits=1, basis_gates=(), formats=(form.name,),
        format_facts=(form.facts(),),
    )  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest) == manifest


def test_what_is_too_large_too_many_or_nothing_is_refused(form: ProgramFormat) -> None:
    with pytest.raises(TooLarge) as caught:
        check_program(replace(example(form), sources=(b"x" * (form.max_source_bytes + 1),)), form, max_shots=2000)
    assert f"{form.max_source_bytes:,}" in caught.value.message
    if len(form.example()) * (form.max_sources + 1) <= MAX_PROGRAM_BYTES:
        with pytest.raises(TooLarge, match=f"the limit is {form.max_sources:,}"):
            check_program(example(form, form.max_sources + 1), form, max_shots=2000)
    for sources in ((), (b" \n",)):
        with pytest.raises(ProgramError) as empty:
            check_program(replace(example(form), sources=sources), form, max_shots=2000)
        assert empty.value.code == "empty_program"


def test_a_person_submits_it_by_its_name(form: ProgramFormat) -> None:
    request = SubmitRequest(program=program_of(form.example(), form.name))
    program = decode_body(msgspec.json.encode(request), SubmitRequest).to_program()
    assert (program.format, program.sources) == (form.name, (form.example(),))
    with pytest.raises(TypeError, match=f"no {form.name} {form.noun}"):
        program_of(3.5, form.name)


def test_it_is_shown_as_text(form: ProgramFormat) -> None:
    if form.text:
        assert form.example().decode().strip()
        return
    shown = transcribe(form, [form.example(), form.example()])
    assert shown["total"] == 2
    for entry in shown["circuits"]:
        assert (bool(entry["text"]), entry["problem"]) == (True, "")


def test_what_cannot_be_read_says_so(form: ProgramFormat) -> None:
    if not form.text:
        with pytest.raises(ProgramError):
            transcribe(form, [b"\xff\x00" * 40])


def test_its_executor_lists_it_with_its_facts(pair: tuple[Executor, ProgramFormat]) -> None:
    executor, form = pair
    manifest = executor.manifest
    assert form.name in manifest.formats
    assert form.facts() in manifest.format_facts


def test_it_is_checked_and_runs(pair: tuple[Executor, ProgramFormat]) -> None:
    executor, form = pair
    program = example(form, 2, shots=20, seed_simulator=3)
    executor.validate(program)
    estimate = executor.estimate(program)
    assert 0 < estimate.estimate_s <= estimate.upper_s
    assert estimate.num_circuits == 2
    shares: list[float] = []
    datasets = run_program(executor, program, progress=shares.append)
    assert [shots_of(dataset) for dataset in datasets] == [20, 20]
    assert (shares, shares[-1]) == (sorted(shares), 1.0)
    assert [circuit["shots"] for circuit in result_header(datasets)["circuits"]] == [20, 20]
    assert all(back.identical(sent) for back, sent in zip(as_list(decode(encode(datasets))), datasets, strict=True))
    for dataset in datasets:
        assert provenance(dataset.attrs).program_sha256 == digest(pack(program.sources))


def shots_of(dataset: xr.Dataset) -> int:
    """How many shots are in it; of expectation values, how many they say they took."""
    info = circuit_info(dataset.attrs)
    return info.shots if info.kind == "arrays" else sum(dataset.qpi.counts().values())


def test_its_run_hears_a_cancel(pair: tuple[Executor, ProgramFormat]) -> None:
    executor, form = pair
    with pytest.raises(RunCancelled):
        run_program(executor, example(form), cancelled=lambda: True)


def test_another_format_is_refused_with_those_it_takes(pair: tuple[Executor, ProgramFormat]) -> None:
    executor, form = pair
    with pytest.raises(Rejected) as caught:
        executor.validate(replace(example(form), format="no-such-format"))
    takes = ", ".join(executor.manifest.formats)
    assert caught.value.message.endswith(f"does not run no-such-format; it runs {takes}.")
