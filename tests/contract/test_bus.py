"""What every bus promises: the built-in ones, and another package's."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from qpi_jupyter.core.errors import (
    Conflict,
    Faulted,
    Forbidden,
    QpiError,
    Rejected,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from qpi_jupyter.wire.bus import BUSES, LAB, ME, QPU, Bus, Message, kind_of, matches, tell, to
from qpi_jupyter.wire.frames import LAB_BYE, MAX_FRAME_BYTES, QPU_BYE, Bye
from qpi_jupyter.wire.peer import parse
from tests.faults.lossy_bus import LossyBus
from tests.support.buses import PATIENCE_S, Stand, Word, credential, echo, say, stand
from tests.support.buses import driver_process as a_process
from tests.support.packages import TOY_BUS, a_package, installed

with installed(TOY_BUS):
    NAMES = BUSES.names()
Scene = Callable[[Stand], Awaitable[None]]
GONE = {"no_responder", "no_such_subject", "no_answer", "link_closed"}
"""How it is said that nobody answers."""


@pytest.fixture(autouse=True, scope="module")
def toy_bus() -> Iterator[None]:
    with installed(TOY_BUS):
        yield


PARAMS = [pytest.param(name, marks=[pytest.mark.slow] if name in ("p2p", "tls") else []) for name in NAMES]


@pytest.fixture(params=PARAMS)
def play(request: pytest.FixtureRequest) -> Callable[[Scene], None]:
    """Plays a scene with a lab that is on one of the buses."""

    def play(scene: Scene) -> None:
        async def main() -> None:
            async with asyncio.timeout(4 * PATIENCE_S), stand(request.param) as standing:
                await scene(standing)

        asyncio.run(main())

    return play


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self, message: Message) -> None:
        self.queue.put_nowait(message)

    async def next(self) -> Message:
        return await asyncio.wait_for(self.queue.get(), PATIENCE_S)

    async def word(self) -> str:
        return parse((await self.next()).data, Word).text


async def address_of(lab: Bus, bus: Bus, word: str = "who") -> str:
    """The address that a driver's end has at the lab."""
    heard = Heard()
    stop = await lab.subscribe(f"lab.{word}", heard)
    await tell(bus, f"lab.{word}", Word(""))
    sender = (await heard.next()).sender
    await stop()
    return sender


def test_a_toy_is_among_them() -> None:
    assert {"inproc", "nats", "p2p", "tls", "toymail", "ws", "wss"} == set(NAMES)


def test_both_sides_ask_and_are_answered(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        await standing.lab.serve(LAB, LAB, {"echo": echo}, {})
        async with standing.dial("d1") as bus:
            await bus.serve(QPU, ME, {"echo": echo}, {})
            assert await say(bus, "lab.echo") == "d1: hello"
            assert await say(standing.lab, to(await address_of(standing.lab, bus), "qpu.echo")) == "lab: hello"

    play(scene)


def test_who_speaks_is_the_buses_word_and_each_end_has_its_own_address(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        async with standing.dial("d1") as one, standing.dial("d2") as two, standing.dial("d1") as again:
            addresses = [await address_of(standing.lab, bus) for bus in (one, two, again)]
            assert [address.partition(":")[0] for address in addresses] == ["d1", "d2", "d1"]
            assert len(set(addresses)) == 3
            for bus, name in zip((one, two, again), "abc", strict=True):

                async def named(_: Message, name: str = name) -> Word:
                    return Word(name)

                await bus.serve(QPU, ME, {"name": named}, {})
            assert [await say(standing.lab, to(address, "qpu.name")) for address in addresses] == ["a", "b", "c"]

    play(scene)


def test_an_error_comes_back_with_its_code_and_a_drivers_as_its_own_fault(play: Callable[[Scene], None]) -> None:
    async def conflict(_: Message) -> Word:
        raise Conflict("moved on", code="stale")

    async def broken(_: Message) -> Word:
        raise ZeroDivisionError("secret")

    async def scene(standing: Stand) -> None:
        await standing.lab.serve(LAB, LAB, {"conflict": conflict, "broken": broken}, {})
        async with standing.dial("d1") as bus:
            await bus.serve(QPU, ME, {"conflict": conflict, "broken": broken}, {})
            address = await address_of(standing.lab, bus)
            with pytest.raises(Conflict, match="moved on") as caught:
                await say(bus, "lab.conflict")
            assert caught.value.code == "stale"
            with pytest.raises(Faulted, match="moved on") as blamed:
                await say(standing.lab, to(address, "qpu.conflict"))
            assert blamed.value.code == "stale"
            for asker, subject in ((bus, "lab.broken"), (standing.lab, to(address, "qpu.broken"))):
                with pytest.raises(Faulted) as failed:
                    await say(asker, subject)
                assert "secret" not in str(failed.value)

    play(scene)


def test_requests_run_side_by_side(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        all_ = asyncio.Barrier(5)

        async def meet(message: Message) -> Word:
            await all_.wait()
            return await echo(message)

        await standing.lab.serve(LAB, LAB, {"meet": meet}, {})
        async with standing.dial("d1") as bus, standing.dial("d2") as other:
            await other.serve(QPU, ME, {"meet": meet}, {})
            address = to(await address_of(standing.lab, other), "qpu.meet")
            asked = [say(bus, "lab.meet", str(n)) for n in range(3)] + [say(standing.lab, address, "x") for _ in "ab"]
            assert await asyncio.gather(*asked) == ["d1: 0", "d1: 1", "d1: 2", "lab: x", "lab: x"]

    play(scene)


def test_no_answer_in_time_is_unavailable_and_a_late_one_disturbs_nobody(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        never = asyncio.Event()

        async def slow(_: Message) -> Word:
            await never.wait()
            return Word("late")

        await standing.lab.serve(LAB, LAB, {"slow": slow, "echo": echo}, {})
        async with standing.dial("d1") as bus:
            await bus.serve(QPU, ME, {"slow": slow, "echo": echo}, {})
            address = await address_of(standing.lab, bus)
            for asker, service in ((bus, LAB), (standing.lab, f"{QPU}.{address}")):
                with pytest.raises(Unavailable, match=r"0\.05 s") as caught:
                    await say(asker, f"{service}.slow", timeout_s=0.05)
                assert caught.value.code == "no_answer"
            never.set()
            assert await say(bus, "lab.echo") == "d1: hello"
            assert await say(standing.lab, to(address, "qpu.echo")) == "lab: hello"

    play(scene)


def test_where_nobody_serves_that_is_said_and_not_waited_for(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        async with standing.dial("d1") as bus:
            address = await address_of(standing.lab, bus)
            for asker, subject in (
                (bus, "lab.nothing"), (standing.lab, to(address, "qpu.nothing")), (standing.lab, "qpu.d9:9.echo"),
            ):  # fmt: skip
                with pytest.raises(QpiError) as caught:
                    await say(asker, subject, timeout_s=PATIENCE_S)
                assert caught.value.code in GONE - {"no_answer"}, subject
            stop = await standing.lab.serve(LAB, LAB, {"echo": echo}, {})
            assert await say(bus, "lab.echo") == "d1: hello"
            await stop()
            with pytest.raises(QpiError) as stopped:
                await say(bus, "lab.echo")
            assert stopped.value.code in GONE - {"no_answer"}

    play(scene)


def test_what_is_too_large_is_refused_and_what_is_not_arrives_whole(play: Callable[[Scene], None]) -> None:
    large, too_large = "x" * (MAX_FRAME_BYTES - 1024), "x" * MAX_FRAME_BYTES

    async def shout(_: Message) -> Word:
        return Word(too_large)

    async def scene(standing: Stand) -> None:
        heard = Heard()
        await standing.lab.serve(LAB, LAB, {"echo": echo, "shout": shout}, {})
        await standing.lab.subscribe("lab.say", heard)
        async with standing.dial("d1") as bus:
            await bus.serve(QPU, ME, {"echo": echo, "shout": shout}, {})
            await bus.subscribe("qpu.me.say", heard)
            address = await address_of(standing.lab, bus)
            for here, service in ((bus, LAB), (standing.lab, f"{QPU}.{address}")):
                assert (await say(here, f"{service}.echo", large)).endswith(large)
                await tell(here, f"{service}.say", Word(large))
                assert await heard.word() == large
                with pytest.raises(TooLarge, match="limit"):
                    await say(here, f"{service}.echo", too_large)
                with pytest.raises(TooLarge, match="limit"):
                    await tell(here, f"{service}.say", Word(too_large))
                with pytest.raises(QpiError, match="limit"):
                    await say(here, f"{service}.shout")
                await tell(here, f"{service}.say", Word("small"))
                assert await heard.word() == "small"

    play(scene)


def test_publications_come_in_order_once_and_one_that_fails_does_no_harm(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        at_lab, at_driver = Heard(), Heard()

        async def fails(message: Message) -> None:
            raise Rejected("not this one") if parse(message.data, Word).text == "3" else ZeroDivisionError

        for listener in (fails, at_lab):
            await standing.lab.subscribe("lab.say", listener)
        async with standing.dial("d1") as bus:
            for listener in (fails, at_driver):
                await bus.subscribe("qpu.me.*", listener)
            address = await address_of(standing.lab, bus)
            for n in range(8):
                await tell(bus, "lab.say", Word(str(n)))
                await tell(standing.lab, to(address, "qpu.say"), Word(str(n)))
            for heard in (at_lab, at_driver):
                assert [await heard.word() for _ in range(8)] == [str(n) for n in range(8)]
                assert heard.queue.empty()
            await tell(standing.lab, to(address, "qpu.other"), Word(""))
            assert (await at_driver.next()).subject == "qpu.me.other"

    play(scene)


def test_many_hear_the_same_until_they_stop(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        listeners = [Heard() for _ in range(50)]
        stops = [
            await standing.lab.subscribe(["lab.say", "lab.*", "*.say"][n % 3], it) for n, it in enumerate(listeners)
        ]
        async with standing.dial("d1") as one, standing.dial("d2") as two:
            for bus in (one, two):
                await tell(bus, "lab.say", Word(""))
            for listener in listeners:
                senders = {(await listener.next()).sender.partition(":")[0] for _ in "ab"}
                assert senders == {"d1", "d2"}
            for stop in stops[:49]:
                await stop()
            await tell(one, "lab.say", Word("again"))
            assert await listeners[49].word() == "again"
            assert all(listener.queue.empty() for listener in listeners)
            await tell(one, "lab.nobody", Word(""))

    play(scene)


def test_who_is_there_is_found_with_what_it_says_of_itself(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        assert await standing.lab.discover(QPU) == []
        assert await standing.lab.discover(LAB) == []
        stop = await standing.lab.serve(LAB, LAB, {"echo": echo}, {})
        assert [ad.instance for ad in await standing.lab.discover(LAB)] == [LAB]
        async with standing.dial("d2") as two:
            async with standing.dial("d1") as one:
                assert len(await one.discover(LAB)) == 1
                assert await one.discover(QPU) == []
                await one.serve(QPU, ME, {"echo": echo}, {"qubits": 5})
                await two.serve(QPU, ME, {"echo": echo}, {"qubits": 7})
                first, second = await address_of(standing.lab, one), await address_of(standing.lab, two)
                found = await standing.lab.discover(QPU)
                assert [(ad.instance, ad.data) for ad in found] == [(first, {"qubits": 5}), (second, {"qubits": 7})]
            left = Heard()
            await standing.lab.subscribe("lab.who", left)
            while [ad.instance for ad in await standing.lab.discover(QPU)] != [second]:
                await tell(two, "lab.who", Word(""))
                await left.next()
        await stop()
        assert await standing.lab.discover(LAB) == []

    play(scene)


def test_a_driver_reaches_the_lab_and_nobody_else(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        async with standing.dial("d1") as bus, standing.dial("d2") as other:
            await other.serve(QPU, ME, {"echo": echo}, {})
            address = await address_of(standing.lab, other)
            for trespass in (
                lambda: say(bus, to(address, "qpu.echo")),
                lambda: tell(bus, to(address, "qpu.abort"), Word("")),
                lambda: bus.subscribe(f"qpu.{address}.*", Heard()),
                lambda: bus.subscribe("lab.*", Heard()),
                lambda: bus.serve(LAB, LAB, {"hello": echo}, {}),
                lambda: bus.serve(QPU, address, {"prepare": echo}, {}),
            ):
                with pytest.raises(Forbidden):
                    await trespass()

    play(scene)


def test_what_is_meant_for_one_driver_is_heard_by_that_one(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        one_heard, other_heard = Heard(), Heard()
        async with standing.dial("d1") as one, standing.dial("d1") as other:
            await one.subscribe("qpu.me.abort", one_heard)
            await other.subscribe("qpu.me.abort", other_heard)
            first, second = await address_of(standing.lab, one), await address_of(standing.lab, other)
            await tell(standing.lab, to(first, "qpu.abort"), Word("first"))
            await tell(standing.lab, to(second, "qpu.abort"), Word("second"))
            await tell(standing.lab, "qpu.d9:9.abort", Word("nobody"))
            assert (await one_heard.word(), await other_heard.word()) == ("first", "second")

    play(scene)


def test_a_stranger_is_not_let_in(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        with pytest.raises(Unauthorized):
            async with standing.dial("d1", token="no-token"):
                pass
        assert await standing.lab.discover(QPU) == []

    play(scene)


def test_a_driver_that_leaves_says_so(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        left = Heard()
        await standing.lab.subscribe(LAB_BYE, left)
        async with standing.dial("d1") as bus:
            address = await address_of(standing.lab, bus)
        assert (await left.next()).sender == address
        with pytest.raises(Unavailable):
            await say(bus, "lab.echo", timeout_s=PATIENCE_S)
        await tell(bus, "lab.say", Word("nobody hears it"))

    play(scene)


def test_what_a_driver_still_asks_ends_when_it_leaves(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        asked = asyncio.Event()

        async def never(_: Message) -> Word:
            asked.set()
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        await standing.lab.serve(LAB, LAB, {"never": never}, {})
        async with standing.dial("d1") as bus:
            asking = asyncio.create_task(say(bus, "lab.never", timeout_s=PATIENCE_S))
            await asked.wait()
        with pytest.raises(Unavailable) as caught:
            await asking
        assert caught.value.code == "link_closed"

    play(scene)


@pytest.mark.parametrize("name", [param for param in PARAMS if param.values[0] not in ("inproc", "tls", "wss")])
def test_a_driver_that_is_killed_is_soon_not_there(name: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(4 * PATIENCE_S), stand(name) as standing:
            left = Heard()
            await standing.lab.subscribe(LAB_BYE, left)
            async with a_process(standing, "d1") as process:
                (ad,) = await standing.lab.discover(QPU)
                assert await say(standing.lab, to(ad.instance, "qpu.echo")) == "lab: hello"
                process.send_signal(signal.SIGKILL)
                await process.wait()
                with pytest.raises(Unavailable) as caught:
                    await say(standing.lab, to(ad.instance, "qpu.echo"), timeout_s=1.0)
                assert caught.value.code in GONE
                assert (await left.next()).sender == ad.instance
                assert await standing.lab.discover(QPU) == []

    asyncio.run(main())


def test_a_lab_that_goes_is_noticed_at_the_latest_when_it_is_asked(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        gone = Heard()
        await standing.lab.serve(LAB, LAB, {"echo": echo}, {})
        async with standing.dial("d1") as bus:
            await bus.subscribe(to(ME, QPU_BYE), gone)
            assert await say(bus, "lab.echo") == "d1: hello"
            await standing.stop()
            with pytest.raises(QpiError) as caught:
                await say(bus, "lab.echo", timeout_s=PATIENCE_S)
            assert caught.value.code in GONE - {"no_answer"}
            assert parse((await gone.next()).data, Bye).reason
            assert await bus.discover(LAB) == []
        with pytest.raises(Unavailable):
            async with standing.dial("d1"):
                pass

    play(scene)


def test_a_lab_that_says_bye_is_heard(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        heard = Heard()
        async with standing.dial("d1") as bus:
            await bus.subscribe("qpu.me.*", heard)
            address = await address_of(standing.lab, bus)
            await tell(standing.lab, to(address, QPU_BYE), Bye(reason="A newer link took over."))
            message = await heard.next()
            assert (message.subject, parse(message.data, Bye).reason) == ("qpu.me.bye", "A newer link took over.")

    play(scene)


def test_what_is_lost_costs_time_only_and_nothing_comes_twice(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        dice, heard, served = random.Random(7), Heard(), []

        async def count(message: Message) -> Word:
            served.append(parse(message.data, Word).text)
            return Word(served[-1])

        await standing.lab.serve(LAB, LAB, {"count": count}, {})
        await standing.lab.subscribe("lab.say", heard)
        async with standing.dial("d1") as sound:
            bus = LossyBus(sound, lambda _: dice.random() < 0.3, 0.01)
            for n in range(60):
                await tell(bus, "lab.say", Word(str(n)))
            for n in range(20):
                while True:
                    try:
                        assert await say(bus, "lab.count", str(n), PATIENCE_S) == str(n)
                        break
                    except Unavailable as error:
                        assert error.code == "no_answer"  # noqa: PT017
            assert bus.losses > 10
            await tell(sound, "lab.say", Word("60"))
            said = []
            while not said or said[-1] != 60:
                said.append(int(await heard.word()))
            assert said == sorted(set(said))
            assert 20 < len(said) < 61
            assert [int(n) for n in dict.fromkeys(served)] == list(range(20))

    play(scene)


def test_a_burst_arrives_in_order_as_far_as_it_arrives(play: Callable[[Scene], None]) -> None:
    async def scene(standing: Stand) -> None:
        heard = Heard()
        await standing.lab.subscribe("lab.say", heard)
        async with standing.dial("d1") as bus:
            await asyncio.gather(*(tell(bus, "lab.say", Word(str(n))) for n in range(300)))
            await tell(bus, "lab.say", Word("300"))
            said = []
            while not said or said[-1] != 300:
                said.append(int(await heard.word()))
            assert said == sorted(set(said))

    play(scene)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nats.example.org:4222", "like scheme://place"),
        ("://x", "like scheme://place"),
        ("toymail://", "like scheme://place"),
        (
            "carrier-pigeon://roof",
            "There is no bus 'carrier-pigeon'. Installed: inproc, nats, p2p, tls, toymail, ws, wss",
        ),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, words: str) -> None:
    with pytest.raises(Rejected) as caught:
        kind_of(address)
    assert words in caught.value.message


def test_a_broken_bus_and_two_of_one_name_are_told_of_by_name(tmp_path: Path) -> None:
    (tmp_path / "leaves.py").write_text("raise SystemExit('no licence')")
    (tmp_path / "nothing.py").write_text("BUS = 3")
    a_package(tmp_path, "broken-bus", {"qpi.buses": {"leaves": "leaves:BUS", "three": "nothing:BUS"}})
    for name in ("left-bus", "right-bus"):
        a_package(tmp_path, name, {"qpi.buses": {"twin": f"{name.replace('-', '_')}:BUS", "ws": "nothing:BUS"}})
    with installed(tmp_path):
        for address, words in (
            ("leaves://x", "cannot be loaded: SystemExit: no licence"),
            ("three://x", "is not a qpi_jupyter.wire.bus.BusKind"),
            ("twin://x", "Several packages register the bus 'twin'"),
        ):
            with pytest.raises(Rejected) as caught:
                kind_of(address)
            assert words in caught.value.message
        assert kind_of("ws://lab.example.org/qpi/v1/link") is kind_of("wss://lab.example.org/qpi/v1/link")


def test_the_labs_own_websocket_is_not_hosted_a_second_time() -> None:
    async def main() -> None:
        async def nobody(_: str) -> str:
            raise Unauthorized

        with pytest.raises(Rejected, match=r"leave ws://127\.0\.0\.1:1 out"):
            async with kind_of("ws://127.0.0.1:1").host("ws://127.0.0.1:1", nobody):
                pass
        with pytest.raises(Unavailable):
            async with kind_of("inproc://x").dial("inproc://x", credential("token-of-d1")):
                pass

    asyncio.run(main())


@pytest.mark.parametrize(
    ("pattern", "subject", "heard"),
    [
        ("lab.claim", "lab.claim", True), ("lab.*", "lab.claim", True), ("*.claim", "lab.claim", True),
        ("lab.*", "lab.d1.claim", False), ("lab.*", "lab", False), ("lab.claim", "lab.claims", False),
        ("qpu.*.abort", "qpu.d1:3.abort", True), ("qpu.d1.*", "qpu.d1:3.abort", False),
    ],
)  # fmt: skip
def test_a_star_is_one_part(pattern: str, subject: str, heard: bool) -> None:
    assert matches(pattern, subject) is heard


def test_what_a_peer_sends_that_is_no_json_reaches_nobody() -> None:
    with pytest.raises(Rejected):
        parse(msgspec.Raw(b"{"), Word)
