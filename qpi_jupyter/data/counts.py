"""Results at level 2: counts, and single shots, which have counts, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import conventions as c
from . import drawings
from .kinds import Quantity, ResultKind

if TYPE_CHECKING:
    import xarray as xr

_WHOLE = "c"
_COUNT_BYTES = 14
"""JSON around one outcome and its count."""


class CountsPart:
    """Counts by outcome: the rare ones are cut first."""

    def __init__(self, counts: dict[int, int]) -> None:
        self._counts, self._truncated = counts, False

    @property
    def nbytes(self) -> int:
        widest = max(self._counts, default=0).bit_length() // 4
        return len(self._counts) * (_COUNT_BYTES + widest)

    def cut(self, room: float) -> None:
        if self.nbytes <= room:
            return
        self._truncated = True
        keep = int(len(self._counts) * room / self.nbytes)
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        self._counts = dict(ranked[:keep])

    def fields(self) -> dict[str, Any]:
        return {
            "counts": {hex(value): count for value, count in self._counts.items()},
            "truncated": self._truncated,
        }


class Counts(ResultKind):
    """How often each outcome came."""

    name = "counts"

    def quantities(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Quantity]:
        return {c.COUNT: Quantity(dims=(c.OUTCOME,), dtype="int64")}

    def part(self, dataset: xr.Dataset, info: c.CircuitInfo) -> CountsPart:
        from .bits import int_counts

        return CountsPart(int_counts(dataset, info.memory_slots))

    def drawing(self, dataset: xr.Dataset, qubit: int | None = None) -> drawings.Drawing:
        from .discrimination import counts_of

        return drawings.counts(counts_of(dataset))

    def curve(self, dataset: xr.Dataset, qubit: int | None = None) -> xr.DataArray | None:
        """The probabilities of the outcomes."""
        from .probabilities import probabilities

        return probabilities(dataset)


class Shots(Counts):
    """One bit for each shot and classical bit."""

    name = "shots"

    def quantities(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Quantity]:
        return {c.BIT: Quantity(dims=(c.SHOT, c.SLOT), dtype="int8")}

    def memory(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Sequence[Any]:
        from .bits import hex_memory

        return hex_memory(dataset, info.memory_slots)

    def data_bin(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Any]:
        """A `BitArray` for each register; one of all bits where some are in no register."""
        from qiskit.primitives import BitArray

        from .bits import full_bits

        bits = full_bits(dataset, info.memory_slots).astype(bool)
        sizes = info.creg_sizes
        if sum(size for _, size in sizes) != info.memory_slots:
            sizes = ((_WHOLE, info.memory_slots),)
        found, start = {}, 0
        for name, size in sizes:
            found[name] = BitArray.from_bool_array(bits[:, start : start + size], order="little")
            start += size
        return found


COUNTS, SHOTS = Counts(), Shots()
