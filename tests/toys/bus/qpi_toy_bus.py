"""A package beside the product: ``toymail:///folder``, datagrams between Unix sockets in a folder.

There are no connections: whoever dies leaves a socket that nobody reads, and what does not fit into a queue is lost.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from qpi_jupyter.core import QpiError, Unavailable
from qpi_jupyter.wire.bus import (
    LAB,
    ME,
    QPU,
    Ad,
    Bus,
    Credential,
    Endpoint,
    Listener,
    Listeners,
    Message,
    SignIn,
    Stop,
    answer,
    checked,
    encode,
    guests_fault,
    may_hear,
    may_reach,
    to,
)
from qpi_jupyter.wire.frames import LAB_BYE, QPU_BYE, Bye

MOST_BYTES = 1 << 17
"""What is longer lies in a file of the folder, and the letter says where: no system sends datagrams of any size."""
TRIES, PAUSE_S = 200, 0.002
LAB_SOCKET = "lab.sock"


class Letter(Struct, omit_defaults=True):
    op: Literal["in", "ad", "out", "req", "res", "pub"]
    id: int = 0
    subject: str = ""
    data: Raw = Raw(b"null")
    error: dict[str, Any] | None = None


_read, _written = msgspec.json.Decoder(Letter).decode, msgspec.json.encode


class Mailbox:
    """A socket in the folder; `get` is told of each letter and of the socket that it came from."""

    def __init__(self, path: Path) -> None:
        self.path, self._ids = path, itertools.count(1)
        self._open: dict[int, asyncio.Future[Raw]] = {}
        self._told: asyncio.Queue[tuple[str, Message]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.listeners, self.closed = Listeners(), False
        self._posting = asyncio.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_BYTES)
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        asyncio.get_running_loop().add_reader(self._socket, self._readable)
        self._start(self._hear())

    async def post(self, path: str, letter: Letter) -> None:
        """Put it into the other's box; raises OSError where nobody has that box any more."""
        async with self._posting:  # in order
            for _ in range(TRIES):
                if self.closed:
                    raise Unavailable("This end is closed.", code="link_closed")
                try:
                    self._socket.sendto(self._short(_written(letter)), path)
                    return
                except BlockingIOError:
                    await asyncio.sleep(PAUSE_S)
            # Its box is full: lost.

    def _short(self, written: bytes) -> bytes:
        if len(written) <= MOST_BYTES:
            return written
        parcel = self.path.with_name(f"{secrets.token_hex(8)}.parcel")
        parcel.write_bytes(written)
        return b"@" + str(parcel).encode()

    async def ask(self, path: str, letter: Letter, timeout_s: float) -> Raw:
        letter.id = next(self._ids)
        future = self._open[letter.id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    await self.post(path, letter)
                except OSError as error:
                    self.lost(path)
                    raise Unavailable(f"Nobody is at {path}.", code="no_responder") from error
                return await future
        except TimeoutError as error:
            raise Unavailable(f"No answer to {letter.subject} within {timeout_s} s.", code="no_answer") from error
        finally:
            del self._open[letter.id]

    async def say(self, path: str, letter: Letter) -> None:
        try:
            await self.post(path, letter)
        except OSError:
            self.lost(path)

    def lost(self, path: str) -> None:
        """Nobody reads there any more."""

    def sender(self, path: str) -> str | None:
        """Whose letters these are; None: nobody's."""
        raise NotImplementedError

    def endpoint(self, subject: str) -> Endpoint | None:
        raise NotImplementedError

    def got(self, letter: Letter, path: str) -> None:
        """Any other letter."""

    def refusal(self, error: QpiError) -> QpiError:
        return error

    def local(self, subject: str) -> str:
        """The subject, as this end says it."""
        return subject

    def tell(self, path: str, message: Message) -> None:
        self._told.put_nowait((path, message))

    async def close(self) -> None:
        self.closed = True
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self.path.unlink(missing_ok=True)
        for future in self._open.values():
            if not future.done():
                future.set_exception(Unavailable("This end was closed.", code="link_closed"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _readable(self) -> None:
        with suppress(BlockingIOError):
            data, path = self._socket.recvfrom(MOST_BYTES)
            if data.startswith(b"@"):
                parcel = Path(data[1:].decode())
                data = parcel.read_bytes()
                parcel.unlink()
            with suppress(msgspec.MsgspecError):
                self._take(_read(data), str(path))

    def _take(self, letter: Letter, path: str) -> None:
        sender = self.sender(path)
        if letter.op == "in" or sender is None:
            self.got(letter, path)
        elif letter.op == "res":
            future = self._open.get(letter.id)
            if future is None or future.done():
                return
            if letter.error is None:
                future.set_result(letter.data)
            else:
                future.set_exception(self.refusal(QpiError.from_dict(letter.error)))
        elif letter.op == "req":
            self._start(self._serve(path, sender, letter))
        elif letter.op == "pub":
            self.tell(path, Message(self.local(letter.subject), sender, letter.data))
        else:
            self.got(letter, path)

    async def _hear(self) -> None:
        while True:
            _, message = await self._told.get()
            await self.listeners.tell(message)

    async def _serve(self, path: str, sender: str, letter: Letter) -> None:
        subject = self.local(letter.subject)
        try:
            if (endpoint := self.endpoint(subject)) is None:
                raise Unavailable(f"Nobody serves {subject}.", code="no_responder")
            said = Letter("res", id=letter.id, data=Raw(await answer(endpoint, Message(subject, sender, letter.data))))
        except QpiError as error:
            said = Letter("res", id=letter.id, error=error.to_dict())
        await self.say(path, said)


class LabEnd(Mailbox):
    """The lab's `Bus`."""

    def __init__(self, folder: Path, sign_in: SignIn) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder / LAB_SOCKET)
        self._sign_in, self._numbers = sign_in, itertools.count(1)
        self._guests: dict[str, tuple[str, dict[str, Any]]] = {}
        self._served: dict[tuple[str, str], tuple[dict[str, Endpoint], dict[str, Any]]] = {}

    async def serve(
        self, service: str, instance: str, endpoints: Mapping[str, Endpoint], ad: Mapping[str, Any]
    ) -> Stop:
        self._served[service, instance] = (dict(endpoints), dict(ad))

        async def stop() -> None:
            self._served.pop((service, instance), None)

        return stop

    async def request(self, subject: str, data: bytes, timeout_s: float) -> Raw:
        letter = Letter("req", subject=subject, data=Raw(checked(data)))
        return await self.ask(self._path(subject.split(".")[1]), letter, timeout_s)

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        here = [Ad(instance, ad) for (served, instance), (_, ad) in self._served.items() if served == service]
        if service != QPU:
            return here
        for path in list(self._guests):
            await self.say(path, Letter("ad"))  # whoever is gone is found out by that
        return [*here, *sorted((Ad(*guest) for guest in self._guests.values()), key=lambda ad: ad.instance)]

    async def publish(self, subject: str, data: bytes) -> None:
        checked(data)
        if subject.startswith(f"{QPU}.") and (path := self._path(subject.split(".")[1])):
            await self.say(path, Letter("pub", subject=subject, data=Raw(data)))
        await self.listeners.tell(Message(subject, LAB, Raw(data)))

    async def subscribe(self, pattern: str, listener: Listener) -> Stop:
        return self.listeners.add(pattern, listener)

    def endpoint(self, subject: str) -> Endpoint | None:
        service, _, word = subject.partition(".")
        found = [endpoints for (served, _), (endpoints, _) in self._served.items() if served == service]
        return next((endpoints[word] for endpoints in found if word in endpoints), None)

    def sender(self, path: str) -> str | None:
        return self._guests[path][0] if path in self._guests else None

    def got(self, letter: Letter, path: str) -> None:
        if letter.op == "in":
            self._start(self._let_in(letter, path))
        elif letter.op == "out":
            self.lost(path)
        elif letter.op == "ad" and path in self._guests:
            self._guests[path] = (self._guests[path][0], msgspec.json.decode(letter.data))

    def refusal(self, error: QpiError) -> QpiError:
        return error if error.code == "no_responder" else guests_fault(error)

    def lost(self, path: str) -> None:
        if (gone := self._guests.pop(path, None)) is not None:
            self.tell(path, Message(LAB_BYE, gone[0], Raw(encode(Bye()))))

    def _path(self, instance: str) -> str:
        return next((path for path, (address, _) in self._guests.items() if address == instance), f"{self.path}.none")

    async def _let_in(self, letter: Letter, path: str) -> None:
        try:
            name = await self._sign_in(msgspec.json.decode(letter.data, type=str))
        except QpiError as error:
            await self.say(path, Letter("res", id=letter.id, error=error.to_dict()))
            return
        if path not in self._guests:
            self._guests[path] = (f"{name}:{next(self._numbers)}", {})
        await self.say(path, Letter("res", id=letter.id, data=Raw(b"{}")))


class DriverEnd(Mailbox):
    """A driver's `Bus`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / f"{secrets.token_hex(6)}.sock")
        self._lab = str(folder / LAB_SOCKET)
        self._endpoints: dict[str, Endpoint] = {}

    async def sign_in(self, token: str) -> None:
        await self.ask(self._lab, Letter("in", data=Raw(encode(token))), 10.0)

    async def serve(
        self, service: str, instance: str, endpoints: Mapping[str, Endpoint], ad: Mapping[str, Any]
    ) -> Stop:
        may_hear(f"{service}.{instance}.")
        self._endpoints = dict(endpoints)
        await self.say(self._lab, Letter("ad", data=Raw(encode(dict(ad)))))

        async def stop() -> None:
            self._endpoints = {}

        return stop

    async def request(self, subject: str, data: bytes, timeout_s: float) -> Raw:
        return await self.ask(self._lab, Letter("req", subject=may_reach(subject), data=Raw(checked(data))), timeout_s)

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        if service != LAB:
            return []
        try:
            await self.post(self._lab, Letter("pub", subject="lab.knock"))
        except (OSError, Unavailable):
            return []
        return [Ad(LAB)]

    async def publish(self, subject: str, data: bytes) -> None:
        with suppress(Unavailable):
            await self.say(self._lab, Letter("pub", subject=may_reach(subject), data=Raw(checked(data))))

    async def subscribe(self, pattern: str, listener: Listener) -> Stop:
        return self.listeners.add(may_hear(pattern), listener)

    def endpoint(self, subject: str) -> Endpoint | None:
        return self._endpoints.get(subject.rpartition(".")[2])

    def sender(self, path: str) -> str | None:
        return LAB if path == self._lab else None

    def local(self, subject: str) -> str:
        service, _, rest = subject.partition(".")
        return to(ME, f"{service}.{rest.rpartition('.')[2]}")

    def lost(self, path: str) -> None:
        self.tell(path, Message(to(ME, QPU_BYE), LAB, Raw(encode(Bye(reason="the lab does not read its letters")))))

    async def close(self) -> None:
        with suppress(OSError, Unavailable):
            await self.post(self._lab, Letter("out"))
        await super().close()


class Mail:
    """``toymail``."""

    @asynccontextmanager
    async def host(self, address: str, sign_in: SignIn) -> AsyncIterator[Bus]:
        end = LabEnd(_folder(address), sign_in)
        try:
            yield end
        finally:
            await end.close()

    @asynccontextmanager
    async def dial(self, address: str, credential: Credential) -> AsyncIterator[Bus]:
        folder = _folder(address)
        if not (folder / LAB_SOCKET).exists():
            raise Unavailable(f"No lab is in {folder}.", code="no_lab")
        end = DriverEnd(folder)
        try:
            await end.sign_in(credential.token)
            yield end
        finally:
            await end.close()


MAIL = Mail()


def _folder(address: str) -> Path:
    return Path(os.fspath(address.partition("://")[2]))
