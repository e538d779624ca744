"""What becomes of each option of IBM's client: refusals, names in results and the docs' table come from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import numpy as np


class Fate(StrEnum):
    """What becomes of an option that the client sets."""

    APPLIED = "applied"
    NAMED = "not applied"
    REFUSED = "refused"
    CLIENT = "by the client"


RUNTIME_OPTIONS = {
    **dict.fromkeys(
        ("max_execution_time", "environment.max_execution_time", "environment.job_tags", "environment.private"),
        Fate.APPLIED,
    ),
    **dict.fromkeys(("environment.log_level", "environment.image"), Fate.NAMED),
}
"""What becomes of the options that are the lab's, not the program's: its server sees to them."""
_APPLIED = {
    "default_shots", "default_precision", "shots", "precision", "seed_estimator", "simulator.seed_simulator",
    "execution.meas_type", "execution.init_qubits",
    *(f"dynamical_decoupling.{name}" for name in (
        "enable", "sequence_type", "extra_slack_distribution", "scheduling_method", "skip_reset_qubits",
    )),
    *(f"twirling.{name}" for name in (
        "enable_gates", "enable_measure", "num_randomizations", "shots_per_randomization", "strategy",
    )),
}  # fmt: skip
REFUSED = {
    "simulator.noise_model": "Noise models are not taken from the client: choose a backend that has the noise, such as "
    "fake_manila@aer, or a QPU of the lab whose simulator was started with it.",
}
_PROGRAM_APPLIED = {"execution.init_qubits", "execution.meas_type", "simulator.seed_simulator"}
_SENT = {"experimental", "execution", "simulator"}
"""Groups of options that come with a quantum program; what the others say, the client has built into it."""
_LOCAL = {"angle_decimals": 5, "warn_absent": True}
"""Options of the client's own simulation with their defaults, which come with every quantum program."""
_UNSET = ("Unset", "unset")
_OFF: tuple[Any, ...] = (None, False, *_UNSET, {}, [])


def fate(name: str, *, program: bool = False) -> Fate:
    """What becomes of the option of that path, such as ``dynamical_decoupling.enable``: of a primitive that runs here,
    or of a quantum program."""
    if program:
        if name.partition(".")[0] not in _SENT:
            return Fate.CLIENT
        return Fate.APPLIED if name in _PROGRAM_APPLIED else Fate.NAMED
    if name in REFUSED:
        return Fate.REFUSED
    return Fate.APPLIED if name in _APPLIED else Fate.NAMED


def not_applied(options: Mapping[str, Any]) -> Iterator[str]:
    """The names of a primitive's options, by their paths, that are set and change nothing."""
    yield from (name for name, value in options.items() if fate(name) is Fate.NAMED and is_set(value))
    if options.get("execution.init_qubits") is False:
        yield "execution.init_qubits"


def not_applied_of_program(options: Mapping[str, Any], simulator: Mapping[str, Any]) -> Iterator[str]:
    """The same of a quantum program, whose ``options`` are without groups."""
    for name, value in options.items():
        path = name if name == "experimental" else f"execution.{name}"
        if (fate(path, program=True) is Fate.NAMED and is_set(value)) or (name == "init_qubits" and value is False):
            yield path
    for name, value in simulator.items():
        path = f"simulator.{name}"
        if fate(path, program=True) is Fate.NAMED and value != _LOCAL.get(name):
            yield path


def is_set(value: Any) -> bool:
    """Whether the client said something else than that an option is off."""
    return isinstance(value, np.ndarray) or value not in _OFF


def is_told(value: Any) -> bool:
    """Whether the client sent more than its word for an option that nobody set."""
    return not isinstance(value, str) or value not in _UNSET


def flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each option by its path, as ``dynamical_decoupling.enable``."""
    for name, value in options.items():
        if isinstance(value, dict) and value and "__type__" not in value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
