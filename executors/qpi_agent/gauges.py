"""What a driver says of itself with every heartbeat: load of its processes, its queue, its latest run."""

from __future__ import annotations

import contextlib

import psutil

from qpi_jupyter.wire.frames import Reading


class Gauges:
    """Reads the driver's own processes; the first reading of the load only starts the measurement."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}

    def read(self, *, staged: int, running: int, run_s: float | None) -> list[Reading]:
        """The readings of now; ``run_s`` is how long the latest run took."""
        load, resident = self._processes()
        found = [
            Reading(channel="driver/cpu", value=load, unit="%"),
            Reading(channel="driver/memory", value=resident, unit="B"),
            Reading(channel="driver/staged", value=float(staged)),
            Reading(channel="driver/running", value=float(running)),
        ]
        if run_s is not None:
            found.append(Reading(channel="driver/run_time", value=run_s, unit="s"))
        return found

    def _processes(self) -> tuple[float, float]:
        """Load (percent of one core) and resident memory (bytes) of the driver and its children."""
        own = psutil.Process()
        alive = {process.pid: process for process in (own, *own.children(recursive=True))}
        # A process object measures its load since its previous call: keep those that are still there.
        self._known = {pid: self._known.get(pid, process) for pid, process in alive.items()}
        load = resident = 0.0
        for process in self._known.values():
            with contextlib.suppress(psutil.Error):  # it may have ended meanwhile
                load += process.cpu_percent()
                resident += process.memory_info().rss
        return load, resident
