"""The settings of a lab: add a trait here and it has a flag, a variable, a key in files and a line in the reference.

Where `service.config.LabConfig` has a field of the same name, the value is there, too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from traitlets import Bool, Float, HasTraits, Instance, Integer, List, TraitType, Unicode, default

from qpi_jupyter.core import Quotas

from .providers import OAuth2Provider, providers
from .values import default_lab_dir, without_password

QUOTAS = Quotas()


def _at_most(usual: int | None, what: str) -> Integer[Any, Any]:
    """A quota; as many as the lab's owner and its managers like."""
    return Integer(usual, allow_none=True, min=1, help=f"{what} of one person, at most; managers have no limit.")


class LabTraits(HasTraits):
    """Durations end in ``_s`` and ``_days``, sizes in ``_bytes``: QPI's names leave that out."""

    settings_file = Unicode(
        help="A YAML or JSON file of settings. Default: qpi.config.yml in the working folder, else in the lab's."
    )
    lab_dir = Unicode(help="The lab's data folder, on a local disk. Default: QPI_LAB_DIR, else the user's data folder.")
    db_url = Unicode(
        "sqlite://",
        help="The lab's database. sqlite:// is a file in lab_dir; other addresses need a package that registers them.",
    )
    begin_anew = Bool(
        False,
        help="Where the lab's database is missing or damaged, move what is there into a folder beside it and begin a "
        "new lab. For one start, not for good.",
    )
    demo = Bool(False, help="Bring two simulated QPUs along: sim-a (Qiskit Aer) and sim-b (a line of 5 qubits).")
    embedded_drivers = Bool(True, help="Start the simulators that the lab's database defines.")
    upstream_url = Unicode(help="Forward to the lab at this address, and have none here. Default: QPI_UPSTREAM_URL.")
    upstream_token = Unicode(help="The token for upstream_url. Default: QPI_UPSTREAM_TOKEN, else the Hub's.")
    upstream_ca_file = Unicode(help="The certificate that upstream_url is trusted by. Default: the system's.")
    insecure = Bool(False, help="Send upstream_token over plain http to another machine.")
    https = Bool(False, help="Serve https with a certificate from the lab's own authority.")
    tls_dir = Unicode(help="Where the authority's files are. Default: tls in the data folder.")
    tls_names = List(
        Unicode(), help="Host names and addresses that the certificate is for, besides this machine's own."
    )
    tls_ca_cert_file = Unicode(help="The authority's certificate. Default: ca.pem in tls_dir.")
    tls_ca_key_file = Unicode(help="The authority's key. Default: ca.key in tls_dir.")
    tls_cert_file = Unicode(help="The server's certificate. Default: server.pem in tls_dir.")
    tls_key_file = Unicode(help="The server's key. Default: server.key in tls_dir.")
    ip_addr = Unicode(
        help="Where `jupyter qpi` listens; the certificate is for it, too. Default: Jupyter's own setting, localhost."
    )
    server_port = Integer(
        None,
        allow_none=True,
        min=0,
        max=65_535,
        help="The port of `jupyter qpi`. Default: Jupyter's own setting, 8888.",
    )
    oauth2_providers = List(
        Instance(OAuth2Provider),
        help="Who people may sign in with: a list of name, client_id, client_secret, auth_url, token_url, "
        "user_info_url, display_name, pkce, extra. Lists of several sources are one, by name.",
    )
    buses = List(
        Unicode(), help="Buses that drivers reach the lab over, beside its own WebSocket: addresses (scheme://place)."
    )
    lease_s = Float(20.0, min=0.5, help="How long a silent driver keeps its jobs (seconds).")
    heartbeat_s = Float(2.0, min=0.1, help="How often drivers report (seconds).")
    reask_s = Float(15.0, min=0.1, help="How often an idle driver asks again, as a safety net (seconds).")
    check_budget_s = Float(0.5, help="How long a submit waits for its program to be checked (seconds).")
    job_timeout_s = Float(
        600.0, min=1, help="How long an attempt may run, where its driver says nothing else (seconds)."
    )
    search_budget_s = Float(
        5.0, min=0.1, help="How long one search through many jobs, events or lines may take (seconds)."
    )
    max_shots = Integer(1_000_000, min=1, help="Shots of one circuit, at most.")
    result_limit_bytes = Integer(16 << 30, min=1024, help="Size of one result, at most (bytes).")
    idle_threshold_s = Float(
        5.0, help="How long the holder of a booking counts as active after their last act (seconds)."
    )
    backfill_max_s = Float(30.0, help="The longest job that may run in an idle holder's booking (seconds).")
    fair_share = Bool(False, help="Among equal priorities, let those go first who used the QPU less lately.")
    fair_share_window_s = Float(86_400.0, min=1, help="How far back fair share looks (seconds).")
    default_allowance_s = Float(
        None,
        allow_none=True,
        help="QPU time that each person begins with (seconds). Default: nobody's time is limited.",
    )
    retention_days = Float(0.0, min=0, help="Delete jobs that ended so many days ago; 0: never.")
    events_retention_days = Float(0.0, min=0, help="Forget events that are so many days old; 0: never.")
    max_queued_jobs = _at_most(QUOTAS.max_queued_jobs, "Waiting jobs")
    max_tokens = _at_most(QUOTAS.max_tokens, "Valid API tokens")
    max_sign_ins = _at_most(QUOTAS.max_sign_ins, "Valid sign-ins")
    max_feeds = _at_most(QUOTAS.max_feeds, "Calendar feeds")
    max_time_requests = _at_most(QUOTAS.max_time_requests, "Requests for QPU time that wait for an answer")
    max_bookings_ahead = _at_most(QUOTAS.max_bookings_ahead, "Bookings to come on a QPU without a booking rule")
    max_booking_s = Float(
        QUOTAS.max_booking_s,
        allow_none=True,
        min=1,
        help="The longest booking, where no booking rule is set (seconds).",
    )
    max_booking_ahead_s = Float(
        QUOTAS.max_booking_ahead_s,
        allow_none=True,
        min=1,
        help="How far ahead one may book, where no booking rule is set (seconds).",
    )
    disk_floor_bytes = Integer(
        QUOTAS.disk_floor_bytes,
        min=0,
        help="With less free space on the lab's disk, jobs are accepted of managers only; results always are (bytes).",
    )
    local_accounts = Bool(False, help="Let people sign in with a password that this lab keeps (POST qpi/v1/sign-in).")
    public_bookings = Bool(True, help="Show everybody whose a booking or a session is, and the title of a booking.")
    for _trait in [value for value in vars().values() if isinstance(value, TraitType)]:
        _trait.tag(config=True)
    del _trait
    oauth2_providers.tag(parse=providers, merge=True, secret=True)
    oauth2_providers.tag(allowed="a list of providers, each with a name and a client_id")
    db_url.tag(shown=without_password)

    @default("lab_dir")
    def _default_lab_dir(self) -> str:
        return str(default_lab_dir())

    @default("upstream_url")
    def _default_upstream_url(self) -> str:
        return os.environ.get("QPI_UPSTREAM_URL", "")

    @default("upstream_token")
    def _default_upstream_token(self) -> str:
        return os.environ.get("QPI_UPSTREAM_TOKEN") or os.environ.get("JUPYTERHUB_API_TOKEN", "")

    @default("tls_dir")
    def _default_tls_dir(self) -> str:
        return str(Path(self.lab_dir) / "tls")
