"""The magics in an IPython shell, against a scripted lab."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from qpi_jupyter.client import JobHandle
from qpi_jupyter.core.errors import Faulted, ProgramError
from qpi_jupyter.data.build import counts_dataset
from qpi_jupyter.data.conventions import CircuitInfo
from qpi_jupyter.ui.pending import Pending
from tests.faults.scripted_rest import TOKEN, ScriptedLab
from tests.support.packages import TOY_LAB, installed

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


def finish_at_once(server: ScriptedLab, *counts: dict[str, int]) -> None:
    server.on_submit = lambda model: server.finish(model.id, counts=list(counts))


def submit(shell: InteractiveShell, line: str, cell: str = BELL) -> object:
    return shell.run_cell_magic("qpi_submit", line, cell)


def test_openqasm_is_sent_as_it_stands(server: ScriptedLab, shell: InteractiveShell) -> None:
    job = submit(shell, "--qpu sim-a --shots 2_000 --seed 7 --name 'my bell' --tag a --tag b --priority 3 --retry-safe")
    assert isinstance(job, JobHandle)
    sent = server.submits[0]
    assert sent.program.sources == [BELL]
    assert (sent.qpu, sent.options.shots, sent.options.seed_simulator) == ("sim-a", 2000, 7)
    assert (sent.name, sent.tags, sent.priority, sent.retry_safe) == ("my bell", ["a", "b"], 3, True)


def test_jobs_to_wait_for_are_named_by_their_variables_or_ids(server: ScriptedLab, shell: InteractiveShell) -> None:
    submit(shell, "--job first")
    shell.user_ns["sides"] = [submit(shell, ""), shell.user_ns["first"]]
    shell.user_ns["ds"] = Pending("ds", shell.user_ns["first"])
    for words in ("first", "job1", "'job1'", "ds"):
        submit(shell, f"--after {words}")
        assert server.submits[-1].after == ["job1"]
    submit(shell, "--after sides --after job-9")
    assert server.submits[-1].after == ["job2", "job1", "job-9"]
    for nothing in ({}, [], [1], "job1"):
        shell.user_ns["empty"] = nothing
        with pytest.raises(UsageError, match="--after empty: that holds no job"):
            submit(shell, "--after empty")


@pytest.mark.parametrize("seed", ["--seed", "--seed-simulator"])
@pytest.mark.parametrize("values", ["--parameters", "--parameter-values"])
def test_qiskits_words_and_the_short_ones(server: ScriptedLab, shell: InteractiveShell, seed: str, values: str) -> None:
    submit(shell, f"{seed} 7 {values} [[1.5]]")
    options = server.submits[0].options
    assert options.seed_simulator == 7
    assert options.circuits[0].parameter_values == [[1.5]]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--shotz 3", "%qpi_submit has no option --shotz. Did you mean --shots?"),
        ("--qpu sim-a --backend sim-a", "%qpi_submit has no option --backend. Did you mean --qpu?"),
        ("--params [1]", "%qpi_submit has no option --params. Did you mean --parameter-values?"),
        ("--zzz", "%qpi_submit has no option --zzz. %qpi_submit? lists those that it has."),
    ],
)
def test_a_wrong_option_is_met_with_the_right_one(shell: InteractiveShell, line: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        submit(shell, line)
    assert str(caught.value) == said


def test_jobs_are_cancelled_and_waited_for_by_variable_or_id(server: ScriptedLab, shell: InteractiveShell) -> None:
    for name in ("first", "second", "third"):
        submit(shell, f"--job {name}")
    assert repr(shell.run_line_magic("qpi_cancel", "job1")).startswith("<Job job1")
    assert [job.id for job in shell.run_line_magic("qpi_cancel", "second job3")] == ["job2", "job3"]
    for word in ("first", "job2"):
        with pytest.raises(UsageError, match="was cancelled"):
            shell.run_line_magic("qpi_wait", word)
    submit(shell, "--job fourth")
    server.finish("job4", [{"0": 1}])
    shell.run_line_magic("qpi_wait", "job4 fourth")


def test_options_of_levels_and_of_the_qpu(server: ScriptedLab, shell: InteractiveShell) -> None:
    submit(shell, "--qpu sim-a --meas-level 1 --meas-return avg --option method=statevector")
    options = server.submits[0].options
    assert (options.meas_level, options.meas_return, options.extra) == (1, "avg", {"method": "statevector"})


def test_a_cell_in_another_format_is_sent_as_it_stands(server: ScriptedLab, shell: InteractiveShell) -> None:
    with installed(TOY_LAB):
        submit(shell, "--qpu sim-a --format toy-coins", "COINS 123")
    sent = server.submits[0].program
    assert (sent.format, sent.sources, sent.data) == ("toy-coins", [], [b"COINS 123"])


@pytest.mark.parametrize(
    ("line", "cell"),
    [
        ("", "from qiskit import QuantumCircuit\nqc = QuantumCircuit(1, 1)\nqc.measure(0, 0)\nqc"),
        ("", "from qiskit import QuantumCircuit\nqc = QuantumCircuit(1, 1)"),
        ("--circuit qc", "from qiskit import QuantumCircuit\nqc = QuantumCircuit(1, 1)\nprint('built')"),
    ],
)
def test_python_that_builds_a_circuit(server: ScriptedLab, shell: InteractiveShell, line: str, cell: str) -> None:
    submit(shell, line, cell)
    assert server.submits[0].program.format == "qpy"
    assert "qc" in shell.user_ns


def test_openqasm_without_its_header_is_recognised(server: ScriptedLab, shell: InteractiveShell) -> None:
    submit(shell, "", "qubit[2] q;\nbit c;\nc = measure q[0];")
    assert server.submits[0].program.format == "openqasm3"


def test_the_line_magic_takes_an_expression(server: ScriptedLab, shell: InteractiveShell) -> None:
    shell.user_ns["texts"] = {"bell": BELL}
    job = shell.run_line_magic("qpi_submit", 'texts["bell"] --qpu sim-b')
    assert isinstance(job, JobHandle)
    assert (server.submits[0].qpu, server.submits[0].program.sources) == ("sim-b", [BELL])


def test_parameters_are_an_expression(server: ScriptedLab, shell: InteractiveShell) -> None:
    shell.user_ns["angles"] = [[0.1], [0.2]]
    submit(shell, "--parameters angles")
    assert server.submits[0].options.circuits[0].parameter_values == [[0.1], [0.2]]


@pytest.mark.parametrize(
    ("line", "cell", "said"),
    [
        ("--shots 1.5", BELL, "--shots takes a whole number, not '1.5'"),
        ("--qpus sim-a", BELL, "has no option --qpus"),
        ("bell", BELL, "What is 'bell'"),
        ("--to 2x", BELL, "name of a variable, not '2x'"),
        ("--option x", BELL, "KEY=VALUE"),
        ("--parameters nothing", BELL, "nothing: NameError"),
        ("", " \n", "The cell is empty"),
        ("", "x = 3\nx", "is a int, not a circuit"),
        ("--circuit missing", "x = 3", "'missing' cannot be evaluated: NameError"),
        ("", "if x:\n", "neither OpenQASM"),
    ],
)
def test_mistakes_are_usage_errors(
    shell: InteractiveShell, server: ScriptedLab, line: str, cell: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        submit(shell, line, cell)
    assert server.jobs == {}


def test_a_bad_circuit_shows_its_line_with_a_caret(server: ScriptedLab, shell: InteractiveShell) -> None:
    server.refuse = ProgramError("'foo' is not defined", circuit=0, line=5, column=3)
    with pytest.raises(UsageError) as caught:
        submit(shell, "")
    assert str(caught.value) == "line 5, column 3: 'foo' is not defined\n\n    5 | h q[0];\n      |   ^"


def test_no_lab_is_told_without_a_traceback(shell: InteractiveShell, server: ScriptedLab) -> None:
    server.stop()
    with pytest.raises(UsageError, match="does not answer"):
        shell.run_line_magic("qpi_qpus", "")
    server.start()


def test_wait_binds_before_the_cell_ends(
    server: ScriptedLab, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    finish_at_once(server, {"00": 3, "11": 7})
    assert submit(shell, "--wait --job job") is None
    assert shell.user_ns["job"].counts() == {"00": 3, "11": 7}


def test_wait_raises_what_failed(server: ScriptedLab, shell: InteractiveShell) -> None:
    server.on_submit = lambda model: server.fail(model.id, ProgramError("no such gate", line=6, column=1))
    with pytest.raises(UsageError, match=r"line 6, column 1: no such gate\n\n    6 \| cx q"):
        submit(shell, "--wait")
    server.on_submit = lambda model: server.fail(model.id, Faulted("the fridge is warm"))
    with pytest.raises(Faulted, match="fridge"):
        submit(shell, "--wait")


async def kernel(cell: Callable[[], Awaitable[None]]) -> None:
    """Run the cell, and end with what still follows its jobs."""
    await cell()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


def test_to_holds_a_placeholder_until_the_data_is_there(server: ScriptedLab, shell: InteractiveShell) -> None:
    async def cell() -> None:
        submit(shell, "--to ds")
        pending = shell.user_ns["ds"]
        assert isinstance(pending, Pending)
        assert "`%qpi_wait ds` waits" in repr(pending)
        with pytest.raises(AttributeError, match=r"ds is not there yet[.] Job job1: Waiting"):
            _ = pending.bit
        with pytest.raises(AttributeError, match="not there yet"):
            _ = pending["bit"]
        server.fail("job1", Faulted("the fridge is warm"))
        with pytest.raises(Faulted, match="fridge"):
            await pending
        with pytest.raises(Faulted, match="fridge"):
            _ = pending.bit
        assert "there is no data" in repr(pending)

    asyncio.run(kernel(cell))


def test_qpi_wait_waits_once_and_may_be_run_again(server: ScriptedLab, shell: InteractiveShell) -> None:
    async def cell() -> None:
        submit(shell, "--to ds --job job")
        server.fail("job1", Faulted("the fridge is warm"))
        for name in ("ds", "job"):
            with pytest.raises(Faulted, match="fridge"):
                shell.run_line_magic("qpi_wait", name)
        shell.user_ns["ds"] = data = object()
        shell.run_line_magic("qpi_wait", "ds")
        assert shell.user_ns["ds"] is data, "what is there already stays"
        with pytest.raises(UsageError, match="no variable dz, and no job"):
            shell.run_line_magic("qpi_wait", "ds dz")
        with pytest.raises(UsageError, match="takes variables"):
            shell.run_line_magic("qpi_wait", "")

    asyncio.run(kernel(cell))


def test_tables_and_jobs(server: ScriptedLab, shell: InteractiveShell) -> None:
    assert shell.run_line_magic("qpi_qpus", "")["sim-a"].num_qubits == 24
    submit(shell, "--qpu sim-b")
    assert [job.id for job in shell.run_line_magic("qpi_jobs", "--limit 5 --qpu sim-b")] == ["job1"]
    assert shell.run_line_magic("qpi_job", "job1").model.qpu == "sim-b"
    assert shell.run_line_magic("qpi_cancel", "job1").model.status == "cancelled"
    with pytest.raises(UsageError, match="There is no job job9"):
        shell.run_line_magic("qpi_job", "job9")
    with pytest.raises(UsageError, match="takes variables"):
        shell.run_line_magic("qpi_cancel", "")
    with pytest.raises(UsageError, match=r"no options, so --all means nothing here; %qpi_cancel\? says"):
        shell.run_line_magic("qpi_cancel", "job1 --all")


def test_connect_says_which_lab(server: ScriptedLab, shell: InteractiveShell) -> None:
    lab = shell.run_line_magic("qpi_connect", f"{server.url}/lab?token={TOKEN}")
    assert repr(lab) == f"<Lab {server.url} (given)>"
    assert shell.run_line_magic("qpi_connect", "") is lab


def test_help_lists_the_options(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%qpi_submit?")
    shown = capsys.readouterr().out
    for option in ("--qpu", "--shots", "--format", "--after", "--to", "--wait", "watch it run"):
        assert option in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%qpi_submit --qpu s", {"sim-a", "sim-b"}),
        ("%%qpi_submit --me", {"--meas-level", "--meas-return"}),
        ("%qpi_submit bell --meas-return a", {"avg"}),
        ("%qpi_job j", {"job1"}),
        ("%%qpi_submit --after j", {"job", "job1"}),
    ],
)
def test_completion(shell: InteractiveShell, server: ScriptedLab, text: str, expected: set[str]) -> None:
    submit(shell, "--job job")
    with provisionalcompleter():
        found = {completion.text for completion in shell.Completer.completions(text, len(text))}
    assert found >= expected


@pytest.mark.parametrize(
    ("text", "expected", "hidden"),
    [
        ("job.", {"result", "status", "plot"}, {"http", "model", "bar", "renderer"}),
        ("x = lab.s", {"sweep", "submit"}, {"statement_of"}),
        ("lab.", {"url", "qpus"}, {"http", "widgets"}),
        ("ds.qpi.p", {"plot", "probability"}, {"dataset"}),
        ('ds.qpi.fit("r', {"rabi", "ramsey", "rb"}, {"t1"}),
        ('ds.qpi.fit("rabi", a', {"along="}, {"dataset="}),
    ],
)
def test_what_people_use_is_offered_and_nothing_else(
    shell: InteractiveShell, server: ScriptedLab, text: str, expected: set[str], hidden: set[str]
) -> None:
    submit(shell, "--job job")
    about = CircuitInfo(name="c", shots=2, memory_slots=1, n_qubits=1)
    shell.user_ns |= {"lab": shell.run_line_magic("qpi_connect", ""), "ds": counts_dataset(about, {0: 2})}
    with provisionalcompleter():
        found = {found.text.rpartition(".")[2] for found in shell.Completer.completions(text, len(text))}
    assert found >= expected
    assert not found & hidden
    assert text.endswith("a") or not any(name.startswith("_") for name in found)


def test_unloading_takes_the_magics_away(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "qpi_jupyter")
    assert shell.find_cell_magic("qpi_submit") is None
