"""What every program format promises, and every executor: the built-in ones, and another package's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from qpi_executors import load, names
from qpi_executors.conformance import test_contract
from qpi_executors.conformance.test_contract import *  # noqa: F403
from qpi_executors.conformance.test_contract import example
from qpi_executors.transcript import transcribe
from qpi_jupyter.client.programs import program_of
from qpi_jupyter.core import (
    MAX_PROGRAM_BYTES,
    Manifest,
    ProgramError,
    ProgramFormat,
    TooLarge,
    check_program,
)
from qpi_jupyter.data.formats import FORMATS
from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.rest import decode as decode_body
from tests.support.packages import TOY_LAB, installed

with installed(TOY_LAB):
    PAIRS = [(name, form.name) for name in names() for form in (load(name).formats)]
    NAMES = FORMATS.names()
ON_GPUS = ("gpu", "custatevec")
"""What these promise without one, `tests/unit/executors/test_gpu.py` looks at."""


test_it_leaves_its_process_alive_and_nothing_behind = pytest.mark.slow(
    test_contract.test_it_leaves_its_process_alive_and_nothing_behind
)


@pytest.fixture(autouse=True, scope="module")
def toy_lab() -> Iterator[None]:
    with installed(TOY_LAB):
        yield


@pytest.fixture(params=NAMES)
def form(request: pytest.FixtureRequest) -> ProgramFormat:
    return FORMATS.load(request.param)


@pytest.fixture(scope="module", params=dict.fromkeys(name for name, _ in PAIRS if name not in ON_GPUS))
def qpi_executor_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_toy_is_among_them() -> None:
    assert ("toy_coins", "toy-coins") in PAIRS
    assert {
        "openqasm2",
        "openqasm3",
        "qblox-schedule",
        "qpy",
        "quantify-schedule",
        "runtime-estimator",
        "runtime-executor",
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
