"""Hardware files that dummy mode puts up with and a real cluster does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .instrument_files import Change


def described(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The cluster in the hardware file."""
    found: dict[str, Any] = tree["hardware_description"]["cluster1"]
    return found


def no_inputs(tree: dict[str, Any]) -> None:
    """Only outputs on the readout lines."""
    graph = tree["connectivity"]["graph"]
    tree["connectivity"]["graph"] = [wire for wire in graph if "_input_" not in wire[0]]


def without(port: str) -> Change:
    """A port that nothing is connected to."""

    def change(tree: dict[str, Any]) -> None:
        tree["connectivity"]["graph"] = [wire for wire in tree["connectivity"]["graph"] if wire[1] != port]

    return change


def frequencies(**given_: Any) -> Change:
    """Other frequencies for the drive of q7."""
    return lambda tree: tree["hardware_options"]["modulation_frequencies"].update({"q7:mw-q7.01": given_})


CANNOT_WORK: list[tuple[str, Change, str]] = [
    (
        "no readout input",
        no_inputs,
        "has no input for q3:res: nothing would be acquired; add [cluster1.module9.complex_input_0, q3:res]",
    ),
    (
        "real and complex",
        lambda t: t["connectivity"]["graph"].append(["cluster1.module5.complex_output_0", "q3_q7:fl"]),
        "connectivity.graph uses cluster1.module5.complex_output_0 and cluster1.module5.real_output_0, which",
    ),
    (
        "no oscillator",
        frequencies(interm_freq=None, lo_freq=None),
        "hardware_options.modulation_frequencies.q7:mw-q7.01 has neither interm_freq nor lo_freq",
    ),
    (
        "contradiction",
        frequencies(interm_freq=1e8, lo_freq=4e9),
        "q7:mw-q7.01 has lo_freq + interm_freq = 4100000000 Hz, but q7:mw-q7.01 is at 4610000000 Hz",
    ),
    (
        "too far",
        frequencies(lo_freq=3.9e9),
        "hardware_options.modulation_frequencies.q7:mw-q7.01 needs an intermediate frequency of 7.1e+08 Hz",
    ),
    (
        "shared oscillator",
        lambda t: t["hardware_options"]["modulation_frequencies"].update({"q7:res-q7.ro": {"interm_freq": 1e8}}),
        "q7:res-q7.ro needs the local oscillator of cluster1.module9.complex_output_0 at 6890000000 Hz, and another",
    ),
    (
        "not driven",
        without("q7:mw"),
        "connectivity.graph has no output for q7:mw: q7 cannot be driven, and is left out",
    ),
    ("no flux", without("q3:fl"), "data.edges.q3_q7.data is left out: connectivity.graph has no output for q3:fl"),
]
"""What a real cluster can't do: a name, the change of the hardware file, and words of the warning."""
