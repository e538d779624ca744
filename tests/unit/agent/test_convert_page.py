"""docs/how-to/instrument-files.md: its files, converted by its command, give what it prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from qpi_agent.cli import main
from qpi_executors.instruments.files import load
from qpi_executors.instruments.files.chip import CLASSES
from qpi_executors.instruments.files.text import MAX_BYTES, MAX_DEPTH, MAX_VALUES, MAX_YAML

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "instrument-files.md").read_text(encoding="utf-8")


def test_the_pages_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in re.findall(r"`(\w+\.yml)`:\n\n```yaml\n(.*?)```", PAGE, re.DOTALL):
        Path(name).write_text(text)
    command, printed = re.findall(r"```bash\nqpi-agent (convert .*?)\n```\n\n```text\n(.*?)```", PAGE, re.DOTALL)[0]
    assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out == printed
    setup = load([Path("device.yml"), Path("hardware.yml")], library="qblox", dummy=True)
    assert setup.device.names == ("q0",)


def test_the_pages_figures_and_names() -> None:
    flat = " ".join(PAGE.split())
    assert f"at most {MAX_BYTES // 2**20} MiB ({MAX_YAML // 2**20} MiB in YAML), " in flat
    assert f"{MAX_VALUES:,}".replace(",", " ") + f" values and {MAX_DEPTH} levels" in flat
    assert all(f"`{name}`" in PAGE for name in CLASSES)
