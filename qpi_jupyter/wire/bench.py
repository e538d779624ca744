"""Drivers, the simulators that the lab's server runs, and its configuration, as the native surface sends them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from .rest import Answer, Name, Request

SimulatorKind = Literal["mock", "qiskit_aer"]
OptionName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class DriverDetail(Answer):
    """A driver of a QPU. ``embedded``: a simulator that the lab's own server starts."""

    id: str
    name: str
    qpu: str
    monitor: bool
    host: str
    version: str
    places: int
    enabled: bool
    linked: bool
    embedded: bool
    hello_at: datetime | None
    created_at: datetime


class DriverList(Answer):
    drivers: list[DriverDetail]


class SimulatorIn(Request):
    """``POST simulators``: start one, now and with the lab. Without ``qpu`` its QPU is called as it is.

    ``options`` are the executor's own; one that it does not take is refused (422), with what would be right.
    """

    name: Name
    executor: SimulatorKind = "mock"
    qpu: Name | None = None
    options: dict[OptionName, Any] = {}
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
