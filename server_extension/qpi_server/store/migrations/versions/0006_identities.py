"""Which address leads to a person, and which identities at providers do."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import sqlalchemy as sa
from alembic import op

from qpi_jupyter.core import joining_address

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("users", sa.Column("verified_email", sa.String()))
    op.create_index(op.f("ix_users_verified_email"), "users", ["verified_email"], unique=True)
    op.create_table(
        "identities",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("joined_at", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["users.name"], name=op.f("fk_identities_person_users")),
        sa.PrimaryKeyConstraint("provider", "subject", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_person"), "identities", ["person"])
    _keep_what_others_vouched_for()


def _keep_what_others_vouched_for() -> None:
    """An address counts unless the person wrote it themselves, or two people have it."""
    connection = op.get_bind()
    wrote_themselves: dict[str, bool] = {}
    changes = connection.execute(
        sa.text("SELECT who, subject, data FROM audit WHERE action = 'user.changed' ORDER BY seq")
    )
    for who, subject, data in changes:
        if "email" in _json(data):
            name = subject.removeprefix("user:")
            wrote_themselves[name] = who == name
    rows = connection.execute(sa.text("SELECT name, email FROM users WHERE email <> ''")).all()
    found = {name: joining_address(email) for name, email in rows}
    holders = Counter(found.values())
    for name, address in found.items():
        if address is not None and holders[address] == 1 and not wrote_themselves.get(name, False):
            connection.execute(
                sa.text("UPDATE users SET verified_email = :address WHERE name = :name"),
                {"address": address, "name": name},
            )


def _json(data: Any) -> Any:  # SQLite brings a text, PostgreSQL the value
    return json.loads(data) if isinstance(data, str) else data
