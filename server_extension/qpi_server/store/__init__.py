"""Durable rows and durable bytes. `Store` and `Backend` are the port, `sqlite_file` is a member.

Others import from here: rows by name, and the modules whose functions read and write them. Tokens are for people alone.
"""

from __future__ import annotations

from .accounts import AccountRow
from .audit import AuditRow
from .backend import STORES, USUAL, Backend, OnCommit, OwnerLock, backend_of, open_store
from .bench import DriverRow, EmbeddedDriver, QpuRow
from .blobs import Blobs, BlobWriter
from .bookings import BookingFilter, BookingRow, RuleRow, SeriesRow
from .calibrations import CalibrationRow
from .database import Store, TooCostly, Unit
from .driver_log import LogRow
from .facts import EVERYBODY, EventRow, ResultRow
from .faults import DAMAGED, FULL, GONE, UNREACHABLE, fault, own_error, storage_error
from .feeds import FeedRow
from .jobs import JobRecord
from .join_links import JoinLinkRow
from .migrate import migrate, schema_version
from .names import Named, alike
from .notices import NoticeRow
from .people import LAB, GroupRow, IdentityRow, UserRow
from .plans import PlanRow
from .presence import BLOBS, DATABASE, can_begin_anew, move_aside, require_blobs
from .qpu_sessions import SessionRow
from .rows import JSON_COLUMNS
from .schema import SCHEMA_VERSION
from .search import Search
from .sorting import Order, Sort
from .telemetry import HOUR, MINUTE, RAW, ChannelRow, Point, Sample
from .time_requests import APPROVED, PENDING, WITHDRAWN, TimeRequestRow
from .view import load_rules, load_view

__all__ = [
    "APPROVED", "BLOBS", "DAMAGED", "DATABASE", "EVERYBODY", "FULL", "GONE", "HOUR", "JSON_COLUMNS", "LAB", "MINUTE",
    "PENDING", "RAW", "SCHEMA_VERSION", "STORES", "UNREACHABLE", "USUAL", "WITHDRAWN", "AccountRow", "AuditRow",
    "Backend", "BlobWriter", "Blobs", "BookingFilter", "BookingRow", "CalibrationRow", "ChannelRow", "DriverRow",
    "EmbeddedDriver", "EventRow", "FeedRow", "GroupRow", "IdentityRow", "JobRecord", "JoinLinkRow", "LogRow", "Named",
    "NoticeRow", "OnCommit", "Order", "OwnerLock", "PlanRow", "Point", "QpuRow", "ResultRow", "RuleRow", "Sample",
    "Search", "SeriesRow", "SessionRow", "Sort", "Store", "TimeRequestRow", "TooCostly", "Unit", "UserRow", "alike",
    "backend_of", "can_begin_anew", "fault", "load_rules", "load_view", "migrate", "move_aside", "open_store",
    "own_error", "require_blobs", "schema_version", "storage_error",
]  # fmt: skip
