from __future__ import annotations

import asyncio
import logging

import pytest
from msgspec import Raw, Struct

from qpi_jupyter.core.errors import Conflict, Faulted, Rejected, TooLarge, Unavailable
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES
from qpi_jupyter.wire.peer import Handler, Peer, parse


class Word(Struct):
    text: str


def pair(handlers: dict[str, Handler] | None = None, listeners: dict[str, Handler] | None = None) -> tuple[Peer, Peer]:
    """Two ends; what one sends the other receives at once."""

    async def to_there(text: str) -> None:
        await there.receive(text)

    async def to_here(text: str) -> None:
        await here.receive(text)

    here, there = Peer(to_there), Peer(to_here, handlers=handlers, listeners=listeners)
    return here, there


def test_requests_run_side_by_side_and_each_gets_its_own_answer() -> None:
    async def main() -> list[Word]:
        both = asyncio.Barrier(2)

        async def echo(data: Raw) -> Word:
            await both.wait()
            return parse(data, Word)

        here, _ = pair({"echo": echo})
        return await asyncio.gather(*(here.request("echo", Word(t), Word, timeout=5) for t in ("a", "b")))

    assert asyncio.run(main()) == [Word("a"), Word("b")]


async def _conflict(_: Raw) -> Word:
    raise Conflict("moved on", code="stale", epoch=3)


async def _broken(_: Raw) -> Word:
    raise ZeroDivisionError("secret")


async def _long(_: Raw) -> Word:
    return Word("x" * MAX_FRAME_BYTES)


async def _strict(data: Raw) -> Word:
    return parse(Raw(b'{"text": 3}'), Word)


@pytest.mark.parametrize(
    ("subject", "kind", "words"),
    [
        ("conflict", Conflict, "moved on"),
        ("broken", Faulted, "broken failed"),
        ("long", TooLarge, "limit"),
        ("strict", Rejected, "text must be text"),
        ("nothing", Rejected, "Nothing serves"),
    ],
)
def test_an_error_comes_back_as_itself(subject: str, kind: type[Exception], words: str) -> None:
    async def main() -> None:
        here, _ = pair({"conflict": _conflict, "broken": _broken, "long": _long, "strict": _strict})
        with pytest.raises(kind, match=words) as caught:
            await here.request(subject, Word(""), Word, timeout=5)
        assert "secret" not in str(caught.value)

    asyncio.run(main())


def test_close_ends_every_request_on_both_sides() -> None:
    async def main() -> None:
        served, cancelled = asyncio.Event(), asyncio.Event()

        async def never(_: Raw) -> None:
            served.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        here, there = pair({"never": never})
        waiting = [asyncio.create_task(here.request("never", Word(""), Word)) for _ in range(3)]
        await served.wait()
        here.close()
        there.close()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ends] == [Unavailable] * 3
        await asyncio.wait_for(cancelled.wait(), 5)
        with pytest.raises(Unavailable, match="closed"):
            await here.request("never", Word(""), Word)
        await here.publish("gone", Word(""))

    asyncio.run(main())


def test_no_answer_in_time_is_unavailable_and_a_late_one_is_ignored() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def slow(_: Raw) -> Word:
            await go.wait()
            return Word("late")

        here, _ = pair({"slow": slow})
        with pytest.raises(Unavailable, match=r"within 0.01 s"):
            await here.request("slow", Word(""), Word, timeout=0.01)
        go.set()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    asyncio.run(main())


def test_a_broken_link_is_unavailable_whatever_the_transport_calls_it() -> None:
    async def send(_: str) -> None:
        raise ConnectionResetError

    async def main() -> None:
        peer = Peer(send)
        with pytest.raises(Unavailable, match="broke"):
            await peer.request("x", Word(""), Word)
        await peer.publish("x", Word(""))

    asyncio.run(main())


def test_publications_come_in_order_and_a_bad_one_does_not_end_the_link(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    async def listen(data: Raw) -> None:
        word = parse(data, Word)
        if word.text == "2":
            raise ZeroDivisionError
        heard.append(word.text)

    async def main() -> None:
        here, there = pair(listeners={"say": listen})
        for n in range(5):
            await here.publish("say", Word(str(n)))
        await there.receive('{"op": "pub", "subject": "say", "data": 7}')
        await there.receive('{"op": "res", "id": 99, "data": 7}')

    with caplog.at_level(logging.CRITICAL):
        asyncio.run(main())
    assert heard == ["0", "1", "3", "4"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"op": "shout"}', '{"id": "x", "op": "req"}', "[" * 9999, b"\xff", " " * (MAX_FRAME_BYTES + 1)],
)
def test_what_is_no_frame_is_refused(text: str | bytes) -> None:
    async def send(_: str) -> None:
        raise AssertionError("nothing is answered")

    with pytest.raises(Rejected, match="frame"):
        asyncio.run(Peer(send).receive(text))
