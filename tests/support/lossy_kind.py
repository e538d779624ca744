"""``lossy://place``: ``inproc://place``, on which a driver's words get lost; registered by the test that needs it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from qpi_jupyter.wire import frames
from qpi_jupyter.wire.bus import Bus, Credential, SignIn, kind_of
from tests.faults.lossy_bus import LossyBus

PATIENCE_S = 0.3
LOST: Counter[str] = Counter()
ONCE = frozenset({frames.HELLO, f"answer to {frames.HELLO}", f"answer to {frames.CLAIM}", frames.REPORT})


class Lossy:
    """A third of everything; of what only the next hello clears up, the first."""

    def __init__(self) -> None:
        self._dice = random.Random(3)

    @asynccontextmanager
    async def host(self, address: str, sign_in: SignIn) -> AsyncIterator[Bus]:
        async with kind_of(_there(address)).host(_there(address), sign_in) as bus:
            yield bus

    @asynccontextmanager
    async def dial(self, address: str, credential: Credential) -> AsyncIterator[Bus]:
        async with kind_of(_there(address)).dial(_there(address), credential) as bus:
            yield LossyBus(bus, self._loses, PATIENCE_S)

    def _loses(self, what: str) -> bool:
        lost = not LOST[what] if what in ONCE else self._dice.random() < 1 / 3 and frames.CLAIM not in what
        LOST[what] += lost
        return lost


LOSSY = Lossy()


def _there(address: str) -> str:
    return address.replace("lossy://", "inproc://")
