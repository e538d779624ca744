"""The client in a real kernel, as a notebook asks it: Shift-Tab, the tab key, mistakes and interrupted waits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.scripted_rest import TOKEN, ScriptedLab
from tests.support.notebooks import Kernel, kernel

PROGRAM = "OPENQASM 3.0; qubit q;"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedLab]:
    with ScriptedLab() as server:
        yield server


@pytest.fixture(scope="module")
def notebook(server: ScriptedLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"QPI_LAB_URL": server.url, "QPI_LAB_TOKEN": TOKEN}.items():
            patch.setenv(name, value)
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        with kernel() as notebook:
            notebook.run(
                "%load_ext qpi_jupyter\nimport qpi_jupyter\nlab = qpi_jupyter.connect()\n"
                f"job = lab.submit({PROGRAM!r}, qpu='sim-a')"
            )
            yield notebook


@pytest.mark.parametrize("call", ["lab.submit(", "lab.submit.aio("])
def test_shift_tab_shows_the_keywords_and_what_they_mean(notebook: Kernel, call: str) -> None:
    text = notebook.help(call)
    for line in (f"{call}\n    circuits: object,", "    shots: int | Sequence[int] | None = None,", ") -> JobHandle"):
        assert line in text
    assert "makes a simulator's counts repeatable." in text
    for noise in ("partial", "*args", "'JobHandle'", "portal"):
        assert noise not in text


def test_shift_tab_knows_every_call_of_a_lab(notebook: Kernel) -> None:
    assert "start: times.When | None = None,\n" in notebook.help("lab.book(")
    assert "job.wait(timeout: float | None = None) -> JobHandle" in notebook.help("job.wait")


@pytest.mark.parametrize("call", ["lab.submit('x', shotz=3)", "await lab.submit.aio('x', shotz=3)"])
def test_a_wrong_keyword_is_one_line(notebook: Kernel, call: str) -> None:
    assert notebook.error(call) == "TypeError: submit() has no option 'shotz'. Did you mean shots?"


def test_an_error_of_the_lab_has_no_frames_of_the_client(notebook: Kernel) -> None:
    for call in ("lab.job('job-9')", "await lab.job.aio('job-9')"):
        text = notebook.error(call)
        assert text.splitlines()[-1].startswith("NotFound: ")
        for inside in ("concurrent", "asyncio", "httpx", "http.py", "direct cause"):
            assert inside not in text


@pytest.mark.parametrize(
    "wait",
    ["job.result()", "await job", "await job.wait.aio()", "%qpi_wait job", f"%%qpi_submit --wait --job job\n{PROGRAM}"],
)
def test_an_interrupted_wait_says_in_one_line_what_goes_on(notebook: Kernel, server: ScriptedLab, wait: str) -> None:
    def interrupt() -> None:
        server.wait_requests(lambda method, path: method == "GET" and "/jobs/" in path)
        notebook.interrupt()

    server.requests.clear()
    text = notebook.error(wait, while_it_runs=interrupt)
    name = notebook.value("job.id").strip("'")
    assert text.partition(": ")[2] == f"{name} goes on; `%qpi_cancel {name}` stops it."
    assert "\n" not in text


def test_the_first_line_of_a_cell_offers_the_options_and_only_them(notebook: Kernel) -> None:
    offered = notebook.complete("%%qpi_submit \nimport o", len("%%qpi_submit "))
    assert offered[:3] == ["--qpu", "--shots", "--seed-simulator"]
    assert all(text.startswith("--") for text in offered)
    assert notebook.complete("%%qpi_submit --sh") == ["--shots", "--share-with"]
    assert notebook.complete("%%qpi_submit --qpu ") == ["sim-a", "sim-b"]
    assert notebook.complete("%%qpi_submit --meas-return ") == ["single", "avg"]
    assert notebook.complete("%%qpi_submit --shots ") == [""]
    assert "--qpu" not in notebook.complete("%%qpi_submit --qpu sim-a ")
    assert "--tag" in notebook.complete("%%qpi_submit --tag a ")


def test_the_line_magic_s_circuit_is_an_expression(notebook: Kernel) -> None:
    notebook.run("bell_circuit = 1")
    assert "bell_circuit" in notebook.complete("%qpi_submit bell_c")
    assert "bell_circuit" in notebook.complete("%%qpi_submit --circuit bell_c")


@pytest.mark.parametrize(
    "place", ['lab.submit(c, qpu="', "lab.backend('", "lab.book('", "x = f(1, qpu='", "%qpi_book "]
)
def test_qpus_are_offered_where_one_is_named(notebook: Kernel, place: str) -> None:
    assert notebook.complete(place)[:2] == ["sim-a", "sim-b"]
    assert notebook.complete(f"{place}sim-b") == ["sim-b"]


@pytest.mark.parametrize(
    ("place", "with_variables"),
    [
        ("%qpi_job ", False), ("%qpi_wait ", True), ("%qpi_cancel ", True), ("job = %qpi_job ", False),
        ("lab.job('", False), ("lab.submit(c, after='", False), ("lab.submit(c, after=['", False),
    ],
)  # fmt: skip
def test_jobs_are_offered_where_one_is_named(notebook: Kernel, place: str, with_variables: bool) -> None:
    offered = notebook.complete(place)
    assert "job1" in offered
    assert ("job" in offered) == with_variables


def test_keywords_are_offered(notebook: Kernel) -> None:
    assert notebook.complete("lab.submit(c, sh")[:2] == ["shots=", "shared_with="]
    assert "duration=" in notebook.complete("await lab.book.aio('q', du")
    assert "submitted_after=" in notebook.complete("lab.jobs(limit=f(1, 2), sub")
    assert "timeout=" in notebook.complete("%time job.result(ti")
    left = notebook.complete("lab.submit(c, shots=3, ")
    assert "qpu=" in left
    assert not {"shots=", "abs", "circuits="} & set(left)


@pytest.mark.parametrize("place", ["print('si", "backend.backend('si", "lab.submit('si", "lab.name = 'si"])
def test_elsewhere_nothing_of_the_lab_is_offered(notebook: Kernel, place: str) -> None:
    assert "sim-a" not in notebook.complete(place)


MAGICS = "get_ipython().find_line_magic('qpi_qpus') is not None"


def test_the_magics_are_there_in_the_kernels_of_a_lab(
    server: ScriptedLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {
        "QPI_LAB_URL": server.url, "QPI_LAB_TOKEN": TOKEN, "QPI_LOAD_MAGICS": "true", "IPYTHONDIR": str(tmp_path),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with kernel() as notebook:
        assert notebook.value(MAGICS) == "True"
        assert notebook.value("[name for name in globals() if 'qpi' in name or name in ('os', 'annotations')]") == "[]"
        assert "sim-a" in notebook.value("%qpi_qpus")
        assert notebook.run("%load_ext qpi_jupyter") == [], "who asks for them all the same is told nothing"
        assert notebook.complete("%%qpi_submit --qp") == ["--qpu"]


@pytest.mark.parametrize(
    ("variable", "broken", "there"), [("false", False, False), (None, False, False), ("true", True, False)]
)
def test_other_kernels_are_left_alone_and_always_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str | None, broken: bool, there: bool
) -> None:
    monkeypatch.delenv("QPI_LOAD_MAGICS", raising=False)
    if variable is not None:
        monkeypatch.setenv("QPI_LOAD_MAGICS", variable)
    if broken:
        (tmp_path / "qpi_jupyter.py").write_text("raise OSError('half an installation')")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    code = [sys.executable, "-m", "IPython", "--no-banner", "-c", f"print('there:', {MAGICS})"]
    ended = subprocess.run(code, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert f"there: {there}" in ended.stdout
    assert ended.returncode == 0
    assert ("half an installation" in ended.stdout + ended.stderr) == broken
    assert "Traceback" not in ended.stdout + ended.stderr
