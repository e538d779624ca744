"""Requests over kept connections, against a server that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from qpi_jupyter.wire.connections import ConnectionLost, Connections

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"
REFUSED = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nnever"


@asynccontextmanager
async def serving(*answers: bytes, answer_s: float = 60.0) -> AsyncIterator[tuple[Connections, list[int]]]:
    """A server that gives these answers, one to each request, and says no more on a connection after any but `OK`; and
    the connection (counted from 1) that each request came on."""
    left, came = list(answers), list[int]()
    serving: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.append(task)
        number, answer = len(serving), OK
        with suppress(asyncio.IncompleteReadError):
            while left and answer == OK:
                await reader.readuntil(b"\r\n\r\n")
                came.append(number)
                answer = left.pop(0)
                writer.write(answer)
            if answer != OK:
                writer.write_eof()
            while await reader.read(1 << 16):  # who closes on unread bytes takes the answer back
                pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = Connections(f"http://127.0.0.1:{port}/base", None, answer_s=answer_s)
    try:
        yield pool, came
    finally:
        pool.close()
        server.close()
        await server.wait_closed()
        await asyncio.gather(*serving)


def test_a_connection_is_used_again_unless_it_was_the_last_answer_on_it() -> None:
    async def story() -> None:
        async with serving(OK, OK, LAST, OK) as (pool, came):
            answers = [await pool.ask("GET", "/x", {}) for _ in range(4)]
            assert [bytes(answer.body) for answer in answers] == [b"ok"] * 4
            assert came == [1, 1, 1, 2]

    asyncio.run(story())


def test_a_refusal_that_comes_before_the_body_has_ended_is_the_answer() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 16)

    async def story() -> None:
        async with serving(REFUSED) as (pool, _):
            answer = await pool.ask("PUT", "/x", {"Content-Length": str(1 << 40)}, endless())
            assert (answer.status, bytes(answer.body)) == (413, b"never")

    asyncio.run(story())


@pytest.mark.parametrize("answer", [b"", CUT], ids=["none", "cut"])
def test_half_an_answer_is_none(answer: bytes) -> None:
    async def story() -> None:
        async with serving(answer, OK) as (pool, came):
            with pytest.raises(ConnectionLost):
                await pool.ask("GET", "/x", {})
            assert (await pool.ask("GET", "/x", {})).status == 200
            assert came == [1, 2]

    asyncio.run(story())


def test_an_answer_that_does_not_come_and_nobody_there_are_told() -> None:
    async def story() -> None:
        async with serving(answer_s=0.01) as (pool, _):
            with pytest.raises(ConnectionLost) as caught:
                await pool.ask("GET", "/x", {})
            assert isinstance(caught.value.__cause__, TimeoutError)
        with pytest.raises(ConnectionLost) as caught:
            await pool.ask("GET", "/x", {})
        assert isinstance(caught.value.__cause__, OSError)

    asyncio.run(story())
