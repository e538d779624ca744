"""What a NATS broker lets a driver do, seen with a client that does as it likes; and who is believed."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error

from qpi_jupyter.core.errors import QpiError, Rejected, Unavailable
from qpi_jupyter.wire.bus import LAB, ME, QPU, Bus, Message, kind_of, tell, to
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES, QPU_BYE, Bye
from qpi_jupyter.wire.peer import GUEST_BAD_FRAMES, parse
from qpi_server.bus.nats import subjects
from qpi_server.bus.nats.connection import WAITING_BYTES, Turns
from qpi_server.tools.commands import run as run_command
from tests.support.broker import SERVER, Broker
from tests.support.buses import PATIENCE_S, Word, credential, echo, say, sign_in


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    there = Broker(tmp_path_factory.mktemp("broker")).start()
    yield there
    there.kill()


@asynccontextmanager
async def a_lab(broker: Broker) -> AsyncIterator[Bus]:
    async with kind_of(broker.url).host(broker.lab_url, sign_in) as lab:
        await lab.serve(LAB, LAB, {"echo": echo}, {})
        yield lab


class Rogue:
    """A driver by its token, with a client of its own."""

    def __init__(self, client: Client, suffix: str) -> None:
        self.client, self.suffix, self.refused = client, suffix, asyncio.Queue[str]()
        self.address = ""

    async def denied(self) -> str:
        """What the broker does not let it do."""
        return await asyncio.wait_for(self.refused.get(), PATIENCE_S)


@asynccontextmanager
async def a_rogue(broker: Broker, token: str = "token-of-d1") -> AsyncIterator[Rogue]:
    suffix, client = secrets.token_hex(16), Client()
    rogue = Rogue(client, suffix)

    async def note(error: Exception) -> None:
        rogue.refused.put_nowait(str(error))

    await client.connect(
        broker.url, token=token, name=suffix, inbox_prefix=f"qpi.in.{suffix}", error_cb=note, allow_reconnect=False
    )
    try:
        yield rogue
    finally:
        await client.close()


def test_a_driver_speaks_for_itself_alone_and_hears_itself_alone(broker: Broker) -> None:
    async def main() -> None:
        heard: asyncio.Queue[Message] = asyncio.Queue()

        async def hear(message: Message) -> None:
            heard.put_nowait(message)

        async with a_lab(broker) as lab, a_rogue(broker) as rogue:
            await lab.subscribe("lab.say", hear)
            async with kind_of(broker.url).dial(broker.url, credential("token-of-d2")) as honest:
                await tell(honest, "lab.say", Word("me"))
                other = (await heard.get()).sender
                answer = await rogue.client.request(f"qpi.who.{rogue.suffix}", b"", timeout=PATIENCE_S)
                own = json.loads(answer.data)
                assert own == f"d1:{rogue.suffix}"
                for subject in (
                    f"qpi.up.{other}.pub.say", f"qpi.up.d2:{rogue.suffix}.pub.say", f"qpi.down.{other}.pub.bye",
                    f"qpi.down.{own}.pub.bye", f"qpi.in.{subjects.suffix_of(other)}.x", "qpi.all.bye", "qpi.lab.x",
                    "$SYS.REQ.USER.AUTH", "$SRV.PING", "$SYS.ACCOUNT.QPI.DISCONNECT",
                ):  # fmt: skip
                    await rogue.client.publish(subject, b'{"text": "forged"}')
                    assert f'permissions violation for publish to "{subject.lower()}"' in (await rogue.denied()).lower()
                for subject in (
                    ">", "qpi.up.>", f"qpi.down.{other}.>", "qpi.down.*.*.*", f"qpi.in.{subjects.suffix_of(other)}.>",
                    "qpi.in.>", "qpi.lab.>", "$SRV.PING", "$SYS.>", "_INBOX.>",
                ):  # fmt: skip
                    await rogue.client.subscribe(subject)
                    assert "permissions violation for subscription" in (await rogue.denied()).lower(), subject
                await rogue.client.publish(f"qpi.up.{own}.pub.say", b'{"text": "mine"}')
                assert (await asyncio.wait_for(heard.get(), PATIENCE_S)).sender == own
            assert heard.empty()

    asyncio.run(main())


def test_the_lab_answers_a_driver_at_its_own_inbox_alone(broker: Broker) -> None:
    async def main() -> None:
        async with a_lab(broker) as lab, a_rogue(broker) as rogue:
            served: asyncio.Queue[str] = asyncio.Queue()

            async def serve(message: Message) -> Word:
                served.put_nowait(message.sender)
                return Word("")

            await lab.serve(LAB, LAB, {"count": serve, "echo": echo}, {})
            byes: asyncio.Queue[Message] = asyncio.Queue()
            async with kind_of(broker.url).dial(broker.url, credential("token-of-d2")) as honest:

                async def hear(message: Message) -> None:
                    byes.put_nowait(message)

                await honest.subscribe(to(ME, QPU_BYE), hear)
                up = f"qpi.up.d1:{rogue.suffix}"
                for elsewhere in ("qpi.all.bye", "qpi.all.who", "$SYS.REQ.SERVER.PING"):
                    await rogue.client.publish(f"{up}.req.count", b"{}", reply=elsewhere)
                answer = await rogue.client.request(f"{up}.req.count", b"{}", timeout=PATIENCE_S)
                assert json.loads(answer.data) == {"text": ""}
                assert served.qsize() == 1
                assert await say(honest, "lab.echo") == "d2: hello"
                assert byes.empty()

    asyncio.run(main())


@pytest.mark.slow
def test_a_stranger_hears_why_and_can_do_nothing_else(broker: Broker) -> None:
    async def main() -> None:
        async with a_lab(broker), a_rogue(broker, token="guessed") as rogue:
            await rogue.client.publish(f"qpi.up.d1:{rogue.suffix}.pub.say", b"{}")
            assert "permissions violation for publish" in (await rogue.denied()).lower()
            await rogue.client.subscribe(subjects.WHO)
            assert "permissions violation for subscription" in (await rogue.denied()).lower()
            answer = await rogue.client.request(f"qpi.who.{rogue.suffix}", b"", timeout=PATIENCE_S)
            assert answer.headers is not None
            assert answer.headers[subjects.ERROR] == "bad_token"
        async with a_lab(broker):
            for bad in ("", "*"):
                client = Client()
                with pytest.raises((Error, OSError, TimeoutError)):
                    await _bare(client, broker, bad)

    asyncio.run(main())


async def _bare(client: Client, broker: Broker, name: str) -> None:
    async def quiet(_: Exception) -> None:
        return None

    try:
        await client.connect(
            broker.url, token="token-of-d1", name=name, allow_reconnect=False, error_cb=quiet, connect_timeout=1
        )
        await client.request("qpi.who.x", b"", timeout=1)
    finally:
        await client.close()


def test_nothing_counts_from_a_driver_that_was_sent_away(broker: Broker) -> None:
    async def main() -> None:
        heard: asyncio.Queue[Message] = asyncio.Queue()

        async def hear(message: Message) -> None:
            heard.put_nowait(message)

        async with a_lab(broker) as lab, a_rogue(broker) as rogue:
            await lab.subscribe("lab.*", hear)
            address = f"d1:{rogue.suffix}"
            await tell(lab, to(address, QPU_BYE), Bye(reason="switched off"))
            await rogue.client.publish(f"qpi.up.{address}.pub.say", b"{}")
            with pytest.raises(TimeoutError):
                await rogue.client.request(f"qpi.up.{address}.req.echo", b'{"text": ""}', timeout=0.3)
            await rogue.client.close()
            assert (await asyncio.wait_for(heard.get(), PATIENCE_S)).subject == "lab.bye"

    asyncio.run(main())


def test_a_driver_that_talks_nonsense_is_sent_away(broker: Broker) -> None:
    async def main() -> None:
        heard, gone = [], asyncio.Event()

        async def refuse(message: Message) -> None:
            heard.append(message.subject)
            raise Rejected("Not a heartbeat.", code="bad_frame")

        async def left(_: Message) -> None:
            gone.set()

        async with a_lab(broker) as lab, a_rogue(broker) as rogue:
            await lab.subscribe("lab.heartbeat", refuse)
            await lab.subscribe("lab.bye", left)
            for _ in range(10 * GUEST_BAD_FRAMES):
                await rogue.client.publish(f"qpi.up.d1:{rogue.suffix}.pub.heartbeat", b"{}")
            await rogue.client.flush()
            await asyncio.wait_for(gone.wait(), PATIENCE_S)
            async with a_rogue(broker, "token-of-d2") as other:  # whose word comes after all that
                subject = f"qpi.up.d2:{other.suffix}.req.echo"
                await other.client.request(subject, b'{"text": ""}', timeout=PATIENCE_S)
            assert len(heard) == GUEST_BAD_FRAMES

    asyncio.run(main())


def test_of_one_sender_so_much_waits_and_no_more() -> None:
    async def main() -> None:
        taken, go = [], asyncio.Event()

        async def take(sender: str, message: Msg) -> None:
            await go.wait()
            taken.append(sender)

        turns = Turns(10_000, take)
        message = Msg(Client(), data=bytes(MAX_FRAME_BYTES))
        for _ in range(1_000):
            turns.add("d1", message)
        turns.add("d2", message)
        go.set()
        while len(taken) < WAITING_BYTES // MAX_FRAME_BYTES + 1:
            await asyncio.sleep(0)
        await turns.close()
        assert (taken.count("d1"), taken.count("d2")) == (WAITING_BYTES // MAX_FRAME_BYTES, 1)

    asyncio.run(main())


def test_a_lab_that_died_and_comes_back_behind_the_broker_finds_its_drivers(broker: Broker) -> None:
    async def main() -> None:
        before = kind_of(broker.url).host(broker.lab_url, sign_in)
        lab = await before.__aenter__()
        async with kind_of(broker.url).dial(broker.url, credential("token-of-d1")) as bus:
            await bus.serve(QPU, ME, {"echo": echo}, {"qubits": 5})
            (first,) = await lab.discover(QPU)
            await lab._end.close()  # type: ignore[attr-defined]  # noqa: SLF001 -- without a word
            await before.__aexit__(None, None, None)
            async with a_lab(broker) as lab:
                (again,) = await lab.discover(QPU)
                assert again == first
                assert await say(lab, to(again.instance, "qpu.echo")) == "lab: hello"
                assert await say(bus, "lab.echo") == "d1: hello"

    asyncio.run(main())


@pytest.mark.slow
def test_a_publication_that_nobody_hears_tells_the_driver_that_the_lab_is_not_there(broker: Broker) -> None:
    async def main() -> None:
        byes: asyncio.Queue[str] = asyncio.Queue()

        async def hear(message: Message) -> None:
            byes.put_nowait(parse(message.data, Bye).reason)

        lab = kind_of(broker.url).host(broker.lab_url, sign_in)
        end = await lab.__aenter__()
        async with kind_of(broker.url).dial(broker.url, credential("token-of-d1")) as bus:
            await bus.subscribe(to(ME, QPU_BYE), hear)
            await end._end.close()  # type: ignore[attr-defined]  # noqa: SLF001 -- it dies without a word
            while await bus.discover(LAB):  # the broker has not noticed yet
                pass
            await tell(bus, "lab.heartbeat", Word(""))
            assert await asyncio.wait_for(byes.get(), PATIENCE_S) == "The lab is not there."
        await lab.__aexit__(None, None, None)

    asyncio.run(main())


@pytest.mark.slow
def test_drivers_and_lab_find_a_broker_again_that_was_killed(tmp_path: Path) -> None:
    broker = Broker(tmp_path).start()

    async def main() -> None:
        async with a_lab(broker) as lab:
            gone: asyncio.Queue[Message] = asyncio.Queue()

            async def hear(message: Message) -> None:
                gone.put_nowait(message)

            async with kind_of(broker.url).dial(broker.url, credential("token-of-d1")) as bus:
                await bus.subscribe(to(ME, QPU_BYE), hear)
                asking = asyncio.create_task(say(bus, "lab.nothing", timeout_s=PATIENCE_S))
                broker.kill()
                with pytest.raises(Unavailable):
                    await asking
                assert (await asyncio.wait_for(gone.get(), PATIENCE_S)).subject == to(ME, QPU_BYE)
                assert await lab.discover(LAB) == []
                with pytest.raises(Unavailable) as caught:
                    await say(lab, "qpu.d1:0.echo", timeout_s=PATIENCE_S)
                assert caught.value.code == "link_closed"
            with pytest.raises(Unavailable, match="There is no broker at"):
                async with kind_of(broker.url).dial(broker.url, credential("token-of-d1")):
                    pass
            broker.start()
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        async with kind_of(broker.url).dial(broker.url, credential("token-of-d1")) as bus:
                            assert await say(bus, "lab.echo") == "d1: hello"
                            break
                    except Unavailable:
                        continue

    try:
        asyncio.run(main())
    finally:
        broker.kill()


@pytest.mark.slow
def test_a_broker_with_small_messages_is_refused(tmp_path: Path) -> None:
    broker = Broker(tmp_path, extra="max_payload: 64KB\n").start()

    async def main() -> None:
        with pytest.raises(QpiError, match="Set max_payload to 1MB"):
            async with a_lab(broker):
                pass

    try:
        asyncio.run(main())
    finally:
        broker.kill()


def test_the_command_writes_a_configuration_that_the_broker_takes_and_keeps_the_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--lab-dir", str(tmp_path), "--listen", "0.0.0.0:4222", "--name", "nats.example.org"]
    keys = tmp_path / "nats" / "keys.json"
    assert run_command("nats-config", words) == 0
    said, first = capsys.readouterr().out, keys.read_bytes()
    assert f'buses="tls://nats.example.org:4222?keys={keys}"' in said
    assert "--bus tls://nats.example.org:4222" in said
    assert keys.stat().st_mode & 0o077 == 0
    config = tmp_path / "nats" / "nats.conf"
    for secret in json.loads(first)["issuer"], json.loads(first)["lab"]:
        assert secret not in config.read_text() + said
    done = subprocess.run([SERVER, "-t", "-c", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert run_command("nats-config", words) == 0
    assert keys.read_bytes() == first


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--listen", "4222"], "--listen is HOST:PORT"),
        (["--listen", "0.0.0.0:4222"], "Say by --name how the lab and its drivers reach the broker"),
        (["--cert", "x.pem"], "--cert and --key go together"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert run_command("nats-config", ["--lab-dir", str(tmp_path), *words]) == 1
    assert told in capsys.readouterr().err
