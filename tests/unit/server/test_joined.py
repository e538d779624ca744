"""Work under a key: done once for all who ask, and ended with the last of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from qpi_server.service.base import Joined


class Works:
    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.go = asyncio.Event()

    def of(self, key: str) -> Callable[[], Coroutine[Any, Any, str]]:
        async def work() -> str:
            self.begun.append(key)
            try:
                await self.go.wait()
            finally:
                self.ended.append(key)
            return key.upper()

        return work


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_asks_meanwhile_joins_and_who_asks_later_is_answered_from_memory() -> None:
    async def dialogue() -> None:
        works, joined = Works(), Joined[str](kept=2)
        asked = [asyncio.ensure_future(joined.get("a", works.of("a"))) for _ in range(3)]
        await turns()
        works.go.set()
        assert await asyncio.gather(*asked, joined.get("a", works.of("a"))) == ["A"] * 4
        for key in "bc":
            await joined.get(key, works.of(key))
        assert works.begun == ["a", "b", "c"]
        await joined.get("a", works.of("a"))  # the oldest was forgotten
        assert works.begun == ["a", "b", "c", "a"]

    asyncio.run(dialogue())


def test_the_work_ends_with_the_last_who_waits_and_not_before() -> None:
    async def dialogue() -> None:
        works, joined = Works(), Joined[str](kept=2)
        one, two = (asyncio.ensure_future(joined.get("a", works.of("a"))) for _ in range(2))
        await turns()
        one.cancel()
        await turns()
        assert (one.cancelled(), works.ended) == (True, [])
        two.cancel()
        await asyncio.gather(one, two, return_exceptions=True)
        assert works.ended == ["a"]
        works.go.set()
        assert await joined.get("a", works.of("a")) == "A"

    asyncio.run(dialogue())


def test_what_fails_fails_for_all_and_is_tried_again() -> None:
    async def dialogue() -> None:
        joined = Joined[str](kept=2)

        async def fail() -> str:
            await asyncio.sleep(0)
            raise ValueError("no")

        found = await asyncio.gather(*(joined.get("a", fail) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in found] == [ValueError] * 3
        with pytest.raises(ValueError, match="no"):
            await joined.get("a", fail)
        assert await joined.get("a", Works.of(_open(), "a")) == "A"

    asyncio.run(dialogue())


def _open() -> Works:
    works = Works()
    works.go.set()
    return works
