"""How a driver is started on its machine: one command line, and the systemd unit around it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from qpi_jupyter.wire.rest import DriverIn, DriverRegistered
from qpi_server.store import DriverRow

NO_EXECUTOR = "EXECUTOR"
"""Stands where the name of the executor goes: ``qpi-agent`` refuses it and lists those that are installed."""
_UNIT = """\
# /etc/systemd/system/qpi-agent-{name}.service
# Mode 600: whoever reads the token can drive {qpu}.
# ExecStart has to name the Python that qpi-jupyter is installed in on that machine.
[Unit]
Description=Driver {name} of the QPU {qpu}
Wants=network-online.target
After=network-online.target

[Service]
Environment=QPI_ACCESS_TOKEN={token}
ExecStart={start} --data-dir %S/qpi-agent-{name}
StateDirectory=qpi-agent-{name}
DynamicUser=yes
# Not after exit status 0: then it was drained, or told to stop.
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2 3

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the command that starts a driver says of its executor. ``options`` are JSON (Any)."""

    executor: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    python: str = ""
    allow_simulator: bool = False

    @classmethod
    def of(cls, request: DriverIn) -> Launch:
        """As it was asked for when the driver was registered."""
        return cls(
            executor=request.executor, options=request.options, python=request.python,
            allow_simulator=request.allow_simulator,
        )  # fmt: skip

    def flags(self) -> list[str]:
        """Its part of the command line."""
        allowed = ["--allow-simulator"] if self.allow_simulator else []
        return ["--executor", self.executor or NO_EXECUTOR, *option_flags(self.options), *allowed]


def option_flags(options: Mapping[str, Any]) -> list[str]:
    """An executor's options (JSON) as ``qpi-agent`` takes them."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in options.items()}
    return [part for key, text in texts.items() for part in ("-o", f"{key}={text}")]


def registered(
    driver: DriverRow, token: str, *, address: str, ca_fingerprint: str | None, executor: str = ""
) -> DriverRegistered:
    """What a driver needs to know, and an engineer to type; never a command that starts another executor than was
    meant. ``executor`` is the one to name where nobody said it when the driver was registered."""
    launch = Launch(**driver.launch)
    launch = replace(launch, executor=launch.executor or executor)
    start = ["start", "--qpi-addr", address, "--name", driver.name, *launch.flags()]
    trust = [] if ca_fingerprint is None else ["--ca-fingerprint", ca_fingerprint]
    agent = [launch.python, "-m", "qpi_agent"] if launch.python else ["qpi-agent"]
    service = [launch.python or sys.executable, "-m", "qpi_agent", *start, *trust]
    return DriverRegistered(
        id=driver.id,
        name=driver.name,
        qpu=driver.qpu,
        token=token,
        command=shlex.join([*agent, *start, "--token", token, *trust]),
        unit=_UNIT.format(name=driver.name, qpu=driver.qpu, token=token, start=" ".join(map(_for_systemd, service))),
        ca_fingerprint=ca_fingerprint,
    )


def _for_systemd(word: str) -> str:
    """One word of ``ExecStart``: systemd expands % and $, and reads quotes and backslashes much as a shell does."""
    word = word.replace("%", "%%").replace("$", "$$")
    if word and not any(sign in word for sign in " \t\"'\\;"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
