"""QPU time from a notebook: balance, statement, requests."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from qpi_jupyter.core import Rejected
from qpi_jupyter.wire.accounts import (
    AccountModel,
    GrantIn,
    Statement,
    StatementLine,
    TimeRequestAnswer,
    TimeRequestIn,
    TimeRequestList,
    TimeRequestModel,
)

from . import times
from .http import Http, path
from .people import me
from .portal import both
from .tables import ModelTable, Table

if TYPE_CHECKING:
    import xarray as xr

_PAGE = 200
_FIGURES = {"jobs": "1", "used_s": "s", "granted_s": "s", "refunded_s": "s"}
"""What a statement counts, with its units."""


class Balance:
    """QPU time that is available, reserved for jobs that wait or run, and used in this month."""

    def __init__(self, model: AccountModel) -> None:
        self.model = model

    @property
    def available_s(self) -> float | None:
        """None: unlimited."""
        return self.model.available_s

    @property
    def held_s(self) -> float:
        return self.model.held_s

    @property
    def used_s(self) -> float:
        return self.model.used_s

    def available(self) -> str:
        """The seconds that are there, for people."""
        return "unlimited" if self.available_s is None else times.length(self.available_s)

    def __repr__(self) -> str:
        available = self.available() + ("" if self.available_s is None else " available")
        return (
            f"<QPU time of {self.model.name}: {available}, {times.length(self.held_s)} reserved, "
            f"{times.length(self.used_s)} used this month>"
        )

    def _repr_html_(self) -> str:
        return BalanceTable([self])._repr_html_()


class BalanceTable(Table[Balance]):
    """A balance, or several."""

    caption = "QPU time"
    columns = ("account", "available", "reserved", "used this month")

    def row(self, item: Balance) -> tuple[str, ...]:
        return item.model.name, item.available(), times.length(item.held_s), times.length(item.used_s)


class StatementTable(ModelTable[StatementLine]):
    """What was used, by person, QPU and month."""

    caption = "Statement"
    empty = "Nothing was used."
    columns = ("month", "account", "person", "QPU", "jobs", "used", "granted", "refunded")

    def row(self, item: StatementLine) -> tuple[str, ...]:
        figures = (times.length(value) for value in (item.used_s, item.granted_s, item.refunded_s))
        return item.month, item.account, item.person, item.qpu, str(item.jobs), *figures

    def to_xarray(self) -> xr.Dataset:
        """The figures over ``month``, ``account``, ``person`` and ``qpu``, in seconds (needs xarray)."""
        import numpy as np
        import xarray as xr

        dims = ("month", "account", "person", "qpu")
        axes = {dim: sorted({getattr(line, dim) for line in self}) for dim in dims}
        shape = tuple(len(axis) for axis in axes.values())
        data = {name: (dims, np.zeros(shape, dtype=int if name == "jobs" else float)) for name in _FIGURES}
        for line in self:
            at = tuple(axes[dim].index(getattr(line, dim)) for dim in dims)
            for name, (_, values) in data.items():
                values[at] = getattr(line, name)
        dataset = xr.Dataset(data, coords={dim: np.array(axis, dtype=str) for dim, axis in axes.items()})
        for name, units in _FIGURES.items():
            dataset[name].attrs["units"] = units
        return dataset


class TimeRequest:
    """A request for QPU time, and what became of it."""

    def __init__(self, http: Http, model: TimeRequestModel) -> None:
        self.http = http
        self.model = model

    @property
    def id(self) -> str:
        return self.model.id

    @both
    async def refresh(self) -> TimeRequest:
        """Read it again."""
        return await self._ask("GET", "")

    @both
    async def withdraw(self) -> TimeRequest:
        """Take it back while nobody has answered."""
        return await self._ask("DELETE", "")

    @both
    async def approve(self, reason: str = "", *, time: times.Length | None = None) -> TimeRequest:
        """Grant what was asked for, or another ``time``; for managers."""
        granted = None if time is None else times.seconds(time)
        return await self._ask("POST", "/answer", TimeRequestAnswer(status="approved", reason=reason, seconds=granted))

    @both
    async def reject(self, reason: str) -> TimeRequest:
        """Refuse it, with the reason; for managers."""
        return await self._ask("POST", "/answer", TimeRequestAnswer(status="rejected", reason=reason))

    async def _ask(self, method: str, end: str, body: TimeRequestAnswer | None = None) -> TimeRequest:
        self.model = await self.http.call(
            method, f"v1/time-requests/{path(self.id)}{end}", TimeRequestModel,
            body=body, once=body is not None,
        )  # fmt: skip
        return self

    def __repr__(self) -> str:
        model = self.model
        granted = "" if model.granted_s is None else f" {times.length(model.granted_s)}"
        answer = f": {model.answer}" if model.answer else ""
        return (
            f"<Request {model.id}: {times.length(model.seconds)} for {model.account}, {model.status}{granted}{answer}>"
        )

    def _repr_html_(self) -> str:
        return TimeRequestTable([self])._repr_html_()


class TimeRequestTable(ModelTable[TimeRequest]):
    """Requests for QPU time; each item can be withdrawn, approved or rejected."""

    caption = "Requests for QPU time"
    empty = "No requests."
    columns = ("id", "asked", "person", "account", "time", "reason", "status", "granted", "answer")

    def row(self, item: TimeRequest) -> tuple[str, ...]:
        model = item.model
        asked = times.stamp(model.created_at, datetime.now(UTC))
        return (
            model.id, asked, model.person, model.account, times.length(model.seconds), model.reason, model.status,
            "" if model.granted_s is None else times.length(model.granted_s), model.answer,
        )  # fmt: skip


class Accounts:
    """What a `Lab` knows about QPU time."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @both
    async def balance(self, group: str | None = None) -> Balance:
        """The QPU time of yours, or of a group of yours."""
        name = f"group:{group}" if group is not None else (await me(self.http)).user.name
        return Balance(await self.http.call("GET", f"v1/accounts/{path(name)}", AccountModel))

    @both
    async def statement(
        self,
        month: str | date | None = None,
        *,
        group: str | None = None,
        person: str | None = None,
        qpu: str | None = None,
    ) -> StatementTable:
        """What was used: ``.to_pandas()`` and ``.to_xarray()`` give it as data.

        Parameters
        ----------
        month
            ``"2030-01"`` or a day of it, in UTC; every month without it.
        group
            the account of this group, instead of your own.
        person
            somebody else's use, or yours of a group's account; without ``group`` for managers.
        """
        account = None if group is None else f"group:{group}"
        if group is None and person is None:
            account = (await me(self.http)).user.name
        wanted = f"{month:%Y-%m}" if isinstance(month, date) else month
        params = {"account": account, "person": person or None, "qpu": qpu or None, "month": wanted or None}
        return StatementTable((await self.http.call("GET", "v1/statements", Statement, params=params)).lines)

    @both
    async def grant_time(
        self,
        time: times.Length,
        reason: str,
        *,
        person: str | None = None,
        group: str | None = None,
        take_back: bool = False,
    ) -> Balance:
        """Give QPU time (``"2h"``, a timedelta or seconds) to a person or a group; for managers.

        Parameters
        ----------
        reason
            for the account's ledger and the audit log.
        take_back
            take so much away instead.
        """
        if (person is None) == (group is None):
            raise Rejected("Say who gets the time: person=... or group=...", code="no_account")
        name = person or f"group:{group}"
        body = GrantIn(seconds=(-1 if take_back else 1) * times.seconds(time), reason=reason)
        model = await self.http.call("POST", f"v1/accounts/{path(name)}/grants", AccountModel, body=body, once=True)
        return Balance(model)

    @both
    async def request_time(self, time: times.Length, reason: str, *, group: str | None = None) -> TimeRequest:
        """Ask the lab's managers for QPU time (``"2h"``, a timedelta or seconds), for yourself or for a group."""
        body = TimeRequestIn(seconds=times.seconds(time), reason=reason, group=group)
        model = await self.http.call("POST", "v1/time-requests", TimeRequestModel, body=body, once=True)
        return TimeRequest(self.http, model)

    @both
    async def time_requests(self, *, status: str | None = None, mine: bool = True) -> TimeRequestTable:
        """Requests for QPU time, newest first: yours, or with ``mine=False`` all that you may see."""
        params = {"mine": mine, "limit": _PAGE, "status": status or None}
        pages = self.http.pages("v1/time-requests", TimeRequestList, params)
        return TimeRequestTable([TimeRequest(self.http, model) async for page in pages for model in page.requests])
