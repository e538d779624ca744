"""Readings of QPUs, and what their drivers log."""

from __future__ import annotations

from .calibrations import CalibrationService
from .driver_logs import KEPT, DriverLogs
from .telemetry import FLUSH_S, LOAD, MAX_POINTS, TelemetryService

__all__ = ["FLUSH_S", "KEPT", "LOAD", "MAX_POINTS", "CalibrationService", "DriverLogs", "TelemetryService"]
