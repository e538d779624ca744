"""The last lines of each driver's own log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "driver_log",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("driver", sa.String(), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("logger", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["driver"], ["drivers.id"], name=op.f("fk_driver_log_driver_drivers")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_driver_log")),
    )
    op.create_index(op.f("ix_driver_log_driver_seq"), "driver_log", ["driver", "seq"])
