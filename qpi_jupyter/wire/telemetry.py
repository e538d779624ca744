"""Readings, calibrations and drivers of QPUs, as the native surface sends them."""

from __future__ import annotations

from datetime import datetime

from .bench import DriverFacts
from .frames import LogLevel
from .rest import Answer


class ChannelModel(Answer):
    """One channel of a QPU with its newest reading; ``calibration`` marks what the QPU's manifest says."""

    name: str
    unit: str
    calibration: bool
    value: float | None
    at: datetime


class ChannelList(Answer):
    channels: list[ChannelModel]


class SeriesPoint(Answer):
    """The readings of ``[at, at + width_s)``; one reading where ``width_s`` is 0."""

    at: datetime
    mean: float
    lowest: float
    highest: float
    n: int


class Series(Answer):
    """A channel over time, oldest first, in steps of ``width_s`` seconds (0: as measured)."""

    qpu: str
    name: str
    unit: str
    width_s: float
    points: list[SeriesPoint]


class CalibrationFigure(Answer):
    """One value of a qubit, or of a gate on its qubits: ``t1``, ``t2``, ``duration`` (s), ``frequency`` (Hz),
    ``readout_error``, ``error`` (probabilities)."""

    quantity: str
    gate: str
    qubits: list[int]
    value: float
    unit: str


class CalibrationModel(Answer):
    """What a QPU was calibrated to; ``at`` is when, and ``config_sha256`` the hash of the driver's configuration."""

    id: str
    at: datetime
    config_sha256: str
    figures: list[CalibrationFigure]


class CalibrationPage(Answer):
    """Newest first; ``next`` goes into ``?after=`` for the page that follows, which a short page may have, too."""

    calibrations: list[CalibrationModel]
    next: str | None = None


class QpuDriver(DriverFacts, kw_only=True):
    """A driver of a QPU. ``seen_at`` is its last sign of life, as far as this server has heard one.

    Where it runs (``host``) is told only to whoever may operate QPUs.
    """

    seen_at: datetime | None
    host: str | None


class QpuDriverList(Answer):
    drivers: list[QpuDriver]


class DriverLogLine(Answer):
    """One line of a driver's own log; ``dropped`` lines right before it were left out."""

    seq: int
    at: datetime
    level: LogLevel
    logger: str
    message: str
    dropped: int


class DriverLog(Answer):
    """The last lines of a driver's log, oldest first."""

    lines: list[DriverLogLine]
