"""``jupyter qpi replay``: the planner's policies on the same jobs, side by side."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime

from qpi_jupyter.core import counted, times
from qpi_server.app.extension import QPIServer
from qpi_server.replay.policies import parse_policy
from qpi_server.replay.report import figures, table
from qpi_server.replay.simulate import simulate
from qpi_server.replay.trace import Trace, of_lab, synthetic


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


def run(lab: QPIServer, options: argparse.Namespace) -> int:
    """Print what each policy would have meant; the exit status."""
    specs = options.policy or ["current"]
    policies = [parse_policy(spec, lab.config_of_lab().policy) for spec in specs]
    trace = _trace(lab, options)
    if not trace.jobs:
        print("There are no jobs to replay: --days takes more of the past, --synthetic invents some.", file=sys.stderr)
        return 1
    found = []
    for spec, policy in zip(specs, policies, strict=True):
        if sys.stderr.isatty():
            print(
                f"{counted(len(trace.jobs), 'job')}, {counted(len(trace.bookings), 'booking')}: {spec} ...",
                file=sys.stderr,
            )
        found.append(figures(trace, simulate(trace, policy)))
    print(json.dumps(dict(zip(specs, found, strict=True)), indent=2) if options.json else table(specs, found))
    return 0


def _trace(lab: QPIServer, options: argparse.Namespace) -> Trace:
    if options.synthetic:
        return synthetic(options.seed)
    now = datetime.now(UTC)
    return of_lab(lab.backend(), times.after(now, -options.days * 86_400), now)


def _positive(text: str) -> float:
    days = float(text)
    if not 0 < days <= 36_500:
        raise argparse.ArgumentTypeError(f"{text} is not a number of days from 0 to 36500")
    return days
