"""A package beside qpi-jupyter: programs that are no circuits, the executor that runs them, and results of its own.

Nothing in the product knows it. It is found by the entry points in the ``dist-info`` beside it, wherever this folder's
parent is on ``sys.path``. A program is a row of coins, each with its chance to fall on 1; its file has a byte a coin.
What comes out is bits, or how often each coin fell on 1 in an unbroken run, at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
import xarray as xr
from msgspec import Meta
from numpy.typing import NDArray

from qpi_executors import Executor, ExecutorOptions, RunCancelled
from qpi_jupyter.core import Manifest, Program, ProgramError, ProgramFormat
from qpi_jupyter.data.build import a_dataset, bits_dataset
from qpi_jupyter.data.conventions import CircuitInfo, Slots
from qpi_jupyter.data.drawings import Drawing, table
from qpi_jupyter.data.kinds import Quantity, ResultKind

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


class Streaks(ResultKind):
    """The longest run of 1s of each coin."""

    name = "toy-streaks"
    offers: ClassVar = {"streaks": lambda dataset: dataset["streak"].values.tolist()}

    def quantities(self, dataset: xr.Dataset, info: CircuitInfo) -> Mapping[str, Quantity]:
        return {"streak": Quantity(dims=("coin",), dtype="int64")}

    def drawing(self, dataset: xr.Dataset, qubit: int | None = None) -> Drawing:
        longest = enumerate(STREAKS.offers["streaks"](dataset))
        return table(["Coin", "Longest run of 1s"], [[f"coin {k}", f"{streak:,}"] for k, streak in longest])

    def example(self) -> xr.Dataset:
        return streaks_dataset(CircuitInfo(name="x", shots=10, memory_slots=1, n_qubits=1), [3, 2**40])


STREAKS = Streaks()


def streaks_dataset(info: CircuitInfo, streaks: Sequence[int]) -> xr.Dataset:
    """The Dataset that says them."""
    facts = {"long_name": "Longest run of 1s", "units": "1"}
    return a_dataset(info, STREAKS.name, {"streak": (("coin",), np.array(streaks, dtype=np.int64), facts)})


def _streak(bits: NDArray[np.int8]) -> int:
    return max(map(len, "".join(map(str, bits.tolist())).split("0")))


class CoinTosser(Executor):
    """Tosses ``coins`` that were counted out to it."""

    formats = (COINS,)

    class Options(ExecutorOptions, frozen=True, kw_only=True):
        coins: Annotated[int, Meta(ge=1, le=50, description="how many coins there are")] = 5
        cheat: Annotated[bool, Meta(description="all coins fall on 1")] = False
        streaks: Annotated[bool, Meta(description="tell the longest runs of 1s, not each fall")] = False

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
            fell = bits.astype(np.int8)
            slots = Slots(clbit=tuple(range(count)), qubit=tuple(range(count)), acq_index=(0,) * count)
            told = streaks_dataset(info, [_streak(coin) for coin in fell.T]) if self.options.streaks else None
            datasets.append(bits_dataset(info, fell, slots) if told is None else told)
            progress((index + 1) / len(program.sources))
        return datasets


class CoinTable(CoinTosser):
    """Real coins, which no server may toss."""

    def capabilities(self) -> Manifest:
        return replace(super().capabilities(), executor="toy_table", simulator=False)
