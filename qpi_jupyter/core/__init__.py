"""The rules of the lab: standard library only, no clock, no I/O, no randomness.

========================  ===========================================================
`errors`                  who must act
`programs`, `formats`     what to run, and how it is written
`manifest`                what a QPU can do
`previews`                what a program becomes there
`jobs`, `lifecycle`       the life of a job: one table
`families`                what jobs that wait for one another do to one another
`planner`, `bookings`     who goes next, and why not
`accounting`              QPU-seconds
`access`                  roles and permissions
`results`                 a result's header as Qiskit's Result
`plugins`                 members of open lists, found by entry point
========================  ===========================================================

Others import from here: nouns and their rules by name; `bounds`, `fakes`, `families`, `openqasm`, `recurrence`, `times`
and the verbs of `accounting`, `booking_rules`, `bookings` as modules. What only the server asks for is loaded when it
does: notebooks start without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .bounds import MAX_SECONDS, MAX_TEXT
from .errors import (
    PROGRAM_FAULTS,
    BookingConflict,
    Conflict,
    Faulted,
    Forbidden,
    NotFound,
    ProgramError,
    QpiError,
    Rejected,
    TooLarge,
    TooMany,
    Unauthorized,
    Unavailable,
    existing,
    programs_fault,
)
from .formats import (
    BUILT_IN,
    GZIP_MAGIC,
    MAX_CIRCUITS,
    MAX_EXPANDED_BYTES,
    MAX_PROGRAM_BYTES,
    MIN_QPY_VERSION,
    OPENQASM2,
    OPENQASM3,
    PLAIN_QPY_BYTES,
    ProgramFormat,
    QpyFile,
    text_format,
    unknown_format,
)
from .manifest import (
    MAX_ESTIMATE_BYTES,
    MAX_ESTIMATE_S,
    MAX_QUBITS,
    MAX_SHOTS,
    Estimate,
    GateProperties,
    Manifest,
    QubitProperties,
    check_fit,
)
from .plain_json import plain_json
from .previews import (
    MAX_PREVIEWED,
    CircuitPreview,
    Preview,
    PreviewedPulse,
    PulseKind,
    PulseRow,
    preview_of,
)
from .programs import (
    DEFAULT_SHOTS,
    MAX_AXES,
    MAX_BITS,
    CircuitOptions,
    Program,
    RunOptions,
    SweepAxis,
    check_program,
    pack,
    unpack,
)
from .results import (
    HEADER_VERSION,
    MAX_DRAWINGS,
    MAX_HEADER_BYTES,
    MAX_NAME,
    MAX_SHARED_BYTES,
    PRIMITIVE,
    format_outcome,
    header_circuits,
    not_applied,
    parse_outcome,
    qiskit_result,
    result_kind,
    share_common,
)
from .words import counted, length, ordinal, plain, short

if TYPE_CHECKING:
    from .access import (
        OPEN_TO_ALL,
        SCOPES,
        Permission,
        Principal,
        Role,
        Scope,
        allows,
        greatest_scopes,
        may_read_job,
        may_scope,
        permissions,
        scope_for,
        within,
    )
    from .accounting import (
        GROUP,
        Entry,
        EntryKind,
        group_account,
        group_of,
        held,
        is_limited,
        month_range,
        overdrawn,
        this_month,
    )
    from .archive import INDEX, PRIMITIVE_RESULT, check_archive
    from .booking_rules import BookingLimits, Interval, ScopedRule, zone
    from .bookings import SEARCH_DAYS, Booking, BookingMode, BookingStatus, Calendar
    from .calibrations import Calibration, Figure, Quantity, calibration_of, quantity_label, require_calibration
    from .emails import joining_address
    from .estimates import fold_correction, fold_error
    from .jobs import FINAL, Job, JobState, RetryPolicy
    from .lifecycle import (
        Effect,
        EffectKind,
        Event,
        EventKind,
        IllegalTransition,
        Step,
        advance,
        lease_expired,
        left_out,
        on_hello,
        salvage_over,
    )
    from .outlook import ENOUGH, NOTHING, Outlook, Prospect, Track, cut
    from .planner import (
        AHEAD,
        HEAD,
        VIEW_LIMIT,
        Activity,
        Policy,
        Reason,
        Session,
        View,
        begins_in,
        eta,
        explain,
        foreign_time,
        next_change,
        next_job,
        recalled,
        staged,
    )
    from .qpu_states import QpuState, QpuStatus, qpu_state
    from .quotas import Quotas, limited, require_quota
    from .settings import setting
    from .times import moment
    from .twins import pack_twin, unpack_twin
else:

    def __getattr__(name: str) -> Any:
        if name in __all__:
            for module in _LATER:
                if hasattr(loaded := import_module(f".{module}", __name__), name):
                    return globals().setdefault(name, getattr(loaded, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_LATER = (
    "archive", "access", "accounting", "booking_rules", "bookings", "calibrations", "emails", "estimates", "jobs",
    "lifecycle", "outlook", "planner", "qpu_states", "quotas", "settings", "times",
    "twins",
)  # fmt: skip
"""Modules, those that notebooks need first."""

__all__ = [
    "AHEAD",
    "BUILT_IN",
    "DEFAULT_SHOTS",
    "ENOUGH",
    "FINAL",
    "GROUP",
    "GZIP_MAGIC",
    "HEAD",
    "HEADER_VERSION",
    "INDEX",
    "MAX_AXES",
    "MAX_BITS",
    "MAX_CIRCUITS",
    "MAX_DRAWINGS",
    "MAX_ESTIMATE_BYTES",
    "MAX_ESTIMATE_S",
    "MAX_EXPANDED_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_NAME",
    "MAX_PREVIEWED",
    "MAX_PROGRAM_BYTES",
    "MAX_QUBITS",
    "MAX_SECONDS",
    "MAX_SHARED_BYTES",
    "MAX_SHOTS",
    "MAX_TEXT",
    "MIN_QPY_VERSION",
    "NOTHING",
    "OPENQASM2",
    "OPENQASM3",
    "OPEN_TO_ALL",
    "PLAIN_QPY_BYTES",
    "PRIMITIVE",
    "PRIMITIVE_RESULT",
    "PROGRAM_FAULTS",
    "SCOPES",
    "SEARCH_DAYS",
    "VIEW_LIMIT",
    "Activity",
    "Booking",
    "BookingConflict",
    "BookingLimits",
    "BookingMode",
    "BookingStatus",
    "Calendar",
    "Calibration",
    "CircuitOptions",
    "CircuitPreview",
    "Conflict",
    "Effect",
    "EffectKind",
    "Entry",
    "EntryKind",
    "Estimate",
    "Event",
    "EventKind",
    "Faulted",
    "Figure",
    "Forbidden",
    "GateProperties",
    "IllegalTransition",
    "Interval",
    "Job",
    "JobState",
    "Manifest",
    "NotFound",
    "Outlook",
    "Permission",
    "Policy",
    "Preview",
    "PreviewedPulse",
    "Principal",
    "Program",
    "ProgramError",
    "ProgramFormat",
    "Prospect",
    "PulseKind",
    "PulseRow",
    "QpiError",
    "QpuState",
    "QpuStatus",
    "QpyFile",
    "Quantity",
    "QubitProperties",
    "Quotas",
    "Reason",
    "Rejected",
    "RetryPolicy",
    "Role",
    "RunOptions",
    "Scope",
    "ScopedRule",
    "Session",
    "Step",
    "SweepAxis",
    "TooLarge",
    "TooMany",
    "Track",
    "Unauthorized",
    "Unavailable",
    "View",
    "advance",
    "allows",
    "begins_in",
    "calibration_of",
    "check_archive",
    "check_fit",
    "check_program",
    "counted",
    "cut",
    "eta",
    "existing",
    "explain",
    "fold_correction",
    "fold_error",
    "foreign_time",
    "format_outcome",
    "greatest_scopes",
    "group_account",
    "group_of",
    "header_circuits",
    "held",
    "is_limited",
    "joining_address",
    "lease_expired",
    "left_out",
    "length",
    "limited",
    "may_read_job",
    "may_scope",
    "moment",
    "month_range",
    "next_change",
    "next_job",
    "not_applied",
    "on_hello",
    "ordinal",
    "overdrawn",
    "pack",
    "pack_twin",
    "parse_outcome",
    "permissions",
    "plain",
    "plain_json",
    "preview_of",
    "programs_fault",
    "qiskit_result",
    "qpu_state",
    "quantity_label",
    "recalled",
    "require_calibration",
    "require_quota",
    "result_kind",
    "salvage_over",
    "scope_for",
    "setting",
    "share_common",
    "short",
    "staged",
    "text_format",
    "this_month",
    "unknown_format",
    "unpack",
    "unpack_twin",
    "within",
    "zone",
]  # fmt: skip
