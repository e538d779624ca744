"""Previews in a notebook, against a scripted lab: what is asked, and what is shown with the panel and without."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import msgspec
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import qpi_jupyter.client.connecting as connecting
from qpi_jupyter.client import Preview
from qpi_jupyter.core.errors import ProgramError
from qpi_jupyter.wire.previews import PREVIEW_OUTPUT, PreviewOutput
from tests.faults.scripted_rest import PREVIEW, ScriptedLab

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[1] q;\nbit[1] c;\nx q[0];\nc = measure q;\n'


def test_a_cell_is_previewed_as_it_would_be_submitted(server: ScriptedLab, shell: InteractiveShell) -> None:
    shown = shell.run_cell_magic("qpi_preview", "--qpu chip --shots 200 --group qed", BELL)
    assert isinstance(shown, Preview)
    ((name, asked),) = server.previews
    assert (name, asked.program.sources, asked.options.shots, asked.group) == ("chip", [BELL], 200, "qed")
    assert server.submits == []
    shell.user_ns["pair"] = BELL
    shell.run_line_magic("qpi_preview", "pair --qpu chip")
    assert server.previews[1][1].program.sources == [BELL]


def test_mistakes_are_usage_errors(server: ScriptedLab, shell: InteractiveShell) -> None:
    for line, said in (("", "Which QPU"), ("--qpu chip what", "qpi_preview\\? lists them"), ("--shots x --qpu q", "x")):
        with pytest.raises(UsageError, match=said):
            shell.run_cell_magic("qpi_preview", line, BELL)
    with pytest.raises(UsageError, match="Which circuit"):
        shell.run_line_magic("qpi_preview", "--qpu chip")
    assert server.previews == []
    server.refuse = ProgramError("'foo' is not defined", circuit=0, line=5, column=3)
    with pytest.raises(UsageError, match="x q"):
        shell.run_cell_magic("qpi_preview", "--qpu chip", BELL)


def test_it_shows_everything_with_the_panel_and_without(server: ScriptedLab) -> None:
    preview = connecting.connect().preview(BELL, qpu="chip")
    assert (preview.duration_s, preview.estimate_s, preview.warnings) == (1.2e-6, 2.0, ["q0 decays."])
    assert preview.native == preview.circuits[0].native == "OPENQASM 3.0;\nx $0;\n"
    bundle = preview._repr_mimebundle_()
    assert msgspec.convert(bundle[PREVIEW_OUTPUT], PreviewOutput).preview == PREVIEW
    text = bundle["text/plain"]
    for said in (
        "One shot   1.2 µs, after a reset of 250 µs", "QPU time   about 2 s from ann, of 1 s left: not enough",
        "likely to fit: yours for another 1 h", "Warning: q0 decays.", "x $0;", "q0:mw █", "▓",
        "The first 4 of 9 pulses are shown.", "1 more circuit not shown.",
    ):  # fmt: skip
        assert said in text, said
    page = ET.fromstring(bundle["text/html"].replace("<br>", "<br/>"))
    titles = [title.text for title in page.iter("title")]
    assert titles == [
        "rz on q0:mw, at 0 s: phase -90°", "x on q0:mw, at 0 s, for 20 ns, amplitude 0.2",
        "measure on q0:res, at 20 ns, for 1 µs, amplitude 0.1", "q0_m0 on q0:res, at 120 ns, for 1.08 µs",
    ]  # fmt: skip
    assert [svg.get("aria-label") for svg in page.iter("svg") if svg.get("role") == "img"] == ["<b>: Pulses on 2 ports"]
