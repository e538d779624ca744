"""Units of work: what a use case does with the rows, and how everybody hears of it once it is on disk.

There is no second way to tell: whoever changes rows does it through a `Tx`, and the commit tells the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from qpi_jupyter.core import Principal, Rejected, limited
from qpi_jupyter.wire.events import AuditData, AuditWritten, LabEvent, row_of
from qpi_server.store import AuditRow, EventRow, Store, TooCostly, Unit, audit, facts

from .clock import Clock
from .turns import Turns

log = logging.getLogger(__name__)
MANAGERS = ":managers"
"""Whose an event is that only those see who may read everybody's: no person has such a name."""
SEARCHES = 2
"""Searches at once; as many as the store has threads for them."""
N = TypeVar("N")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wake:
    """Whose turn it is on this QPU may have changed: a booking, a session, a switch."""

    qpu: str


@dataclass(frozen=True, slots=True)
class Written:
    """An event that is on disk now; ``owner`` says who sees it, `facts.EVERYBODY` where all may."""

    owner: str
    event: LabEvent


class Commits:
    """Tells what was committed, in the order of the commits. Lost, it costs only time."""

    def __init__(self) -> None:
        self._listeners: defaultdict[type, list[Callable[[Any], None]]] = defaultdict(list)

    def on(self, kind: type[N], listener: Callable[[N], None]) -> None:
        """Call ``listener`` with all news of that kind."""
        self._listeners[kind].append(listener)

    def tell(self, news: Iterable[object]) -> None:
        """Call the listeners: one that fails is logged, and keeps the others from nothing."""
        for item in news:
            for listener in self._listeners[type(item)]:
                try:
                    listener(item)
                except Exception:
                    log.exception("after a commit: %r", item)


class Tx:
    """One unit of work under way.

    Attributes
    ----------
    connection
        for reading and writing rows.
    at
        the unit's moment: the same in every row that it writes.
    """

    __slots__ = ("_news", "at", "connection")

    def __init__(self, connection: Connection, at: datetime, news: list[object]) -> None:
        self.connection, self.at, self._news = connection, at, news

    def event(self, event: LabEvent, *, owner: str = facts.EVERYBODY) -> None:
        """Append an event to the stream of ``owner``, or of everybody."""
        event.seq = facts.add_event(self.connection, EventRow(owner=owner, **row_of(event)))
        self._news.append(Written(owner, event))

    def audit(self, principal: Principal, action: str, subject: str, /, **data: Any) -> None:
        """Write into the managers' log (Any: JSON) who did what to what."""
        line = AuditRow(at=self.at, who=principal.name, action=action, subject=subject, data=data)
        audit.add(self.connection, line)
        said = AuditData(who=principal.name, action=action, subject=subject)
        self.event(AuditWritten(at=self.at, data=said), owner=MANAGERS)

    def wake(self, qpu: str) -> None:
        """Have it looked at again whose turn it is on this QPU."""
        self._news.append(Wake(qpu))

    def tell(self, news: object) -> None:
        """What else is to be said after the commit, to whoever listens for its kind (`Commits.on`)."""
        self._news.append(news)


class Database:
    """The lab's rows, as the use cases see them."""

    def __init__(self, store: Store, clock: Clock, commits: Commits, *, search_budget_s: float) -> None:
        self.store, self._clock, self._commits, self._budget_s = store, clock, commits, search_budget_s
        self.read, self.glance = store.read, store.glance
        self.searches = Turns("searching", places=SEARCHES, waiting=16)

    def write(self, unit: Callable[[Tx], T], *, at: datetime | None = None) -> asyncio.Future[T]:
        """Run ``unit``, now or ``at`` the moment that it was asked; its value once it is durable and told.

        It is told even where nobody waits for the value any more. As of `Store.write`, units run one after the other
        in the order of these calls, and one that raises changes and tells nothing.
        """
        moment = self._clock.now() if at is None else at
        news: list[object] = []

        def run(connection: Connection) -> T:
            news.clear()  # a unit may be repeated
            return unit(Tx(connection, moment, news))

        asked = copy_context()  # the log tells of a commit under the request that it came of
        return self.store.write(run, committed=lambda: asked.run(self._commits.tell, news))

    async def search(self, who: Principal | str, query: Unit[T], *, narrow: str) -> T:
        """A read that may look at any number of rows, in its turn and with a budget; ordinary reads do not wait for it.

        Raises
        ------
        Rejected
            it took longer than ``search_budget_s``; ``narrow`` says what would help.
        TooMany
            too many searches of ``who`` are under way; managers may have any number waiting.
        """
        name, free = (who, False) if isinstance(who, str) else (who.name, not limited(who))
        async with self.searches.turn(name, free=free):
            try:
                return await self.store.search(query, self._budget_s)
            except TooCostly as error:
                message = f"This looks at too many rows: it was stopped after {self._budget_s:g} s. {narrow}"
                raise Rejected(message, code="too_costly", budget_s=self._budget_s) from error
