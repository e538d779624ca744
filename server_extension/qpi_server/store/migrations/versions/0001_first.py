"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("qpu", sa.String(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_job_id_seq"), "events", ["job_id", "seq"], unique=False)
    op.create_index(op.f("ix_events_owner_seq"), "events", ["owner", "seq"], unique=False)
    op.create_table(
        "ledger",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("amount_s", sa.Float(53), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("qpu", sa.String(), nullable=True),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger")),
        sa.UniqueConstraint("job_id", "attempt", "kind", name=op.f("uq_ledger_job_id_attempt_kind")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_ledger_account_at"), "ledger", ["account", "at"], unique=False)
    op.create_index(op.f("ix_ledger_qpu_at"), "ledger", ["qpu", "at"], unique=False)
    op.create_table(
        "programs",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("nbytes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_programs")),
    )
    op.create_table(
        "qpus",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("maintenance", sa.Boolean(), nullable=False),
        sa.Column("hold", sa.String(), nullable=True),
        sa.Column("manifest", sa.JSON(), nullable=True),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.Column("queued_s", sa.Float(53), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_qpus")),
    )
    op.create_table(
        "drivers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("qpu", sa.String(), nullable=False),
        sa.Column("monitor", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("instance", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("hello_at", sa.Float(53), nullable=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["qpu"], ["qpus.name"], name=op.f("fk_drivers_qpu")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drivers")),
        sa.UniqueConstraint("name", name=op.f("uq_drivers_name")),
    )
    op.create_table(
        "embedded_drivers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("qpu", sa.String(), nullable=False),
        sa.Column("executor", sa.String(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["qpu"], ["qpus.name"], name=op.f("fk_embedded_drivers_qpu")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_embedded_drivers")),
    )
    op.create_table(
        "jobs",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("qpu", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("started", sa.Boolean(), nullable=False),
        sa.Column("lost_since", sa.Float(53), nullable=True),
        sa.Column("retry", sa.String(), nullable=False),
        sa.Column("retry_safe", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("checked", sa.Boolean(), nullable=False),
        sa.Column("estimate_s", sa.Float(53), nullable=False),
        sa.Column("upper_s", sa.Float(53), nullable=False),
        sa.Column("driver", sa.String(), nullable=True),
        sa.Column("submitted_at", sa.Float(53), nullable=False),
        sa.Column("started_at", sa.Float(53), nullable=True),
        sa.Column("ended_at", sa.Float(53), nullable=True),
        sa.Column("busy_s", sa.Float(53), nullable=True),
        sa.Column("progress", sa.Float(53), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("origin", sa.JSON(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("program_sha256", sa.String(), nullable=False),
        sa.Column("options", sa.LargeBinary(), nullable=False),
        sa.Column("num_circuits", sa.Integer(), nullable=False),
        sa.Column("shots", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.String(), nullable=True),
        sa.Column("plan_id", sa.String(), nullable=True),
        sa.Column("depends_on", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["program_sha256"], ["programs.sha256"], name=op.f("fk_jobs_program_sha256")),
        sa.ForeignKeyConstraint(["qpu"], ["qpus.name"], name=op.f("fk_jobs_qpu")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_jobs")),
        sa.UniqueConstraint("id", name=op.f("uq_jobs_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_jobs_driver_state"), "jobs", ["driver", "state"], unique=False)
    op.create_index(op.f("ix_jobs_owner_seq"), "jobs", ["owner", "seq"], unique=False)
    op.create_index(
        "ix_jobs_person",
        "jobs",
        ["qpu", "state", "checked", "owner", sa.literal_column("priority DESC"), "seq"],
        unique=False,
    )
    op.create_index(op.f("ix_jobs_program_sha256"), "jobs", ["program_sha256"], unique=False)
    op.create_index(
        "ix_jobs_queue", "jobs", ["qpu", "state", "checked", sa.literal_column("priority DESC"), "seq"], unique=False
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=True),
        sa.Column("driver", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=True),
        sa.Column("last_used_at", sa.Float(53), nullable=True),
        sa.Column("revoked_at", sa.Float(53), nullable=True),
        sa.ForeignKeyConstraint(["driver"], ["drivers.id"], name=op.f("fk_api_tokens_driver")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_api_tokens_sha256")),
    )
    op.create_index(op.f("ix_api_tokens_driver"), "api_tokens", ["driver"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("driver", sa.String(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("assigned_at", sa.Float(53), nullable=False),
        sa.Column("started_at", sa.Float(53), nullable=True),
        sa.Column("ended_at", sa.Float(53), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("busy_s", sa.Float(53), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_attempts_job_id")),
        sa.PrimaryKeyConstraint("job_id", "attempt", name=op.f("pk_attempts")),
    )
    op.create_table(
        "idempotency",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_idempotency_job_id")),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "results",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("blob_sha256", sa.String(), nullable=False),
        sa.Column("blob_bytes", sa.BigInteger(), nullable=False),
        sa.Column("small", sa.Boolean(), nullable=False),
        sa.Column("stored_at", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_results_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_results")),
    )
