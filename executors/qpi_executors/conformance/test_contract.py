"""What every executor promises, whatever its programs are: the examples of its formats are all that it is given."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import xarray as xr

from qpi_executors import Executor, RunCancelled, run_program
from qpi_jupyter.core import Program, ProgramFormat, Rejected, RunOptions, pack
from qpi_jupyter.core.programs import digest
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.conventions import CONVENTIONS, circuit_info, provenance
from qpi_jupyter.data.header import result_header
from qpi_jupyter.data.selection import as_list

PROBE_S = 600.0


def example(form: ProgramFormat, count: int = 1, **options: object) -> Program:
    """A program of the format's own example."""
    return Program(format=form.name, sources=(form.example(),) * count, options=RunOptions(**options))  # type: ignore[arg-type]


def shots_of(dataset: xr.Dataset) -> int:
    """How many shots are in it; of expectation values, how many they say they took."""
    info = circuit_info(dataset.attrs)
    return info.shots if info.kind == "arrays" else sum(dataset.qpi.counts().values())


def test_it_leaves_its_process_alive_and_nothing_behind(
    request: pytest.FixtureRequest, qpi_executor_name: str, qpi_executor_options: dict[str, str]
) -> None:
    asked = json.dumps({"name": qpi_executor_name, "options": qpi_executor_options})
    probe = subprocess.run(
        [sys.executable, "-m", "qpi_executors.conformance.probe"], input=asked, capture_output=True, text=True,
        timeout=PROBE_S, check=False, cwd=request.config.invocation_params.dir,
    )  # fmt: skip
    if not probe.stdout:
        if "Traceback" not in probe.stderr:
            request.session.shouldstop = "the executor ends its process: the other tests would end with it"
        pytest.fail(f"It ended its process with status {probe.returncode}:\n{probe.stderr[-4000:]}", pytrace=False)
    first, last = json.loads(probe.stdout)
    grown = {what: (first[what], last[what]) for what in first if last[what] > first[what]}
    assert not grown, f"each open, run and close leaves more behind: {grown}"


def test_open_and_close_may_be_repeated(qpi_executor: Executor) -> None:
    qpi_executor.open()
    qpi_executor.close()
    qpi_executor.close()
    qpi_executor.open()


def test_capabilities_are_stable_and_answer_before_open(
    qpi_executor: Executor,
    qpi_executor_maker: Callable[..., Executor],
) -> None:
    fresh = qpi_executor_maker()
    assert fresh.capabilities() == qpi_executor.capabilities() == qpi_executor.capabilities()
    fresh.close()  # also of one that was never opened


def test_an_unknown_option_is_refused_by_name(
    qpi_executor: Executor,
    qpi_executor_maker: Callable[..., Executor],
) -> None:
    with pytest.raises(Rejected, match="'nonsense'") as caught:
        qpi_executor_maker(nonsense=1)
    assert caught.value.code == "unknown_option"
    for form in qpi_executor.formats:
        with pytest.raises(Rejected, match="no run option 'nonsense'"):
            qpi_executor.validate(example(form, extra={"nonsense": 1}))


def test_it_lists_its_formats_with_their_facts(qpi_executor: Executor) -> None:
    manifest = qpi_executor.manifest
    assert qpi_executor.formats, "an executor has at least one program format"
    for form in qpi_executor.formats:
        assert form.name in manifest.formats
        assert form.facts() in manifest.format_facts


def test_an_example_is_checked_and_runs(qpi_executor: Executor) -> None:
    for form in qpi_executor.formats:
        program = example(form, 2, shots=20, seed_simulator=3)
        qpi_executor.validate(program)
        estimate = qpi_executor.estimate(program)
        assert 0 < estimate.estimate_s <= estimate.upper_s
        assert estimate.num_circuits == 2
        shares: list[float] = []
        datasets = run_program(qpi_executor, program, progress=shares.append)
        assert [shots_of(dataset) for dataset in datasets] == [20, 20]
        assert shares == sorted(shares)
        assert shares[-1:] in ([], [1.0]), "progress, where it is told, ends with 1"
        assert [circuit["shots"] for circuit in result_header(datasets)["circuits"]] == [20, 20]
        assert all(back.identical(sent) for back, sent in zip(as_list(decode(encode(datasets))), datasets, strict=True))


def test_every_result_follows_the_conventions_and_says_where_it_comes_from(qpi_executor: Executor) -> None:
    for form in qpi_executor.formats:
        program = example(form, shots=20, seed_simulator=4)
        for dataset in run_program(qpi_executor, program):
            assert dataset.attrs["Conventions"] == CONVENTIONS
            for name, variable in dataset.variables.items():
                assert {"long_name", "units"} <= set(variable.attrs), name
            origin = provenance(dataset.attrs)
            assert origin is not None
            assert origin.program_sha256 == digest(pack(program.sources)) == program.sha256
            assert origin.executor == qpi_executor.capabilities().executor
            assert origin.seed == 4
            assert origin.busy_s > 0
            assert origin.started_at.endswith("Z")


def test_what_is_handed_over_meanwhile_is_in_the_result(qpi_executor: Executor) -> None:
    for form in qpi_executor.formats:
        heard: dict[int, xr.Dataset] = {}
        datasets = run_program(qpi_executor, example(form, 2, shots=20), partial=heard.__setitem__)
        for index, dataset in heard.items():
            assert dataset.variables.keys() == datasets[index].variables.keys()
            assert all(dataset[name].equals(datasets[index][name]) for name in dataset.data_vars)


def test_a_run_hears_a_cancel_and_the_next_one_is_well(qpi_executor: Executor) -> None:
    for form in qpi_executor.formats:
        with pytest.raises(RunCancelled):
            run_program(qpi_executor, example(form), cancelled=lambda: True)
        assert run_program(qpi_executor, example(form, shots=20))


def test_a_level_that_it_lacks_is_refused(qpi_executor: Executor) -> None:
    for level in {0, 1, 2} - set(qpi_executor.capabilities().meas_levels):
        for form in qpi_executor.formats:
            with pytest.raises(Rejected, match=f"meas_level {level}"):
                qpi_executor.validate(example(form, meas_level=level))


def test_another_format_is_refused_with_those_it_takes(qpi_executor: Executor) -> None:
    with pytest.raises(Rejected) as caught:
        qpi_executor.validate(replace(example(qpi_executor.formats[0]), format="no-such-format"))
    takes = ", ".join(qpi_executor.manifest.formats)
    assert caught.value.message.endswith(f"does not run no-such-format; it runs {takes}.")
