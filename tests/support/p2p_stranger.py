"""A peer that does not keep to the rules; it runs in the environment of libp2p, and says how each misdeed ended.

python p2p_stranger.py MULTIADDR PROTOCOL TOPIC TOKEN
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio
from libp2p import generate_new_ed25519_identity, new_host
from libp2p.crypto.x25519 import create_new_key_pair
from libp2p.host.exceptions import StreamFailure
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.gossipsub import PROTOCOL_ID as GOSSIPSUB
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.security.noise.transport import PROTOCOL_ID, Transport
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

sys.path.insert(0, str(Path(__file__).parents[2] / "server_extension/qpi_server/bus/p2p"))
from pipe import ON_STREAM, Kind  # type: ignore[import-not-found]

ADDRESS, PROTOCOL, TOPIC, TOKEN = sys.argv[1:]
PUBSUB: dict[Any, Pubsub] = {}
Deed = Callable[[Any, Any], Awaitable[str]]


def frame(kind: int, body: bytes) -> bytes:
    return bytes(ON_STREAM.pack(kind, len(body)) + body)


def said(**envelope: Any) -> bytes:
    return frame(Kind.DATA, json.dumps(envelope).encode())


async def read(stream: Any) -> tuple[int, bytes]:
    """The next frame; raises whatever libp2p does at the end of a stream."""

    async def exactly(size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            if not (part := await stream.read(size - len(parts))):
                raise EOFError
            parts += part
        return parts

    kind, size = ON_STREAM.unpack(await exactly(ON_STREAM.size))
    return kind, await exactly(size)


async def end(stream: Any) -> str:
    """How it ends."""
    while True:
        try:
            kind, body = await read(stream)
        except Exception:
            return "ended"
        if kind == Kind.BYE:
            return f"bye: {body.decode()}"


async def signed_in(host: Any, peer: Any) -> Any:
    stream = await host.new_stream(peer, [PROTOCOL])
    await stream.write(frame(Kind.DATA, json.dumps({"token": TOKEN}).encode()))
    _, answer = await read(stream)
    assert json.loads(answer)["address"], answer
    return stream


async def garbage(host: Any, peer: Any) -> str:
    stream = await host.new_stream(peer, [PROTOCOL])
    await stream.write(bytes(range(256)) * 8)
    return await end(stream)


async def no_json(host: Any, peer: Any) -> str:
    stream = await host.new_stream(peer, [PROTOCOL])
    await stream.write(frame(Kind.DATA, b"{" * 1000))
    return await end(stream)


async def a_huge_frame(host: Any, peer: Any) -> str:
    stream = await host.new_stream(peer, [PROTOCOL])
    await stream.write(ON_STREAM.pack(Kind.DATA, 2**32 - 1))
    return await end(stream)


async def a_long_token(host: Any, peer: Any) -> str:
    stream = await host.new_stream(peer, [PROTOCOL])
    await stream.write(frame(Kind.DATA, b"x" * 5000))
    return await end(stream)


async def no_token(host: Any, peer: Any) -> str:
    stream = await host.new_stream(peer, [PROTOCOL])
    await stream.write(frame(Kind.DATA, b'{"token": "guessed"}'))
    return await end(stream)


async def silence(host: Any, peer: Any) -> str:
    return await end(await host.new_stream(peer, [PROTOCOL]))


async def no_stream(host: Any, peer: Any) -> str:
    (connection,) = host.get_network().get_connections(peer)
    await connection.muxed_conn.event_closed.wait()
    return "ended"


async def many_streams(host: Any, peer: Any) -> str:
    stream = await signed_in(host, peer)
    ends = []
    for _ in range(20):
        try:
            ends.append(await end(await host.new_stream(peer, [PROTOCOL])))
        except StreamFailure:  # it was ended while it was being opened
            ends.append("ended")
    await stream.write(said(op="req", id=1, subject="lab.echo", data={"text": "one is enough"}))
    answer = json.loads((await read(stream))[1])["data"]["text"]
    return f"{set(ends)}, {answer}"


async def anothers_name(host: Any, peer: Any) -> str:
    stream = await signed_in(host, peer)
    await stream.write(said(op="pub", subject="lab.say", data={"text": "forged"}, sender="d1:1", address="d1:1"))
    await stream.write(said(op="req", id=1, subject="qpu.d1:1.echo", data={"text": "x"}, sender="lab"))
    return str(json.loads((await read(stream))[1])["error"]["code"])


async def nonsense_when_signed_in(host: Any, peer: Any) -> str:
    stream = await signed_in(host, peer)
    await stream.write(frame(Kind.DATA, b"\xff\xfe"))
    return await end(stream)


async def a_huge_frame_when_signed_in(host: Any, peer: Any) -> str:
    stream = await signed_in(host, peer)
    await stream.write(ON_STREAM.pack(Kind.DATA, 1 << 20) + b"x" * 100_000)
    return await end(stream)


async def deaf(host: Any, peer: Any) -> str:
    """Asks for much and reads nothing of it, until the lab is tired of it."""
    stream = await signed_in(host, peer)
    for number in range(60):
        await stream.write(said(op="req", id=number, subject="lab.large", data={"text": ""}))
    (connection,) = host.get_network().get_connections(peer)
    await connection.muxed_conn.event_closed.wait()
    return "ended"


async def an_ad_of_nobody(host: Any, peer: Any) -> str:
    stream = await host.new_stream(peer, [PROTOCOL])
    for _ in range(4):
        await PUBSUB[host].publish(TOPIC, json.dumps({"instance": "d1:1", "data": {"qubits": 999}}).encode())
        await trio.sleep(0.1)
    return await end(stream)


async def nonsense_as_an_ad(host: Any, peer: Any) -> str:
    stream = await signed_in(host, peer)
    while True:  # until the subscription of the other side is known
        with trio.move_on_after(0.2):
            return await end(stream)
        await PUBSUB[host].publish(TOPIC, b"{")


async def plain_text(host: Any, peer: Any) -> str:
    raise AssertionError("no connection without encryption")


DEEDS: list[Deed] = [
    garbage, no_json, a_huge_frame, a_long_token, no_token, silence, no_stream, many_streams, anothers_name,
    nonsense_when_signed_in, a_huge_frame_when_signed_in, an_ad_of_nobody, nonsense_as_an_ad, deaf, plain_text,
]  # fmt: skip


async def do(deed: Deed) -> str:
    info = info_from_p2p_addr(Multiaddr(ADDRESS))
    keys = generate_new_ed25519_identity()
    security: dict[Any, Any] = {PROTOCOL_ID: Transport(keys, noise_privkey=create_new_key_pair().private_key)}
    if deed is plain_text:
        security = {PLAINTEXT_PROTOCOL_ID: InsecureTransport(keys)}
    host = new_host(key_pair=keys, sec_opt=security)
    PUBSUB[host] = Pubsub(host, GossipSub([GOSSIPSUB], degree=6, degree_low=4, degree_high=12))
    async with host.run([]), background_trio_service(PUBSUB[host]):
        try:
            with trio.fail_after(25):
                await host.connect(info)
                return await deed(host, info.peer_id)
        except Exception as error:
            return type(error).__name__


async def main() -> None:
    for deed in DEEDS:
        print(f"{deed.__name__}: {await do(deed)}", flush=True)


trio.run(main)
