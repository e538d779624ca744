"""What libp2p's bus promises beyond the contract: processes that are killed, and peers that keep to no rule."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core import Conflict, Rejected, TooLarge, Unavailable
from qpi_jupyter.wire.bus import LAB, ME, QPU, Bus, Message, kind_of, tell, to
from qpi_jupyter.wire.frames import LAB_BYE, MAX_FRAME_BYTES, QPU_BYE, Bye
from qpi_jupyter.wire.peer import parse
from qpi_server.bus.p2p.lab import PeerHub
from qpi_server.bus.p2p.process import MOST_AD_BYTES, PYTHON, Settings
from tests.support.buses import KNOWN, P2P, P2P_PYTHON, PATIENCE_S, Word, credential, echo, say, sign_in
from tests.support.servers import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.slow
PROTOCOL, TOPIC = "/qpi/lab/link/1.0.0", "lab.peer-advertisement.v1"


def played(scene: Coroutine[Any, Any, None]) -> None:
    async def main() -> None:
        async with asyncio.timeout(4 * PATIENCE_S):
            await scene

    asyncio.run(main())


@asynccontextmanager
async def a_lab(folder: Path, listen: str = "/ip4/127.0.0.1/tcp/0", **settings: Any) -> AsyncIterator[PeerHub]:
    hub = PeerHub(
        Settings(listen=listen, key=str(folder / "key"), protocol=PROTOCOL, topic=TOPIC, **settings),
        sign_in,
    )
    await hub.open()
    await hub.serve(LAB, LAB, {"echo": echo}, {})
    try:
        yield hub
    finally:
        await hub.close()


def dial(hub: PeerHub, driver: str = "d1") -> Any:
    return kind_of("p2p://x").dial(hub.addresses[0], credential(f"{KNOWN}{driver}"))


async def heard(bus: Bus, pattern: str) -> asyncio.Queue[Message]:
    queue: asyncio.Queue[Message] = asyncio.Queue()

    async def listener(message: Message) -> None:
        queue.put_nowait(message)

    await bus.subscribe(pattern, listener)
    return queue


async def peer_of(driver: Bus) -> int:
    """The pid of a driver's libp2p peer: the youngest child of this process that was not there before."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return max(map(int, children))


def test_a_labs_peer_that_is_killed_is_started_again_at_the_same_address(tmp_path: Path) -> None:
    async def scene() -> None:
        async with a_lab(tmp_path) as lab:
            left, address = await heard(lab, LAB_BYE), lab.addresses[0]
            async with dial(lab) as bus:
                gone = await heard(bus, to(ME, QPU_BYE))
                assert lab.pid is not None
                os.kill(lab.pid, signal.SIGKILL)
                assert (await left.get()).sender == "d1:1"
                assert parse((await gone.get()).data, Bye).reason == "the lab has gone"
                with pytest.raises(Unavailable) as caught:
                    await say(bus, "lab.echo")
                assert caught.value.code == "link_closed"
            while True:  # as a driver does
                try:
                    async with dial(lab, "d2") as bus:
                        assert await say(bus, "lab.echo") == "d2: hello"
                        assert await lab.discover(LAB)
                    break
                except Unavailable:
                    assert lab.addresses[0] == address

    played(scene())


def test_without_its_peer_a_lab_is_not_found(tmp_path: Path) -> None:
    async def scene() -> None:
        async with a_lab(tmp_path) as lab:
            left = await heard(lab, LAB_BYE)
            async with dial(lab):
                (tmp_path / "key").chmod(0o644)  # the next one does not start
                assert lab.pid is not None
                os.kill(lab.pid, signal.SIGKILL)
                await left.get()
            await until(lambda: lab.pid is None)
            assert await lab.discover(LAB) == []
            (tmp_path / "key").chmod(0o600)
            await until(lambda: lab.discover(LAB))

    played(scene())


def test_a_drivers_peer_that_is_killed_is_the_end_of_its_link(tmp_path: Path) -> None:
    async def scene() -> None:
        async with a_lab(tmp_path) as lab:
            left = await heard(lab, LAB_BYE)
            async with dial(lab) as bus:
                gone = await heard(bus, to(ME, QPU_BYE))
                os.kill(await peer_of(bus), signal.SIGKILL)
                assert (await left.get()).sender == "d1:1"
                assert "peer of the driver" in parse((await gone.get()).data, Bye).reason
                with pytest.raises(Unavailable) as caught:
                    await say(bus, "lab.echo")
                assert caught.value.code == "link_closed"
                await tell(bus, "lab.say", Word("nobody hears it"))

    played(scene())


def test_a_lab_that_comes_again_is_the_same_peer_and_another_one_is_not_trusted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with a_lab(tmp_path) as lab:
            address = lab.addresses[0]
            with pytest.raises(Conflict, match="in use"):
                async with a_lab(tmp_path, address.removeprefix("p2p://").partition("/p2p/")[0]):
                    pass
        listen = address.removeprefix("p2p://").partition("/p2p/")[0]
        async with a_lab(tmp_path, listen) as lab:
            assert lab.addresses == [address]
            async with dial(lab) as bus:
                assert await say(bus, "lab.echo") == "d1: hello"
        signed_in: list[str] = []

        async def thief(token: str) -> str:
            signed_in.append(token)
            return "d1"

        other = PeerHub(
            Settings(listen=listen, key=str(tmp_path / "other"), protocol=PROTOCOL, topic=TOPIC),
            thief,
        )
        await other.open()
        try:
            assert other.addresses != [address]
            with pytest.raises(Unavailable):
                async with kind_of(address).dial(address, credential(f"{KNOWN}d1")):
                    pass
            assert signed_in == []
        finally:
            await other.close()

    played(scene())


def test_a_lab_is_not_worn_out_by_those_who_come_and_go(tmp_path: Path) -> None:
    async def scene() -> None:
        async with a_lab(tmp_path, guests=2, strangers=2) as lab:
            left = await heard(lab, LAB_BYE)
            for number in range(5):
                async with dial(lab) as bus:
                    assert await say(bus, "lab.echo") == "d1: hello"
                assert (await left.get()).sender == f"d1:{number + 1}"
            async with dial(lab, "a"), dial(lab, "b"):
                with pytest.raises(Unavailable):
                    async with dial(lab, "c"):
                        pass

    played(scene())


def test_connections_that_never_sign_in_are_few_and_short(tmp_path: Path) -> None:
    async def scene() -> None:
        async with a_lab(tmp_path, strangers=4, sign_in_s=1.0) as lab:
            port = int(lab.addresses[0].split("/tcp/")[1].split("/")[0])
            async with dial(lab) as bus:
                streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
                assert await say(bus, "lab.echo", "x" * 200_000) == "d1: " + "x" * 200_000
                for reader, writer in streams:
                    while await reader.read(4096):  # what it says of itself, until it hangs up
                        pass
                    writer.close()
            async with dial(lab, "d2") as bus:
                assert await say(bus, "lab.echo") == "d2: hello"

    played(scene())


def test_a_hostile_peer_disturbs_nobody(tmp_path: Path) -> None:
    async def large(_: Message) -> Word:
        return Word("x" * (MAX_FRAME_BYTES - 1024))

    async def scene() -> None:
        async with a_lab(tmp_path, sign_in_s=2.0) as lab, dial(lab) as bus:
            await lab.serve(LAB, LAB, {"echo": echo, "large": large}, {})
            await bus.serve(QPU, ME, {"echo": echo}, {"qubits": 5})
            said, pid = await heard(lab, "lab.say"), lab.pid
            stranger = await asyncio.create_subprocess_exec(
                str(P2P_PYTHON), str(ROOT / "tests/support/p2p_stranger.py"), lab.addresses[0].removeprefix("p2p://"),
                PROTOCOL, TOPIC, f"{KNOWN}d2", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            assert stranger.stdout is not None
            ends = {}
            async for line in stranger.stdout:
                deed, _, how = line.decode().strip().partition(": ")
                ends[deed] = how
                assert await say(bus, "lab.echo", deed) == f"d1: {deed}"
            assert await stranger.wait() == 0
            ended = ["garbage", "a_huge_frame", "a_long_token", "silence", "no_stream", "deaf", "an_ad_of_nobody"]
            assert ends.pop("nonsense_as_an_ad").startswith("bye: Ad frame: ")
            assert ends == {
                **dict.fromkeys([*ended, "a_huge_frame_when_signed_in"], "ended"),
                "no_json": "bye: The first frame of a link says who it is.",
                "no_token": "bye: Nobody has this token.",
                "many_streams": "{'ended'}, d2: one is enough",
                "anothers_name": "no_such_subject",
                "nonsense_when_signed_in": "bye: That is not a frame.",
                "plain_text": "SwarmDialAllFailedError",
            }
            assert (await said.get()).sender.startswith("d2:")
            assert said.empty()
            assert [(ad.instance, ad.data) for ad in await lab.discover(QPU)] == [("d1:1", {"qubits": 5})]
            assert lab.pid == pid

    played(scene())


def test_what_a_driver_says_of_itself_is_heard_when_it_changes_and_bounded(tmp_path: Path) -> None:
    async def scene() -> None:
        async with a_lab(tmp_path) as lab, dial(lab) as bus:
            for qubits in range(5):
                await bus.serve(QPU, ME, {}, {"qubits": qubits})
                assert [ad.data for ad in await lab.discover(QPU)] == [{"qubits": qubits}]
            large = {"text": "x" * (MOST_AD_BYTES - 100)}
            await bus.serve(QPU, ME, {}, large)
            assert [ad.data for ad in await lab.discover(QPU)] == [large]
            with pytest.raises(TooLarge):
                await bus.serve(QPU, ME, {}, {"text": "x" * MOST_AD_BYTES})

    played(scene())


def test_a_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    async def scene() -> None:
        key = tmp_path / "key"
        async with a_lab(tmp_path):
            assert (key.stat().st_mode & 0o777, len(key.read_bytes())) == (0o600, 32)
        key.chmod(0o640)
        with pytest.raises(Rejected, match="chmod 600"):
            async with a_lab(tmp_path):
                pass

    played(scene())


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("p2p://lab.example.org:4001", "like p2p:///ip4/"), ("p2p:///ip4/1.2.3.4/udp/4001", "like p2p:///ip4/"),
        (P2P.format("/tmp") + "&shout=1", "like p2p:///ip4/"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(address: str, words: str) -> None:
    async def scene() -> None:
        for entered in (kind_of(address).host(address, sign_in), kind_of(address).dial(address, credential("x"))):
            with pytest.raises(Rejected, match=words):
                async with entered:
                    pass

    played(scene())


def test_where_there_is_no_libp2p_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PYTHON)

    async def scene() -> None:
        with pytest.raises(Rejected, match=r"pip install 'qpi-jupyter\[p2p\]'"):
            async with a_lab(tmp_path):
                pass
        monkeypatch.setenv(PYTHON, "/nowhere/python")
        with pytest.raises(Rejected, match="/nowhere/python"):
            async with a_lab(tmp_path):
                pass

    played(scene())
