"""Rows of people: what an older lab brings along."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from qpi_server.store import people, tokens
from qpi_server.store.migrate import SCRIPTS

AT = datetime(2030, 1, 1, tzinfo=UTC)


def _upgrade(connection: Connection, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def test_tokens_of_an_older_lab_stay_good_and_their_owners_become_known(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'lab.sqlite3'}")
    with engine.begin() as connection:
        _upgrade(connection, "0001")
        add = text(
            "INSERT INTO api_tokens (id, sha256, name, owner, roles, groups, created_at) "
            "VALUES (:id, :id, 'script', :owner, :roles, '[]', :at)"
        )
        for token, owner, roles in (("t1", "ann", '["user"]'), ("t2", "root", '["admin"]'), ("t3", "root", '["user"]')):
            connection.execute(add, {"id": token, "owner": owner, "roles": roles, "at": AT.timestamp()})
    with engine.begin() as connection:
        _upgrade(connection, "head")
        found = tokens.by_digest(connection, "t2")
        assert found is not None
        assert (found[0].owner, found[0].roles, found[0].session, found[0].scopes) == ("root", ("admin",), False, None)
        owners = {row.name: (row.source, row.is_admin) for row in people.page(connection, after=None, limit=9)}
        assert owners == {"ann": ("jupyter", False), "root": ("jupyter", True)}
    engine.dispose()
