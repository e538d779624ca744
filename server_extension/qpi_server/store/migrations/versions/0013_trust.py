"""How far a lab trusts a QPU, whose it is, and who decided that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    # What is there is the lab's own.
    op.add_column("qpus", sa.Column("trust", sa.String(), nullable=False, server_default="platform_managed"))
    op.add_column("qpus", sa.Column("contributed_by", sa.String()))
    op.add_column("qpus", sa.Column("trust_reason", sa.String(), nullable=False, server_default=""))
    op.add_column("qpus", sa.Column("trust_by", sa.String()))
    op.add_column("qpus", sa.Column("trust_at", sa.Float(53)))
