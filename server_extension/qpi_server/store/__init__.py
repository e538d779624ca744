"""Durable rows and durable bytes. `Store` is the port; `SqliteStore` is the one that there is.

Others import from here: rows by name, and the modules whose functions read and write them. Tokens are for people alone.
"""

from __future__ import annotations

from .accounts import AccountRow
from .audit import AuditRow
from .bench import DriverRow, EmbeddedDriver, QpuRow
from .blobs import Blobs, BlobWriter
from .bookings import BookingFilter, BookingRow, RuleRow, SeriesRow
from .database import Store, TooCostly, Unit
from .driver_log import LogRow
from .facts import EVERYBODY, EventRow, ResultRow
from .faults import DAMAGED, FULL, GONE, fault, storage_error
from .feeds import FeedRow
from .filesystem import require_local
from .jobs import JobRecord
from .notices import NoticeRow
from .people import LAB, GroupRow, IdentityRow, UserRow
from .presence import BLOBS, DATABASE, DATABASE_FILES, can_begin_anew, move_aside, require_blobs, require_database
from .qpu_sessions import SessionRow
from .schema import SCHEMA_VERSION
from .search import Search
from .sorting import Order, Sort
from .sqlite import SqliteStore
from .telemetry import HOUR, MINUTE, RAW, ChannelRow, Point, Sample
from .time_requests import APPROVED, PENDING, WITHDRAWN, TimeRequestRow
from .view import load_rules, load_view

__all__ = [
    "APPROVED", "BLOBS", "DAMAGED", "DATABASE", "DATABASE_FILES", "EVERYBODY", "FULL", "GONE", "HOUR", "LAB",
    "MINUTE", "PENDING", "RAW", "SCHEMA_VERSION", "WITHDRAWN", "AccountRow", "AuditRow", "BlobWriter", "Blobs",
    "BookingFilter", "BookingRow", "ChannelRow", "DriverRow", "EmbeddedDriver", "EventRow", "FeedRow", "GroupRow",
    "IdentityRow", "JobRecord", "LogRow", "NoticeRow", "Order", "Point", "QpuRow", "ResultRow", "RuleRow", "Sample",
    "Search", "SeriesRow", "SessionRow", "Sort", "SqliteStore", "Store", "TimeRequestRow", "TooCostly", "Unit",
    "UserRow", "can_begin_anew", "fault", "load_rules", "load_view", "move_aside", "require_blobs",
    "require_database", "require_local", "storage_error",
]  # fmt: skip
