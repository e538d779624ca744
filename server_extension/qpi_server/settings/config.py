"""What a lab's service is told. A field is a setting: its flag, variable, key in files and line in the reference follow
from it (`traits`), and what the planner and the quotas of each person are told is declared in the core likewise."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qpi_jupyter.core import Policy, Quotas, setting

from .providers import OAuth2Provider, providers
from .values import without_password


@dataclass(frozen=True, slots=True, kw_only=True)
class LabConfig:
    """Settings of a lab; durations in seconds, sizes in bytes."""

    lab_dir: Path
    version: str = ""
    """The software's version, for ``GET health``."""
    check_timeout_s: float = 60.0
    """How long the check of a stored, unchecked job may take."""
    unchecked_upper_s: float = 60.0
    """The bound that an unchecked job is planned with."""
    quotas: Quotas = field(default_factory=Quotas)
    """What one person may have."""
    policy: Policy = field(default_factory=Policy)
    db_url: str = setting(
        "sqlite://",
        "The lab's database. sqlite:// is a file in lab_dir; other addresses need a package that registers them.",
        shown=without_password,
    )
    begin_anew: bool = setting(
        False,
        "If the lab's database is missing or damaged, move its remains into a folder beside it and start a new "
        "lab. For one start only.",
    )
    oauth2_providers: tuple[OAuth2Provider, ...] = setting(
        (),
        "Providers that people can sign in with: a list of name, client_id, client_secret, auth_url, token_url, "
        "user_info_url, display_name, pkce, extra. Lists from several sources are merged by name.",
        parse=providers, merge=True, secret=True, allowed="a list of providers, each with a name and a client_id",
    )  # fmt: skip
    buses: tuple[str, ...] = setting(
        (),
        "Further buses for drivers, besides the lab's own WebSocket: a list of addresses (scheme://place). Each scheme "
        "except inproc needs a package that registers it.",
        shown=lambda addresses: [without_password(one) for one in addresses],
    )
    lease_s: float = setting(20.0, "How long a silent driver keeps its jobs (seconds).", min=0.5)
    heartbeat_s: float = setting(2.0, "How often drivers report (seconds).", min=0.1)
    reask_s: float = setting(15.0, "How often an idle driver asks for work, as a safety net (seconds).", min=0.1)
    check_budget_s: float = setting(0.5, "How long a submit waits for its program to be checked (seconds).")
    min_fidelity: float = setting(
        0.0, "QPUs whose calibration makes a measured Bell pair less likely than this are marked; 0: none.",
        min=0, max=1,
    )  # fmt: skip
    enrollment: bool = setting(
        False,
        "Let everybody who is signed in ask to add a QPU of their own. A manager approves it before it gets jobs.",
    )
    job_timeout_s: float = setting(
        600.0, "The longest run of an attempt, unless its driver sets another limit (seconds).", min=1
    )
    search_budget_s: float = setting(
        5.0, "The time limit of one search through jobs, events or log lines (seconds).", min=0.1
    )
    max_shots: int = setting(1_000_000, "Maximum number of shots per circuit.", min=1)
    result_limit_bytes: int = setting(16 << 30, "Maximum size of one result (bytes).", min=1024)
    default_allowance_s: float | None = setting(
        None, "QPU time that each person starts with (seconds). Default: unlimited."
    )
    retention_days: float = setting(0.0, "Delete jobs this many days after their end; 0: never.", min=0)
    events_retention_days: float = setting(0.0, "Delete events after this many days; 0: never.", min=0)
    local_accounts: bool = setting(
        False,
        "Let people sign in with a password that this lab keeps. Default: only in a lab that `jupyter qpi` serves, "
        "if neither a Hub nor oauth2_providers say who people are.",
    )
    ibm_backends: tuple[str, ...] = setting(
        (),
        "Fake backends that IBM's client lists, as fake_manila (noisy and ideal) or fake_manila@aer; it finds every "
        "other one by its name. Default: all.",
    )
    open_tasks: bool = setting(False, "Take tasks (POST qpi/tasks) from programs on this machine without a token.")
    public_bookings: bool = setting(
        True, "Show everybody who holds a booking or a session, and the titles of bookings."
    )
