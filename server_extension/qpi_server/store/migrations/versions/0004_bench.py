"""QPUs that were deleted, and drivers that were revoked, stay for the sake of what they did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("qpus", sa.Column("deleted_at", sa.Float(53), nullable=True))
    op.add_column("drivers", sa.Column("revoked_at", sa.Float(53), nullable=True))
