"""Jobs that wait for other jobs. What was reserved for them so far was never written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.drop_column("jobs", "depends_on")
    op.drop_column("jobs", "plan_id")
    op.add_column("jobs", sa.Column("family_id", sa.String()))
    op.add_column("jobs", sa.Column("waits_for", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(op.f("ix_jobs_family_id"), "jobs", ["family_id"])
    op.create_table(
        "dependencies",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("needs", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_dependencies_job_id_jobs")),
        sa.ForeignKeyConstraint(["needs"], ["jobs.id"], name=op.f("fk_dependencies_needs_jobs")),
        sa.PrimaryKeyConstraint("job_id", "needs", name=op.f("pk_dependencies")),
    )
    op.create_index(op.f("ix_dependencies_needs"), "dependencies", ["needs"])
