"""A server that turns to a lab elsewhere while it runs, and back to its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core import Conflict
from qpi_jupyter.wire.rest import Health
from qpi_server.host.forward import Upstream
from qpi_server.host.owner import Ownership
from qpi_server.host.owner_files import OwnerRecord
from qpi_server.service import Lab
from tests.integration.test_web_streams import Bus, heard, online, open_lab, relayed
from tests.support.storage import owning
from tests.support.web import SECRET, serving

AHEAD = 300


def test_requests_and_events_follow_the_choice(tmp_path: Path) -> None:
    async def dialogue(ownership: Ownership) -> None:
        bus = Bus()
        own = await ownership.target()
        assert isinstance(own, Lab)
        async with open_lab(tmp_path / "far") as far, serving(far) as url, relayed(bus, ownership):
            for _ in range(AHEAD):  # the far lab has counted further than our own
                await far.context.db.write(online)
            await heard(bus, own, 1)
            begun = bus.events[-1]["seq"]

            upstream = Upstream.to(url, SECRET)
            await ownership.choose(upstream)
            assert await ownership.target() is upstream
            assert (await upstream.get("qpi/health", Health)).status == "up"
            await heard(bus, far, len(bus.events) + 1)
            assert bus.events[-1]["seq"] > AHEAD > begun

            await ownership.choose(None)
            again = await ownership.target()
            assert isinstance(again, Lab)
            assert again is not own
            await heard(bus, again, len(bus.events) + 1)
            assert bus.events[-1]["seq"] < AHEAD
            assert not upstream.following
            far.events.close()

    owning(tmp_path / "own", dialogue)


def test_a_server_without_a_lab_of_its_own_only_forwards() -> None:
    async def nothing(_lab: Any = None) -> Any:
        raise AssertionError

    async def dialogue() -> None:
        record = OwnerRecord.here(url="http://127.0.0.1:1/", secret="s", version="0", ca_file=None, own_ca=False)
        first, second = (Upstream.to(f"http://127.0.0.1:{port}/", "t") for port in (1, 2))
        ownership = Ownership(
            backend=None, upstream=first, record=record, open_lab=nothing, started=nothing, stopping=nothing
        )
        await ownership.start()
        await ownership.choose(second)
        assert await ownership.target() is second
        with pytest.raises(Conflict, match="no lab of its own"):
            await ownership.choose(None)
        assert await ownership.target() is second
        await ownership.stop()

    asyncio.run(dialogue())


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://lab.example/", "plain http to another machine"), ("lab.example", "not the address of a lab")],
)
def test_a_token_is_not_sent_to_just_anywhere(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Upstream.to(url, "t")


def test_plain_http_to_another_machine_is_for_who_says_so() -> None:
    assert Upstream.to("http://lab.example/base", "t", insecure=True).url == "http://lab.example/base/"
