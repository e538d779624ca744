"""What several files of this folder use."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from argon2 import PasswordHasher

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


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labs in this process hash passwords with argon2 at its cheapest; servers, in theirs, as they always do."""
    cheapest = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("qpi_server.service.people.passwords.PasswordHasher", cheapest)
