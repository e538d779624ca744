from __future__ import annotations

import asyncio

from qpi_server.service.submit import BATCH, Batches


async def submit(batches: Batches, order: list[int], number: int, check: asyncio.Event | None = None) -> None:
    with batches.submit() as one:
        if check is not None:
            await check.wait()
        await one.ready()
    order.append(number)


def test_a_lone_submit_waits_for_nobody() -> None:
    async def scene() -> None:
        order: list[int] = []
        task = asyncio.create_task(submit(Batches(), order, 1))
        await asyncio.sleep(0)
        assert order == [1]
        await task

    asyncio.run(scene())


def test_a_crowd_goes_together_once_it_is_large_enough() -> None:
    async def scene() -> None:
        batches, order, late = Batches(), list[int](), asyncio.Event()
        slow = [asyncio.create_task(submit(batches, order, n, late)) for n in range(BATCH)]
        await asyncio.sleep(0)
        quick = [asyncio.create_task(submit(batches, order, 100 + n)) for n in range(BATCH - 1)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert order == [], "one is missing still"
        quick.append(asyncio.create_task(submit(batches, order, 200)))
        await asyncio.gather(*quick)
        assert len(order) == BATCH, "the slow ones are not waited for"
        late.set()
        await asyncio.gather(*slow)
        assert len(order) == 2 * BATCH

    asyncio.run(scene())


def test_who_is_refused_is_not_waited_for() -> None:
    async def scene() -> None:
        batches, order, late = Batches(), list[int](), asyncio.Event()

        async def refused() -> None:
            with batches.member():
                await late.wait()
                raise ValueError

        doomed = [asyncio.create_task(refused()) for _ in range(BATCH)]
        await asyncio.sleep(0)
        good = asyncio.create_task(submit(batches, order, 1))
        await asyncio.sleep(0)
        late.set()
        await asyncio.gather(*doomed, return_exceptions=True)
        await asyncio.sleep(0)
        assert order == [1]
        await good

    asyncio.run(scene())


def test_nobody_waits_longer_than_a_moment() -> None:
    async def scene() -> None:
        batches, order, never = Batches(), list[int](), asyncio.Event()
        stuck = [asyncio.create_task(submit(batches, order, n, never)) for n in range(BATCH)]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await submit(batches, order, 1)
        assert order == [1]
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)

    asyncio.run(scene())
