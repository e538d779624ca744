"""Checks programs in prepare children: each within a time limit, people in turns, the latest answers remembered."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from qpi_jupyter.core import Faulted, Manifest, ProgramError, QpiError, TooLarge, Unavailable, programs_fault
from qpi_jupyter.wire.frames import Prepared
from qpi_jupyter.wire.tasks import ended

from .backoff import Backoff
from .fair_pool import FairPool
from .messages import Answer, Check, Checked, Open
from .process import Child, Died, ForkServer, oom_kills, spawn_in_the_end

log = logging.getLogger(__name__)
Load = Callable[[], Awaitable[Check]]
"""Brings what is to be checked."""
_REMEMBERED = 256
_MOST_OPEN = 256
"""Checks that one person may have open here."""
_CRASHES = 3
"""A program that takes so many fresh children down is refused."""
_HEAVY = 0.5
"""How much of the time limit somebody has used up lately who does not get the last free child."""
_PATIENCE_S = 0.5
"""How long somebody waits behind other people's checks before a second child starts."""
_NEWS_S = 5.0
"""How soon one who waits for a check is told that no child starts."""
_LATE = "check_timeout"
_MOMENT_S = 0.01
_QUICK_S = 0.1
"""Most checks are over by then, and are not measured."""
_AT_MOST = 9.0
"""How many time limits the waiting for a processor may add."""


class Checker:
    """Answers ``qpu.prepare``. `start` it first.

    There is one prepare child, and a second one as soon as somebody had to wait behind somebody else's check. A person
    has one check at a time: a slow one of theirs holds up only their own. From then on one child is kept free for those
    who have not used much time lately: what is being checked for the others, or started again after their timeouts, is
    the other one.
    """

    def __init__(self, opening: Open, forks: ForkServer, *, timeout_s: float) -> None:
        self._opening, self._forks, self._timeout_s = opening, forks, timeout_s
        self._pool: FairPool[Child] = FairPool(_HEAVY * timeout_s)
        self._children: set[Child] = set()
        self._first: Child | None = None
        self._wanted = asyncio.Event()
        """A second child is."""
        self._problem: QpiError | None = None
        self._kills = oom_kills()
        self._answers: OrderedDict[str, Prepared] = OrderedDict()
        self._open: dict[str, asyncio.Task[Prepared]] = {}
        self._count: Counter[str] = Counter()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> Manifest:
        """Start the first child, however often that takes; what its executor can do.

        Raises
        ------
        QpiError
            the executor cannot be made, which no repeat changes.
        """
        self._first, manifest = await spawn_in_the_end(self._opening, self._forks, self._failed, patient=False)
        return manifest

    @property
    def reads(self) -> bool:
        """Whether the executor has readings of its own."""
        return self._first is not None and self._first.reads

    async def live(self) -> None:
        """Start each child again whenever it ends."""
        assert self._first is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(self._first), name="first prepare child")
            await self._wanted.wait()
            group.create_task(self._keep(None), name="second prepare child")

    async def prepare(self, key: str, person: str, load: Load) -> Prepared:
        """The estimate, or what is wrong with the program. A repeat joins a check that is under way.

        Parameters
        ----------
        key
            what the answer depends on.
        person
            whose check it is, for the order.

        Raises
        ------
        QpiError
            nothing was found out, and that is not the program's fault: ask again later.
        """
        if (known := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
            return known
        task = self._open.get(key) or self._begin(key, person, load)
        while not task.done():
            # Whoever asks may go; the check goes on, and the next one who asks gets its answer.
            await asyncio.wait({task}, timeout=_NEWS_S)
            if not task.done() and self._problem is not None and not self._children:
                raise Faulted(f"The checking process does not start: {self._problem.message}", code="checker_down")
        return task.result()

    async def close(self) -> None:
        await ended(*self._open.values())
        children = {*self._children, *([self._first] if self._first is not None else [])}
        await asyncio.gather(*(child.stop(0.5) for child in children))

    # --- children ------------------------------------------------------------------------------------------------

    async def _keep(self, child: Child | None) -> None:
        while True:
            if child is None:
                child, _ = await spawn_in_the_end(self._opening, self._forks, self._failed)
            self._problem = None
            self._children.add(child)
            self._keep_one_free()
            self._pool.offer(child)
            died = await asyncio.shield(child.exited)
            log.info("a prepare child: %s; a new one starts", died)
            self._pool.withdraw(child)
            self._children.discard(child)
            child = None

    def _failed(self, problem: QpiError, wait_s: float) -> None:
        log.error("the prepare child does not start (again in %.1f s): %s", wait_s, problem)
        self._problem = problem
        self._keep_one_free()

    def _impatient(self, person: str) -> None:
        if self._pool.waits(person) and self._children:
            self._wanted.set()
            self._keep_one_free()

    def _keep_one_free(self) -> None:
        """For those who seldom come, unless there is one only."""
        self._pool.reserve(1 if self._wanted.is_set() and self._problem is None else 0)

    # --- checks --------------------------------------------------------------------------------------------------

    def _begin(self, key: str, person: str, load: Load) -> asyncio.Task[Prepared]:
        if self._count[person] >= _MOST_OPEN:
            raise Unavailable(f"{_MOST_OPEN} programs of this person wait for their check.", code="checker_busy")
        self._count[person] += 1
        task = asyncio.get_running_loop().create_task(self._find_out(key, person, load), name=f"check {key}")
        self._open[key] = task

        def over(task: asyncio.Task[Prepared]) -> None:
            del self._open[key]
            self._count[person] -= 1
            if not self._count[person]:
                del self._count[person]
            if not task.cancelled() and task.exception() is None and not _late(task.result()):
                self._answers[key] = task.result()
                while len(self._answers) > _REMEMBERED:
                    self._answers.popitem(last=False)

        task.add_done_callback(over)
        return task

    async def _find_out(self, key: str, person: str, load: Load) -> Prepared:
        """Ask children until one answers, or has shown that the program takes them down."""
        lock = self._locks.setdefault(person, asyncio.Lock())
        crashes, backoff = 0, Backoff()
        while True:
            try:
                async with lock:
                    return self._within_cap(await self._once(person, await load()))
            except Died as died:
                log.warning("check %s: %s", key, died)
                # Whoever is killed from outside says nothing about the program, however often that happens.
                greedy = died.over(self._opening.memory_cap_bytes)
                crashes += greedy or not died.from_outside
                if crashes == _CRASHES:
                    return _blamed(died, crashes, greedy=greedy)
            # The person's next program goes first meanwhile.
            await asyncio.sleep(backoff.next())

    async def _once(self, person: str, check: Check) -> Prepared:
        """Have one child check it.

        Raises
        ------
        Died
            the child did, before it knew.
        """
        impatience = asyncio.get_running_loop().call_later(_PATIENCE_S, self._impatient, person)
        try:
            child = await self._pool.take(person)
        finally:
            impatience.cancel()
        since = time.monotonic()
        try:
            return await self._ask(child, check)
        finally:
            self._pool.used(person, time.monotonic() - since)
            if child.alive:
                self._pool.offer(child)

    async def _ask(self, child: Child, check: Check) -> Prepared:
        child.send(check)
        answering = asyncio.ensure_future(child.receive())
        try:
            if not await self._in_time(child, answering):
                halted = child.halted
                answering.cancel()
                await child.stop(0.0)
                if halted:
                    raise Died(-signal.SIGSTOP, 0)
                return _refused(ProgramError(
                    f"Checking the program took longer than {self._timeout_s:g} s: it is refused.",
                    code=_LATE, timeout_s=self._timeout_s,
                ))  # fmt: skip
            answer = answering.result()
        except Died as died:
            before, self._kills = self._kills, oom_kills()
            died.starved = self._kills > before
            raise
        except asyncio.CancelledError:
            # Its answer would be taken for the next question's.
            answering.cancel()
            await child.stop(0.0)
            raise
        if not isinstance(answer, Checked):  # it fails as a whole, and ends
            raise await asyncio.shield(child.exited)
        if answer.error is not None and not programs_fault(error := QpiError.from_dict(answer.error)):
            raise error
        return Prepared(estimate=answer.estimate, error=answer.error, compiled=answer.compiled)

    async def _in_time(self, child: Child, answering: asyncio.Future[Answer]) -> bool:
        """Whether it has answered, or ended, within the limit, in which waiting for a processor hardly counts."""
        since = time.monotonic()
        await asyncio.wait({answering}, timeout=min(_QUICK_S, self._timeout_s))
        if answering.done():
            return True
        waited_s, left_s = child.waited_s(), self._timeout_s - _QUICK_S
        while left_s > _MOMENT_S and not answering.done():
            await asyncio.wait({answering}, timeout=left_s)
            held_up_s = min(child.waited_s() - waited_s, _AT_MOST * self._timeout_s)
            left_s = since + self._timeout_s + held_up_s - time.monotonic()
        return answering.done()

    def _within_cap(self, answer: Prepared) -> Prepared:
        cap, estimate = self._opening.memory_cap_bytes, answer.estimate
        if cap is None or estimate is None or estimate.memory_bytes <= cap:
            return answer
        return _refused(TooLarge(
            f"The program needs about {estimate.memory_bytes / 2**30:,.1f} GiB of memory; "
            f"a place of this QPU has {cap / 2**30:,.1f} GiB.",
            code="too_much_memory", memory_bytes=estimate.memory_bytes, limit=cap,
        ))  # fmt: skip


def _blamed(died: Died, times: int, *, greedy: bool) -> Prepared:
    """The program takes every child down."""
    if greedy or died.starved:
        message = "Checking the program needs more memory than there is."
        return _refused(TooLarge(message, code="out_of_memory", peak_bytes=died.peak_bytes))
    message = f"The executor crashed each of the {times} times that it checked this program: {died}."
    return _refused(ProgramError(message, code="check_crashed", times=times))


def _late(answer: Prepared) -> bool:
    """Whether it says how slow this machine was then: that is asked anew."""
    return answer.error is not None and answer.error.get("code") == _LATE


def _refused(error: QpiError) -> Prepared:
    return Prepared(error=error.to_dict())
