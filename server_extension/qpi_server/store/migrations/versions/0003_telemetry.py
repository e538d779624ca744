"""What instruments and simulators say of themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "channels",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("qpu", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("calibration", sa.Boolean(), nullable=False),
        sa.Column("value", sa.Float(53), nullable=True),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["qpu"], ["qpus.name"], name=op.f("fk_channels_qpu_qpus")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("qpu", "name", name=op.f("uq_channels_qpu_name")),
    )
    op.create_table(
        "readings",
        sa.Column("channel", sa.Integer(), nullable=False),
        sa.Column("width_s", sa.Integer(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("total", sa.Float(53), nullable=False),
        sa.Column("lowest", sa.Float(53), nullable=False),
        sa.Column("highest", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["channel"], ["channels.id"], name=op.f("fk_readings_channel_channels")),
        sa.PrimaryKeyConstraint("channel", "width_s", "at", name=op.f("pk_readings")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_readings_age", "readings", ["width_s", "at"])
