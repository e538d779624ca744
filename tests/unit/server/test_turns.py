"""Few places for costly work: fair among people, bounded for each, and left by whoever goes away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpi_jupyter.core.errors import TooMany
from qpi_server.service.base import Turns


class Street:
    """Work that takes until it is told to end, and the order in which it began."""

    def __init__(self, **limits: int) -> None:
        self.turns = Turns("work", **limits)
        self.begun: list[str] = []
        self.ends: list[tuple[str, asyncio.Event]] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, *people: str) -> None:
        for who in people:
            self.tasks.append(asyncio.create_task(self._work(who)))
        await self.settle()

    async def settle(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    async def _work(self, who: str) -> None:
        async with self.turns.turn(who):
            self.begun.append(who)
            end = asyncio.Event()
            self.ends.append((who, end))
            try:
                await end.wait()
            finally:
                self.ends = [(w, e) for w, e in self.ends if e is not end]

    async def finish(self, number: int = 1) -> None:
        for _ in range(number):
            self.ends.pop(0)[1].set()
            await self.settle()

    async def end(self) -> None:
        while self.ends:
            await self.finish()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def play(dialogue: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(dialogue())


def test_a_person_with_many_waits_behind_everybody_with_one() -> None:
    async def dialogue() -> None:
        street = Street(places=1)
        await street.come(*["ann"] * 6, "bob", "cyd")
        assert street.begun == ["ann"]
        await street.finish(4)
        assert street.begun == ["ann", "ann", "bob", "cyd", "ann"]
        await street.end()

    play(dialogue)


def test_one_person_has_not_all_places() -> None:
    async def dialogue() -> None:
        street = Street(places=2, each=1)
        await street.come("ann", "ann", "ann", "bob")
        assert sorted(street.begun) == ["ann", "bob"]
        await street.end()

    play(dialogue)


def test_too_many_of_one_person_are_refused_and_nobody_else_is() -> None:
    async def dialogue() -> None:
        street = Street(places=1, waiting=2)
        await street.come("ann", "ann", "ann")
        with pytest.raises(TooMany) as caught:
            async with street.turns.turn("ann"):
                pass
        assert caught.value.data["retry_after_s"] > 0
        await street.come("bob")
        await street.finish(2)
        assert "bob" in street.begun
        await street.end()

    play(dialogue)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["come", "finish", "cancel"]), st.sampled_from("abcd")), max_size=40))
def test_whoever_comes_and_goes_no_place_is_lost_and_none_is_doubled(deeds: list[tuple[str, str]]) -> None:
    async def dialogue() -> None:
        street = Street(places=2, each=1, waiting=3)
        for deed, who in deeds:
            if deed == "come":
                await street.come(who)
            elif deed == "finish" and street.ends:
                await street.finish()
            elif deed == "cancel" and street.tasks:
                task = street.tasks[ord(who) % len(street.tasks)]
                task.cancel()
                if street.ends and who in "ab":  # in the same moment as a place becomes free
                    street.ends.pop(0)[1].set()
                await street.settle()
            running = Counter(who for who, _ in street.ends)
            assert running.total() <= 2
            assert all(number == 1 for number in running.values())
        await street.end()
        assert vars(street.turns) == vars(Turns("work", places=2, each=1, waiting=3)), "as if nobody had come"

    play(dialogue)
