"""What running attempts have measured, on its way to the lab: one frame at a time, and kept until the attempt ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from qpi_jupyter.wire import frames
from qpi_jupyter.wire.frames import MAX_ROWS_BYTES, ROWS_BYTES, RowChunk

from .messages import Key, Rows


@dataclass(slots=True)
class _Growing:
    chunks: list[RowChunk] = field(default_factory=list)
    nbytes: int = 0
    measured: int = 0
    drawings: list[dict[str, Any]] = field(default_factory=list)
    have: int = 0
    """How many chunks the lab has."""
    told: int = 0
    """How many measured rows it knows of."""

    @property
    def due(self) -> bool:
        return self.have < len(self.chunks) or self.told < self.measured

    def frame(self, key: Key) -> frames.Rows:
        room, chunks = ROWS_BYTES, list[RowChunk]()
        for chunk in self.chunks[self.have :]:
            room -= len(chunk.data)
            if room < 0:
                break
            chunks.append(chunk)
        return frames.Rows(
            epoch=0, after=self.have, chunks=chunks, measured=self.measured, drawings=self.drawings, **key._asdict()
        )


class RowKeeper:
    """The rows of every attempt that runs. While one frame is under way, what comes is put together for the next."""

    def __init__(self) -> None:
        self._growing: dict[Key, _Growing] = {}
        self._unwanted: set[Key] = set()
        self._news = asyncio.Event()

    def add(self, key: Key, rows: Rows) -> None:
        """There is more of an attempt."""
        if key in self._unwanted:
            return
        growing = self._growing.setdefault(key, _Growing())
        for chunk in rows.chunks:
            growing.nbytes += len(chunk.data)
            if growing.nbytes <= MAX_ROWS_BYTES:  # beyond, only the drawing grows
                growing.chunks.append(chunk)
        growing.measured, growing.drawings = rows.measured, rows.drawings
        self._news.set()

    def drop(self, key: Key) -> None:
        """The attempt has ended."""
        self._growing.pop(key, None)
        self._unwanted.discard(key)

    def refuse(self, sent: frames.Rows) -> None:
        """The lab wants none of this attempt's rows."""
        key = Key(sent.job_id, sent.attempt)
        if self._growing.pop(key, None) is not None:
            self._unwanted.add(key)

    def linked(self) -> None:
        """The lab may have been started again: ask it what it has."""
        for growing in self._growing.values():
            growing.told = 0
        self._news.set()

    async def next(self) -> frames.Rows:
        """The next frame: attempts take turns."""
        while True:
            self._news.clear()
            for key, growing in self._growing.items():
                if growing.due:
                    self._growing[key] = self._growing.pop(key)
                    return growing.frame(key)
            await self._news.wait()

    def taken(self, sent: frames.Rows, answer: frames.RowsTaken) -> None:
        """The lab has answered; it may have fewer than it had, when it was started again."""
        key = Key(sent.job_id, sent.attempt)
        if not answer.wanted:
            self.refuse(sent)
        elif (growing := self._growing.get(key)) is not None:
            growing.have = min(answer.have, len(growing.chunks))
            growing.told = sent.measured if growing.have >= sent.after else 0
