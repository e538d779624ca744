"""An address of a database that cannot be used: the start is refused, or the lab waits, and each says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.errors import Rejected, Unavailable
from qpi_server.host.owner import Ownership
from qpi_server.settings.values import without_password
from qpi_server.store import backend_of
from qpi_server.tools.commands import run as run_command
from tests.integration.test_settings_process import run
from tests.support.packages import TOY_STORE, a_package, installed
from tests.support.storage import opened, owning, refused

REMEDY = "To get it: install its package, or leave db_url at sqlite://, a file in the lab's folder."
BAD = [
    ("nosuch://host", f"There is no store 'nosuch'. Installed: fallen, half, notastore, sqlite, stumbling, "
     f"toymemory, twin. {REMEDY}"),
    ("fallen://", "The store 'fallen' (fallen_store:X) cannot be loaded: SystemExit: no licence."),
    ("notastore://", "The store 'notastore' (string:digits) is not a subclass of qpi_server.store.Backend with all of "
     "its methods. Update or uninstall its package, fallen-store."),
    ("half://", "The store 'half' (half_store:Half) is not a subclass of qpi_server.store.Backend with all of "
     "its methods. Update or uninstall its package, half-store."),
    ("stumbling://ann:hush@x", "The store 'stumbling' cannot use this db_url (RuntimeError). Correct the address, or "
     "update or uninstall the store's package."),
    ("toymemory://ann:hush@host:port/lab", "Cannot read db_url as the address of a database."),
    ("sqlite+other://", "leave db_url out, and set lab_dir (QPI_LAB_DIR) to the folder."),
    ("twin://", "Several packages register the store 'twin': left-store (left_store:X), right-store (right_store:X). "
     "Uninstall or rename all but one."),
    ("here:hush@x", "Cannot read db_url as the address of a database. It begins with its kind, as in sqlite://."),
    ("", "Cannot read db_url as the address of a database."),
    ("sqlite:////elsewhere/lab.sqlite3", "leave db_url out, and set lab_dir (QPI_LAB_DIR) to the folder."),
]  # fmt: skip
HALF = """
from qpi_server.store import STORES, Backend

class Half(Backend):
    pass

class Stumbling(STORES.load("sqlite")):
    def __init__(self, url, lab_dir):
        raise RuntimeError(f"cannot read {url.password}")
"""
SAID = {address.partition("://")[0]: text for address, text in BAD}


@pytest.fixture(autouse=True)
def packages(tmp_path: Path) -> Iterator[None]:
    """Stores that are not as they should be, beside one that is."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "fallen_store.py").write_text("raise SystemExit('no licence')")
    a_package(folder, "fallen-store", {"qpi.stores": {"fallen": "fallen_store:X", "notastore": "string:digits"}})
    (folder / "half_store.py").write_text(HALF)
    a_package(folder, "half-store", {"qpi.stores": {"half": "half_store:Half", "stumbling": "half_store:Stumbling"}})
    for name in ("left-store", "right-store"):
        a_package(folder, name, {"qpi.stores": {"twin": f"{name.replace('-', '_')}:X"}})
    with installed(folder), installed(TOY_STORE):
        yield


@pytest.mark.parametrize(("address", "said"), BAD)
def test_an_address_that_cannot_be_used_says_what_to_do(tmp_path: Path, address: str, said: str) -> None:
    with pytest.raises(Rejected) as refusal:
        backend_of(address, tmp_path)
    assert said in refusal.value.message
    assert "hush" not in refusal.value.message


@pytest.mark.parametrize(
    ("arguments", "module"), [([], "qpi_server.tools.standalone"),
    (["--ServerApp.jpserver_extensions={'qpi_server': True}"], "jupyter_server")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["nosuch", "fallen", "twin"])
@pytest.mark.slow
def test_a_server_is_not_started_with_it(tmp_path: Path, name: str, arguments: list[str], module: str) -> None:
    done = run(tmp_path, *arguments, module=module, QPI_DB_URL=f"{name}://ann:hush@host")
    assert done.returncode == 2
    assert f"QPI_DB_URL: {SAID[name]}" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["backup", "restore", "replay"])
def test_a_command_ends_with_it(
    tmp_path: Path,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "qpi.config.yml").write_text("db_url: twin://")
    assert run_command(command, [] if command == "replay" else ["lab.tar"]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'qpi.config.yml'}:db_url: {SAID['twin']}\n"


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    shelf: Any = vars(backend_of("toymemory://", tmp_path))["shelf"]
    shelf.away = True

    async def dialogue(ownership: Ownership) -> None:
        error = await refused(ownership)
        assert (type(error), error.code) == (Unavailable, "store_unreachable")
        assert "Start the database server that db_url names" in error.message
        shelf.away = False
        await opened(ownership)

    owning(tmp_path, dialogue, db_url="toymemory://")


def test_a_password_is_not_shown() -> None:
    shown = [
        without_password(address)
        for address in ("sqlite://", "postgresql://ann:hu:s/h@host/lab", "postgresql://host/lab?password=hush&x=1")
    ]
    assert shown == ["sqlite://", "postgresql://ann:********@host/lab", "postgresql://host/lab?password=********&x=1"]
