"""``jupyter qpi evaluate SCENARIOS.yaml``: run it, and write what came out."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from qpi_jupyter._version import __version__
from qpi_jupyter.core import QpiError

from . import circuits, nodes, scenarios, tables, trials


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate; the exit status."""
    parser = argparse.ArgumentParser(
        prog="jupyter qpi evaluate",
        description="Run circuits whole and in parts, with and without troubles, on a lab of simulators made for this, "
        "and compare them with the exact values. It touches no other lab.",
    )
    parser.add_argument("file", type=Path, nargs="?", help="the matrix of scenarios (YAML); --example shows one")
    parser.add_argument("--out", type=Path, default=Path("evaluation"), help="folder to write to (default: evaluation)")
    parser.add_argument(
        "--only", metavar="SCENARIO", action="append", help="only this scenario; may be given several times"
    )
    parser.add_argument("--example", action="store_true", help="print a matrix to begin with")
    options = parser.parse_args(arguments)
    if options.example:
        print(scenarios.EXAMPLE.read_text(encoding="utf-8"), end="")
        return 0
    if options.file is None:
        parser.error("name a file of scenarios: `jupyter qpi evaluate --example > scenarios.yaml` writes one")
    try:
        return _evaluate(options.file, options.out, options.only or [])
    except QpiError as error:
        print(error.message, file=sys.stderr)
    except OSError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted: the trials so far are in trials.csv.", file=sys.stderr)
    return 1


def _evaluate(file: Path, out: Path, only: list[str]) -> int:
    matrix = scenarios.only(scenarios.read(file), only, file)
    if find_spec("qiskit_aer") is None:
        print("The nodes need Aer: pip install 'qpi-jupyter[aer,cutting]'", file=sys.stderr)
        return 2
    for wanted in matrix.circuits:  # what is wrong with one is said before the first trial
        circuits.observables_of(wanted, circuits.circuit_of(wanted, file.parent).num_qubits)
    out.mkdir(parents=True, exist_ok=True)
    found = list[trials.Trial]()
    with (
        contextlib.closing(tables.TrialFile(out / "trials.csv")) as kept,
        tempfile.TemporaryDirectory(prefix="qpi-evaluate-") as folder,
        nodes.node_lab(Path(folder), matrix.nodes) as there,
    ):
        for trial in trials.run(matrix, there, file.parent, _say):
            kept.add(trial)
            found.append(trial)
    about = {"scenarios_sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "version": __version__}
    written = tables.write(found, out, **about)
    print(tables.as_text(found))
    for trial in found:
        if trial.error:
            print(f"{trial.scenario}, {trial.circuit}, seed {trial.seed}: {trial.outcome}: {trial.error}")
    print(f"Written: {', '.join(map(str, [out / 'trials.csv', *written]))}")
    return 0


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
