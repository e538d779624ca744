"""Every failure of the storage stands in the manual."""

from __future__ import annotations

import errno
import re
import sqlite3
from pathlib import Path

from qpi_server.store import faults

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "backup.md"


def test_every_storage_code_is_in_the_table_of_the_manual() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## When the storage is broken")[1]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    told = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    codes = {value for name, value in vars(faults).items() if name.isupper() and isinstance(value, str)}
    assert len(codes) > 5
    assert codes - told == set()


def test_every_failure_that_is_recognised_has_a_remedy() -> None:
    numbers = {number for name, number in vars(sqlite3).items() if name.startswith("SQLITE_") and type(number) is int}
    failures: list[Exception] = [OSError(number, "") for number in errno.errorcode]
    for number in numbers:
        failures.append(sqlite3.Error())
        failures[-1].sqlite_errorcode = number
    found = {error.code for failure in failures if (error := faults.storage_error(failure)) is not None}
    assert found > {faults.FULL, faults.DENIED, faults.LOCKED, faults.FAILED}
    assert all(faults.fault(code).message for code in found | faults.FINAL)
