"""Brings a database to this version's schema, and refuses one that is newer.

Alembic is imported only when there is something to do: it costs a third of a second, every start would pay it.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from qpi_jupyter.core.errors import Conflict

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
    """
    found = schema_version(connection)
    if found > SCHEMA_VERSION:
        raise Conflict(
            f"{path} has schema {found}, written by a newer qpi-jupyter; this one knows schemas up to "
            f"{SCHEMA_VERSION}. Install the newer version, or set QPI_LAB_DIR to another folder.",
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
