"""Trying other policies on the lab's past: one replay at a time, in a process of its own. It changes nothing."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET

from qpi_jupyter.core import Conflict, Policy, Principal, QpiError, Rejected, moment
from qpi_jupyter.wire.events import ReplayChanged, ReplayData
from qpi_jupyter.wire.replays import PolicyIn, ReplayIn, ReplayModel, ReplayResult, ReplayState
from qpi_jupyter.wire.tasks import ended
from qpi_server.replay.policies import changed
from qpi_server.replay.process import Ask, Figured, Loaded, Progress, replayed
from qpi_server.settings.values import SettingsError

from .base import Context

log = logging.getLogger(__name__)
USUAL = timedelta(days=30)
LIMIT_S = 900.0
"""How long a replay may take."""


class ReplayService:
    """Knows the replay that runs, or the last one; another server of this lab starts with none."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._replay: ReplayModel | None = None
        self._task: asyncio.Task[None] | None = None

    async def state(self, principal: Principal) -> ReplayState:
        """The policy in force, and the replay with its figures, as far as they are there."""
        return ReplayState(in_force=self._context.config.policy, replay=self._replay)

    async def start(self, principal: Principal, request: ReplayIn) -> ReplayState:
        """Begin a replay; events tell how it goes on.

        Raises
        ------
        Conflict
            one is running.
        Rejected
            a policy that cannot be, two of one name, or no time in the past.
        """
        if self._replay is not None and self._replay.state == "running":
            raise Conflict(
                f"{self._replay.started_by} is running a replay: wait for its end, or cancel it.",
                code="replay_running", started_by=self._replay.started_by,
            )  # fmt: skip
        policies = _policies(request.policies, self._context.config.policy)
        now = self._context.now()
        since, until = _interval(request, now)
        self._replay = replay = ReplayModel(
            state="running", started_by=principal.name, started_at=now, start_at=since, end_at=until,
            seed=request.seed, policies=list(policies),
        )  # fmt: skip
        config = self._context.config
        ask = Ask(
            db_url=config.db_url, lab_dir=str(config.lab_dir), since=since, until=until, seed=request.seed,
            policies=list(policies.values()),
        )  # fmt: skip
        self._task = asyncio.create_task(self._run(replay, ask), name="replay")
        await self._tell(replay)
        return await self.state(principal)

    async def cancel(self, principal: Principal) -> ReplayState:
        """End the replay that runs; without one nothing happens. Returns when its process has gone."""
        await self.close()
        return await self.state(principal)

    async def close(self) -> None:
        """As `cancel`, when the lab closes."""
        await ended(self._task)

    async def _run(self, replay: ReplayModel, ask: Ask) -> None:
        async def hear(step: Loaded | Progress | Figured) -> None:
            match step:
                case Loaded():
                    replay.jobs, replay.bookings = step.jobs, step.bookings
                case Progress():
                    replay.progress = step.done
                case Figured():
                    name = replay.policies[len(replay.results)]
                    replay.results.append(msgspec.convert({"name": name, **step.figures}, ReplayResult))
                    replay.progress = len(replay.results) / len(replay.policies)
            await self._tell(replay)

        try:
            async with asyncio.timeout(LIMIT_S):
                await replayed(ask, hear)
            replay.state = "done"
        except asyncio.CancelledError:
            replay.state = "cancelled"
        except TimeoutError:
            replay.state, replay.problem = "failed", f"It took longer than {LIMIT_S / 60:g} minutes: choose less time."
        except QpiError as error:
            replay.state, replay.problem = "failed", error.message
        except Exception:
            log.exception("a replay failed")
            replay.state, replay.problem = "failed", "The replay broke off; the server's log says why."
        replay.ended_at = self._context.now()
        await self._tell(replay)

    async def _tell(self, replay: ReplayModel) -> None:
        data = ReplayData(state=replay.state, progress=round(replay.progress, 3))
        await self._context.db.write(lambda tx: tx.event(ReplayChanged(at=tx.at, data=data), owner=replay.started_by))


def _policies(asked: list[PolicyIn], current: Policy) -> dict[str, Policy]:
    found: dict[str, Policy] = {}
    for one in asked:
        name = one.name.strip()
        if not name or name in found:
            raise Rejected(f"There are two policies called {name!r}: each needs a name of its own.", field="policies")
        changes = {field: value for field, value in msgspec.structs.asdict(one).items() if value is not UNSET}
        del changes["name"]
        try:
            found[name] = changed(current, changes, name)
        except SettingsError as error:
            raise Rejected(str(error), code="bad_policy", field="policies") from error
    return found


def _interval(request: ReplayIn, now: datetime) -> tuple[datetime, datetime]:
    until = now if request.end_at is None else min(moment(request.end_at, "end_at"), now)
    since = until - USUAL if request.start_at is None else moment(request.start_at, "start_at")
    if since >= until:
        raise Rejected("The time to replay must end after it begins, and begin in the past.", field="start_at")
    return since, until
