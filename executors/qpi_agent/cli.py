"""The command line: ``qpi-agent start | executors | check | convert | install-alias``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from qpi_jupyter._version import __version__
from qpi_jupyter.core import QpiError, Rejected
from qpi_jupyter.wire.json_log import JsonLines

from . import settings as settings_

if TYPE_CHECKING:
    from qpi_jupyter.core import Program

log = logging.getLogger(__name__)
BROKEN, WRONG_USE, REFUSED = 1, 2, 3
_EXITS = """exit status:
  0  ended as asked, with nothing left behind but what the lab could not take
  1  the executor cannot be used
  2  a setting is wrong
  3  the lab refuses this driver: wrong token, other wire version, or not the lab that was meant
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        status = arguments.run(arguments)
    except QpiError as error:
        if getattr(arguments, "json", False):
            print(json.dumps(error.to_dict()))
        else:
            print(f"qpi-agent: {error.message}", file=sys.stderr)
        return _status(error)
    assert isinstance(status, int)
    return status


def _status(error: QpiError) -> int:
    if error.code == "data_dir_in_use" or isinstance(error, Rejected):
        return WRONG_USE
    return REFUSED if type(error).__name__ == "GaveUp" else BROKEN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qpi-agent", description="The driver of one QPU of a QPI lab.")
    parser.add_argument("--version", action="version", version=f"qpi-agent {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    start = commands.add_parser(
        "start",
        help="run jobs until SIGTERM",
        description="Dial out to the lab and run its jobs. SIGTERM or Ctrl-C: finish what runs; again: end at once.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    settings_.add_flags(start)
    start.set_defaults(run=_start)
    listing = commands.add_parser("executors", help="list the installed executors, broken ones with the reason")
    listing.add_argument("--json", action="store_true", help="with their options as JSON Schema")
    listing.set_defaults(run=_executors)
    check = commands.add_parser("check", help="say whether an executor takes its options and would run a program")
    check.add_argument("file", type=Path, nargs="?", help="a file in one of its formats; without one, only the options")
    check.add_argument("--format", metavar="NAME", help="its program format; OpenQASM and QPY are told by themselves")
    check.add_argument("-e", "--executor", default="mock", metavar="NAME")
    check.add_argument("-o", "--option", action="append", default=[], metavar="KEY=VALUE", help="an executor option")
    check.add_argument("--shots", type=int, default=1024)
    check.add_argument("--simulator", action="store_true", help="refuse an executor that drives an instrument")
    check.add_argument("--json", action="store_true", help="what is wrong as JSON on standard output")
    check.set_defaults(run=_check)
    convert = commands.add_parser(
        "convert", help="write a lab's device and hardware files for another scheduler, and list what was assumed"
    )
    convert.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a device file, a hardware file, or both")
    convert.add_argument("--to", required=True, choices=("qblox", "quantify"), help="whose files to write")
    convert.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write them into")
    convert.set_defaults(run=_convert)
    alias = commands.add_parser("install-alias", help="make qpi-driver the same as qpi-agent, unless it is another's")
    alias.set_defaults(run=_install_alias)
    return parser


def _start(arguments: argparse.Namespace) -> int:
    import asyncio

    settings = settings_.resolve(arguments, os.environ)
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr, force=True
    )
    if settings.log_json:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
    logging.getLogger("httpx").setLevel(logging.WARNING)

    from .agent import Agent

    async def run() -> None:
        await Agent(settings).run()

    try:
        asyncio.run(run())
    except QpiError as error:
        if not settings.log_json:
            raise
        log.error("%s", error.message)
        return _status(error)
    return 0


def _executors(arguments: argparse.Namespace) -> int:
    from qpi_executors.catalogue import catalogue
    from qpi_jupyter.data.formats import FORMATS

    with redirect_stdout(sys.stderr):
        entries = catalogue()
    if arguments.json:
        print(json.dumps(entries, indent=2))
        return 0
    for entry in (*entries, *({"name": one.name, "problem": one.problem} for one in FORMATS.checked() if one.problem)):
        print(f"{entry['name']:20} {f'broken: {problem}' if (problem := entry['problem']) else 'ready'}")
    if not entries:
        print("no executors are installed; module:Class names one that is only importable")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    sys.path.insert(0, os.getcwd())  # as in the children: an executor under development lies here
    from qpi_executors import load
    from qpi_executors.registry import require

    with redirect_stdout(sys.stderr):  # what is said here is the answer, whatever a guest prints
        executor = load(arguments.executor, **settings_.read_options(arguments.option))
    if arguments.simulator and not executor.capabilities().simulator:
        raise Rejected(
            f"{arguments.executor} drives an instrument: start it with `qpi-agent start` on the instrument's machine.",
            code="instrument", field="executor",
        )  # fmt: skip
    if arguments.simulator:
        require(arguments.executor)
    if arguments.file is None:
        print(f"{arguments.executor} takes these options")
        return 0
    program = _program(arguments.file, arguments.format, executor.manifest.formats, arguments.shots)
    executor.validate(program)
    estimate = executor.estimate(program)
    print(
        f"{arguments.file}: {arguments.executor} runs it; {estimate.num_circuits} circuit(s), "
        f"about {estimate.estimate_s:.3g} s (at most {estimate.upper_s:.3g} s), "
        f"{estimate.memory_bytes / 2**20:,.0f} MiB"
    )
    return 0


def _program(path: Path, form: str | None, taken: Sequence[str], shots: int) -> Program:
    from qpi_jupyter.core import OPENQASM2, OPENQASM3, Program, RunOptions
    from qpi_jupyter.data.formats import QPY

    try:
        source = path.read_bytes()
    except OSError as error:
        raise Rejected(f"{path} cannot be read: {error.strerror}.", code="bad_setting") from error
    if form is None:
        text = OPENQASM2 if b"OPENQASM 2" in source else OPENQASM3
        form = (QPY if source.startswith(b"QISKIT") else text).name
        form = taken[0] if form not in taken and len(taken) == 1 else form
    return Program(format=form, sources=(source,), options=RunOptions(shots=shots))


def _convert(arguments: argparse.Namespace) -> int:
    from qpi_executors.instruments.files import convert

    found = convert(arguments.files, arguments.to)
    written = {arguments.out / name: content for name, content in found.files.items()}
    for path in written:
        if os.path.lexists(path):  # a link that leads nowhere, too
            raise Rejected(f"{path} is there already: choose another --out.", code="bad_setting", field="out")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for path, content in written.items():
            path.write_text(content, encoding="utf-8")
            print(path)
    except OSError as error:
        raise Rejected(
            f"Cannot write to {arguments.out}: {error.strerror}.", code="bad_setting", field="out"
        ) from error
    for title, sentences in (("Assumed:", found.assumed), ("Would not work on an instrument:", found.warnings)):
        if sentences:
            print(title, *(f"  {sentence}" for sentence in sentences), sep="\n")
    return 0


def _install_alias(arguments: argparse.Namespace) -> int:
    agent = Path(sys.argv[0]).absolute()
    alias = agent.with_name("qpi-driver")
    if agent.name != "qpi-agent":
        raise Rejected("install-alias is for the installed script: run it as qpi-agent.", code="bad_setting")
    ours = alias.is_symlink() and os.readlink(alias) == agent.name
    if ours:
        print(f"{alias} is there already")
    elif alias.exists() or alias.is_symlink():
        print(f"{alias} belongs to another package and stays as it is; use qpi-agent")
    else:
        alias.symlink_to(agent.name)
        print(f"{alias} is the same as qpi-agent now")
    return 0


if __name__ == "__main__":
    sys.exit(main())
