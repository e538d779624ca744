"""Calibrations of QPUs, and which one a job is for or was measured with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "calibrations",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("qpu", sa.String(), nullable=False),
        sa.Column("calibration_id", sa.String(), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("config_sha256", sa.String(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["qpu"], ["qpus.name"], name=op.f("fk_calibrations_qpu_qpus")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_calibrations")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_calibrations_qpu_seq", "calibrations", ["qpu", "seq"])
    op.create_index("ix_calibrations_qpu_calibration_id", "calibrations", ["qpu", "calibration_id"])
    op.add_column("jobs", sa.Column("calibration", sa.String()))
    op.add_column("jobs", sa.Column("calibration_id", sa.String()))
    alive = sa.text("deleted_at IS NULL")
    op.create_index(
        "ix_jobs_alive_calibration_id_seq", "jobs", ["calibration_id", "seq"], sqlite_where=alive,
        postgresql_where=alive,
    )  # fmt: skip
