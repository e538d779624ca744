"""Plans of circuits over several QPUs, the jobs that run them, and the fragments' reservations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("doc", sa.JSON(), nullable=False),
        sa.Column("parts", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "owner", name=op.f("pk_plans")),
    )
    op.create_index("ix_plans_owner_created_at", "plans", ["owner", "created_at"])
    op.create_table(
        "plan_jobs",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("plan_id", sa.String()),
        sa.Column("deadline_at", sa.Float(53)),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_plan_jobs_job_id_jobs")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_plan_jobs")),
    )
    op.create_index("ix_plan_jobs_plan_id_owner", "plan_jobs", ["plan_id", "owner"])
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("fragment", sa.Integer(), nullable=False),
        sa.Column("child_id", sa.String()),
        sa.Column("qpu", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("esp", sa.Float(53)),
        sa.Column("duration_s", sa.Float(53)),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_reservations_job_id_jobs")),
        sa.ForeignKeyConstraint(["qpu"], ["qpus.name"], name=op.f("fk_reservations_qpu_qpus")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
    )
    op.create_index("ix_reservations_job_id_fragment", "reservations", ["job_id", "fragment"])
    op.create_index("ix_reservations_qpu_state", "reservations", ["qpu", "state"])
    op.create_index("ix_reservations_state_expires_at", "reservations", ["state", "expires_at"])
