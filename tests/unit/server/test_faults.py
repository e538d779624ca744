"""Every failure of the storage becomes one error with a remedy, in one place."""

from __future__ import annotations

import ast
import errno
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

import qpi_server.store
from qpi_jupyter.core.errors import Unavailable
from qpi_server.store import faults
from qpi_server.store.faults import storage_error

CODES = {name: getattr(sqlite3, name) for name in dir(sqlite3) if name.startswith("SQLITE_")}
OF_THE_FILE = [
    "FULL", "READONLY", "CANTOPEN", "PERM", "CORRUPT", "NOTADB", "BUSY", "PROTOCOL", "IOERR", "NOMEM",
]  # fmt: skip
OF_THE_STATEMENT = ["ERROR", "CONSTRAINT", "MISMATCH", "RANGE", "TOOBIG", "MISUSE", "INTERRUPT", "ABORT", "SCHEMA"]


def failure(number: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("words of the library")
    error.sqlite_errorcode = number
    return error


@pytest.mark.parametrize("name", OF_THE_FILE)
def test_a_failing_file_is_unavailable_with_a_remedy_whatever_wraps_it(name: str) -> None:
    extended = [value for key, value in CODES.items() if key.startswith(f"SQLITE_{name}_")]
    for number in [CODES[f"SQLITE_{name}"], *extended]:
        for error in (failure(number), OperationalError("SELECT", None, failure(number))):
            found = storage_error(error)
            assert isinstance(found, Unavailable), number
            assert "library" not in found.message
            assert "goes on by itself" in found.message
            assert found.__cause__ is not None


@pytest.mark.parametrize("name", OF_THE_STATEMENT)
def test_a_statement_that_fails_is_not_the_storages_fault(name: str) -> None:
    assert storage_error(failure(CODES[f"SQLITE_{name}"])) is None


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EFBIG", "EACCES", "EPERM", "EROFS", "ENOENT", "EIO", "EMFILE"])
def test_a_failing_system_call_has_a_remedy_and_names_the_file(name: str) -> None:
    found = storage_error(OSError(getattr(errno, name), "reason", "/folder/of/the/lab/file"))
    assert found is not None
    assert "file" in found.message
    assert "/folder" not in found.message


def test_only_one_place_knows_what_the_databases_errors_mean() -> None:
    """Numbers of SQLite's, and errno's of a disk, are read in `store.faults` alone."""
    room = Path(qpi_server.store.__file__).parents[1]
    for path in room.rglob("*.py"):
        if path == Path(faults.__file__):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.attr if isinstance(node, ast.Attribute) else ""
            assert name not in {"ENOSPC", "EDQUOT", "EROFS", "SQLITE_FULL", "SQLITE_CORRUPT", "SQLITE_READONLY"}, path
