"""Run the benchmarks, print a table of ratios and write ``benchmarks/latest.json``.

    python -m benchmarks [--only NAME ...] [--quick]

Every figure is a ratio against a baseline that runs in the same minutes on the same machine; a goal that is not met is
shown as such and makes the exit status 1. Milliseconds in the table hold for this machine only.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

from .harness import Figure

BENCHMARKS = (
    "bell", "cost", "submits", "throughput", "batch", "pick", "lists", "dataset", "reader", "loop", "start",
    "delay", "scroll", "panel", "outputs", "plot", "calendar", "burst", "eta", "strategies", "memory", "crowd",
    "forwarder", "pulses", "runtime", "planning", "plans",
)  # fmt: skip


def main() -> int:
    """Run what was asked for; 0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=BENCHMARKS, default=list(BENCHMARKS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="fewer repeats: is it still sound?")
    args = parser.parse_args()
    figures: list[Figure] = []
    for name in args.only:
        began = time.monotonic()
        for figure in importlib.import_module(f".{name}", __package__).run(quick=args.quick):
            figures.append(figure)
            print(figure.line(), flush=True)
        print(f"  ({name}: {time.monotonic() - began:.0f} s)", flush=True)
    write(figures)
    missed = [figure.name for figure in figures if not figure.met]
    print("goals met" if not missed else "goals missed: " + "; ".join(missed))
    return 1 if missed else 0


def write(figures: list[Figure]) -> None:
    """Keep the figures beside the machine and the versions that they hold for."""
    packages = ("qpi-jupyter", "qiskit", "qiskit-aer", "tornado", "sqlalchemy", "xarray")
    document = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cpu": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in packages},
        "figures": [figure.as_dict() for figure in figures],
    }
    Path(__file__).with_name("latest.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
