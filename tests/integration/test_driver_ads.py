"""What a driver says of itself on its bus: its manifest in short, and whether a job would start now."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from qpi_agent.link import Link
from qpi_jupyter.core.capabilities import Availability, summary
from qpi_jupyter.wire import WIRE_VERSION, frames
from qpi_jupyter.wire.bus import LAB, QPU, Message
from tests.support.buses import KNOWN, Stand, credential, stand
from tests.support.driver import MANIFEST
from tests.support.waiting import until

BEAT_S = 0.05


class Idle:
    """All that the link asks of a driver that has one place and does nothing."""

    def __init__(self) -> None:
        self.runs = 0
        self.bench: Any = SimpleNamespace(running=lambda: range(self.runs), held=list, room=lambda: 0)

    def hello(self) -> frames.Hello:
        return frames.Hello(name="d", version="0", instance="i", places=1, manifest=MANIFEST, wire=WIRE_VERSION)

    def __getattr__(self, name: str) -> Any:
        return lambda *args: []


async def welcome(_: Message) -> frames.Welcome:
    return frames.Welcome(qpu="q1", epoch=1, lease_s=60.0, heartbeat_s=BEAT_S, reask_s=60.0)


async def found(standing: Stand, wanted: dict[str, Any]) -> None:
    """Until the lab finds one driver, which says that."""

    async def is_so() -> bool:
        return [ad.data for ad in await standing.lab.discover(QPU, 0.05)] == [wanted]

    await until(is_so)


@pytest.mark.parametrize("bus", ["inproc", "ws", "nats", pytest.param("p2p", marks=pytest.mark.slow)])
def test_it_is_found_with_its_services_and_says_when_it_is_busy(bus: str) -> None:
    async def scene() -> None:
        driver = Idle()
        async with stand(bus) as standing:
            await standing.lab.serve(LAB, LAB, {"hello": welcome}, {})
            link = Link("the lab", standing.address, credential(f"{KNOWN}d"), driver)
            living = asyncio.create_task(link.live())
            try:
                ad = summary(MANIFEST, Availability.AVAILABLE)
                assert "bell_pair" in [one["service"] for one in ad["services"]]
                await found(standing, ad)
                driver.runs = 1
                await found(standing, {**ad, "availability": "busy"})
            finally:
                link.end()
                living.cancel()
                await asyncio.gather(living, return_exceptions=True)
                await link.close()

    asyncio.run(scene())
