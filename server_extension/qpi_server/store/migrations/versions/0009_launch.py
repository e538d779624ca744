"""What the start command of a driver says: its executor and that one's options."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("drivers", sa.Column("launch", sa.JSON(), nullable=False, server_default="{}"))
