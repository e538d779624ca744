"""The angles of a compiled schedule: put in the places of marks, so that the rows of a sweep are compiled once."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any  # the libraries' own schedules, read without importing them

from .pulses import Event, Play, ShiftPhase
from .scheduled import events, listed

_PHASE_STEPS = 1_000_000_000
"""Of a full turn: what a sequencer counts phases in."""
_SHIFT = re.compile(r"set_ph_delta (\d+)")


def phase_steps(angle: float) -> int:
    """How a sequencer counts the frame change of ``rz(angle)``, in radians."""
    return _steps(-math.degrees(angle))


def _steps(degrees: float) -> int:
    return round(degrees % 360 * (_PHASE_STEPS / 360))


class Frames:
    """The frame changes of a compiled schedule that has marks for angles: each row puts its own angles there.

    They stand twice in it: among its operations, and in the programs of the sequencers, where those of one clock at one
    time are one. ``whole`` is whether all of them were found in the programs.
    """

    def __init__(self, compiled: Any, marks: Iterable[float]) -> None:
        self._pulses: list[tuple[dict[str, Any], float]] = []
        self._programs: list[tuple[Any, list[str], list[_Turn]]] = []
        self.whole = True
        if shifts := {-math.degrees(mark): mark for mark in marks}:
            self._find(compiled, shifts)

    def _find(self, compiled: Any, shifts: Mapping[float, float]) -> None:
        self._pulses = [(pulse, shifts[shift]) for pulse, shift in _shifts(compiled) if shift in shifts]
        played = list(events(compiled))
        turns = _turns(played, shifts)
        missing = {clock for clock, turned in turns.items() if any(turn.marks for turn in turned)}
        missing &= {event.clock for event in played if isinstance(event, Play)}
        for sequencer in _sequencers(compiled):
            texts = _SHIFT.split(sequencer.sequence["program"])
            steps = [int(text) for text in texts[1::2]]
            clock = next((one for one in missing if [turn.steps({}) for turn in turns[one]] == steps), None)
            if clock is not None:
                missing.discard(clock)
                self._programs.append((sequencer, texts[::2], turns[clock]))
        self.whole = not missing

    def turn(self, angles: Mapping[float, float]) -> None:
        """Change the schedule in its place: by mark the angle (radians)."""
        for pulse, mark in self._pulses:
            pulse["phase_shift"] = -math.degrees(angles[mark])
        for sequencer, texts, turns in self._programs:
            steps = (f"set_ph_delta {turn.steps(angles)}" for turn in turns)
            program = "".join(itertools.chain(*zip(texts, steps, strict=False), texts[-1:]))
            # A new dictionary: the libraries upload nothing that equals what they keep as uploaded.
            sequencer.sequence = {**sequencer.sequence, "program": program}


@dataclass(slots=True, kw_only=True)
class _Turn:
    """What a clock is turned by at one time: in degrees, and by marks beside."""

    at_s: float
    fixed_deg: float = 0.0
    marks: list[float] = field(default_factory=list)

    def steps(self, angles: Mapping[float, float]) -> int:
        return _steps(self.fixed_deg + sum(-math.degrees(angles.get(mark, mark)) for mark in self.marks))


def _turns(played: Iterable[Event], shifts: Mapping[float, float]) -> dict[str, list[_Turn]]:
    """By clock its turns; a turn by nothing is none."""
    found: dict[str, list[_Turn]] = {}
    for event in sorted(played, key=lambda event: round(event.start_s * 1e9, 3)):
        if isinstance(event, ShiftPhase):
            turns = found.setdefault(event.clock, [])
            if not turns or not math.isclose(turns[-1].at_s, event.start_s):
                turns.append(_Turn(at_s=event.start_s))
            if event.phase_deg in shifts:
                turns[-1].marks.append(shifts[event.phase_deg])
            else:
                turns[-1].fixed_deg += event.phase_deg
    return {clock: [turn for turn in turns if turn.marks or turn.fixed_deg] for clock, turns in found.items()}


def _shifts(schedule: Any) -> Iterator[tuple[dict[str, Any], float]]:
    """The frame changes of a schedule and of those within it, with their degrees."""
    for operation in schedule.operations.values():
        body = operation.data.get("control_flow_info", {}).get("body")
        for inner in (operation, body):
            if hasattr(inner, "schedulables"):
                yield from _shifts(inner)
        for pulse in listed(operation.data.get("pulse_info")):
            if "phase_shift" in pulse:
                yield pulse, pulse["phase_shift"]


def _sequencers(compiled: Any) -> Iterator[Any]:
    """The settings of the sequencers, with what they run."""
    for parts in compiled.compiled_instructions.values():
        for module in parts.values() if isinstance(parts, Mapping) else ():
            if isinstance(module, Mapping) and "sequencers" in module:
                yield from module["sequencers"].values()
