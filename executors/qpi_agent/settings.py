"""What the agent is told: flag over environment over config file over default, from one table."""

from __future__ import annotations

import argparse
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qpi_jupyter.core import Rejected
from qpi_jupyter.wire.addresses import clean_token
from qpi_jupyter.wire.authority import read_fingerprint
from qpi_jupyter.wire.bus import kind_of

from .trust import Address, check_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one agent runs; `resolve` makes it."""

    qpi_addr: Address
    bus: str
    token: str
    name: str
    executor: str
    data_dir: Path
    options: Mapping[str, Any]
    job_timeout: float
    ca_file: Path | None
    ca_fingerprint: str | None
    allow_simulator: bool
    places: int
    memory_cap: int
    stop_grace: float | None
    check_timeout: float
    drain_timeout: float
    insecure: bool
    parent_fd: int | None
    fork_fd: int | None
    log_json: bool
    log_level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row: where a value may come from and how it is read. ``read`` raises ValueError with what is expected.

    ``option`` names the executor option that the value becomes, where it is one; `-o` and the file's options take
    either name.
    """

    name: str
    help: str
    read: Callable[[Any], Any]
    env: str | None = None
    short: str | None = None
    default: Any = None
    shown: str | None = None
    switch: bool = False
    option: str | None = None
    metavar: str = field(default="")

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text")
    return value.strip()


def _maybe_text(value: Any) -> str | None:
    # The empty text is what a start script has for "none": --ca-fingerprint "".
    return None if value in (None, "") else _text(value)


def _maybe_path(value: Any) -> Path | None:
    return None if value in (None, "") else Path(_text(value)).expanduser()


def _switch(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if (known := words.get(str(value).lower())) is None:
        raise ValueError("true or false")
    return known


def _seconds(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or not 0 < number < 1e9:
        raise ValueError("seconds, more than 0")
    return number


def _maybe_seconds(value: Any) -> float | None:
    return None if value is None else _seconds(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,4}", str(value)) or int(value) < 1:
        raise ValueError("a whole number from 1")
    return int(value)


def _places(value: Any) -> int:
    return len(os.sched_getaffinity(0)) if value == "auto" else _count(value)


def _descriptor(value: Any) -> int | None:
    if value is not None and not re.fullmatch("[0-9]+", str(value)):
        raise ValueError("a file descriptor's number")
    return None if value is None else int(value)


_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def _memory(value: Any) -> int | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", str(value).strip().lower())
    if match is None or isinstance(value, bool) or float(match[1]) <= 0:
        raise ValueError("an amount like 4GiB, 500M or a number of bytes")
    return int(float(match[1]) * _UNITS[match[2]])


def _level(value: Any) -> str:
    level = str(value).upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("debug, info, warning or error")
    return level


TABLE: tuple[Setting, ...] = (
    Setting(name="qpi_addr", short="-a", env="QPI_ADDR", default="http://127.0.0.1:8888", read=_text, metavar="URL",
            help="where the lab is: the Jupyter server's address, base URL included"),
    Setting(name="bus", env="QPI_BUS", read=_maybe_text, metavar="URL", shown="the WebSocket at qpi_addr",
            help="the address of another bus to reach the lab over; the lab must be on it, too"),
    Setting(name="token", short="-t", env="QPI_ACCESS_TOKEN", read=_maybe_text, metavar="TOKEN",
            help="the driver's token; the environment hides it from other users of the machine"),
    Setting(name="name", short="-n", env="QPU_NAME", default="qpu_sim_01", read=_text, metavar="NAME",
            help="what this driver is called"),
    Setting(name="executor", short="-e", env="DRIVER_BACKEND", default="mock", read=_text, metavar="NAME",
            help="what runs the programs: an installed executor or module:Class"),
    Setting(name="data_dir", short="-d", env="QPI_DATA_DIR", read=_maybe_path, metavar="FOLDER",
            shown="~/.local/share/qpi-agent/NAME", help="where results wait until the lab has them"),
    Setting(name="is_dummy", read=_switch, switch=True, option="is_dummy",
            help="no instruments: a physical twin of the device answers"),
    Setting(name="quantify_hardware_config", env="QPI_QUANTIFY_HARDWARE_CONFIG", read=_maybe_path, metavar="FILE",
            option="hardware", help="hardware configuration of the quantify and qblox executors, of any known family"),
    Setting(name="quantify_device_config", env="QPI_QUANTIFY_DEVICE_CONFIG", read=_maybe_path, metavar="FILE",
            option="device", help="device file of the quantify and qblox executors, of any known family"),
    Setting(name="job_timeout", env="QPI_JOB_TIMEOUT", default=3600.0, read=_seconds, metavar="SECONDS",
            help="how long a job may run where the lab sets no limit"),
    Setting(name="ca_file", env="QPI_CA_FILE", read=_maybe_path, metavar="FILE",
            help="the certificate authority (PEM) to trust instead of the system's"),
    Setting(name="ca_fingerprint", env="QPI_CA_FINGERPRINT", read=_maybe_text, metavar="SHA256",
            help="pin the lab's own certificate authority: it is fetched, compared, and only then shown the token"),
    Setting(name="allow_simulator", read=_switch, switch=True,
            help="let a simulator answer for a QPU that is a device"),
    Setting(name="places", default=1, read=_places, metavar="N",
            help="jobs at once (simulators only); auto: as many as this process may use processor cores"),
    Setting(name="memory_cap", read=_memory, metavar="SIZE", shown="80 % of the machine, shared by the places",
            help="memory that a program may take at one place, such as 4GiB, besides the idle executor's own"),
    Setting(name="stop_grace", read=_maybe_seconds, metavar="SECONDS", shown="0.5 for simulators, 5 for instruments",
            help="how long a job that is to stop has at each step: asked, then terminated, then killed"),
    Setting(name="check_timeout", default=10.0, read=_seconds, metavar="SECONDS",
            help="how long the check of a program may take before it is refused"),
    Setting(name="drain_timeout", default=30.0, read=_seconds, metavar="SECONDS",
            help="how long running jobs may go on after SIGTERM"),
    Setting(name="insecure", read=_switch, switch=True, help="allow plain http to another machine"),
    Setting(name="parent_fd", read=_descriptor, metavar="FD", help="end when this inherited pipe ends"),
    Setting(name="fork_fd", read=_descriptor, metavar="FD", help="have children forked over this inherited socket"),
    Setting(name="log_json", env="QPI_LOG_JSON", read=_switch, switch=True,
            help="write the log as JSON, one object a line"),
    Setting(name="log_level", default="INFO", read=_level, metavar="LEVEL", help="debug, info, warning or error"),
)  # fmt: skip
CONFIG_ENV = "QPI_CONFIG_FILE"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """One flag per row, without defaults: what was not given comes from elsewhere."""
    for row in TABLE:
        flags = [flag for flag in (row.short, row.flag) if flag]
        default = row.shown or (None if row.default is None else str(row.default))
        notes = [note for note in (row.env and f"env {row.env}", default and f"default: {default}") if note]
        text = (row.help + (f" [{', '.join(notes)}]" if notes else "")).replace("%", "%%")
        if row.switch:
            parser.add_argument(*flags, dest=row.name, action="store_const", const=True, help=text)
        else:
            parser.add_argument(*flags, dest=row.name, metavar=row.metavar, help=text)
    parser.add_argument("-o", "--option", action="append", default=[], metavar="KEY=VALUE", help="an executor option")
    text = f"YAML or JSON with the long names above as keys, and 'options' [env {CONFIG_ENV}]"
    parser.add_argument("--config-file", metavar="FILE", help=text)


def resolve(flags: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """The settings of one agent.

    Raises
    ------
    Rejected
        a value is wrong or a key unknown: the message names it and where it came from.
    """
    file_name = flags.config_file or environ.get(CONFIG_ENV)
    from_file = _read_file(Path(file_name)) if file_name else {}
    options: dict[str, Any] = dict(from_file.pop("options", None) or {})
    values: dict[str, Any] = {}
    for row in TABLE:
        value, source = _pick(row, flags, environ, from_file, file_name)
        values[row.name] = _read(row, value, source)
        if row.option and (given := values.pop(row.name)) not in (None, False):
            options[row.option] = str(given) if isinstance(given, Path) else given
    options.update(read_options(flags.option))
    names: dict[str, str] = {row.name: row.option for row in TABLE if row.option}
    return _settings(values, {names.get(name, name): value for name, value in options.items()})


def _settings(values: dict[str, Any], options: dict[str, Any]) -> Settings:
    if not values["token"]:
        message = "A driver needs a token: register it in the lab, then set QPI_ACCESS_TOKEN (or --token)."
        raise Rejected(message, code="no_token", field="token")
    values["token"] = clean_token(values["token"])
    address = Address.parse(values["qpi_addr"])
    check_plain(address, insecure=values["insecure"] or False, fingerprint=values["ca_fingerprint"])
    if values["ca_fingerprint"]:
        read_fingerprint(values["ca_fingerprint"])
    values["qpi_addr"] = address
    values["bus"] = values["bus"] or address.link
    kind_of(values["bus"])
    values["data_dir"] = values["data_dir"] or _default_data_dir(values["name"])
    values["memory_cap"] = values["memory_cap"] or _default_memory_cap(values["places"])
    for switch in ("insecure", "allow_simulator", "log_json"):
        values[switch] = bool(values[switch])
    return Settings(**values, options=options)


def _pick(
    row: Setting, flags: argparse.Namespace, environ: Mapping[str, str], from_file: Mapping[str, Any], file_name: object
) -> tuple[Any, str]:
    if (value := getattr(flags, row.name)) is not None:
        return value, row.flag
    if row.env and row.env in environ:
        return environ[row.env], row.env
    if row.name in from_file:
        return from_file[row.name], f"{row.name} in {file_name}"
    return row.default, row.flag


def _read(row: Setting, value: Any, source: str) -> Any:
    if value is None:
        return None
    try:
        return row.read(value)
    except ValueError as error:
        shown = "" if row.name == "token" else f", not {value!r}"
        raise Rejected(f"{source} is {error}{shown}.", code="bad_setting", field=row.name) from None


def _read_file(path: Path) -> dict[str, Any]:
    import yaml  # JSON is YAML, too

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"The config file {path} cannot be read: {error}"
        raise Rejected(message, code="bad_setting", field="config_file") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not isinstance(content.get("options") or {}, dict):
        message = f"The config file {path} holds keys and values, and 'options' of its own, nothing else."
        raise Rejected(message, code="bad_setting", field="config_file")
    values = {str(key).replace("-", "_"): value for key, value in content.items()}
    known = {row.name for row in TABLE} | {"options"}
    if unknown := sorted(set(values) - known):
        message = f"The config file {path} has an unknown key {unknown[0]!r}; it knows: {', '.join(sorted(known))}."
        raise Rejected(message, code="unknown_setting", field=unknown[0])
    return values


def read_options(pairs: Sequence[str]) -> dict[str, str]:
    """Executor options from ``KEY=VALUE``; the executor reads the values in their types.

    Raises
    ------
    Rejected
        a pair is none.
    """
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise Rejected(f"--option is KEY=VALUE, not {pair!r}.", code="bad_setting", field="option")
        options[key.strip().replace("-", "_")] = value
    return options


def _default_data_dir(name: str) -> Path:
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "qpi-agent" / re.sub(r"[^A-Za-z0-9._-]", "_", name)


def _default_memory_cap(places: int) -> int:
    import psutil

    total = psutil.virtual_memory().total
    try:
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        logging.getLogger(__name__).debug("no memory limit of a container")
    return int(0.8 * total / places)
