"""Who may open a stream of QPI's surface, and who has to make room."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Rejected, TooLarge, TooMany, Unavailable
from qpi_server.web.compat.qpi import realtime, streams
from qpi_server.web.compat.qpi.streams import END, Client, add_client, sign_in


def person(called: str) -> Principal:
    return Principal(name=called, roles=frozenset({Role.USER}))


def ended(client: Client) -> bool:
    return not client.behind.empty() and client.behind.get_nowait() == END


def test_an_address_has_so_many_that_nobody_has_signed_in_for_and_none_keeps_the_next_one_out() -> None:
    clients: dict[str, Client] = {}
    first = [add_client(clients, "10.0.0.1") for _ in range(streams.MAX_NAMELESS_PER_ADDRESS)]
    sign_in(clients, first[0], person("ann"))
    other = add_client(clients, "10.0.0.2")
    add_client(clients, "10.0.0.1")
    assert not any(ended(client) for client in [*first, other])
    newest = add_client(clients, "10.0.0.1")
    assert [client for client in first if ended(client)] == first[1:2]
    sign_in(clients, newest, person("bob"))
    assert not ended(other)


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), ("::ffff:10.0.0.1", "::ffff:10.0.0.1"), ("unix:", "unix:"),
    ],
)  # fmt: skip
def test_a_subscribers_many_addresses_are_one(address: str, same: str) -> None:
    assert streams.network(address) == streams.network(same)
    assert streams.network("2001:db8:1:3::1") != streams.network("2001:db8:1:2::1")


def test_the_largest_crowd_makes_room_and_who_has_signed_in_stays() -> None:
    clients: dict[str, Client] = {}
    own = add_client(clients, "10.1.1.1")
    sign_in(clients, own, person("ann"))
    few = add_client(clients, "10.9.9.9")
    crowd = [
        add_client(clients, f"10.0.{number // streams.MAX_NAMELESS_PER_ADDRESS}.1")
        for number in range(streams.MAX_NAMELESS - 1)
    ]
    for _ in range(3):
        add_client(clients, "10.8.8.8")
    assert [client for client in crowd if ended(client)] == crowd[:1] + crowd[50:51] + crowd[100:101]
    assert not ended(few)
    assert not ended(own)
    assert len(clients) == streams.MAX_NAMELESS + 1


def test_people_have_so_many_and_all_of_them_together_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_STREAMS", streams.MAX_PER_PERSON + 1)
    clients: dict[str, Client] = {}
    for _ in range(streams.MAX_PER_PERSON):
        sign_in(clients, add_client(clients, "10.0.0.1"), person("ann"))
    last = add_client(clients, "10.0.0.1")
    with pytest.raises(TooMany):
        sign_in(clients, last, person("ann"))
    newer = add_client(clients, "10.0.0.2")
    assert ended(last)
    sign_in(clients, newer, person("bob"))
    with pytest.raises(Unavailable):
        add_client(clients, "10.0.0.3")


def test_a_stream_that_hears_nothing_ends_and_one_that_is_left_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "PING_S", 0.0)

    async def run() -> None:
        clients: dict[str, Client] = {}
        nameless, idle, heard = (add_client(clients, "10.0.0.1") for _ in range(3))
        sign_in(clients, idle, person("ann"))
        sign_in(clients, heard, person("ann"))
        nameless.topics = heard.topics = {"qpus/*": "qpus/*"}
        for client in (nameless, idle):
            chunks = [chunk async for chunk in realtime.stream_of(clients, client)]
            assert len(chunks) == 1
            assert b"PB_CONNECT" in chunks[0]
        stream = realtime.stream_of(clients, heard)
        assert [await anext(stream) for _ in range(3)][1:] == [b":\n\n"] * 2
        assert [*clients.values()] == [heard]
        await stream.aclose()  # what the handler does when its asker goes
        assert not clients

    asyncio.run(run())


@pytest.mark.parametrize(
    ("topic", "plain"),
    [
        ("qpus/*", "qpus/*"),
        ("qpus/q1?options=%7B%22headers%22%3A%7B%22a%22%3A%22b%22%7D%7D", "qpus/q1"),
        ("a?b=1", "a"),
    ],
)
def test_options_that_mean_nothing_are_read_over(topic: str, plain: str) -> None:
    assert realtime.plain_topic(topic) == plain


@pytest.mark.parametrize("option", ["filter", "expand", "fields", "nosuch"])
def test_options_that_would_mean_something_are_refused_by_name(option: str) -> None:
    options = quote(json.dumps({"query": {option: "x"}}))
    with pytest.raises(Rejected, match=option):
        realtime.plain_topic(f"qpus/*?options={options}")
    with pytest.raises(Rejected):
        realtime.plain_topic("qpus/*?options={")


def test_a_stream_remembers_so_much() -> None:
    realtime.require_few_topics(["x" * 100] * 1000, named=True)
    for topics, named in ((["x" * 2500] * 1000, True), (["x" * 100] * 1000, False)):
        with pytest.raises(TooLarge):
            realtime.require_few_topics(topics, named=named)
