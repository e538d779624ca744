"""In a child of its own: what an executor reads of its surroundings (`Executor.readings`)."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from qpi_executors import Executor
from qpi_jupyter.core.bounds import readable
from qpi_jupyter.wire.frames import Reading

from .messages import MAX_CHANNELS, Channel, Read, Said

_OURS = ("driver/", "lab/")
"""Channels that others may not speak for."""


def reads(executor: Executor) -> bool:
    """Whether an executor has readings of its own."""
    return type(executor).readings is not Executor.readings


class Readings:
    """In the child: asks the executor, one call after the other."""

    def __init__(self, channel: Channel, executor: Executor) -> None:
        self._channel, self._executor = channel, executor

    def serve(self) -> None:
        """Until the agent hangs up."""
        while True:
            if isinstance(self._channel.receive(), Read):
                self._channel.send(said(self._executor))


def said(executor: Executor) -> Said:
    """What it answers now: what is a reading, and what is wrong with the rest."""
    try:
        found = list(executor.readings().items())
    except Exception as error:
        return Said(problem=readable(f"{type(error).__name__}: {error}"))
    good, problems = [], []
    for name, measured in found[:MAX_CHANNELS]:
        try:
            good.append(_reading(name, measured))
        except Exception as error:  # a value may be anything of a guest's
            problems.append(f"{name!r:.60}: {error}")
    if len(found) > MAX_CHANNELS:
        problems.append(f"{len(found)} channels; {MAX_CHANNELS} are kept")
    return Said(readings=good, problem=readable("; ".join(problems[:3])))


def _reading(name: object, measured: Any) -> Reading:
    """``measured`` is what a guest returned: a value with its unit, as it should be."""
    if not isinstance(measured, tuple) or len(measured) != 2:
        raise TypeError(f"expected (value, unit), got {measured!r:.60}")
    if isinstance(name, str) and name.startswith(_OURS):
        raise ValueError(f"names that begin with {' or '.join(_OURS)} are taken")
    value = math.nan if measured[0] is None else float(measured[0])
    return msgspec.convert(
        {"channel": name, "value": value if math.isfinite(value) else None, "unit": measured[1]}, Reading
    )
