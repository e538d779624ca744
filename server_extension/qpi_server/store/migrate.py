"""Brings a database to this version's schema, and refuses one that is newer.

Alembic is imported only when there is something to do: it costs a third of a second, every start would pay it.
"""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from qpi_jupyter._version import __version__
from qpi_jupyter.core import Conflict

from .faults import DAMAGED, fault
from .presence import require_unused
from .schema import SCHEMA_VERSION

SCRIPTS = Path(__file__).parent / "migrations"


def schema_version(connection: Connection) -> int:
    """The version that the database records; 0 for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return 0
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return int(row[0]) if row else 0


def migrate(connection: Connection, path: Path) -> None:
    """Bring the schema up to date.

    Raises
    ------
    Conflict
        a newer version of this software wrote the database.
    Unavailable
        it is empty beside the data of a lab, or no lab's.
    """
    found = schema_version(connection)
    if found == 0:
        require_unused(path.parent)
        if inspect(connection).get_table_names():
            raise fault(DAMAGED, "it has the tables of something else than a lab")
    if found > SCHEMA_VERSION:
        raise Conflict(
            f"The lab's database {path.name} has schema {found}, written by {_writer(connection)}; this one knows "
            f"schemas up to {SCHEMA_VERSION}. Install that version, or set QPI_LAB_DIR to another folder.",
            code="schema_newer",
            found=found,
            known=SCHEMA_VERSION,
        )
    if found < SCHEMA_VERSION:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.exec_driver_sql(f"PRAGMA user_version = {_packed(__version__)}")


def _packed(version: str) -> int:
    """The version as the whole number that the database keeps beside its schema."""
    major, minor, patch = (int(part) for part in re.findall(r"\d+", version + ".0.0")[:3])
    return (major * 1000 + minor) * 1000 + patch


def _writer(connection: Connection) -> str:
    """Which version brought the database to its schema, as far as that is known."""
    packed = int(connection.exec_driver_sql("PRAGMA user_version").scalar() or 0)
    if packed <= _packed(__version__):
        return "a newer qpi-jupyter"
    return f"qpi-jupyter {packed // 1_000_000}.{packed // 1000 % 1000}.{packed % 1000}"
