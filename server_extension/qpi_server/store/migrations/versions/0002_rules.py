"""The lab's rules: people, QPU time, bookings, notices, and what jobs are searched by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("balance_s", sa.Float(53), nullable=False),
        sa.Column("held_s", sa.Float(53), nullable=False),
        sa.Column("limited", sa.Boolean(), nullable=True),
        sa.Column("allowance_at", sa.Float(53), nullable=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_accounts")),
    )
    op.create_table(
        "usage",
        sa.Column("qpu", sa.String(), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("busy_s", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["qpu"], ["qpus.name"], name=op.f("fk_usage_qpu")),
        sa.PrimaryKeyConstraint("qpu", "hour", "person", name=op.f("pk_usage")),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "booking_rules",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("qpu", sa.String(), nullable=True),
        sa.Column("group", sa.String(), nullable=True),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_rules")),
    )
    op.create_table(
        "booking_series",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("rrule", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("booked_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_series")),
    )
    op.create_table(
        "feeds",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("qpu", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("used_at", sa.Float(53), nullable=True),
        sa.Column("revoked_at", sa.Float(53), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feeds")),
        sa.UniqueConstraint("sha256", name=op.f("uq_feeds_sha256")),
    )
    with op.batch_alter_table("feeds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_feeds_owner"), ["owner"], unique=False)

    op.create_table(
        "groups",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_groups")),
    )
    op.create_table(
        "notices",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("people", sa.JSON(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("start_at", sa.Float(53), nullable=True),
        sa.Column("end_at", sa.Float(53), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        sa.Column("deleted_at", sa.Float(53), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_notices")),
        sa.UniqueConstraint("id", name=op.f("uq_notices_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tallies",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_tallies")),
    )
    op.create_table(
        "time_requests",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("granted_s", sa.Float(53), nullable=True),
        sa.Column("handled_by", sa.String(), nullable=True),
        sa.Column("handled_at", sa.Float(53), nullable=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_time_requests")),
        sa.UniqueConstraint("id", name=op.f("uq_time_requests_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("time_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_time_requests_person_seq"), ["person", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_time_requests_status_seq"), ["status", "seq"], unique=False)

    op.create_table(
        "users",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_roles", sa.JSON(), nullable=False),
        sa.Column("password", sa.String(), nullable=True),
        sa.Column("suspended_at", sa.Float(53), nullable=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("seen_at", sa.Float(53), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_users_email"), ["email"], unique=False)

    op.create_table(
        "bookings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("qpu", sa.String(), nullable=False),
        sa.Column("booked_by", sa.String(), nullable=False),
        sa.Column("start_at", sa.Float(53), nullable=False),
        sa.Column("end_at", sa.Float(53), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("invited", sa.JSON(), nullable=False),
        sa.Column("series_id", sa.String(), nullable=True),
        sa.Column("slot_id", sa.String(), nullable=True),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("used_at", sa.Float(53), nullable=True),
        sa.Column("no_show_s", sa.Float(53), nullable=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["qpu"], ["qpus.name"], name=op.f("fk_bookings_qpu")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
    )
    with op.batch_alter_table("bookings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bookings_booked_by_end_at"), ["booked_by", "end_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_bookings_qpu_status_end_at"), ["qpu", "status", "end_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_bookings_series_id"), ["series_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_bookings_slot_id"), ["slot_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_bookings_status_end_at"), ["status", "end_at"], unique=False)

    op.create_table(
        "dismissals",
        sa.Column("notice_id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_dismissals_notice_id")),
        sa.PrimaryKeyConstraint("notice_id", "person", name=op.f("pk_dismissals")),
    )
    op.create_table(
        "memberships",
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("group", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["group"], ["groups.name"], name=op.f("fk_memberships_group")),
        sa.ForeignKeyConstraint(["person"], ["users.name"], name=op.f("fk_memberships_person")),
        sa.PrimaryKeyConstraint("person", "group", name=op.f("pk_memberships")),
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_memberships_group"), ["group"], unique=False)

    op.create_table(
        "qpu_sessions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("qpu", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("booking_id", sa.String(), nullable=True),
        sa.Column("budget_s", sa.Float(53), nullable=False),
        sa.Column("idle_s", sa.Float(53), nullable=False),
        sa.Column("opened_at", sa.Float(53), nullable=False),
        sa.Column("seen_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.Column("closed_at", sa.Float(53), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("held_s", sa.Float(53), nullable=True),
        sa.Column("busy_s", sa.Float(53), nullable=True),
        sa.ForeignKeyConstraint(["qpu"], ["qpus.name"], name=op.f("fk_qpu_sessions_qpu")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_qpu_sessions")),
    )
    with op.batch_alter_table("qpu_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_qpu_sessions_holder_opened_at"), ["holder", "opened_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_qpu_sessions_qpu_closed_at"), ["qpu", "closed_at"], unique=False)

    op.create_table(
        "job_tags",
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["jobs.seq"], name=op.f("fk_job_tags_seq")),
        sa.PrimaryKeyConstraint("tag", "seq", name=op.f("pk_job_tags")),
    )
    with op.batch_alter_table("job_tags", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_job_tags_seq"), ["seq"], unique=False)

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("booking_id", sa.String(), nullable=True))
        batch_op.create_index(batch_op.f("ix_events_booking_id_seq"), ["booking_id", "seq"], unique=False)

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("project", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("account", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("shared_with", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("deleted_at", sa.Float(53), nullable=True))
        batch_op.add_column(sa.Column("raw_estimate_s", sa.Float(53), nullable=True))
        batch_op.add_column(sa.Column("eta_at", sa.Float(53), nullable=True))
        batch_op.add_column(sa.Column("cell_id", sa.String(), nullable=True))
        batch_op.drop_index(batch_op.f("ix_jobs_owner_seq"))
    alive = sa.text("deleted_at IS NULL")
    for columns in (
        ["owner", "seq"], ["owner", "state", "seq"], ["state", "seq"], ["qpu", "seq"], ["project", "seq"],
        ["shared_with", "seq"], ["cell_id", "seq"], ["submitted_at"], ["ended_at"],
    ):  # fmt: skip
        name = f"ix_jobs_alive_{'_'.join(columns)}"
        op.create_index(name, "jobs", columns, sqlite_where=alive, postgresql_where=alive)
    op.create_index(op.f("ix_results_blob_sha256"), "results", ["blob_sha256"])
    op.create_index(op.f("ix_idempotency_at"), "idempotency", ["at"])

    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("session", sa.Boolean(), server_default="0", nullable=False))
        batch_op.drop_column("groups")
        batch_op.create_index(batch_op.f("ix_api_tokens_owner"), ["owner"], unique=False)

    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.add_column(sa.Column("person", sa.String(), server_default="", nullable=False))
        batch_op.create_index(batch_op.f("ix_ledger_person_at"), ["person", "at"], unique=False)

    with op.batch_alter_table("qpus", schema=None) as batch_op:
        batch_op.add_column(sa.Column("correction", sa.Float(53), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("correction_n", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("eta_error_s", sa.Float(53), nullable=True))
        batch_op.add_column(sa.Column("eta_n", sa.Integer(), server_default="0", nullable=False))

    with op.batch_alter_table("drivers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("enabled", sa.Boolean(), server_default="1", nullable=False))
    _fill()


def _fill() -> None:
    """Derive the new tables and columns from what was there."""
    op.execute("UPDATE jobs SET cell_id = json_extract(origin, '$.cell_id')")
    op.execute(
        "INSERT INTO accounts (name, balance_s, held_s, created_at) SELECT account, SUM(amount_s), 0, MIN(at) "
        "FROM ledger GROUP BY account"
    )
    op.execute(
        "UPDATE accounts SET held_s = COALESCE((SELECT -SUM(held.amount_s) FROM ledger AS held "
        "WHERE held.account = accounts.name AND held.kind = 'hold' AND NOT EXISTS (SELECT 1 FROM ledger AS ended "
        "WHERE ended.job_id = held.job_id AND ended.attempt = held.attempt AND ended.kind IN ('settle', 'refund'))), 0)"
    )
    op.execute("UPDATE ledger SET person = account")
    # Until their next visit says more. (The least of an owner's roles is admin, by the alphabet.)
    op.execute(
        "INSERT INTO users (name, display_name, email, roles, source, source_roles, created_at) "
        "SELECT owner, '', '', '[]', 'jupyter', MIN(roles), MIN(at) FROM ("
        "SELECT owner, '[\"user\"]' AS roles, submitted_at AS at FROM jobs UNION ALL "
        "SELECT owner, roles, created_at FROM api_tokens WHERE driver IS NULL) GROUP BY owner"
    )
    op.execute(
        "INSERT INTO job_tags (tag, seq) SELECT DISTINCT tag.value, jobs.seq FROM jobs, json_each(jobs.tags) AS tag"
    )
    op.execute("INSERT INTO tallies (key, n) SELECT 'jobs:' || owner, COUNT(*) FROM jobs GROUP BY owner")
    op.execute("INSERT INTO tallies (key, n) SELECT 'jobs', COUNT(*) FROM jobs")
