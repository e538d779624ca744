"""The driver's child for previews: kept for the next one, ended when it is slow or idle, blamed when it dies."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from qpi_agent import previewer as module
from qpi_agent.messages import Looked, Open
from qpi_agent.previewer import Previewer
from qpi_jupyter.core import CircuitPreview, Faulted, Manifest, Preview
from qpi_jupyter.wire.frames import Previewed, ProgramRef
from qpi_jupyter.wire.rest import OptionsIn
from tests.faults.checker import CAP, MANIFEST, FakeChild

SHOWN = Preview(circuits=(CircuitPreview(name="bell"),), total=1)
PROGRAM = ProgramRef(format="openqasm3", sha256="1" * 64, sources=[b"bell"], options=OptionsIn())
Story = Callable[[Previewer, list[FakeChild]], Awaitable[None]]


def play(monkeypatch: pytest.MonkeyPatch, story: Story, **limits: Any) -> None:
    children: list[FakeChild] = []

    async def spawn(opening: Open, _forks: Any) -> tuple[Any, Manifest]:
        assert opening.memory_cap_bytes == CAP
        children.append(FakeChild())
        return children[-1], MANIFEST

    monkeypatch.setattr(module, "spawn", spawn)
    opening = Open(role="check", executor="fake", memory_cap_bytes=CAP)

    async def run() -> None:
        async with asyncio.timeout(60):
            previewer = Previewer(opening, None, **limits)  # type: ignore[arg-type]
            await story(previewer, children)
            await previewer.close()
            assert not any(child.alive for child in children)

    asyncio.run(run())


async def asked(children: list[FakeChild], count: int) -> FakeChild:
    """The child of that number, once it is asked."""
    while len(children) < count:
        await asyncio.sleep(0)
    await children[count - 1].asked.wait()
    return children[count - 1]


def test_one_child_answers_one_preview_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(previewer: Previewer, children: list[FakeChild]) -> None:
        first, second = (asyncio.ensure_future(previewer.preview(PROGRAM)) for _ in range(2))
        (await asked(children, 1)).say(Looked(preview=SHOWN))
        assert await first == Previewed(preview=SHOWN)
        (await asked(children, 1)).say(Looked(error={"kind": "ProgramError", "code": "x", "message": "y"}))
        assert (await second).error == {"kind": "ProgramError", "code": "x", "message": "y"}
        assert len(children) == 1

    play(monkeypatch, story)


def test_an_idle_child_ends_and_the_next_preview_has_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(previewer: Previewer, children: list[FakeChild]) -> None:
        for count in (1, 2):
            preview = asyncio.ensure_future(previewer.preview(PROGRAM))
            (await asked(children, count)).say(Looked(preview=SHOWN))
            assert (await preview).preview == SHOWN
            assert (await children[-1].exited).code == -signal.SIGTERM

    play(monkeypatch, story, idle_s=0.0)


def test_a_slow_preview_is_refused_and_its_child_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(previewer: Previewer, children: list[FakeChild]) -> None:
        error = (await previewer.preview(PROGRAM)).error
        assert error is not None
        assert (error["kind"], error["code"]) == ("ProgramError", "preview_timeout")
        assert not children[0].alive

    play(monkeypatch, story, timeout_s=0.01)


def test_a_preview_that_waits_too_long_for_others_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(previewer: Previewer, children: list[FakeChild]) -> None:
        slow = asyncio.ensure_future(previewer.preview(PROGRAM))
        child = await asked(children, 1)
        with pytest.raises(Faulted, match="take too long"):
            await previewer.preview(PROGRAM)
        child.say(Looked(preview=SHOWN))
        assert (await slow).preview == SHOWN
        again = asyncio.ensure_future(previewer.preview(PROGRAM))
        (await asked(children, 1)).say(Looked(preview=SHOWN))
        assert (await again).preview == SHOWN

    play(monkeypatch, story, wait_s=0.01)


@pytest.mark.parametrize(
    ("code", "peak_bytes", "kind"),
    [(-signal.SIGSEGV, 0, "ProgramError"), (-signal.SIGABRT, CAP, "TooLarge"), (-signal.SIGKILL, 0, Faulted.__name__)],
)
def test_a_child_that_dies_is_blamed_on_what_ended_it(
    monkeypatch: pytest.MonkeyPatch, code: int, peak_bytes: int, kind: str
) -> None:
    async def story(previewer: Previewer, children: list[FakeChild]) -> None:
        preview = asyncio.ensure_future(previewer.preview(PROGRAM))
        (await asked(children, 1)).die(code, peak_bytes)
        error = (await preview).error
        assert error is not None
        assert error["kind"] == kind
        again = asyncio.ensure_future(previewer.preview(PROGRAM))
        (await asked(children, 2)).say(Looked(preview=SHOWN))
        assert (await again).preview == SHOWN

    play(monkeypatch, story)
