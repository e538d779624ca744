"""What drivers compiled fragments of plans for, and how good their results were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("reservations", sa.Column("shot_s", sa.Float(53)))
    op.add_column("reservations", sa.Column("calibration_id", sa.String(), nullable=False, server_default=""))
    op.add_column("reservations", sa.Column("observed_esp", sa.Float(53)))
    op.create_index("ix_jobs_parent_id", "jobs", ["parent_id"])
