"""A driver that sends any text as a frame: for what no driver of ours would say."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError

from qpi_jupyter.wire import frames
from qpi_jupyter.wire.frames import Assignment
from tests.support.driver import websocket
from tests.support.frames import PREPARED

ANSWER_S = 20.0
ESTIMATE = msgspec.json.encode({"estimate": PREPARED.estimate}).decode()


class RawLink:
    """One open link. What the lab asks to be checked is answered with the text `prepared`."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self._socket, self._ids = socket, itertools.count(1)
        self._open: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.prepared = ESTIMATE
        self.closed = False
        self.epoch = 0

    async def ask(self, subject: str, data: str) -> dict[str, Any]:
        """The lab's answer, data or error; an error of our own if the lab hung up."""
        number = next(self._ids)
        answer = self._open[number] = asyncio.get_running_loop().create_future()
        await self.send(f'{{"op": "req", "id": {number}, "subject": "{subject}", "data": {data}}}')
        async with asyncio.timeout(ANSWER_S):
            return await answer

    async def tell(self, subject: str, data: str) -> None:
        """Publish; returns when the lab has dealt with it: it takes one frame after the other."""
        await self.send(f'{{"op": "pub", "subject": "{subject}", "data": {data}}}')
        await self.ask("lab.nonsense", "null")

    async def hello(self, frame: frames.Hello) -> None:
        answer = await self.ask(frames.HELLO, msgspec.json.encode(frame).decode())
        self.epoch = answer["data"]["epoch"]

    async def claim(self) -> Assignment | None:
        """A job; None if there is none for now, or the lab has hung up."""
        answer = await self.ask(frames.CLAIM, json.dumps({"epoch": self.epoch}))
        found = msgspec.convert(answer["data"], Assignment) if "data" in answer else Assignment()
        return found if found.job_id else None

    async def send(self, text: str) -> None:
        """Any text, as one message."""
        try:
            await self._socket.write_message(text)
        except WebSocketClosedError:
            self._hung_up()

    async def read(self) -> None:
        """Until the lab hangs up."""
        while (message := await self._socket.read_message()) is not None:
            frame = json.loads(message)
            if frame["op"] == "res" and frame["id"] in self._open:
                self._open.pop(frame["id"]).set_result(frame)
            elif frame["op"] == "req":
                await self.send(f'{{"op": "res", "id": {frame["id"]}, "data": {self.prepared}}}')
        self._hung_up()

    def _hung_up(self) -> None:
        self.closed = True
        for future in self._open.values():
            if not future.done():
                future.set_result({"error": {"code": "hung_up", "message": str(self._socket.close_reason)}})
        self._open.clear()


@asynccontextmanager
async def raw_link(url: str, token: str) -> AsyncIterator[RawLink]:
    """A link that is open and has said nothing yet."""
    async with websocket(f"ws{url[4:]}qpi/v1/link", token) as socket:
        link = RawLink(socket)
        reading = asyncio.create_task(link.read())
        try:
            yield link
        finally:
            reading.cancel()
