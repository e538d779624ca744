"""What enters as OpenQASM text: no path, no trick of spelling, and the places stay those of the source."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_executors.programs import parse
from qpi_executors.sources import parse_openqasm2, parse_openqasm3
from qpi_jupyter.core import text_format
from qpi_jupyter.core.errors import ProgramError
from qpi_jupyter.core.openqasm import clean, version, words
from tests.circuits import BELL_QASM2, BELL_QASM3, text_program

Q2, Q3 = "openqasm2", "openqasm3"
BELL = {Q2: BELL_QASM2.decode(), Q3: BELL_QASM3.decode()}
HEAD = {Q2: "OPENQASM 2.0;\n", Q3: "OPENQASM 3.0;\n"}
READ = {Q2: parse_openqasm2, Q3: parse_openqasm3}
SECRET = "Zebra47 // only in the file"


def refusal(text: str | bytes, form: str) -> ProgramError:
    with pytest.raises(ProgramError) as caught:
        READ[form](text.encode() if isinstance(text, str) else text, 0)
    assert caught.value.line
    assert caught.value.column
    return caught.value


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Every kind of thing that a path can lead to, spelled from the root, from here and from above."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.inc").write_text(SECRET)
    (tmp_path / "QELIB1.INC").write_text(SECRET)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "secret.inc")
    os.mkfifo(tmp_path / "fifo")
    near = [
        "secret.inc",
        "QELIB1.INC",
        "folder",
        "link",
        "fifo",
        f"../{tmp_path.name}/secret.inc",
        "folder/../secret.inc",
    ]
    far = [
        "/dev/zero",
        "/proc/self/environ",
        "/proc/self/mem",
        "/etc/passwd",
        "~/.bashrc",
        "file:///etc/passwd",
        "",
        ".",
    ]
    return near + [f"./{path}" for path in near] + [str(tmp_path / path) for path in near] + far


@pytest.mark.parametrize("form", [Q2, Q3])
def test_no_include_reaches_the_file_system(paths, form):
    for path in paths:
        for quote in ('"', "'"):
            for between in (" ", "", "\n", " // note\n", "\t\r\n"):
                error = refusal(f"{HEAD[form]}include{between}{quote}{path}{quote};\n", form)
                assert error.code == "bad_include"
                assert "Zebra" not in error.message
                assert "cannot read files" in error.message or "write include" in error.message


def test_the_parser_itself_opens_nothing_and_knows_no_folder(tmp_path):
    """A trace of the system calls, with the check of the includes taken away: the second wall holds alone."""
    (tmp_path / "secret.inc").write_text(SECRET)
    script = f"""
import os
import re
from qpi_executors import openqasm_text, sources
from qpi_jupyter.core.errors import ProgramError
sources.parse_openqasm2({BELL_QASM2!r}, 0), sources.parse_openqasm3({BELL_QASM3!r}, 0)
openqasm_text._check_includes = lambda *arguments: None
os.path.exists("/begin")
for read, version in (sources.parse_openqasm2, "2"), (sources.parse_openqasm3, "3"):
    for path in "secret.inc", "./secret.inc", {str(tmp_path / "secret.inc")!r}:
        try:
            read(f'OPENQASM {{version}}.0;include "{{path}}";'.encode(), 0)
        except ProgramError as error:
            assert "Zebra" not in error.message, error.message
        else:
            raise SystemExit("included")
"""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=file", "-o", str(trace), sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    after = trace.read_text().split('"/begin"')[-1]
    assert "secret.inc" not in after


NOISE = st.lists(
    st.sampled_from(
        ["\n", "\r\n", "\r", " ", "\t", "\xa0", "// note\n", "/* one\r\ntwo */", "/**/", "// OPENQASM 9\r"]
    ),
    max_size=8,
)


@given(
    form=st.sampled_from([Q2, Q3]), mark=st.sampled_from(["", "\ufeff"]), before=NOISE,
    end=st.sampled_from(["\n", "\r\n", "\r"]), version_line=st.booleans(),
)  # fmt: skip
def test_marks_line_ends_and_leading_comments_change_nothing(form, mark, before, end, version_line):
    # OpenQASM 2 has no block comments.
    before = "".join(piece for piece in before if form is Q3 or "/*" not in piece)
    lines = BELL[form].splitlines()[0 if version_line else 1 :]
    text = mark + before + end.join(lines)
    if version_line:
        assert text_format(text).name == form
    plain, same = READ[form](BELL[form].encode(), 0), READ[form](text.encode(), 0)
    assert same == plain
    wrong = refusal(text + end + "  foo q[0];", form)
    seen = (text.removeprefix("\ufeff") + end).replace("\r\n", "\n").replace("\r", "\n")
    assert (wrong.line, wrong.column) == (seen.count("\n") + 1, 3)


@pytest.mark.parametrize("form", [Q2, Q3])
@pytest.mark.parametrize("bad", ["\0", "\x1b", "\u200b", "\u2028", "\x7f"])
def test_an_invisible_character_is_named(form, bad):
    error = refusal(BELL[form].replace("cx", f"c{bad}x"), form)
    assert f"U+{ord(bad):04X}" in error.message
    assert (error.line, error.column) == (6, 2)


@pytest.mark.parametrize("form", [Q2, Q3])
def test_other_encodings_are_named(form):
    assert "UTF-16" in refusal(BELL[form].encode("utf-16"), form).message
    error = refusal(BELL[form].encode() + b"\r\n// caf\xe9", form)
    assert "not UTF-8" in error.message
    assert (error.line, error.column) == (9, 7)


@pytest.mark.parametrize("form", [Q2, Q3])
def test_another_version_is_named(form):
    for found in ("1", "4", "33"):
        error = refusal(f"OPENQASM {found}.0;\nqreg q[1];", form)
        assert (error.code, error.line, error.column) == ("bad_format", 1, 10)
        assert "reads versions 2 and 3" in error.message


@pytest.mark.parametrize("unit", ["/**/", "/* ", "//\n", "\n", " ", '"', "'", "1.", "1e", "include ", "a", "/*/"])
def test_no_text_is_slow_to_scan(unit):
    text = unit * (300_000 // len(unit))
    start = time.perf_counter()
    assert version(clean(text + "x")) is None
    assert sum(1 for _ in words(text)) <= 300_000
    assert time.perf_counter() - start < 3


def test_registers_in_comments_and_huge_ones():
    head = HEAD[Q2] + "// qreg big[100000000];\nqreg q[1];\ncreg c[1];\nmeasure q -> c;\n"
    assert parse(text_program(head, Q2))[0].circuit.num_qubits == 1
    assert refusal(head + f"qreg big[{'9' * 100}];", Q2).code == "program_too_complex"


def test_nobody_parses_a_text_around_the_border():
    """Qiskit's readers of texts and files are called at two places, both behind `read_text`; evaluations read files of
    their own."""
    root = Path(__file__).parents[3]
    readers = re.compile(
        r"qasm[23]\.loads?\(|from_qasm|openqasm3\.parse\(|bytecode_from|qasm3_import\.(?:parse|convert)\("
    )
    calls = [
        f"{path.name}: {found[0]}"
        for folder in ("executors", "qpi_jupyter", "server_extension")
        for path in sorted((root / folder).rglob("*.py"))
        for found in readers.finditer(path.read_text())
        if path.parent.name != "evaluation"
    ]
    assert calls == ["sources.py: openqasm3.parse(", "sources.py: qasm2.loads("]
