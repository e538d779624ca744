"""How many qubits a QPU is said to have before its driver reports it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("qpus", sa.Column("num_qubits", sa.Integer()))
