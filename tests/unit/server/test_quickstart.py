"""``jupyter qpi demo`` where something is missing. With everything there, `tests.acceptance.test_binder` starts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qpi_server.tools import quickstart


def test_it_says_what_to_install_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(quickstart, "NEEDED", {"no_such_module": "lab", "pytest": "test"})
    assert quickstart.demo(["--no-browser"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("The demo needs no_such_module: pip install 'qpi-jupyter[lab,test]'")
    assert "uvx --from" in told
    assert list(tmp_path.iterdir()) == []


def test_the_notebooks_are_installed() -> None:
    assert (quickstart.NOTEBOOKS / quickstart.FIRST).is_file()
