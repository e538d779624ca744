"""What ``jupyter qpi`` does besides serving: ``backup``, ``restore``, ``replay``, ``invite``, ``doctor``, ``demo`` and
``nats-config``."""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from jupyter_core.application import JupyterApp
from sqlalchemy.exc import StatementError

from qpi_jupyter.core import QpiError
from qpi_server.app.extension import QPIServer
from qpi_server.settings.values import SettingsError, resolve
from qpi_server.store import storage_error


def replay(arguments: list[str]) -> int:
    """Try a policy; the exit status."""
    from . import replay as cli

    parser = _parser("replay", "Run past or invented jobs through the lab's planner and compare policies.")
    cli.add_arguments(parser)
    options = parser.parse_args(arguments)
    return _carry_out(options, lambda lab: cli.replay(lab, options))


def backup(arguments: list[str]) -> int:
    """Write the lab into a file; the exit status."""
    from .backup import write_backup

    parser = _parser("backup", "Write the lab into one file, while it runs or not.")
    parser.add_argument("file", type=Path, help="the archive to write; it is readable by you alone")
    options = parser.parse_args(arguments)
    return _carry_out(options, lambda lab: write_backup(lab.backend(), lab.tls_files(), options.file, _say))


def restore(arguments: list[str]) -> int:
    """Make a lab of such a file; the exit status."""
    from .restore import restore_lab

    parser = _parser(
        "restore", "Make a lab of the file that `jupyter qpi backup` wrote. No server may be running on it."
    )
    parser.add_argument("file", type=Path, help="the archive")
    parser.add_argument("--force", action="store_true", help="move a lab that is in the folder aside first")
    options = parser.parse_args(arguments)
    return _carry_out(options, lambda lab: restore_lab(options.file, lab.backend(), _say, force=options.force))


def doctor(arguments: list[str]) -> int:
    """Say what is wrong with the lab; the exit status."""
    from . import doctor as cli

    parser = _parser("doctor", "Look at the lab and around it, whether it runs or not, and say what to do.")
    cli.add_arguments(parser)
    options = parser.parse_args(arguments)
    return _carry_out(options, lambda lab: cli.doctor(lab, options))


def demo(arguments: list[str]) -> int:
    """Become a JupyterLab with a demo lab; the exit status where that cannot be."""
    from . import quickstart

    return quickstart.demo(arguments)


def invite(arguments: list[str]) -> int:
    """Make a join link; the exit status."""
    from . import invite as cli

    parser = _parser("invite", "Print a link with which people make their own accounts in the running lab.")
    cli.add_arguments(parser)
    options = parser.parse_args(arguments)
    return _carry_out(options, lambda lab: cli.invite(lab.backend().lab_dir, options))


def nats_config(arguments: list[str]) -> int:
    """Write what a NATS broker for the lab needs; the exit status."""
    from . import nats_config as cli

    parser = _parser(
        "nats-config", "Write the configuration of a NATS broker for the lab's drivers, and the lab's keys."
    )
    cli.add_arguments(parser)
    options = parser.parse_args(arguments)
    return _carry_out(
        options, lambda lab: cli.write(lab.tls_files(), options.folder or Path(lab.lab_dir) / "nats", options)
    )


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"jupyter qpi {name}", description=description)
    parser.add_argument("--lab-dir", metavar="DIR", help="the lab's data folder (default: as the settings say)")
    parser.add_argument(
        "--config-file", metavar="PATH", help="the file of settings (default: as `jupyter qpi` finds it)"
    )
    return parser


def _carry_out(options: argparse.Namespace, work: Callable[[QPIServer], int]) -> int:
    """``work`` with the settings that a server would have; what is wrong is said in one sentence."""
    try:
        return work(_settled(options))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except (QpiError, OSError, sqlite3.Error, StatementError) as error:
        print(_told(error), file=sys.stderr)
        return 1


def _told(error: Exception) -> str:
    if isinstance(error, QpiError):
        return error.message
    trouble = storage_error(error)
    return trouble.message if trouble is not None else str(error)


def _settled(options: argparse.Namespace) -> QPIServer:
    lab = QPIServer()
    files = JupyterApp(config_file_name=lab.config_file_name)
    files.load_config_file()
    given = {"lab_dir": options.lab_dir, "settings_file": options.config_file}
    found = resolve(
        QPIServer,
        flags={name: value for name, value in given.items() if value is not None},
        environ=os.environ,
        jupyter=files.config.get("QPIServer", {}),
    )
    lab.apply(found.settings)
    return lab


def _say(text: str) -> None:
    """Progress, where somebody watches."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)
