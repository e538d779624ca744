"""Whose fault the end of a check is."""

from __future__ import annotations

import asyncio
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_agent import checker as module
from qpi_agent.messages import Checked, Failed
from qpi_jupyter.core.errors import Conflict, Faulted, ProgramError, QpiError, Rejected, TooLarge, Unavailable
from tests.faults.checker import CAP, FINE, LIMIT_S, OUTSIDE, OWN, Bench, play, turn

deaths = st.one_of(
    st.tuples(st.sampled_from(OUTSIDE), st.just(0)),
    st.tuples(st.sampled_from(OWN), st.just(0)),
    st.tuples(st.just(-signal.SIGKILL), st.just(CAP)),  # it took what there is, and was killed for it
)


@given(st.lists(deaths, max_size=12))
def test_a_program_is_refused_only_when_it_took_three_children_down_itself(ends: list[tuple[int, int]]) -> None:
    async def story(bench: Bench) -> None:
        asking = bench.ask("p")
        own = 0
        for code, peak_bytes in ends:
            (await bench.asked("p")).die(code, peak_bytes)
            own += code in OWN or peak_bytes >= CAP
            if own == 3:
                error = QpiError.from_dict((await asking).error or {})
                assert error.code == ("out_of_memory" if peak_bytes else "check_crashed")
                assert isinstance(error, ProgramError | TooLarge)
                return
            await turn()
            assert not asking.done()
        (await bench.asked("p")).say(FINE)
        assert (await asking).estimate == FINE.estimate

    play(story)


def test_a_kill_for_want_of_memory_counts_against_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    kills = 0
    monkeypatch.setattr(module, "oom_kills", lambda: kills)

    async def story(bench: Bench) -> None:
        nonlocal kills
        asking = bench.ask("p")
        for _ in range(3):
            child = await bench.asked("p")
            kills += 1
            child.die(-signal.SIGKILL)
        assert QpiError.from_dict((await asking).error or {}).code == "out_of_memory"

    play(story)


ERRORS = [kind("no", code="x") for kind in (Rejected, ProgramError, TooLarge, Faulted, Unavailable, Conflict, QpiError)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_only_what_is_known_about_the_program_is_remembered(error: QpiError) -> None:
    async def story(bench: Bench) -> None:
        asking = bench.ask("p")
        (await bench.asked("p")).say(Checked(error=error.to_dict()))
        if isinstance(error, Rejected | TooLarge):
            assert (await asking).error == error.to_dict()
            assert (await bench.ask("p")).error == error.to_dict()
        else:
            with pytest.raises(type(error)):
                await asking
            again = bench.ask("p")
            (await bench.asked("p")).say(FINE)
            assert (await again).estimate is not None

    play(story)


def test_a_child_that_fails_as_a_whole_has_crashed() -> None:
    async def story(bench: Bench) -> None:
        asking = bench.ask("p")
        for _ in range(3):
            child = await bench.asked("p")
            child.say(Failed(outcome="interrupted"))
            child.die(1)
            await turn()
        assert QpiError.from_dict((await asking).error or {}).code == "check_crashed"

    play(story)


def test_a_check_over_its_time_is_refused_until_it_is_asked_again_and_the_next_child_goes_on() -> None:
    async def story(bench: Bench) -> None:
        slow, next_ = bench.ask("slow"), bench.ask("next")
        first = await bench.asked("slow")
        assert QpiError.from_dict((await slow).error or {}).code == "check_timeout"
        assert not first.alive
        (await bench.asked("next")).say(FINE)
        assert (await next_).estimate is not None
        again = bench.ask("slow")  # the machine may have been slow, not the program
        (await bench.asked("slow")).say(FINE)
        assert (await again).estimate is not None

    play(story, limit_s=LIMIT_S)


def test_time_without_a_processor_and_a_halted_child_are_not_the_programs_fault() -> None:
    async def story(bench: Bench) -> None:
        asking = bench.ask("p")
        first = await bench.asked("p")
        first.halted = True
        await first.exited
        second = await bench.asked("p")
        second.hungry = 1.0
        done, _ = await asyncio.wait({asking}, timeout=2 * LIMIT_S)
        assert not done
        second.say(FINE)
        assert (await asking).estimate is not None

    play(story, limit_s=LIMIT_S)
