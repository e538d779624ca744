from __future__ import annotations

import asyncio

from qpi_server.service.crowd import CROWD, Crowd


async def submit(crowd: Crowd, order: list[int], number: int, check: asyncio.Event | None = None) -> None:
    with crowd.member() as member:
        if check is not None:
            await check.wait()
        await member.ready()
    order.append(number)


def test_a_lone_submit_waits_for_nobody() -> None:
    async def scene() -> None:
        order: list[int] = []
        task = asyncio.create_task(submit(Crowd(), order, 1))
        await asyncio.sleep(0)
        assert order == [1]
        await task

    asyncio.run(scene())


def test_a_crowd_goes_together_once_it_is_large_enough() -> None:
    async def scene() -> None:
        crowd, order, late = Crowd(), list[int](), asyncio.Event()
        slow = [asyncio.create_task(submit(crowd, order, n, late)) for n in range(CROWD)]
        await asyncio.sleep(0)
        quick = [asyncio.create_task(submit(crowd, order, 100 + n)) for n in range(CROWD - 1)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert order == [], "one is missing still"
        quick.append(asyncio.create_task(submit(crowd, order, 200)))
        await asyncio.gather(*quick)
        assert len(order) == CROWD, "the slow ones are not waited for"
        late.set()
        await asyncio.gather(*slow)
        assert len(order) == 2 * CROWD

    asyncio.run(scene())


def test_who_is_refused_is_not_waited_for() -> None:
    async def scene() -> None:
        crowd, order, late = Crowd(), list[int](), asyncio.Event()

        async def refused() -> None:
            with crowd.member():
                await late.wait()
                raise ValueError

        doomed = [asyncio.create_task(refused()) for _ in range(CROWD)]
        await asyncio.sleep(0)
        good = asyncio.create_task(submit(crowd, order, 1))
        await asyncio.sleep(0)
        late.set()
        await asyncio.gather(*doomed, return_exceptions=True)
        await asyncio.sleep(0)
        assert order == [1]
        await good

    asyncio.run(scene())


def test_nobody_waits_longer_than_a_moment() -> None:
    async def scene() -> None:
        crowd, order, never = Crowd(), list[int](), asyncio.Event()
        stuck = [asyncio.create_task(submit(crowd, order, n, never)) for n in range(CROWD)]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await submit(crowd, order, 1)
        assert order == [1]
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)

    asyncio.run(scene())
