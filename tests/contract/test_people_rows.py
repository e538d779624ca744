"""Rows of people: what an older lab brings along."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from qpi_server.store import people, tokens
from qpi_server.store.engine import immediate, make_engine
from qpi_server.store.migrate import upgrade

AT = datetime(2030, 1, 1, tzinfo=UTC)


def test_tokens_of_an_older_lab_stay_good_and_their_owners_become_known(tmp_path: Path) -> None:
    with make_engine(tmp_path / "lab.sqlite3").connect() as connection:
        upgrade(connection, immediate, "0001")
        add = text(
            "INSERT INTO api_tokens (id, sha256, name, owner, roles, groups, created_at) "
            "VALUES (:id, :id, 'script', :owner, :roles, '[]', :at)"
        )
        for token, owner, roles in (("t1", "ann", '["user"]'), ("t2", "root", '["admin"]'), ("t3", "root", '["user"]')):
            connection.execute(add, {"id": token, "owner": owner, "roles": roles, "at": AT.timestamp()})
        upgrade(connection, immediate)
        found = tokens.by_digest(connection, "t2")
        assert found is not None
        assert (found[0].owner, found[0].roles, found[0].session, found[0].scopes) == ("root", ("admin",), False, None)
        owners = {row.name: (row.source, row.is_admin) for row in people.page(connection, after=None, limit=9)}
        assert owners == {"ann": ("jupyter", False), "root": ("jupyter", True)}
