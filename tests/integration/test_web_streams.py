"""The stream of events over HTTP: through broken connections, slow readers, other servers and restarts."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from qpi_jupyter.wire import sse
from qpi_server.host.forward import Upstream
from qpi_server.service import Lab
from qpi_server.service.base import Turns
from qpi_server.web import answers
from qpi_server.web.events import EventRelay
from tests.faults.lab import open_lab, small_lab
from tests.integration.test_service_streams import online
from tests.support.proxy import Proxy
from tests.support.servers import TOKEN, lab_server
from tests.support.web import SECRET, TOKENS, EmptyLab, serving, talk

pytestmark = pytest.mark.slow

DEMO = ("--demo", "--QPIServer.embedded_drivers=False", "--QPIServer.local_accounts=True")
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "follow-events.md"
ACCEPT = {"Accept": sse.MEDIA_TYPE}


class Follower:
    """Follows as a browser's `EventSource` does: it comes again with the last id that it had."""

    def __init__(self, client: httpx.Client, path: str = "qpi/v1/events?newest=true") -> None:
        self.client, self._path = client, path
        self._last: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []

    @contextmanager
    def open(self) -> Iterator[Iterator[dict[str, Any]]]:
        """The events of one connection; where it begins is known once it is open."""
        with self.client.stream("GET", self._path, headers={**ACCEPT, **self._last}) as response:
            assert (response.status_code, response.headers["Content-Type"]) == (200, sse.MEDIA_TYPE)
            assert (response.headers["Cache-Control"], response.headers["X-Accel-Buffering"]) == ("no-store", "no")
            messages = self._messages(response)
            next(messages)
            yield (message for message in messages if message)

    def until(self, events: Iterator[dict[str, Any]], told: str) -> None:
        """Read on until one has heard of a notice."""
        while not any(event["data"].get("id") == told for event in self.events):
            next(events)

    def _messages(self, response: httpx.Response) -> Iterator[dict[str, Any]]:
        parser = sse.Parser()
        for chunk in response.iter_raw():
            for fields in parser.feed(chunk):
                if b"id" in fields:
                    self._last = {"Last-Event-ID": fields[b"id"].decode()}
                event = json.loads(fields[b"data"]) if b"data" in fields and b"event" not in fields else {}
                self.events += [event] if event else []
                yield event


def notice(client: httpx.Client, title: str) -> str:
    answer = client.post("qpi/v1/notices", json={"title": title})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def linked(events: list[dict[str, Any]]) -> bool:
    return all(after["prev"] == before["seq"] for before, after in pairwise(events))


def test_whatever_breaks_off_nothing_is_lost(tmp_path: Path) -> None:
    """The connection, then the server, then the server through which one follows."""
    said: list[str] = []
    with lab_server(tmp_path / "a", *DEMO) as first, Proxy(urlsplit(first.url).port or 0) as proxy:
        near = httpx.Client(base_url=proxy.url, headers=first.client().headers, timeout=70, trust_env=False)
        first.clients.append(near)
        follower = Follower(near)
        with follower.open() as events:
            said.append(notice(first.client(), "one"))
            follower.until(events, said[0])
            proxy.cut()
            with pytest.raises(httpx.TransportError):
                list(events)
        proxy.mend()
        said.append(notice(first.client(), "two"))
        with follower.open() as events:
            follower.until(events, said[1])
            said.append(notice(first.client(), "three"))
            first.kill()
            with pytest.raises(httpx.TransportError):
                list(events)
    with lab_server(tmp_path / "b", *DEMO, lab_dir=first.lab_dir) as second:
        with lab_server(tmp_path / "c", lab_dir=first.lab_dir) as forwarder:
            follower.client = forwarder.client()
            with follower.open() as events:
                follower.until(events, said[2])
                said.append(notice(second.client(), "four"))
                follower.until(events, said[3])
        everything = second.client().get("qpi/v1/events", params={"limit": 2000}).json()["events"]
    begun = follower.events[0]["seq"]
    assert follower.events == [event for event in everything if begun <= event["seq"] <= follower.events[-1]["seq"]]
    assert linked(follower.events)


def test_one_hears_what_one_may_see_until_one_may_not(tmp_path: Path) -> None:
    with lab_server(tmp_path, *DEMO) as server:
        admin = server.client()
        admin.post("qpi/v1/users", json={"name": "ann", "password": "a long password"})
        token = admin.post("qpi/v1/sign-in", json={"name": "ann", "password": "a long password"}).json()["token"]
        ann = Follower(server.client(token))
        with ann.open() as events:
            admin.post("qpi/v1/groups", json={"name": "cats"})  # for managers
            heard = notice(admin, "for all")
            ann.until(events, heard)
            assert {event["kind"] for event in ann.events} == {"notice.changed"}
            assert admin.patch("qpi/v1/users/ann", json={"suspended": True}).status_code == 200
            assert [event["kind"] for event in events] == ["person.changed"]  # and it has ended
        for client in (server.client(token), server.client(None), server.client("qpi_of-nobody")):
            assert client.get("qpi/v1/events", headers=ACCEPT).status_code in (401, 403)
        for last in ("x", "-1", "1" * 19, "٣"):
            bad = {**ACCEPT, "Last-Event-ID": last.encode()}
            assert admin.get("qpi/v1/events", headers=bad).json()["error"]["code"] == "bad_request"
        everything = Follower(admin, "qpi/v1/events?after=0")
        with everything.open() as events:
            while next(events)["kind"] != "person.changed":
                pass
        assert everything.events[0]["prev"] == 0
        assert linked(everything.events)


def test_the_how_tos_own_code_follows(tmp_path: Path) -> None:
    code = HOW_TO.read_text().partition("```python\n")[2].partition("\n\n\nfor event")[0]
    page: dict[str, Any] = {}
    exec(code, page)
    with lab_server(tmp_path, *DEMO) as server, ThreadPoolExecutor(1) as pool:
        following = page["follow"](server.url, TOKEN)
        first, admin = pool.submit(next, following), server.client()
        while not first.done():  # it may not be open yet
            notice(admin, "one")
        last = notice(admin, "two")
        events = [first.result()]
        while events[-1]["data"].get("id") != last:
            events.append(next(following))
        following.close()
        assert linked(events)


class Pushing(EmptyLab):
    """A lab whose stream sends what there is room for."""

    class events:
        @staticmethod
        async def stream(_person: Any, out: Any, *, after: int | None) -> None:
            await out.send(sse.message(of=1))
            pieces = 0
            while out.push(b"." * (64 << 10)):
                pieces += 1
            await out.send(b"%d pieces" % pieces)


def test_a_reader_who_is_too_slow_is_cut_off_with_a_word() -> None:
    async def dialogue(client: httpx.AsyncClient) -> bytes:
        headers = {**ACCEPT, "Authorization": "Bearer qpi_user"}
        async with client.stream("GET", "qpi/v1/events", headers=headers) as answer:
            return b"".join([chunk async for chunk in answer.aiter_raw()])

    *pieces, word = talk(Pushing(), dialogue).replace(b"id:1\n\n", b"").rpartition(b".")
    assert int(word.removesuffix(b" pieces")) * (64 << 10) == len(b"".join(pieces))
    assert len(b"".join(pieces)) >= answers.MAX_BEHIND_BYTES - (64 << 10)


def test_a_reader_who_stops_reading_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "UNREAD_S", 0.05)

    async def dialogue() -> None:
        async with serving(Pushing()) as url:
            place = urlsplit(url)
            reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1 << 10)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 10)
            writer.write(b"GET /qpi/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer qpi_user\r\n")
            writer.write(b"Accept: text/event-stream\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.wait_for(hung_up.wait(), 20)
            writer.close()

    hung_up = asyncio.Event()
    send = answers.AnswerOut.send

    async def noted(out: answers.AnswerOut, chunk: bytes) -> None:
        try:
            await send(out, chunk)
        except answers.StreamClosedError:
            hung_up.set()
            raise

    monkeypatch.setattr(answers.AnswerOut, "send", noted)
    asyncio.run(dialogue())


def test_one_person_holds_so_many_streams_open(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _), AsyncExitStack() as stack:
            lab.waits = Turns("waiting for news", places=10, each=2, waiting=0)
            monkey: Any = lab.authenticator
            monkey.authenticate = lambda token: asyncio.sleep(0, TOKENS[token])
            url = await stack.enter_async_context(serving(lab))
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False, verify=False))
            headers = {**ACCEPT, "Authorization": "Bearer qpi_user"}
            chunks = []
            for _ in range(2):
                open_one = client.stream("GET", "qpi/v1/events?newest=true", headers=headers)
                answer = await stack.enter_async_context(open_one)
                chunks.append(answer.aiter_raw())
                assert await anext(chunks[-1]) == b"id:%d\n\n" % (await lab.events.newest()).cursor
            refused = await client.get("qpi/v1/events", headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_at_once")
            lab.events.close()
            assert [[chunk async for chunk in rest] for rest in chunks] == [
                [b'event:end\ndata:{"code":"closing"}\n\n']
            ] * 2

    asyncio.run(dialogue())


class Bus:
    """Jupyter's event bus, and what is on it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def register_event_schema(self, _schema: Any) -> None: ...

    def emit(self, *, schema_id: str, data: dict[str, Any]) -> None:
        self.events.append(data)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Let the others go on."""
        async with asyncio.timeout(20):
            while not reached():
                await asyncio.sleep(0)


class Targets:
    """Where the lab is, by turns."""

    now: Any = None
    chosen: Any = None

    async def target(self, *, after: Any = None) -> Any:
        while self.now is None:
            await asyncio.sleep(0)
        return self.now


@asynccontextmanager
async def relayed(bus: Bus, targets: Targets) -> AsyncIterator[None]:
    relay = asyncio.create_task(EventRelay(bus, targets).run())  # type: ignore[arg-type]
    try:
        yield
    finally:
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)


async def heard(bus: Bus, lab: Lab, count: int) -> None:
    """Write until so many events are on the bus."""
    while len(bus.events) < count:
        await lab.context.db.write(online)
        await asyncio.sleep(0)


async def whole(bus: Bus, lab: Lab) -> None:
    """Everything since the first is on the bus, once."""
    last = (await lab.events.newest()).cursor
    await bus.until(lambda: bus.events[-1]["seq"] == last)
    assert [event["seq"] for event in bus.events] == list(range(bus.events[0]["seq"], last + 1))
    assert linked(bus.events)


def test_jupyters_bus_misses_nothing_of_a_lab_whose_connection_breaks(tmp_path: Path) -> None:
    async def dialogue() -> None:
        bus, targets = Bus(), Targets()
        async with small_lab(tmp_path) as (lab, _), serving(lab) as url:
            with Proxy(urlsplit(url).port or 0) as proxy:
                targets.now = Upstream(proxy.url, SECRET)
                async with relayed(bus, targets):
                    for count in range(1, 4):
                        await heard(bus, lab, count)
                        proxy.cut()
                        for _ in range(3):
                            await lab.context.db.write(online)
                        proxy.mend()
                    await whole(bus, lab)
                targets.now.close()

    asyncio.run(dialogue())


def test_jupyters_bus_misses_nothing_while_the_lab_moves(tmp_path: Path) -> None:
    """From this process to another one's, and back."""

    async def dialogue() -> None:
        bus, targets = Bus(), Targets()
        async with relayed(bus, targets):
            for count, elsewhere in ((1, False), (10, True), (20, False)):
                async with open_lab(tmp_path) as lab, serving(lab) as url:
                    for _ in range(3):
                        await lab.context.db.write(online)
                    upstream = Upstream(url, SECRET)
                    targets.now = upstream if elsewhere else lab
                    await heard(bus, lab, count)
                    await whole(bus, lab)
                    targets.now = None
                    upstream.close()
                    lab.events.close()

    asyncio.run(dialogue())
