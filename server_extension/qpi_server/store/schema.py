"""The tables. A change here comes with a migration, and with `SCHEMA_VERSION` one higher."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
)

from qpi_jupyter.core import times

log = logging.getLogger(__name__)
SCHEMA_VERSION = 14

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware UTC time, stored as seconds since 1970.

    What is written lies in the lab's calendar. What is read may have been written by anybody: a time beyond it is read
    as the calendar's end that is nearest, so that its row is listed, and can be changed or deleted.
    """

    impl = Float(53)
    cache_ok = True
    column = ""
    """Where it stands, for the log."""

    # SQLAlchemy's own way to these two, `process_bind_param` and its like, is three calls for each value.

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], float | None]:
        """From a time to its seconds."""
        return self._seconds

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """From seconds to their time."""
        return self._moment

    def _seconds(self, value: datetime | None) -> float | None:
        return None if value is None else times.moment(value, self.column.rpartition(".")[2]).timestamp()

    def _moment(self, value: Any) -> datetime | None:
        # Any: what the database driver brings, a float if nobody else wrote it.
        if value is None:
            return None
        at = times.nearest(value) if isinstance(value, int | float) else times.EARLIEST
        if at in _EDGES and at.timestamp() != value:
            _report(self.column, value, at)
        return at


_EDGES = (times.EARLIEST, times.LATEST)


@lru_cache(maxsize=1000)  # a list that is read every second says it once
def _report(column: str, value: object, at: datetime) -> None:
    log.error("%s holds %.40r, which is not a time of the lab's calendar: read as %s", column, value, at)


Long = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits; SQLite counts rows only where the type is called INTEGER, which has as many there."""

qpus = Table(
    "qpus",
    metadata,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("description", String, nullable=False, default=""),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("maintenance", Boolean, nullable=False, default=False),
    Column("hold", String),
    Column("manifest", JSON),
    Column("queued", Integer, nullable=False, default=0),
    Column("queued_s", Float(53), nullable=False, default=0.0),
    Column("running", Integer, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
    # What was measured: busy time over estimate, and how far off the predicted starts were (moving averages).
    Column("correction", Float(53), nullable=False, default=1.0, server_default="1"),
    Column("correction_n", Integer, nullable=False, default=0, server_default="0"),
    Column("eta_error_s", Float(53)),
    Column("eta_n", Integer, nullable=False, default=0, server_default="0"),
    Column("deleted_at", Moment),  # what was done on it keeps pointing here
    Column("num_qubits", Integer),  # as it was registered; a driver's manifest knows better
    Column("trust", String, nullable=False, default="platform_managed", server_default="platform_managed"),
    Column("contributed_by", String),
    Column("trust_reason", String, nullable=False, default="", server_default=""),
    Column("trust_by", String),  # who decided; nobody yet where it waits for approval
    Column("trust_at", Moment),
)

drivers = Table(
    "drivers",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("qpu", String, ForeignKey("qpus.name"), nullable=False),
    Column("monitor", Boolean, nullable=False, default=False),
    Column("epoch", Integer, nullable=False, default=0),
    Column("instance", String, nullable=False, default=""),
    Column("host", String, nullable=False, default=""),
    Column("version", String, nullable=False, default=""),
    Column("places", Integer, nullable=False, default=0),
    Column("hello_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True, server_default="1"),  # whether it is let in
    Column("revoked_at", Moment),
    Column("launch", JSON, nullable=False, default=dict, server_default="{}"),  # what its start command says
)

embedded_drivers = Table(
    "embedded_drivers",
    metadata,
    Column("name", String, primary_key=True),
    Column("qpu", String, ForeignKey("qpus.name"), nullable=False),
    Column("executor", String, nullable=False),
    Column("options", JSON, nullable=False),
    Column("places", Integer, nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("sha256", String, nullable=False, unique=True),
    Column("name", String, nullable=False, default=""),
    Column("owner", String, nullable=False),
    Column("roles", JSON, nullable=False),  # the owner's when it was made: it never outranks them
    Column("scopes", JSON(none_as_null=True)),
    Column("session", Boolean, nullable=False, default=False, server_default="0"),  # of a sign-in
    Column("driver", String, ForeignKey("drivers.id")),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column("revoked_at", Moment),
    Index(None, "driver"),
    Index(None, "owner"),
)

programs = Table(
    "programs",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("packed", LargeBinary, nullable=False),
    Column("nbytes", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
)

LABELS = (
    Column("name", String, nullable=False, default=""),
    Column("tags", JSON, nullable=False),
    Column("project", String, nullable=False, default="", server_default=""),
    Column("shared_with", String),  # a group that sees the job
)
"""What people say of a job; it may change at any time."""

jobs = Table(
    "jobs",
    metadata,
    Column("seq", Long, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("version", Integer, nullable=False, default=1),
    Column("owner", String, nullable=False),
    Column("qpu", String, ForeignKey("qpus.name")),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("tries", Integer, nullable=False, default=0),
    Column("started", Boolean, nullable=False, default=False),
    Column("lost_since", Moment),
    Column("retry", String, nullable=False),
    Column("retry_safe", Boolean, nullable=False, default=False),
    Column("priority", Integer, nullable=False, default=0),
    Column("checked", Boolean, nullable=False),
    Column("estimate_s", Float(53), nullable=False),
    Column("upper_s", Float(53), nullable=False),
    Column("driver", String),
    Column("submitted_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("busy_s", Float(53)),
    Column("progress", Float(53), nullable=False, default=0.0),
    Column("error", JSON(none_as_null=True)),
    *LABELS,
    Column("origin", JSON, nullable=False),
    Column("format", String, nullable=False),
    Column("program_sha256", String, ForeignKey("programs.sha256"), nullable=False),
    Column("options", LargeBinary, nullable=False),  # JSON, not read with the row
    Column("num_circuits", Integer, nullable=False),
    Column("shots", Integer, nullable=False),
    Column("account", String, nullable=False, default="", server_default=""),  # who pays; empty: the owner
    Column("deleted_at", Moment),
    Column("raw_estimate_s", Float(53)),  # the executor's own, before correction
    Column("eta_at", Moment),  # when it was expected to start, said at submit
    Column("cell_id", String),  # the notebook cell of its origin
    Column("parent_id", String),  # whose child it is
    Column("family_id", String),  # of the jobs that hang together by `dependencies`; null: it is alone
    Column("waits_for", Integer, nullable=False, default=0, server_default="0"),  # jobs that have not completed
    Column("calibration", String),  # the only one that it may run on
    Column("calibration_id", String),  # the one that its result was measured with
    Index(None, "driver", "state"),
    Index(None, "parent_id"),
    Index(None, "family_id"),
    Index(None, "program_sha256"),
    sqlite_autoincrement=True,
)
# What lists and searches walk along; a deleted job is in none of them.
for _columns in (
    ("owner", "seq"), ("owner", "state", "seq"), ("state", "seq"), ("qpu", "seq"), ("project", "seq"),
    ("shared_with", "seq"), ("cell_id", "seq"), ("calibration_id", "seq"), ("submitted_at",), ("ended_at",),
):  # fmt: skip
    Index(
        f"ix_jobs_alive_{'_'.join(_columns)}",
        *(jobs.c[name] for name in _columns),
        sqlite_where=jobs.c.deleted_at.is_(None),
        postgresql_where=jobs.c.deleted_at.is_(None),
    )
Index(
    "ix_jobs_queue", jobs.c.qpu, jobs.c.state, jobs.c.checked, jobs.c.priority.desc(), jobs.c.seq
)  # the planner's order
Index("ix_jobs_person", jobs.c.qpu, jobs.c.state, jobs.c.checked, jobs.c.owner, jobs.c.priority.desc(), jobs.c.seq)

dependencies = Table(
    "dependencies",
    metadata,
    Column("job_id", String, ForeignKey("jobs.id"), primary_key=True),  # waits for ...
    Column("needs", String, ForeignKey("jobs.id"), primary_key=True),
    Index(None, "needs"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", String, ForeignKey("jobs.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("driver", String),
    Column("epoch", Integer),
    Column("assigned_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("outcome", String),
    Column("busy_s", Float(53)),
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", Long, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("account", String, nullable=False),
    Column("amount_s", Float(53), nullable=False),
    Column("at", Moment, nullable=False),
    Column("qpu", String),
    Column("job_id", String),
    Column("attempt", Integer),
    Column("reason", String, nullable=False, default=""),
    Column("person", String, nullable=False, default="", server_default=""),  # who used or granted it
    UniqueConstraint("job_id", "attempt", "kind"),
    Index(None, "qpu", "at"),
    Index(None, "account", "at"),
    Index(None, "person", "at"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("seq", Long, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("kind", String, nullable=False),
    Column("owner", String, nullable=False, default=""),  # empty: for everybody
    Column("job_id", String),
    Column("qpu", String),
    Column("data", JSON, nullable=False),
    Column("booking_id", String),
    Index(None, "owner", "seq"),
    Index(None, "job_id", "seq"),
    Index(None, "booking_id", "seq"),
    sqlite_autoincrement=True,
)

results = Table(
    "results",
    metadata,
    Column("job_id", String, ForeignKey("jobs.id"), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("digest", String, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("blob_sha256", String, nullable=False),
    Column("blob_bytes", BigInteger, nullable=False),
    Column("small", Boolean, nullable=False),  # the counts are few enough to travel with the job
    Column("stored_at", Moment, nullable=False),
    Index(None, "blob_sha256"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("job_id", String, ForeignKey("jobs.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Index(None, "at"),
)

job_tags = Table(
    "job_tags",
    metadata,
    Column("tag", String, primary_key=True),
    Column("seq", BigInteger, ForeignKey("jobs.seq"), primary_key=True),
    Index(None, "seq"),
)

tallies = Table(  # totals that would otherwise be counted row by row
    "tallies",
    metadata,
    Column("key", String, primary_key=True),
    Column("n", BigInteger, nullable=False),
)

# --- people

users = Table(
    "users",
    metadata,
    Column("name", String, primary_key=True),
    Column("display_name", String, nullable=False, default=""),
    Column("email", String, nullable=False, default=""),
    # In its one spelling, if a provider has verified it or a manager entered it: only this leads to the person.
    Column("verified_email", String),
    Column("roles", JSON, nullable=False),  # given here, beside those of where the person comes from
    Column("source", String, nullable=False),  # jupyter, hub, local, oauth2
    Column("source_roles", JSON, nullable=False),
    Column("password", String),  # argon2; local accounts only
    Column("suspended_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment),
    Index(None, "email"),
    Index(None, "verified_email", unique=True),
)

identities = Table(
    "identities",
    metadata,
    Column("provider", String, primary_key=True),
    Column("subject", String, primary_key=True),  # the provider's own name for the person, which never changes
    Column("person", String, ForeignKey("users.name"), nullable=False),
    Column("joined_at", Moment, nullable=False),
    Index(None, "person"),
)

groups = Table(
    "groups",
    metadata,
    Column("name", String, primary_key=True),
    Column("description", String, nullable=False, default=""),
    Column("created_at", Moment, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("person", String, ForeignKey("users.name"), primary_key=True),
    Column("group", String, ForeignKey("groups.name"), primary_key=True),
    Column("source", String, nullable=False),  # lab, hub
    Index(None, "group"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Long, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("who", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("data", JSON, nullable=False),
    sqlite_autoincrement=True,
)

notices = Table(
    "notices",
    metadata,
    Column("seq", Long, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("title", String, nullable=False),
    Column("body", String, nullable=False, default=""),
    Column("people", JSON, nullable=False),  # both empty: everybody
    Column("groups", JSON, nullable=False),
    Column("start_at", Moment),
    Column("end_at", Moment),
    Column("created_by", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("deleted_at", Moment),
    sqlite_autoincrement=True,
)

dismissals = Table(
    "dismissals",
    metadata,
    Column("notice_id", String, ForeignKey("notices.id"), primary_key=True),
    Column("person", String, primary_key=True),
    Column("at", Moment, nullable=False),
)

# --- QPU time

accounts = Table(
    "accounts",
    metadata,
    Column("name", String, primary_key=True),  # a person, or "group:" and a group
    Column("balance_s", Float(53), nullable=False, default=0.0),  # the sum of the account's ledger lines
    Column("held_s", Float(53), nullable=False, default=0.0),  # of that: set aside by holds that are open
    Column("limited", Boolean),  # None: as the lab's configuration says
    Column("allowance_at", Moment),  # when the lab's default allowance was granted
    Column("created_at", Moment, nullable=False),
)

time_requests = Table(
    "time_requests",
    metadata,
    Column("seq", Long, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("person", String, nullable=False),
    Column("account", String, nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("reason", String, nullable=False, default=""),
    Column("status", String, nullable=False),  # pending, approved, rejected, withdrawn
    Column("answer", String, nullable=False, default=""),
    Column("granted_s", Float(53)),
    Column("handled_by", String),
    Column("handled_at", Moment),
    Column("created_at", Moment, nullable=False),
    Index(None, "person", "seq"),
    Index(None, "status", "seq"),
    sqlite_autoincrement=True,
)

usage = Table(  # what fair share counts: busy seconds by person and hour since 1970
    "usage",
    metadata,
    Column("qpu", String, ForeignKey("qpus.name"), primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("person", String, primary_key=True),
    Column("busy_s", Float(53), nullable=False),
)

# --- bookings

bookings = Table(
    "bookings",
    metadata,
    Column("id", String, primary_key=True),
    Column("version", Integer, nullable=False, default=1),
    Column("qpu", String, ForeignKey("qpus.name"), nullable=False),
    Column("booked_by", String, nullable=False),
    Column("start_at", Moment, nullable=False),
    Column("end_at", Moment, nullable=False),
    Column("mode", String, nullable=False),
    Column("status", String, nullable=False),  # booked, released, deleted, no_show
    Column("title", String, nullable=False, default=""),
    Column("invited", JSON, nullable=False),
    Column("series_id", String),
    Column("slot_id", String),  # bookings of several QPUs that are one
    Column("timezone", String, nullable=False, default="UTC"),
    Column("used_at", Moment),  # when its people were first active in it
    Column("no_show_s", Float(53)),  # given back when nobody came for so long
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Index(None, "qpu", "status", "end_at"),
    Index(None, "booked_by", "end_at"),
    Index(None, "series_id"),
    Index(None, "slot_id"),
    Index(None, "status", "end_at"),
)

booking_series = Table(
    "booking_series",
    metadata,
    Column("id", String, primary_key=True),
    Column("rrule", String, nullable=False),
    Column("timezone", String, nullable=False),
    Column("booked_by", String, nullable=False),
    Column("created_at", Moment, nullable=False),
)

booking_rules = Table(
    "booking_rules",
    metadata,
    Column("id", String, primary_key=True),
    Column("qpu", String),  # None: every QPU
    Column("group", String),  # None: everybody
    Column("rule", JSON, nullable=False),
    Column("changed_by", String, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

feeds = Table(
    "feeds",
    metadata,
    Column("id", String, primary_key=True),
    Column("sha256", String, nullable=False, unique=True),
    Column("owner", String, nullable=False),
    Column("qpu", String),  # None: the owner's own bookings
    Column("created_at", Moment, nullable=False),
    Column("used_at", Moment),
    Column("revoked_at", Moment),
    Index(None, "owner"),
)

join_links = Table(
    "join_links",
    metadata,
    Column("id", String, primary_key=True),
    Column("sha256", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("group", String),
    Column("allowance_s", Float(53)),
    Column("uses", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    Column("created_by", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)

qpu_sessions = Table(
    "qpu_sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("qpu", String, ForeignKey("qpus.name"), nullable=False),
    Column("holder", String, nullable=False),
    Column("account", String, nullable=False),
    Column("booking_id", String),  # the holder's, where it is inside one
    Column("budget_s", Float(53), nullable=False),
    Column("idle_s", Float(53), nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("reason", String, nullable=False, default=""),
    Column("held_s", Float(53)),
    Column("busy_s", Float(53)),
    Index(None, "qpu", "closed_at"),
    Index(None, "holder", "opened_at"),
)

# --- telemetry

channels = Table(
    "channels",
    metadata,
    Column("id", Long, primary_key=True, autoincrement=True),
    Column("qpu", String, ForeignKey("qpus.name"), nullable=False),
    Column("name", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("calibration", Boolean, nullable=False, default=False),  # said by the manifest, kept whole
    Column("value", Float(53)),
    Column("at", Moment, nullable=False),
    UniqueConstraint("qpu", "name"),
)

readings = Table(
    "readings",
    metadata,
    Column("channel", Integer, ForeignKey("channels.id"), primary_key=True),
    Column("width_s", Integer, primary_key=True),  # 0: as it came; else the seconds that one row sums up
    Column("at", Long, primary_key=True),  # milliseconds since 1970, the interval's start
    Column("n", Integer, nullable=False),
    Column("total", Float(53), nullable=False),
    Column("lowest", Float(53), nullable=False),
    Column("highest", Float(53), nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_readings_age", readings.c.width_s, readings.c.at)

calibrations = Table(  # a row whenever a QPU has another one
    "calibrations",
    metadata,
    Column("seq", Long, primary_key=True, autoincrement=True),
    Column("qpu", String, ForeignKey("qpus.name"), nullable=False),
    Column("calibration_id", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("config_sha256", String, nullable=False),
    Column("figures", JSON, nullable=False),
    Index(None, "qpu", "seq"),
    Index(None, "qpu", "calibration_id"),
    sqlite_autoincrement=True,
)

driver_log = Table(
    "driver_log",
    metadata,
    Column("seq", Long, primary_key=True, autoincrement=True),
    Column("driver", String, ForeignKey("drivers.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("level", String, nullable=False),
    Column("logger", String, nullable=False),
    Column("message", String, nullable=False),
    Column("dropped", Integer, nullable=False),  # lines before this one that were left out
    Index(None, "driver", "seq"),
)

# --- plans

plans = Table(
    "plans",
    metadata,
    Column("plan_id", String, primary_key=True),
    Column("owner", String, primary_key=True),
    Column("doc", JSON, nullable=False),
    Column("parts", LargeBinary, nullable=False),  # its recipe and the fragments' programs: not read with the row
    Column("created_at", Moment, nullable=False),
    Index(None, "owner", "created_at"),
)

plan_jobs = Table(  # the jobs that run a plan: each is the parent of its fragments' jobs
    "plan_jobs",
    metadata,
    Column("job_id", String, ForeignKey("jobs.id"), primary_key=True),
    Column("owner", String, nullable=False),
    Column("request", JSON, nullable=False),
    Column("plan_id", String),  # null until there is one
    Column("deadline_at", Moment),
    Index(None, "plan_id", "owner"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", String, primary_key=True),
    Column("job_id", String, ForeignKey("jobs.id"), nullable=False),  # the plan's
    Column("fragment", Integer, nullable=False),
    Column("child_id", String),  # the fragment's job
    Column("qpu", String, ForeignKey("qpus.name"), nullable=False),
    Column("state", String, nullable=False),
    Column("esp", Float(53)),
    Column("duration_s", Float(53)),
    Column("shot_s", Float(53)),
    Column("digest", String, nullable=False, default=""),  # of the program that its driver compiled
    Column("calibration_id", String, nullable=False, server_default=""),  # that it was compiled for
    Column("observed_esp", Float(53)),  # by the calibration that the result was measured with
    Column("reason", String, nullable=False, default=""),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Index(None, "job_id", "fragment"),
    Index(None, "qpu", "state"),
    Index(None, "state", "expires_at"),
)

for _table in metadata.tables.values():
    for _column in _table.columns:
        if isinstance(_column.type, Moment):
            _column.type.column = f"{_table.name}.{_column.name}"
