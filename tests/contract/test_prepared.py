"""Prepared statements: the same rows as SQLAlchemy's own, with the columns' types and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, bindparam, insert, select, update

from qpi_server.store.prepared import Prepared, written
from qpi_server.store.schema import qpus
from tests.support.stores import in_a_unit

AT = datetime(2030, 1, 1, tzinfo=UTC)
ADD = Prepared(insert(qpus).returning(qpus.c.queued))
BY_NAME = Prepared(select(qpus).where(qpus.c.name == bindparam("which")))


@pytest.fixture
def connection(tmp_path: Path, each_store: str) -> Iterator[Connection]:
    """That of a unit which lasts as long as the test."""
    with in_a_unit(tmp_path) as connection:
        yield connection


def add(connection: Connection, name: str, **more: object) -> int:
    values = {"kind": "pool", "manifest": {"n": 5}, "queued": 0, "created_at": AT} | more
    return int(ADD.scalar(connection, name=name, **values))


def test_a_row_is_what_sqlalchemy_reads(connection: Connection) -> None:
    assert add(connection, "q1", queued=3) == 3
    [expected] = connection.execute(select(qpus)).all()
    found = BY_NAME.first(connection, which="q1")
    assert found == tuple(expected)
    assert found._asdict() == expected._asdict()
    assert (found.enabled, found.manifest, found.created_at, found.correction) == (True, {"n": 5}, AT, 1.0)


def test_none_is_found_where_there_is_none(connection: Connection) -> None:
    assert BY_NAME.first(connection, which="q1") is None
    assert BY_NAME.scalar(connection, which="q1") is None
    assert list(BY_NAME.each(connection, which="q1")) == []


def test_written_words_and_constants_are_part_of_the_statement(connection: Connection) -> None:
    for name in ("q1", "q2", "q3"):
        add(connection, name)
    query = Prepared(
        select(qpus.c.name)
        .where(qpus.c.name.in_(written(["q3", "q2", "q1"])), qpus.c.created_at < bindparam("before"))
        .order_by(qpus.c.name.desc())
        .limit(2)
    )
    assert [row.name for row in query.each(connection, before=AT + timedelta(seconds=1))] == ["q3", "q2"]
    assert list(query.each(connection, before=AT)) == []


def test_a_change_tells_how_many_rows(connection: Connection) -> None:
    add(connection, "q1")
    more = Prepared(
        update(qpus).where(qpus.c.name == bindparam("which")).values(queued=qpus.c.queued + bindparam("by"))
    )
    assert more.run(connection, which="q1", by=2) == 1
    assert more.run(connection, which="q2", by=2) == 0
    assert BY_NAME.first(connection, which="q1").queued == 2


def test_values_are_checked_as_the_columns_check_them(connection: Connection) -> None:
    with pytest.raises(Exception, match="created_at needs a time zone"):
        add(connection, "q1", created_at=datetime(2030, 1, 1))
    add(connection, "q1")
    with pytest.raises(Exception, match=r"(?i)unique"):
        add(connection, "q1")
