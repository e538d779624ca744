"""Drivers, the simulators that the lab's server runs, and its configuration, as the native surface sends them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from .rest import Answer, Name, OptionName, Request


class DriverFacts(Answer):
    """What is known of a driver wherever it is shown. ``draining``: it takes no more jobs and is about to end."""

    name: str
    enabled: bool
    linked: bool
    draining: bool
    monitor: bool
    places: int
    version: str
    hello_at: datetime | None


class DriverDetail(DriverFacts, kw_only=True):
    """A driver of a QPU. ``embedded``: a simulator that the lab's own server starts."""

    id: str
    qpu: str
    host: str
    embedded: bool
    created_at: datetime
    problem: str = ""
    """Why it was not let in when it came last."""


class DriverList(Answer):
    drivers: list[DriverDetail]


class ExecutorModel(Answer):
    """An executor that is installed beside the server.

    ``options`` is the JSON Schema of what it takes; ``simulator``: whether the server may start it, null where that
    depends on the options; ``summary``: what it is without options; ``problem``: why it cannot be used.
    """

    name: str
    package: str
    description: str
    summary: str
    formats: list[str]
    options: dict[str, Any]
    simulator: bool | None
    problem: str


class ExecutorList(Answer):
    executors: list[ExecutorModel]


class SimulatorIn(Request):
    """``POST simulators``: start one, now and with the lab. Without ``qpu`` its QPU is called as it is.

    ``executor`` is one that ``GET executors`` lists, and ``options`` are its own; what it does not take is refused
    (422), with what would be right.

    With ``twin_of`` it is a twin of that QPU: an executor with its gates and the noise of its present calibration, by
    which ``executor`` is chosen. It stays as it is when the QPU is calibrated again or goes away.
    """

    name: Name
    executor: Name = "mock"
    qpu: Name | None = None
    options: dict[OptionName, Any] = {}
    twin_of: Name | None = None
    places: Annotated[int, Meta(ge=1, le=64)] = 1
    description: Annotated[str, Meta(max_length=1000)] = ""


class SimulatorModel(Answer):
    """A simulator that the lab's server runs. ``running``: it is kept alive; ``linked``: it takes jobs."""

    name: str
    qpu: str
    executor: str
    options: dict[str, Any]
    places: int
    description: str
    running: bool
    linked: bool
    problem: str = ""
    """Why it does not take jobs, as far as its driver has said."""
    twin_of: str | None = None
    """The QPU that it is a twin of."""


class SimulatorList(Answer):
    simulators: list[SimulatorModel]


class ConfigSetting(Answer):
    """One setting; what is secret is masked. ``source`` says who set it: flag, environment, a file, or default."""

    name: str
    value: Any
    source: str
    help: str


class ConfigInForce(Answer):
    settings: list[ConfigSetting]
