"""What several files of this folder use."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.storage import make_lab


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lab with something in it, closed."""
    return make_lab(tmp_path_factory.mktemp("made") / "lab")


@pytest.fixture
def lab_dir(made: Path, tmp_path: Path) -> Path:
    """A copy of that lab."""
    folder = tmp_path / "lab"
    shutil.copytree(made, folder)
    return folder
