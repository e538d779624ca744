"""What the database of an older lab brings along; those are SQLite's."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, text

from qpi_server.store import accounts, people, tokens
from qpi_server.store.engine import immediate, make_engine
from qpi_server.store.migrate import upgrade
from tests.support import stores

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


def test_accounts_of_an_older_database_are_the_sums_of_its_lines(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "lab.sqlite3")
    old = [
        ("hold", "j1", -5.0),
        ("settle", "j1", 2.0),
        ("hold", "j2", -4.0),
        ("hold", "j3", -1.0),
        ("refund", "j3", 1.0),
    ]
    with engine.connect() as connection:
        upgrade(connection, immediate, "0001")
        for kind, job_id, amount_s in old:
            connection.execute(
                text(
                    "INSERT INTO ledger (kind, account, amount_s, at, qpu, job_id, attempt, reason) "
                    "VALUES (:kind, 'ann', :amount_s, 0, 'q1', :job_id, 1, '')"
                ),
                {"kind": kind, "job_id": job_id, "amount_s": amount_s},
            )
    engine.dispose()

    def read(connection: Connection) -> tuple[accounts.AccountRow | None, list[str]]:
        return accounts.find(connection, "ann"), [line.person for line in accounts.statement(connection)]

    row, who = stores.with_store(tmp_path, lambda store: store.read(read))
    assert (row.balance_s, row.held_s, row.limited) == (-7.0, 4.0, None)
    assert who == ["ann"]
