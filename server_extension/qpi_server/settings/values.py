"""What a lab is told: flag over environment over file over default, and where each value came from.

The traits of `QPIServer` are the one list of settings; everything here follows from them. A trait ``job_timeout_s`` is
``--job-timeout-s`` on the command line, ``QPI_JOB_TIMEOUT_S`` in the environment and ``job_timeout_s`` (or
``jobTimeoutS``, ``job-timeout-s``) in a file, and each of them may leave the unit out: that gives QPI's own names.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from traitlets import Bool, Float, HasTraits, Integer, List, TraitError, TraitType
from traitlets.config.loader import LazyConfigValue

SECRET = re.compile(r"token|secret|password")
MASK = "********"
FILE_NAMES = ("qpi.config.yml", "qpi.config.yaml", "qpi.config.json")
ALIASES = {"config_file": "settings_file", "server_host": "ip_addr"}
FLAGS = {"settings_file": "config_file"}
"""What a flag is called that is not called as its trait."""
"""Names of QPI, and of the circuit task service, that mean a setting which is called otherwise here."""
INVERTED = {"disable_email_password_auth": "local_accounts"}
"""Switches of QPI that turn off what a switch here turns on."""
_COLLECTION = "the lab's tables have fixed names; leave it out"
_PORTS = "drivers dial the server's own port, so that there is no range of ports to open"
_NO_BROKER = "the lab keeps its queue and its results itself: there is no broker and no Redis to reach"
UNUSED = {
    "recovery_interval": "a driver holds its jobs by a lease, and the lab acts when one ends: see lease_s",
    "dispatch_poll_interval": "a waiting driver is told of a job at once, nothing polls (reask_s is the safety net)",
    "events_prune_interval": "there is no log of readings to prune",
    "event_rate_limit": "drivers are slowed down by their link, and no message is dropped",
    "domain": "name the server in tls_names",
    "port_range_start": _PORTS,
    "port_range_end": _PORTS,
    "nats_url": _NO_BROKER,
    "redis_url": _NO_BROKER,
    "worker_max_concurrent_tasks": "a driver runs as many at once as its --places say",
} | {
    f"{name}_collection": _COLLECTION
    for name in (
        "qpus", "timeslots", "jobs", "api_tokens", "notifications", "drivers", "events", "themes", "qpu_time_requests",
    )
}  # fmt: skip
"""Settings of QPI and of the task service that make no sense here, and what takes their place: taken note of, never an
error."""
OTHERS = frozenset(
    {
        "lab_url", "lab_token", "lab_ca_file", "skip_labextension", "fault_point", "fault_log", "screenshots", "addr",
        "access_token", "data_dir", "ca_file", "ca_fingerprint", "quantify_hardware_config", "quantify_device_config",
        "job_id", "attempt", "bus", "p2p_python",
    }
)  # fmt: skip
"""``QPI_*`` variables that clients, drivers and the build read."""
FOREIGN = ("NATS_URL", "REDIS_URL")
"""Variables of the task service."""
_UNIT = re.compile(r"_(s|days|bytes)$")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)")


class SettingsError(ValueError):
    """A setting cannot be used; the message names it, its source and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value and where it came from."""

    value: Any  # as many types as traits have
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What was set, by trait, and what was set in vain."""

    settings: dict[str, Setting] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value as a source gives it, before anybody has looked at it."""

    name: str
    raw: Any
    source: str


def default_lab_dir() -> Path:
    """The data folder that the environment names, else the platform's."""
    if stated := os.environ.get("QPI_LAB_DIR"):
        return Path(stated).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "qpi-lab"


def without_password(address: str) -> str:
    """An address as it may be shown."""
    return re.sub(r"(?<=password=)[^&]+|(?<=//)([^:@/]*:)[^@]*(?=@)", lambda found: f"{found[1] or ''}{MASK}", address)


def own_traits(cls: type[HasTraits]) -> dict[str, TraitType[Any, Any]]:
    """The settings of the lab among the traits of ``cls``, which has Jupyter's too."""
    traits = cls.class_traits(config=True).items()
    return {name: trait for name, trait in traits if trait.this_class.__module__.startswith("qpi_server")}


def spellings(names: Iterable[str]) -> dict[str, str]:
    """Every name in snake case that a setting goes by, and the trait that it means."""
    known = {name: name for name in names}
    known |= {_UNIT.sub("", name): name for name in list(known) if _UNIT.search(name)}
    known |= {alias: name for alias, name in {**ALIASES, **INVERTED}.items() if name in known}
    return known


def snake(key: str) -> str:
    """``userInfoURL``, ``user-info-url`` and ``user_info_url`` are one name."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key).replace("-", "_").lower()


def resolve(
    cls: type[HasTraits],
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    jupyter: Mapping[str, Any],
    where: Callable[[str], str] = lambda key: f"Jupyter's configuration:{key}",
    folder: Path | None = None,
) -> Resolved:
    """Every setting that somebody set.

    Parameters
    ----------
    flags, jupyter
        the section of ``cls`` on the command line and in Jupyter's own configuration files.
    where
        names the file of Jupyter's in which a key is.
    folder
        where the settings file is looked for first. Default: the working folder.

    Raises
    ------
    SettingsError
        a name is unknown, or a value cannot be used.
    """
    book = _Book(cls)
    on_line = list(book.flags(flags))
    around = list(book.environment(environ))
    in_jupyter = list(book.jupyter(jupyter, where))
    ranked = [*on_line, *around]
    path = _settings_file([*ranked, *in_jupyter], folder or Path.cwd())
    in_file = list(book.file(path)) if path is not None else []
    resolved = book.settle([*ranked, *in_file, *in_jupyter])
    if path is not None:
        resolved.settings.setdefault("settings_file", Setting(value=str(path), source="found there"))
    return resolved


def place_of(key: str, files: Iterable[str]) -> str:
    """The last of Jupyter's ``files`` that names ``key``; Jupyter itself keeps no record."""
    for path in reversed(list(files)):
        if key in Path(path).read_text(encoding="utf-8", errors="replace"):
            return f"{path}:QPIServer.{key}"
    return f"Jupyter's configuration:QPIServer.{key}"


class _Book:
    """The traits of one class, and what has been found about them."""

    def __init__(self, cls: type[HasTraits]) -> None:
        self.traits = own_traits(cls)
        self.jupyters = set(cls.class_trait_names(config=True)) - set(self.traits)
        self.known = spellings(self.traits)
        self.notes: list[str] = []

    def flags(self, section: Mapping[str, Any]) -> Iterator[Given]:
        for key, raw in section.items():
            name = snake(key)
            spelt = FLAGS.get(name, name).replace("_", "-")
            yield from self._given(key, raw, f"flag --{spelt}", section="QPIServer.")

    def environment(self, environ: Mapping[str, str]) -> Iterator[Given]:
        for key, raw in sorted(environ.items()):
            if raw == "" or not key.startswith(("QPI_", *FOREIGN)):
                continue
            name = key.removeprefix("QPI_").lower()
            if name in self.known or name in UNUSED:
                yield from self._given(name, raw, key)
            elif name not in OTHERS and (near := difflib.get_close_matches(name, self.known, 1, 0.85)):
                raise SettingsError(f"{key} is not a setting of the lab. Did you mean QPI_{near[0].upper()}?")

    def jupyter(self, section: Mapping[str, Any], where: Callable[[str], str]) -> Iterator[Given]:
        for key, raw in section.items():
            yield from self._given(key, raw, where(key), section="QPIServer.")

    def file(self, path: Path) -> Iterator[Given]:
        for key, raw in _read(path).items():
            yield from self._given(str(key), raw, f"{path}:{key}")

    def _given(self, key: str, raw: Any, source: str, *, section: str = "") -> Iterator[Given]:
        name = snake(key)
        if section and name in self.jupyters:
            return
        if name in UNUSED and name not in self.known:
            self.notes.append(f"{source} has no effect: {UNUSED[name]}.")
            return
        if name not in self.known:
            near = difflib.get_close_matches(name, self.known, 1, 0.6)
            hint = f"Is {section}{near[0]} meant?" if near else "`jupyter qpi --show-config` lists all."
            raise SettingsError(f"{source}: there is no setting {section}{key}. {hint}")
        trait = self.known[name]
        yield Given(name=trait, raw=_Negated(raw) if name in INVERTED else raw, source=source)

    def settle(self, given: list[Given]) -> Resolved:
        """The first of each name wins; two different values for one name from one source are refused."""
        settings: dict[str, Setting] = {}
        origin: dict[str, Given] = {}
        for item in given:
            trait = self.traits[item.name]
            first = origin.setdefault(item.name, item)
            if first is not item and _place(first.source) == _place(item.source):
                raise SettingsError(f"{first.source} and {item.source} say the same setting twice: leave one out.")
            if first is item:
                settings[item.name] = Setting(
                    value=convert(item.name, trait, item.raw, item.source), source=item.source
                )
            elif trait.metadata.get("merge"):
                settings[item.name] = _merged(
                    settings[item.name], convert(item.name, trait, item.raw, item.source), item
                )
        return Resolved(settings=settings, notes=self.notes)


@dataclass(frozen=True, slots=True)
class _Negated:
    raw: Any


def _place(source: str) -> str:
    """The file of a source, the environment, or the command line."""
    if source.startswith("flag "):
        return "flag"
    return source.rpartition(":")[0] if ":" in source else "environment"


def _merged(above: Setting, below: list[Any], item: Given) -> Setting:
    """A list of named things: those of the weaker source that the stronger one does not name are kept."""
    names = {thing.name for thing in above.value}
    kept = [thing for thing in below if thing.name not in names]
    source = f"{above.source} and {item.source}" if kept else above.source
    return Setting(value=[*above.value, *kept], source=source)


def _settings_file(given: list[Given], folder: Path) -> Path | None:
    """The file that is named, else the first that lies in the working folder or in the lab's."""
    for item in given:
        if item.name == "settings_file":
            path = Path(str(item.raw)).expanduser()
            if not path.is_file():
                raise SettingsError(f"{item.source}: there is no file {path}.")
            return path
    stated = next((str(item.raw) for item in given if item.name == "lab_dir"), None)
    lab_dir = Path(stated).expanduser() if stated else default_lab_dir()
    candidates = (place / name for place in (folder, lab_dir) for name in FILE_NAMES)
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> dict[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            raise SettingsError(f"{path} is Python: name it with Jupyter's own --config.")
        if path.suffix == ".toml":
            return _flat(tomllib.loads(text))
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, yaml.YAMLError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path} must be a mapping of settings to values, as `job_timeout: 5m`.")
    return content


def _flat(tables: Mapping[str, Any]) -> dict[Any, Any]:
    """The keys of each table with the table's name before them: the task service's file has four."""
    flat: dict[Any, Any] = {}
    for name, value in tables.items():
        flat |= {f"{name}_{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
    return flat


# --- values ----------------------------------------------------------------------------------------------------------


def duration(text: str) -> float:
    """Seconds of ``90``, ``1.5``, ``5s``, ``2m30s`` or ``720h``.

    Raises
    ------
    ValueError
        it is none of these.
    """
    compact = text.strip()
    if not compact or not (whole := _PART.sub("", compact)):
        if compact:
            return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(compact))
        raise ValueError("empty")
    if whole != compact:
        raise ValueError("units and numbers do not match")
    return float(compact)


def convert(name: str, trait: TraitType[Any, Any], raw: Any, source: str) -> Any:
    """The value of ``raw`` for this trait.

    Raises
    ------
    SettingsError
        it cannot be used; the message says what can.
    """
    stated = raw.raw if isinstance(raw, _Negated) else raw
    try:
        value = _typed(name, trait, stated)
        if (parse := trait.metadata.get("parse")) is not None:
            value = parse(value)
        if value is not None:
            value = trait.validate(HasTraits(), value)  # type: ignore[attr-defined]
        elif not trait.allow_none:
            raise ValueError("empty")
        return not value if isinstance(raw, _Negated) else value
    except (TraitError, ValueError, TypeError) as error:
        shown = MASK if is_secret(name, trait) else repr(str(stated) if isinstance(stated, str) else stated)
        detail = f" ({error})" if "parse" in trait.metadata else ""
        raise SettingsError(f"{source}: {name} cannot be {shown}{detail}. Allowed: {allowed(name, trait)}.") from error


def is_secret(name: str, trait: TraitType[Any, Any]) -> bool:
    """Whether the value is nobody's business."""
    named = SECRET.search(name) is not None and not isinstance(trait, Bool | Float | Integer)  # max_tokens is none
    return bool(trait.metadata.get("secret")) or named


def _typed(name: str, trait: TraitType[Any, Any], raw: Any) -> Any:
    """``raw`` as the trait's type, where it is a text that stands for one."""
    if isinstance(raw, LazyConfigValue):  # `c.QPIServer.tls_names.append(...)`
        return raw.get_value(trait.default())
    if isinstance(raw, str) and trait.allow_none and raw.strip().lower() in ("none", "null"):
        return None
    if isinstance(trait, Bool):
        return trait.from_string(raw) if isinstance(raw, str) else raw
    if isinstance(trait, List):
        return _listed(raw)
    if not isinstance(trait, Float | Integer) or raw is None:
        return str(raw) if isinstance(raw, str) else raw  # a flag's own kind of text becomes a plain one
    if isinstance(raw, bool):
        raise ValueError("a switch is no number")
    number = _number(name, trait, raw) if isinstance(raw, str) else raw
    if not math.isfinite(number) or number < 0:
        raise ValueError("out of range")
    return number


def _number(name: str, trait: TraitType[Any, Any], text: str) -> float | int:
    if name.endswith("_s"):
        return duration(text)
    if name.endswith("_days") and _PART.search(text):
        return duration(text) / 86_400
    return int(text) if isinstance(trait, Integer) else float(text)


def _listed(raw: Any) -> Any:
    """A list out of JSON, a text with commas, or several flags."""
    if isinstance(raw, str):
        text = raw.strip()
        return json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(raw, list | tuple) and raw and all(isinstance(item, str) for item in raw):
        return [part for item in raw for part in _listed(str(item))]
    return raw


def allowed(name: str, trait: TraitType[Any, Any], *, brief: bool = False) -> str:
    """What a value may be, in words; ``brief`` for readers who know how durations are written."""
    if isinstance(trait, Bool):
        return "true or false"
    if "allowed" in trait.metadata:
        return str(trait.metadata["allowed"])
    if not isinstance(trait, Float | Integer):
        return "a list" if isinstance(trait, List) else "a text"
    low = max(trait.min or 0, 0)
    bounded = trait.max is not None and math.isfinite(trait.max)
    span = f"from {low:g} to {trait.max:g}" if bounded else f"at least {low:g}"
    if name.endswith("_s"):
        kind = f"seconds or a duration{'' if brief else ' such as 5s, 2m30s or 720h'}, {span}"
    elif name.endswith("_days"):
        kind = f"days or a duration{'' if brief else ' such as 720h'}, {span}"
    else:
        kind = f"a {'whole ' if isinstance(trait, Integer) else ''}number, {span}"
    return f"{kind}, or none" if trait.allow_none else kind
