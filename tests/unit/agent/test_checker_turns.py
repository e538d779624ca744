"""Whose check is next: one person does not keep the others waiting."""

from __future__ import annotations

import asyncio
import math
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_agent import checker as module
from qpi_agent.fair_pool import FairPool
from qpi_jupyter.core.errors import Faulted, Unavailable
from tests.faults.checker import FINE, Bench, play, turn


def test_a_slow_check_holds_up_only_its_own_person() -> None:
    async def story(bench: Bench) -> None:
        slow = [bench.ask(f"slow {n}") for n in range(3)]
        await bench.asked("slow 0")
        other = bench.ask("quick", "bob")
        (await bench.asked("quick")).say(FINE)
        assert (await other).estimate is not None
        assert len(bench.children) == 2
        await turn()
        assert bench.busy() == {"slow 0"}
        for n in range(3):
            (await bench.asked(f"slow {n}")).say(FINE)
        assert all([(await task).estimate for task in slow])

    play(story, patience_s=0.01)


def test_one_person_alone_needs_one_child() -> None:
    async def story(bench: Bench) -> None:
        tasks = [bench.ask(f"{n}") for n in range(5)]
        await bench.asked("0")
        await asyncio.wait(tasks, timeout=0.05)
        for n in range(5):
            (await bench.asked(f"{n}")).say(FINE)
        await asyncio.gather(*tasks)
        assert len(bench.children) == 1

    play(story, patience_s=0.001)


def test_who_stops_asking_does_not_stop_the_check_and_who_asks_again_joins_it() -> None:
    async def story(bench: Bench) -> None:
        first = bench.ask("p")
        child = await bench.asked("p")
        first.cancel()
        again, other = bench.ask("p"), bench.ask("p", "bob")
        await turn()
        child.say(FINE)
        assert (await again).estimate == (await other).estimate == FINE.estimate
        assert bench.children == [child]
        assert child.alive

    play(story)


def test_one_persons_open_checks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_OPEN", 2)

    async def story(bench: Bench) -> None:
        tasks = [bench.ask(f"{n}") for n in range(2)]
        await bench.asked("0")
        with pytest.raises(Unavailable, match="wait for their check"):
            await bench.ask("2")
        for n in range(2):
            (await bench.asked(f"{n}")).say(FINE)
        await asyncio.gather(*tasks)
        third = bench.ask("2")
        (await bench.asked("2")).say(FINE)
        assert (await third).estimate is not None

    play(story)


def test_while_no_child_starts_those_who_wait_are_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NEWS_S", 0.01)

    async def story(bench: Bench) -> None:
        bench.problem = Faulted("The machine starts no process: Cannot allocate memory.")
        bench.children[0].die(-signal.SIGKILL)
        with pytest.raises(Faulted, match="Cannot allocate memory"):
            await bench.ask("p")
        bench.problem = None
        again = bench.ask("p")
        (await bench.asked("p")).say(FINE)
        assert (await again).estimate is not None

    play(story)


# Whose turn it is


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.001, 100.0)), max_size=12), st.permutations("abcd"))
def test_whoever_used_least_lately_goes_first(history: list[tuple[str, float]], arrivals: list[str]) -> None:
    now = 0.0
    used = dict.fromkeys("abcd", 0.0)
    turns: FairPool[str] = FairPool(math.inf, lambda: now)
    for person, seconds in history:
        turns.used(person, seconds)
        used[person] += seconds

    async def story(arrivals: list[str]) -> list[str]:
        served: list[str] = []

        async def want(person: str) -> None:
            await turns.take(person)
            served.append(person)

        async with asyncio.TaskGroup() as group:
            for person in arrivals:
                group.create_task(want(person))
                await asyncio.sleep(0)
            for _ in arrivals:
                turns.offer("child")
                await turn()
        return served

    assert asyncio.run(story(arrivals)) == sorted(arrivals, key=lambda person: used[person])
    now = 3600.0
    turns.used("e", 0.001)
    assert asyncio.run(story(["e", "b"])) == ["b", "e"], "it fades"


@given(
    used=st.dictionaries(st.sampled_from("abcd"), st.floats(0.0, 10.0), min_size=1),
    free=st.integers(0, 4),
    reserved=st.integers(0, 2),
)
def test_the_last_free_ones_are_for_whoever_used_little(used: dict[str, float], free: int, reserved: int) -> None:
    async def story() -> None:
        turns: FairPool[int] = FairPool(5.0, lambda: 0.0)
        turns.reserve(reserved)
        tasks = {}
        for person, seconds in used.items():
            turns.used(person, seconds)
            tasks[person] = asyncio.ensure_future(turns.take(person))
        await turn()
        for number in range(free):
            turns.offer(number)
        await turn()
        served = [person for person, task in tasks.items() if task.done()]
        light = sorted(person for person, seconds in used.items() if seconds <= 5.0)
        # Whoever is light gets what there is; the others what is left beyond the reserve.
        assert len(set(served) & set(light)) == min(len(light), free)
        left = free - min(len(light), free)
        assert len(served) - min(len(light), free) == max(0, min(len(used) - len(light), left - reserved))
        turns.reserve(0)
        await turn()
        assert sum(task.done() for task in tasks.values()) == min(len(used), free)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    asyncio.run(story())


def test_who_has_used_up_much_waits_for_a_second_child_while_the_last_one_is_free() -> None:
    async def story(bench: Bench) -> None:
        slow = bench.ask("slow")
        child = await bench.asked("slow")
        first = bench.ask("quick", "bob")
        (await bench.asked("quick")).say(FINE)
        await first
        bench.pool.used("ann", 60.0)
        bench.hold = True
        child.die(-signal.SIGKILL)
        await turn()
        assert bench.busy() == set()
        second = bench.ask("quick too", "bob")
        (await bench.asked("quick too")).say(FINE)
        assert (await second).estimate is not None
        bench.hold = False
        (await bench.asked("slow")).say(FINE)
        assert (await slow).estimate is not None

    play(story, patience_s=0.001)


def test_what_is_handed_to_somebody_who_has_gone_goes_to_the_next() -> None:
    async def story() -> None:
        turns: FairPool[str] = FairPool(math.inf)
        gone, next_ = asyncio.ensure_future(turns.take("a")), asyncio.ensure_future(turns.take("b"))
        await turn()
        turns.offer("child")
        gone.cancel()
        assert await next_ == "child"
        assert gone.cancelled()

    asyncio.run(story())
