"""A libp2p peer, as a program: links on one side, frames on standard input and output on the other.

It runs by its path, in any environment that has libp2p, and ends when its standard input does.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import resource
import socket
import stat
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import trio
from libp2p import generate_new_ed25519_identity, new_host
from libp2p.crypto.ed25519 import Ed25519PrivateKey
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as new_noise_key
from libp2p.io.trio import TrioTCPStream
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.gossipsub import PROTOCOL_ID as GOSSIPSUB
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

if TYPE_CHECKING:
    from qpi_server.bus.p2p.pipe import ON_PIPE, ON_STREAM, Kind
else:
    from pipe import ON_PIPE, ON_STREAM, Kind

log = logging.getLogger("p2p")
READ_BYTES = 65_000
"""A stream gives no more at a time."""
CLOSING_S = 1.0
SOON, SOON_S, BEAT_S = 8, 0.25, 20.0
MOST_REASON = 1_000
SILENT_S = 20
MOST_MEMORY = 1 << 30
"""libp2p puts no limit on what a stranger makes it keep; a peer that ends is started again."""


class Refused(Exception):
    """This peer cannot start: why, by a code and in words."""


class Full(Exception):
    """The other end of a link sends, or leaves, too much."""


async def exactly(read: Callable[[int], Any], size: int) -> bytes:
    """So many bytes; raises EOFError where there are fewer."""
    parts = bytearray()
    while len(parts) < size:
        if not (chunk := await read(min(size - len(parts), READ_BYTES))):
            raise EOFError
        parts += chunk
    return bytes(parts)


class Pipe:
    """The process that started this one."""

    def __init__(self, reads: int, writes: int) -> None:
        self._in, self._out = trio.lowlevel.FdStream(reads), trio.lowlevel.FdStream(writes)
        self._writing = trio.Lock()

    async def send(self, kind: Kind, link: int = 0, body: bytes = b"") -> None:
        async with self._writing:
            await self._out.send_all(ON_PIPE.pack(kind, link, len(body)) + body)

    async def frames(self) -> AsyncIterator[tuple[Kind, int, bytes]]:
        """What it says, until it ends."""
        try:
            while True:
                kind, link, size = ON_PIPE.unpack(await exactly(self._in.receive_some, ON_PIPE.size))
                yield Kind(kind), link, await exactly(self._in.receive_some, size)
        except EOFError:
            return


class Link:
    """A stream between the lab and a driver, at either end.

    What waits to be sent is bounded, and what comes is read as far as the process behind the pipe has given credit.
    """

    def __init__(
        self, number: int, stream: Any, settings: dict[str, Any], signed_in: trio.Event, *, credit: int
    ) -> None:
        self.number, self._stream, self._settings, self.signed_in = number, stream, settings, signed_in
        self._credit = trio.Semaphore(credit)
        self._expected = {Kind.DATA, Kind.BYE} | ({Kind.HEARD} if settings["dial"] else set())
        self._out, self._outbox = trio.open_memory_channel[tuple[Kind, bytes]](math.inf)
        self._waiting = 0
        self._scope = trio.CancelScope()
        self._reason = b""
        self.telling = False
        """Whether the lab has yet to take what this driver advertised last."""
        self.ended = trio.Event()

    def send(self, kind: Kind, body: bytes) -> None:
        """Let it go out after what was sent before."""
        self._waiting += len(body)
        if self._waiting > self._settings["waiting_bytes"]:
            self._end(b"it does not read what it is sent")
        self._out.send_nowait((kind, body))
        if kind is Kind.BYE:
            self._scope.deadline = trio.current_time() + CLOSING_S

    def give(self, frames: int) -> None:
        """So many more can be taken."""
        self.signed_in.set()
        for _ in range(frames):
            self._credit.release()

    async def run(self, pipe: Pipe) -> bytes:
        """Carry frames until the link ends; why it did, if anybody said so."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._read, pipe)
        except* Full as errors:
            self._reason = str(errors.exceptions[0]).encode()
        except* Exception as errors:  # an exception that left a stream's handler would end its whole connection
            log.debug("link %d: %r", self.number, errors)
        finally:
            with trio.move_on_after(CLOSING_S, shield=True):
                await self._close()
            self.ended.set()
        return self._reason

    async def _close(self) -> None:
        try:
            await self._stream.close()  # not reset, which would overtake what it was told last
        except Exception as error:
            log.debug("closing link %d: %r", self.number, error)

    def _end(self, reason: bytes) -> None:
        self._reason = self._reason or reason
        self._scope.cancel()

    async def _write(self) -> None:
        async for kind, body in self._outbox:
            await self._stream.write(ON_STREAM.pack(kind, len(body)) + body)
            self._waiting -= len(body)
            if kind is Kind.BYE:
                self._end(b"")
                return

    async def _read(self, pipe: Pipe) -> None:
        while True:
            await self._credit.acquire()
            try:
                kind, size = ON_STREAM.unpack(await exactly(self._stream.read, ON_STREAM.size))
                most = self._settings["frame_bytes" if self.signed_in.is_set() else "sign_in_bytes"]
                if kind not in self._expected or size > most:
                    raise Full(f"a frame of kind {kind} and {size:,} bytes; the limit is {most:,}")
                body = await exactly(self._stream.read, size)
            except EOFError:
                return self._end(b"")
            if kind == Kind.BYE:
                return self._end(body[:MOST_REASON])
            if kind == Kind.HEARD:
                self._credit.release()
            await pipe.send(Kind(kind), self.number, body)


class Peer:
    """One libp2p host and its links."""

    def __init__(self, pipe: Pipe, settings: dict[str, Any]) -> None:
        self.pipe, self.settings = pipe, settings
        self.links: dict[int, Link] = {}
        self.numbers = count(1)
        self.says = trio.CancelScope()
        most = settings["guests"] + settings["strangers"]
        self.keys = kept_keys(Path(settings["key"])) if settings["key"] else generate_new_ed25519_identity()
        noise = Noise(self.keys, noise_privkey=new_noise_key().private_key)
        self.host = new_host(
            key_pair=self.keys,
            sec_opt={NOISE: noise},  # the default ones let the other side choose plain text
            # Who has come stays: by default connections beyond a mark are closed to make room, whoever's they are.
            connection_config=ConnectionConfig(
                max_connections=most, high_watermark=most, min_connections=0, low_watermark=0,
                inbound_upgrade_timeout=settings["sign_in_s"], dial_timeout=settings["sign_in_s"],
            ),
            disable_identify_address_discovery=True,
        )  # fmt: skip
        self.host.get_network().retry_config = RetryConfig(max_retries=0)
        router = GossipSub([GOSSIPSUB], degree=6, degree_low=4, degree_high=12)
        self.pubsub = Pubsub(self.host, router, max_inbound_rpc_size=2 * settings["ad_bytes"])
        """Signed: who said something is who it says it is."""

    async def say(self, body: bytes, scope: trio.CancelScope) -> None:
        """Publish it: a few times at once, for the lab's subscription is learned meanwhile, and then with each beat."""
        with scope:
            for time in count():
                await self.pubsub.publish(self.settings["topic"], body)
                await trio.sleep(SOON_S if time < SOON else BEAT_S)

    async def listen_to_the_pipe(self, nursery: trio.Nursery) -> None:
        """Do what the process says, until it ends."""
        async for kind, number, body in self.pipe.frames():
            if (link := self.links.get(number)) is None:
                continue
            if kind is Kind.CREDIT:
                link.give(int.from_bytes(body))
            elif kind is Kind.SAY:
                self.says.cancel()
                self.says = trio.CancelScope()
                nursery.start_soon(self.say, body, self.says)
            else:
                link.telling = False
                link.send(kind, body)
        links = list(self.links.values())
        with trio.move_on_after(CLOSING_S):
            for link in links:
                link.send(Kind.BYE, b"")
            for link in links:
                await link.ended.wait()
        os._exit(0)

    async def ready(self, addresses: list[str]) -> None:
        told = {"peer_id": str(self.host.get_id()), "addresses": addresses}
        await self.pipe.send(Kind.READY, 0, json.dumps(told).encode())

    async def carry(self, link: Link, peer_id: str) -> None:
        """Say that it is there, carry its frames, and say that it has ended."""
        self.links[link.number] = link
        try:
            await self.pipe.send(Kind.OPENED, link.number, peer_id.encode())
            reason = await link.run(self.pipe)
        finally:
            del self.links[link.number]
        await self.pipe.send(Kind.CLOSED, link.number, reason)


class Dialling(Peer):
    """A driver's peer, with one link."""

    async def run(self) -> None:
        try:
            info = info_from_p2p_addr(Multiaddr(self.settings["dial"]))
        except Exception as error:
            raise Refused("bad_bus_address", f"{self.settings['dial']} is not a multiaddr with a peer id") from error
        async with self.host.run([]), background_trio_service(self.pubsub):
            try:
                with trio.fail_after(self.settings["sign_in_s"]):
                    await self.host.connect(info)
                    stream = await self.host.new_stream(info.peer_id, [self.settings["protocol"]])
            except Exception as error:
                raise Refused("no_lab", f"no lab answers at {self.settings['dial']}") from error
            await self.ready([])
            link = Link(next(self.numbers), stream, self.settings, trio.Event(), credit=0)
            await self.carry(link, str(info.peer_id))


class Listening(Peer):
    """A lab's peer.

    It accepts its connections itself: libp2p's own listener shares its port with whoever else asks for it, and counts
    connections that have long ended.
    """

    def __init__(self, pipe: Pipe, settings: dict[str, Any]) -> None:
        super().__init__(pipe, settings)
        self.strangers = 0
        self.signed_in: dict[str, trio.Event] = {}
        """Of those that are connected."""
        self.by_peer: dict[str, Link] = {}

    async def run(self) -> None:
        wanted = Multiaddr(self.settings["listen"])
        sock = await bound(wanted)
        self.host.set_stream_handler(self.settings["protocol"], self.handle)
        async with self.host.run([]), background_trio_service(self.pubsub), trio.open_nursery() as nursery:
            nursery.start_soon(self.hear, await self.pubsub.subscribe(self.settings["topic"]))
            await self.ready(reached_at(wanted, sock.getsockname()[1], str(self.host.get_id())))
            while True:
                try:
                    accepted, _ = await sock.accept()
                except OSError as error:  # out of descriptors, or it went before it was let in
                    log.warning("accepting: %s", error)
                    await trio.sleep(0.1)
                    continue
                if self.strangers < self.settings["strangers"]:
                    nursery.start_soon(self.receive, trio.SocketStream(accepted), wanted)
                else:
                    accepted.close()

    async def receive(self, stream: trio.SocketStream, wanted: Multiaddr) -> None:
        """Give a connection the time to sign in, or close it."""
        self.strangers += 1
        try:
            alive(stream.socket)
            with trio.fail_after(self.settings["sign_in_s"]):
                connection = await self.host.upgrade_inbound_connection(
                    RawConnection(TrioTCPStream(stream), False), wanted
                )
                await either(self.event(str(connection.peer_id)), connection.event_closed)
        except Exception as error:
            log.debug("a connection: %r", error)
            await trio.aclose_forcefully(stream)
        finally:
            self.strangers -= 1

    async def hear(self, advertised: Any) -> None:
        """Pass on what drivers publish who have signed in, one at a time of each: it is said again."""
        while True:
            message = await advertised.get()
            link = self.by_peer.get(str(ID(message.from_id)))
            known = link is not None and link.signed_in.is_set() and not link.telling
            if link is not None and known and len(message.data) <= self.settings["ad_bytes"]:
                link.telling = True
                await self.pipe.send(Kind.HEARD, link.number, message.data)

    def event(self, peer_id: str) -> trio.Event:
        """Set when this peer has signed in."""
        return self.signed_in.setdefault(peer_id, trio.Event())

    async def handle(self, stream: Any) -> None:
        """A stream by which somebody asks to sign in. Nothing may leave this but a cancellation."""
        connection = stream.muxed_conn
        peer_id = str(connection.peer_id)
        try:
            if peer_id in self.by_peer or len(self.by_peer) >= self.settings["guests"]:
                await stream.reset()
                return
            link = Link(next(self.numbers), stream, self.settings, self.event(peer_id), credit=1)
            self.by_peer[peer_id] = link
            try:
                await self.carry(link, peer_id)
            finally:
                del self.by_peer[peer_id]
                self.signed_in.pop(peer_id, None)
                with trio.move_on_after(CLOSING_S):  # it hears why, and hangs up
                    await connection.event_closed.wait()
                with trio.move_on_after(CLOSING_S, shield=True):
                    await self.host.disconnect(connection.peer_id)
        except Exception as error:
            log.debug("a stream: %r", error)


async def either(*events: trio.Event) -> None:
    """Return when one of them is set."""
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        for each in events:
            nursery.start_soon(wait, each)


def alive(sock: trio.socket.SocketType) -> None:
    """Notice a machine that has silently gone."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * SILENT_S)


def kept_keys(path: Path) -> KeyPair:
    """The keys in the file; new ones where there is none."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            new = generate_new_ed25519_identity()
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(new.private_key.to_bytes())
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise Refused("bad_key_file", f"others can read {path}: chmod 600 it")
        private = Ed25519PrivateKey.from_bytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Refused("bad_key_file", f"{path} cannot be used as a key: {error}") from error
    return KeyPair(private, private.get_public_key())


async def bound(address: Multiaddr) -> trio.socket.SocketType:
    """A socket that listens there."""
    family = trio.socket.AF_INET6 if "/ip6/" in str(address) else trio.socket.AF_INET
    host, port = str(address).split("/")[2], int(str(address).split("/")[4])
    sock = trio.socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        await sock.bind((host, port))
        sock.listen(128)
    except OSError as error:
        code = "bus_taken" if error.errno == errno.EADDRINUSE else "no_bus"
        raise Refused(code, f"cannot listen at {address}: {error.strerror}") from error
    return sock


def reached_at(address: Multiaddr, port: int, peer_id: str) -> list[str]:
    """The addresses to dial; all of this machine's where it listens at all of them."""
    _, protocol, host, _, _ = str(address).split("/")[:5]
    hosts = [host]
    if host in ("0.0.0.0", "::"):
        family = socket.AF_INET6 if host == "::" else socket.AF_INET
        hosts = sorted({str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, family)})
    return [f"/{protocol}/{each}/tcp/{port}/p2p/{peer_id}" for each in hosts]


async def main(pipe: Pipe) -> None:
    """Be the peer that the first frame describes."""
    _, _, body = await anext(pipe.frames())
    settings = json.loads(body)
    try:
        peer = (Listening if settings["listen"] else Dialling)(pipe, settings)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.listen_to_the_pipe, nursery)
            await peer.run()
            nursery.cancel_scope.cancel()
    except* Refused as errors:
        error: BaseException = errors
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        code, message = error.args
        await pipe.send(Kind.FAILED, 0, json.dumps({"code": code, "message": message}).encode())


def _run() -> NoReturn:
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)  # any stranger can make it write a page of warnings
    writes = os.dup(1)
    os.dup2(2, 1)  # whatever is printed is no frame
    try:
        trio.run(main, Pipe(os.dup(0), writes))
    except* (trio.BrokenResourceError, KeyboardInterrupt):
        pass  # nobody is behind the pipe any more
    os._exit(0)


if __name__ == "__main__":
    _run()
