"""Where the server's interpreter is while Bell jobs run one after the other: a sampling profile, by package and thread.

    python -m benchmarks.profile [--jobs COUNT] [--keep FILE]

Only what holds the interpreter lock counts. The samples are those of py-spy, in its ``raw`` format.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import qpi_jupyter

from .bare import SHOTS, bell
from .harness import server

RATE = 500
"""Samples a second."""
LEAST = 0.01
"""Smaller shares are not printed."""
PACKAGE = re.compile(r"site-packages/(\w+)|/(qpi_\w+/\w+)|python3\.\d+/(asyncio|sqlite3|json|logging)\b")


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the samples there, for a flame graph")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qpi-profile-") as folder:
        samples = args.keep or Path(folder) / "samples"
        record(args.jobs, samples)
        lines = samples.read_text().splitlines()
    for title, shares in (("package", by_package(lines)), ("thread", by_thread(lines))):
        print(f"{title:32} share")
        for name, count in shares.most_common():
            if count >= LEAST * shares.total():
                print(f"{name:32} {count / shares.total():5.1%}")


def record(jobs: int, target: Path) -> None:
    """Sample the server while it runs ``jobs`` Bell jobs."""
    circuit = bell()
    with server() as lab, qpi_jupyter.connect(lab.url, token=lab.token) as client:
        client.submit(circuit, qpu="sim-a", shots=SHOTS).counts()
        command = ["py-spy", "record", "--gil", "--threads", "--full-filenames", "--format", "raw"]
        place = ["--rate", str(RATE), "--pid", str(lab.pid), "--output", str(target)]
        with subprocess.Popen([*command, *place], stdout=sys.stderr) as sampler:
            for _ in range(jobs):
                client.submit(circuit, qpu="sim-a", shots=SHOTS).counts()
            sampler.send_signal(signal.SIGINT)  # it writes what it has


def by_package(lines: list[str]) -> Counter[str]:
    """Samples by where the innermost frame is from."""
    shares: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        found = PACKAGE.search(stack.rpartition(";")[2])
        shares[next(filter(None, found.groups())) if found else "the rest of Python"] += int(count)
    return shares


def by_thread(lines: list[str]) -> Counter[str]:
    """Samples by thread."""
    shares: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        shares[stack.partition(";")[0].rpartition(": ")[2]] += int(count)
    return shares


if __name__ == "__main__":
    main()
