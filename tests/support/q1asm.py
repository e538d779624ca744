"""What an assembled program of a Qblox sequencer plays: read from its text, with nothing of a scheduler's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TURN = 1_000_000_000
"""Steps of a phase in one turn."""


@dataclass(frozen=True, slots=True)
class Played:
    """A waveform begins: in ns since the sequencers were synchronized, at this phase of the oscillator in degrees."""

    at_ns: int
    phase_deg: float
    conditional: bool


def plays(program: str) -> Iterator[Played]:
    """What a program plays, as it goes where all triggers came."""
    lines = [line.partition("#")[0].replace(",", " ").split() for line in program.splitlines()]
    labels = {words[0][:-1]: place for place, words in enumerate(lines) if words and words[0].endswith(":")}
    registers: dict[str, int] = {}
    at_ns, phase, condition, least_ns, place = 0, 0, False, 0, 0
    while place < len(lines):
        words, place = lines[place], place + 1
        if words and words[0].endswith(":"):
            words = words[1:]
        match words:
            case ["wait_sync", _]:
                at_ns = 0
            case ["reset_ph"]:
                phase = 0
            case ["set_ph_delta", steps]:
                phase = (phase + int(steps)) % _TURN
            case ["move", value, register]:
                registers[register] = int(value)
            case ["loop", register, label]:
                registers[register] -= 1
                place = labels[label[1:]] if registers[register] else place
            case ["set_cond", enabled, _, operator, left_out_ns]:
                condition = enabled == "1"
                # Even operators want a trigger; an instruction that is left out takes a fixed time.
                least_ns = int(left_out_ns) if condition and int(operator) % 2 else 0
            case ["play" | "wait" | "upd_param" | "latch_rst" as name, *_, duration_ns]:
                if name == "play" and not least_ns:
                    yield Played(at_ns, 360 * phase / _TURN, condition)
                at_ns += least_ns or int(duration_ns)


def drives(compiled: Any, graph: list[tuple[str, str]]) -> Mapping[str, list[Played]]:
    """By port what the sequencers of complex outputs play; compiled by either library."""
    found = {}
    for name, port in graph:
        cluster, part, channel = name.split(".")
        if not channel.startswith("complex_output"):
            continue
        first = 2 * int(channel[-1])
        module = compiled.compiled_instructions[cluster].get(f"{cluster}_{part}", {})
        for sequencer in dict(module).get("sequencers", {}).values():
            if tuple(sequencer.connected_output_indices) == (first, first + 1) and port.endswith(":mw"):
                found[port] = list(plays(str(sequencer.sequence["program"])))
    return found
