"""``jupyter qpi replay``: the planner's policies on the same jobs, side by side."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

from qpi_jupyter.core.planner import Policy
from qpi_server.app import QPIServer
from qpi_server.service.lab import DATABASE
from qpi_server.settings import SettingsError, allowed, convert, own_traits

from .report import figures, table
from .simulate import simulate
from .trace import Trace, of_lab, synthetic


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be asked for."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--days", type=_positive, default=30.0, help="how much of the lab's own past (default: 30)")
    source.add_argument("--synthetic", action="store_true", help="an invented month: 50 people, 4 QPUs, 60 000 jobs")
    parser.add_argument("--seed", type=int, default=1, help="which invented month (default: 1)")
    parser.add_argument(
        "--policy", action="append", metavar="SPEC",
        help="`current`, or changes to it such as fair_share=true,backfill_max_s=60; may be given several times",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print figures for programs instead of a table")


def replay(lab: QPIServer, options: argparse.Namespace) -> int:
    """Print what each policy would have meant; the exit status."""
    specs = options.policy or ["current"]
    policies = [parse_policy(spec, lab.policy()) for spec in specs]
    trace = _trace(lab, options)
    if not trace.jobs:
        print("There are no jobs to replay: --days takes more of the past, --synthetic invents some.", file=sys.stderr)
        return 1
    found = []
    for spec, policy in zip(specs, policies, strict=True):
        if sys.stderr.isatty():
            print(f"{len(trace.jobs)} jobs, {len(trace.bookings)} bookings: {spec} ...", file=sys.stderr)
        found.append(figures(trace, simulate(trace, policy)))
    print(json.dumps(dict(zip(specs, found, strict=True)), indent=2) if options.json else table(specs, found))
    return 0


def parse_policy(spec: str, current: Policy) -> Policy:
    """The policy that ``spec`` describes.

    Raises
    ------
    SettingsError
        it names something else than a policy has, or a value that cannot be used.
    """
    if spec == "current":
        return current
    traits = own_traits(QPIServer)
    names = [field.name for field in fields(Policy) if field.name in traits]
    changes = {}
    for part in spec.split(","):
        name, _, text = (piece.strip() for piece in part.partition("="))
        if name not in names:
            raise SettingsError(f"--policy {spec}: there is no {name!r} in a policy. Allowed: {', '.join(names)}.")
        if not text:
            raise SettingsError(f"--policy {spec}: {name} needs a value: {allowed(name, traits[name])}.")
        changes[name] = convert(name, traits[name], text, f"--policy {spec}")
    return replace(current, **changes)


def _trace(lab: QPIServer, options: argparse.Namespace) -> Trace:
    if options.synthetic:
        return synthetic(options.seed)
    return of_lab(Path(lab.lab_dir) / DATABASE, options.days, datetime.now(UTC))


def _positive(text: str) -> float:
    days = float(text)
    if not 0 < days <= 36_500:
        raise argparse.ArgumentTypeError(f"{text} is no number of days")
    return days
