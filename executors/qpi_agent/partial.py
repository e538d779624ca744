"""In the child: what an executor hands over while it runs, packed for the lab, and never so often that it costs."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Iterator

import msgspec
import xarray as xr

from qpi_jupyter.core import Program, QpiError
from qpi_jupyter.data.codec import encode
from qpi_jupyter.data.curves import growing
from qpi_jupyter.data.drawings import Drawing
from qpi_jupyter.wire.frames import DRAWINGS_BYTES, ROWS_BYTES, RowChunk

from .messages import Rows

log = logging.getLogger(__name__)
FIRST_S, EVERY_S = 0.3, 0.2
"""A run that is shorter hands nothing on; and how far apart two handovers are at least."""
SHARE = 0.03
"""Of the run's time, at most, for packing."""
MAX_ROW_BYTES = 8 << 20
"""A larger row waits for the result."""
_LEVEL = 1


class Partials:
    """Collects the rows of one run at a time, and sends them when it is time to."""

    def __init__(self, send: Callable[[Rows], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._send, self._now = send, clock
        self.begin()

    def begin(self, program: Program | None = None) -> None:
        """Another run; what the last one left is forgotten."""
        self._program = program
        self._rows: dict[int, xr.Dataset] = {}
        self._new: list[int] = []
        self._due_at = self._now() + FIRST_S

    def heard(self, index: int, dataset: xr.Dataset) -> None:
        """A row is measured."""
        if index not in self._rows:
            self._new.append(index)
            self._rows[index] = dataset
        self.offer()

    def offer(self) -> None:
        """Send what is new, if it is time to."""
        start = self._now()
        if not self._new or start < self._due_at:
            return
        new, self._new = self._new, []
        try:
            self._send(Rows(chunks=list(self._packed(new)), measured=len(self._rows), drawings=self._drawings()))
        except Exception:  # a guest's Dataset: what is wrong with it is told of the result
            log.exception("a part of a result cannot be shown before its end")
            start = float("inf")
        took_s = self._now() - start
        self._due_at = start + max(EVERY_S, took_s / SHARE)

    def _packed(self, indices: list[int]) -> Iterator[RowChunk]:
        rows = [index for index in indices if self._rows[index].nbytes <= MAX_ROW_BYTES]
        if not rows:
            return
        data = zlib.compress(encode([self._rows[index] for index in rows]), _LEVEL)
        if len(data) <= ROWS_BYTES:
            yield RowChunk(rows=rows, data=data)
        elif len(rows) > 1:
            middle = len(rows) // 2
            yield from self._packed(rows[:middle])
            yield from self._packed(rows[middle:])

    def _drawings(self) -> list[Drawing]:
        """What is drawn of all rows, as of the result; nothing where they are no sweep."""
        if self._program is None:
            return []
        try:
            drawings = growing(self._rows, self._program)
        except QpiError:
            return []
        return drawings if len(msgspec.json.encode(drawings)) <= DRAWINGS_BYTES else []
