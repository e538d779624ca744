"""A mend of qblox-scheduler 1.0, which takes back a clock's frame around every pulse that has a phase."""

from __future__ import annotations

from typing import Any

from qblox_scheduler.backends.qblox.analog import AnalogSequencerCompiler


def keep_frames() -> None:
    """Have the phase of a pulse add to that of its clock, as `ShiftClockPhase` left it.

    The library turns the clock before such a pulse by the pulse's phase *less what the clock was turned by before*, and
    afterwards back. Gates have no such pulses (`elements.drag_pulse`), but schedules that people submit may.
    """
    wrap = AnalogSequencerCompiler._wrap_pulses_with_pulse_parameter_updates_single  # noqa: SLF001
    if getattr(wrap, "keeps_frames", False):
        return

    def wrapped(self: Any, **given: Any) -> None:  # Any: the library's own
        if given["parameter_name"] == "phase":
            given["extract_current_pulse_parameter_fun"] = lambda _: None
        wrap(self, **given)

    wrapped.keeps_frames = True  # type: ignore[attr-defined]
    AnalogSequencerCompiler._wrap_pulses_with_pulse_parameter_updates_single = wrapped  # noqa: SLF001
