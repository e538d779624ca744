"""A package beside qpi-jupyter: programs that are no circuits, and the executor that runs them.

Nothing in the product knows it. It is found by the entry points in the ``dist-info`` beside it, wherever this folder's
parent is on ``sys.path``. A program is a row of coins, each with its chance to fall on 1; its file has a byte a coin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import xarray as xr
from msgspec import Meta

from qpi_executors import Executor, ExecutorOptions, RunCancelled
from qpi_jupyter.core import Manifest, Program, ProgramError, ProgramFormat
from qpi_jupyter.data.build import bits_dataset
from qpi_jupyter.data.conventions import CircuitInfo, Slots

MAGIC = b"COINS"


@dataclass(frozen=True)
class Coins:
    """A program as people hold it: the chance of a 1, in per cent, of each coin."""

    percent: tuple[int, ...]
    name: str = "coins"


class CoinFormat(ProgramFormat):
    """``COINS``, then a byte a coin."""

    advice = "Toss fewer coins"

    def check(self, source: bytes, index: int) -> None:
        """The size, and the first bytes."""
        super().check(source, index)
        if not source.startswith(MAGIC):
            raise ProgramError(f"Row {index} does not begin with COINS.", code="not_coins", circuit=index)

    def recognises(self, thing: object) -> bool:
        return isinstance(thing, Coins)

    def encode(self, things: Sequence[object]) -> list[bytes]:
        plain = [MAGIC + bytes(thing.percent) if isinstance(thing, Coins) else thing for thing in things]
        return super().encode(plain)

    def read(self, source: bytes) -> Sequence[Coins]:
        coins = Coins(tuple(source.removeprefix(MAGIC)))
        if any(percent > 100 for percent in coins.percent):
            worst = next(k for k, percent in enumerate(coins.percent) if percent > 100)
            raise ProgramError(f"Coin {worst} falls on 1 in {coins.percent[worst]} % of all tosses.", code="bad_coin")
        return [coins]

    def to_text(self, program: object) -> str:
        assert isinstance(program, Coins)
        return "".join(f"coin {k}: 1 in {percent} %\n" for k, percent in enumerate(program.percent))

    def example(self) -> bytes:
        return MAGIC + bytes([50])


COINS = CoinFormat(name="toy-coins", noun="row", text=False, suffix=".coins", max_source_bytes=64, max_sources=8)


class CoinTosser(Executor):
    """Tosses coins that were counted out to it."""

    formats = (COINS,)

    class Options(ExecutorOptions, frozen=True, kw_only=True):
        coins: Annotated[int, Meta(ge=1, le=50, description="how many coins there are")] = 5
        cheat: Annotated[bool, Meta(description="all coins fall on 1")] = False

    def capabilities(self) -> Manifest:
        return Manifest(
            executor="toy_coins", executor_version="1", num_qubits=self.options.coins, basis_gates=(),
            description="A row of coins",
        )  # fmt: skip

    def validate(self, program: Program) -> None:
        self.check(program)
        for index, source in enumerate(program.sources):
            (row,) = COINS.read(source)
            if len(row.percent) > self.options.coins:
                raise ProgramError(
                    f"Row {index} needs {len(row.percent)} coins; there are {self.options.coins}.",
                    code="too_many_coins", circuit=index,
                )  # fmt: skip

    def run(
        self, program: Program, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> list[xr.Dataset]:
        rng, datasets = np.random.default_rng(program.options.seed_simulator), []
        for index, source in enumerate(program.sources):
            if cancelled():
                raise RunCancelled
            (row,) = COINS.read(source)
            shots, count = program.circuit_options(index).shots or program.options.shots, len(row.percent)
            bits = self.options.cheat | (rng.random((shots, count)) < np.array(row.percent) / 100)
            info = CircuitInfo(
                name=row.name, circuit=index, shots=shots, memory_slots=count, n_qubits=count,
                creg_sizes=(("c", count),), seed=program.options.seed_simulator,
            )  # fmt: skip
            slots = Slots(clbit=tuple(range(count)), qubit=tuple(range(count)), acq_index=(0,) * count)
            datasets.append(bits_dataset(info, bits.astype(np.int8), slots))
            progress((index + 1) / len(program.sources))
        return datasets


class CoinTable(CoinTosser):
    """Real coins, which no server may toss."""

    def capabilities(self) -> Manifest:
        return replace(super().capabilities(), executor="toy_table", simulator=False)
