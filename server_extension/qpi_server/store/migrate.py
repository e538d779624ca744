"""Brings a database to this version's schema, and refuses one that is newer.

A new database gets the tables as they are; migrations are for those that lie there. Alembic is imported only when there
is one to migrate: it costs a third of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, text

from qpi_jupyter.core import Conflict

from .faults import DAMAGED, fault
from .schema import SCHEMA_VERSION, metadata

SCRIPTS = Path(__file__).parent / "migrations"
Transaction = Callable[[Connection], AbstractContextManager[object]]
"""How a connection begins a transaction that nobody else writes in, and ends it."""
SOMEBODY = "a newer qpi-jupyter"
"""Who wrote a newer schema, where the database does not tell."""
_VERSIONS = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def schema_version(connection: Connection) -> int:
    """The version that the database records; 0 for an empty one."""
    if not inspect(connection).has_table(_VERSIONS.name):
        return 0
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return int(row[0]) if row else 0


def migrate(connection: Connection, transaction: Transaction = Connection.begin, *, writer: str = SOMEBODY) -> bool:
    """Bring the schema up to date; whether it was not.

    Raises
    ------
    Conflict
        a newer version of this software, ``writer``, wrote the database.
    Unavailable
        it is no lab's.
    """
    found, others = schema_version(connection), []
    if found == 0:
        others = inspect(connection).get_table_names()
    connection.rollback()  # what SQLAlchemy began in order to look
    if others:
        raise fault(DAMAGED, "it has the tables of something else than a lab")
    if found > SCHEMA_VERSION:
        raise Conflict(
            f"The lab's database has schema {found}, written by {writer}; this one knows schemas up to "
            f"{SCHEMA_VERSION}. Install that version, or set QPI_LAB_DIR to another folder.",
            code="schema_newer",
            found=found,
            known=SCHEMA_VERSION,
        )
    if found == 0:
        with transaction(connection):
            _create(connection)
    elif found < SCHEMA_VERSION:
        upgrade(connection, transaction)
    return found < SCHEMA_VERSION


def upgrade(connection: Connection, transaction: Transaction, to: str = "head") -> None:
    """Carry out the migrations up to a version."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes |= {"connection": connection, "transaction": transaction}
    command.upgrade(config, to)


def _create(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    _VERSIONS.create(connection)
    connection.execute(insert(_VERSIONS).values(version_num=f"{SCHEMA_VERSION:04}"))
