"""Every field of every route, with values that nobody means: never the server's fault, always told in plain words."""

from __future__ import annotations

import asyncio
import contextlib
import html
import itertools
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import msgspec
import pytest

from qpi_server.web import PAGES, ROUTES
from qpi_server.web.table import Route
from tests.faults.lab import FrozenClock, small_lab
from tests.integration.test_web_roles import BODIES
from tests.support.full_lab import furnish
from tests.support.plain_text import library_words
from tests.support.walk import changed, encoded, fields_in, path_of, query_of
from tests.support.web import SECRET, serving

TEXTS = [
    "", " ", "\x00", "a\nb", "\u202e", "x" * 5_000, "../../etc/passwd", "'; DROP TABLE jobs; --", "\U0001f4a5", "1e400",
    "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", "2030-02-30T00:00:00Z", "2030-01-01T00:00:00", "group:", "nan",
    "-inf", "-1", "-0", "99999999999999999999", "9223372036854775808", "0x10", "\u0661", "a/b", "%", "%00", "*",
    "~", "1~x",
]  # fmt: skip
VALUES: list[Any] = [
    *TEXTS, None, True, 0, -1, 2**63, -(2**63) - 1, 10**30, 1.5, 1e308, -0.0, [], {}, [[]], {"a": 1}, [None],
    ["x"] * 50,
]  # fmt: skip
RAW = [
    b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff\xfe", b'{"a": 1e400}', b'{"name": "\\ud800"}', b'{"a": NaN}',
    b"{'a': 1}",
    b"[" * 100_000, b'{"a":' * 20_000, b"\x00" * 10, b'{"\\u0000": 1}',
    b'{"program": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
]  # fmt: skip
STREAMS = "/qpi/api/realtime"
Ask = Callable[[str, str, bytes | None], Awaitable[int]]
TURN = itertools.count()
EVERY = pytest.mark.parametrize("step", [23, pytest.param(1, marks=pytest.mark.slow)])
"""Each so-manieth value of a field; over all fields every value has its turn."""


def body_of(route: Route) -> Any:
    """A good body of the route, about things that there are."""
    assert route.body is not None
    body = json.loads(json.dumps(BODIES[route.body.__name__]))
    return {name: "q1" if name in ("qpu", "qpu_target") else value for name, value in body.items()}


@asynccontextmanager
async def asking(folder: Path, found: list[str]) -> AsyncIterator[tuple[Ask, dict[str, str]]]:
    """Asks a lab with one of everything as its owner; what is wrong with the answers is noted."""
    async with small_lab(folder, clock=FrozenClock()) as (lab, driver):
        names = await furnish(lab, driver)
        async with serving(lab) as url:
            headers = {"Authorization": f"Bearer {SECRET}"}
            async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False) as client:

                async def ask(method: str, address: str, content: bytes | None = None) -> int:
                    answer = await client.request(method, address, content=content)
                    where = f"{method} {address[:150]} {(content or b'')[:150]!r}"
                    if answer.status_code >= 500 and answer.status_code != 503:
                        found.append(f"{where}: {answer.status_code} {answer.text[:300]}")
                    elif answer.status_code >= 400:
                        message = said_by(answer)
                        found.extend(f"{where}: {message[:200]!r} has {what}" for what in library_words(message))
                    return answer.status_code

                yield ask, names


def said_by(answer: httpx.Response) -> str:
    """What a refusal says, on whichever surface."""
    if answer.headers["Content-Type"].startswith("text/html"):
        return html.unescape(re.findall(r'role="alert">(.*?)</p>', answer.text, re.DOTALL)[0])
    said = answer.json()
    if "error_description" in said:
        return str(said["error_description"])
    error = said["error"] if isinstance(said.get("error"), dict) else said
    return str(next(error[name] for name in ("detail", "message", "errorMessage") if name in error))


def sent(route: Route, body: Any) -> bytes:
    """A body as its route takes it."""
    return urlencode(body, errors="replace").encode() if route.form else encoded(body)


def some(values: list[Any], step: int) -> Iterator[Any]:
    """Each ``step``-th of the values, begun at another one each time."""
    begin = next(TURN) % step
    return iter(values[begin::step])


def in_walk(folder: Path, walk: Callable[[Ask, dict[str, str]], Awaitable[None]]) -> None:
    found: list[str] = []

    async def run() -> None:
        async with asking(folder, found) as (ask, names):
            await walk(ask, names)

    asyncio.run(run())
    assert not found, f"{len(found)} answers, such as:\n" + "\n".join(found[:30])


@EVERY
def test_no_value_in_a_path_or_a_query_breaks_the_server(tmp_path: Path, step: int) -> None:
    async def walk(ask: Ask, names: dict[str, str]) -> None:
        for route in [*ROUTES, *PAGES]:
            if route.path == STREAMS or route.path == "/qpi/owner":
                continue
            content = sent(route, body_of(route)) if route.body is not None else None
            if "{" in route.path:
                for text in some(TEXTS, step):
                    odd = dict.fromkeys(names, text) | {"feed_secret": quote(text, safe="") or "x"}
                    await ask(route.method, path_of(route, odd), content)
            for kind in (route.query,) if route.query is not None and route.method == "GET" else ():
                for field in msgspec.structs.fields(kind):
                    for text in some(TEXTS, step):
                        query = {**query_of(route), field.encode_name: text}
                        asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
                        await ask(route.method, f"{path_of(route, names)}?{asked}", content)

    in_walk(tmp_path, walk)


@EVERY
def test_no_value_in_a_body_breaks_the_server(tmp_path: Path, step: int) -> None:
    async def walk(ask: Ask, names: dict[str, str]) -> None:
        for route in [*ROUTES, *PAGES]:
            if route.body is None:
                continue
            good = body_of(route)
            for path in fields_in(route.body):
                for value in some(VALUES, step):
                    await ask(route.method, path_of(route, names), sent(route, changed(good, path, value)))
            for raw in some(RAW, step):
                await ask(route.method, path_of(route, names), raw)

    in_walk(tmp_path, walk)


def raw_answer(url: str, request: bytes) -> bytes:
    """What the server answers to these bytes; nothing if it hangs up, or waits for more of them."""
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=1) as connection,
        contextlib.suppress(TimeoutError, ConnectionError),
    ):
        connection.sendall(request)
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer


TOKEN_LINE = f"Authorization: Bearer {SECRET}".encode()
HEADERS = [
    *(b"Content-Length: " + length for length in (b"abc", b"-1", b"1e3", b"", b"5, 6", b"+5", b"9" * 30, b"\xff",
                                                      b"0x10")),
    b"Transfer-Encoding: nonsense", b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"Content-Type: \x01\xff",
    b"Authorization: \xff\xfe", b"Idempotency-Key: \xff", b"Range: bytes=-", b"If-None-Match: \xff",
    b"X-Long: " + b"x" * 100_000,
    b"Expect: 200-nonsense", b"Cookie: _xsrf=\xff; a=b=c; =", b"X-API-Token: \xff", b"Host: ", b"Host: [",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Key: x\r\nConnection: Upgrade\r\nUpgrade: websocket",
]  # fmt: skip
ADDRESSES = [
    b"/qpi/v1/jobs/%zz", b"/qpi/v1/jobs/%", b"/qpi/v1/jobs/%ff%fe", b"/qpi/v1/jobs/%00", b"/qpi/v1/jobs/\xff\xfe",
    b"/qpi/v1/jobs?limit=%ff", b"/qpi/v1/jobs?limit=%zz", b"/qpi/v1/jobs?%ff=1",
    b"/qpi/v1/jobs?" + b"a" * 20_000,
    b"/qpi/v1/jobs?&&&==",
    b"/qpi/v1/jobs/../../etc/passwd", b"/qpi/v1//jobs", b"/qpi/v1/jobs;x",
    b"http://elsewhere/qpi/v1/jobs", b"*", b"qpi",
    b"/qpi/api/collections/quantum_jobs/records?filter=%ff", b"/qpi/v1/jobs?limit=1&limit=2", b"/qpi/v1/link",
]  # fmt: skip


def test_no_header_and_no_address_breaks_the_server(tmp_path: Path) -> None:
    async def walk() -> list[str]:
        found, answered = [], 0
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, _driver), serving(lab) as url:
            requests = [
                *(b"POST /qpi/v1/tokens HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n%s\r\n\r\n{}" % pair
                  for header in HEADERS for pair in ((TOKEN_LINE, header), (b"X-A: b", header))),
                *(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n\r\n" % (address, line)
                  for address in ADDRESSES for line in (TOKEN_LINE, b"X-A: b")),
            ]  # fmt: skip
            for request in requests:
                answer = await asyncio.to_thread(raw_answer, url, request)
                answered += bool(answer)
                if answer.startswith(b"HTTP/1.1 5"):
                    found.append(f"{request[:150]!r}: {answer[:400]!r}")
        assert answered > len(requests) - 10
        return found

    assert asyncio.run(walk()) == []
