"""What ``jupyter qpi`` does besides serving: ``backup``, ``restore``, ``replay``, ``invite``, ``doctor``, ``demo``,
``nats-config``, and ``events`` and ``evaluate``, which clients of a lab do."""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from collections.abc import Callable
from importlib import import_module

from jupyter_core.application import JupyterApp
from sqlalchemy.exc import StatementError

from qpi_jupyter.core import QpiError
from qpi_server.app.extension import QPIServer
from qpi_server.settings.values import SettingsError, resolve
from qpi_server.store import storage_error

ON_A_LAB = {
    "backup": "Write the lab into one file, while it runs or not.",
    "restore": "Make a lab of the file that `jupyter qpi backup` wrote. No server may be running on it.",
    "replay": "Run past or invented jobs through the lab's planner and compare policies.",
    "invite": "Print a link with which people make their own accounts in the running lab.",
    "doctor": "Look at the lab and around it, whether it runs or not, and say what to do.",
    "nats-config": "Write the configuration of a NATS broker for the lab's drivers, and the lab's keys.",
}
"""What works with a lab's settings: each is a module here, with its ``add_arguments`` and its ``run``."""
CLIENTS = {"events": "qpi_jupyter.client.event_file", "evaluate": "qpi_jupyter.evaluation"}
"""Programs of the kernel side, which this process goes on as."""


def run(command: str, arguments: list[str]) -> int:
    """Carry out a command; the exit status. `demo` and the clients come back only where they cannot begin."""
    if command in CLIENTS:
        os.execv(sys.executable, [sys.executable, "-m", CLIENTS[command], *arguments])
    if command == "demo":
        from .quickstart import demo

        return demo(arguments)
    module = import_module(f"{__package__}.{command.replace('-', '_')}")
    parser = argparse.ArgumentParser(prog=f"jupyter qpi {command}", description=ON_A_LAB[command])
    parser.add_argument("--lab-dir", metavar="DIR", help="the lab's data folder (default: as the settings say)")
    parser.add_argument(
        "--config-file", metavar="PATH", help="the file of settings (default: as `jupyter qpi` finds it)"
    )
    module.add_arguments(parser)
    options = parser.parse_args(arguments)
    return _carry_out(options, lambda lab: module.run(lab, options))


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
