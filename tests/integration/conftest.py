"""What several files of this folder use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from qpi_jupyter.core import QpiError
from tests.support.storage import make_lab

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tests.faults.scripted_rest import ScriptedLab


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


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedLab]:
    """A scripted lab, which this process is signed in to."""
    from qpi_jupyter.client import connecting
    from tests.faults.scripted_rest import TOKEN, ScriptedLab

    with ScriptedLab() as server:
        monkeypatch.setenv("QPI_LAB_URL", server.url)
        monkeypatch.setenv("QPI_LAB_TOKEN", TOKEN)
        monkeypatch.setattr(connecting, "_current", None)
        yield server
        with suppress(QpiError):
            connecting.connect().close()


@pytest.fixture
def shell(server: ScriptedLab) -> Iterator[InteractiveShell]:
    """An IPython shell with the magics, beside that lab."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "qpi_jupyter")
    yield shell
    shell.history_manager.end_session()


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labs in this process hash passwords with argon2 at its cheapest; servers, in theirs, as they always do."""
    cheapest = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("qpi_server.service.people.passwords.PasswordHasher", cheapest)
