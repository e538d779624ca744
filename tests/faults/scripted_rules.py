"""`scripted_rest` with the lab's rules: bookings that may conflict, sessions that may end, an event stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
import tornado.web

from qpi_jupyter.core.errors import BookingConflict, Conflict, NotFound, QpiError
from qpi_jupyter.wire import accounts as a
from qpi_jupyter.wire import bookings as b
from qpi_jupyter.wire import events as e
from qpi_jupyter.wire import people as p
from qpi_jupyter.wire import rest as w

from .scripted_rest import ID, NOW, ROUTES, Handler, ScriptedLab

ME = p.UserModel(name="ana", display_name="Ana Lund", roles=["user"], groups=["qed"], source="jupyter")


class RulesLab(ScriptedLab):
    """Bookings are real enough to overlap; the rest says what the test put there."""

    routes: ClassVar[list[Any]]

    def __init__(self) -> None:
        super().__init__()
        self.bookings: dict[str, b.BookingModel] = {}
        self.sessions: dict[str, b.SessionModel] = {}
        self.account = a.AccountModel(
            name="ana", balance_s=1020.0, held_s=120.0, limited=True, available_s=900.0, used_s=180.0
        )
        self.lines: list[a.StatementLine] = []
        self.time_requests: dict[str, a.TimeRequestModel] = {}
        self.notices: dict[str, p.NoticeModel] = {}
        self.tokens: dict[str, p.TokenModel] = {}
        self.events: list[e.LabEvent] = []
        self.bodies: list[Any] = []
        self.queries: list[dict[str, str]] = []
        self.session_ends: QpiError | None = None

    # -- bookings ------------------------------------------------------------------------------------------------

    def book(self, start_at: datetime, end_at: datetime, **fields: Any) -> b.BookingModel:
        """A booking that is simply there; ``mine`` as said."""
        mine = bool(fields.pop("mine", False))
        model = b.BookingModel(
            id=f"b{len(self.bookings) + 1}", version=1, start_at=start_at, end_at=end_at,
            **{
                "qpu": "sim-a", "mode": "priority", "status": "booked", "title": "", "invited": [], "mine": mine,
                "booked_by": "ana" if mine else "bo", "created_at": NOW, **fields,
            },
        )  # fmt: skip
        self.bookings[model.id] = model
        self.tell("booking.changed", model.qpu)
        return model

    def standing(self, qpu: str, but: str = "") -> list[b.BookingModel]:
        found = [m for m in self.bookings.values() if m.qpu == qpu and m.status == "booked" and m.id != but]
        return sorted(found, key=lambda model: model.start_at)

    def free(self, qpu: str, after: datetime, length: timedelta, but: str = "") -> datetime:
        """The first start from ``after`` on at which nothing is in the way."""
        for model in self.standing(qpu, but):
            if model.start_at < after + length and after < model.end_at:
                after = model.end_at
        return after

    def check(self, qpu: str, start_at: datetime, end_at: datetime, but: str = "") -> None:
        free_at = self.free(qpu, start_at, end_at - start_at, but)
        if free_at != start_at:
            free = {"start_at": free_at.isoformat(), "end_at": (free_at + (end_at - start_at)).isoformat()}
            raise BookingConflict(f"{qpu} is booked then.", next_free=free)

    def change_booking(self, booking_id: str, **fields: Any) -> b.BookingModel:
        old = self.bookings[booking_id]
        self.bookings[booking_id] = msgspec.structs.replace(old, version=old.version + 1, **fields)
        self.tell("booking.changed", old.qpu)
        return self.bookings[booking_id]

    # -- what happens --------------------------------------------------------------------------------------------

    def tell(self, kind: str, qpu: str | None = None) -> None:
        seq = len(self.events) + 1
        self.events.append(e.OtherEvent(seq=seq, prev=seq - 1, at=NOW, kind=kind, qpu=qpu))
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._wake)

    async def park_events(self, after: int, wait_s: float) -> e.EventPage:
        await self.until(lambda: len(self.events) > after, wait_s)
        return e.EventPage(events=self.events[after:], cursor=len(self.events))


class _Handler(Handler):
    lab: RulesLab

    def read(self, kind: type[Any]) -> Any:
        body = w.decode(self.request.body, kind)
        self.lab.bodies.append(body)
        return body

    def arguments(self) -> dict[str, str]:
        found = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        self.lab.queries.append(found)
        return found

    def log_exception(self, *args: Any) -> None:
        """Refusals are part of the script."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        self.give_error(error if isinstance(error, QpiError) else QpiError(f"{status_code} {error!r}"))

    def found(self, kind: str, key: str) -> Any:
        things: dict[str, Any] = getattr(self.lab, f"{kind}s")
        if key not in things:
            raise NotFound(
                f"There is no {kind} {key!r}, or it is not yours.", code=f"unknown_{kind.removeprefix('time_')}"
            )
        return things[key]


class _Bookings(_Handler):
    def post(self) -> None:
        body = self.read(b.BookingIn)
        qpus = body.qpus or [body.qpu]
        repeats = [timedelta(weeks=n) for n in range(3 if body.rrule else 1)]
        for qpu in qpus:
            for later in repeats:
                self.lab.check(qpu, body.start_at + later, body.end_at + later)
        made = [
            self.lab.book(
                body.start_at + later, body.end_at + later, qpu=qpu, mode=body.mode, title=body.title,
                invited=body.invited, mine=True, timezone=body.timezone, series_id="s1" if body.rrule else None,
            )
            for qpu in qpus for later in repeats
        ]  # fmt: skip
        self.give(b.BookingList(bookings=made), 201)

    def get(self) -> None:
        q = self.arguments()
        start = datetime.fromisoformat(q["start"]) if "start" in q else datetime.min.replace(tzinfo=UTC)
        end = datetime.fromisoformat(q["end"]) if "end" in q else datetime.max.replace(tzinfo=UTC)
        found = [
            m for m in sorted(self.lab.bookings.values(), key=lambda m: m.start_at)
            if m.status == "booked" and m.end_at > start and m.start_at < end
            and q.get("qpu", m.qpu) == m.qpu and (m.mine or q.get("mine") != "true")
        ]  # fmt: skip
        first, size = int(q.get("after", "0")), 2
        more = str(first + size) if len(found) > first + size else None
        self.give(b.BookingList(bookings=found[first : first + size], next=more))


class _NextFree(_Handler):
    def get(self) -> None:
        q = self.arguments()
        length = timedelta(seconds=float(q["seconds"]))
        start = self.lab.free(q["qpu"], datetime.fromisoformat(q["after"]) if "after" in q else NOW, length)
        self.give(b.NextFree(qpu=q["qpu"], start_at=start, end_at=start + length))


class _Booking(_Handler):
    def get(self, key: str) -> None:
        self.give(self.found("booking", key))

    def patch(self, key: str) -> None:
        old, body = self.found("booking", key), self.read(b.BookingChange)
        self.arguments()
        fields = {n: v for n in body.__struct_fields__ if (v := getattr(body, n)) is not msgspec.UNSET}
        if fields.pop("version", None) not in (None, old.version):
            raise Conflict("Somebody changed this booking meanwhile.", code="version_mismatch")
        self.lab.check(old.qpu, fields.get("start_at", old.start_at), fields.get("end_at", old.end_at), but=key)
        self.give(self.lab.change_booking(key, **fields))

    def delete(self, key: str) -> None:
        self.found("booking", key)
        self.arguments()
        self.give(b.BookingList(bookings=[self.lab.change_booking(key, status="deleted")]))


class _Release(_Handler):
    def post(self, key: str) -> None:
        self.found("booking", key)
        self.give(self.lab.change_booking(key, status="released"))


class _History(_Handler):
    def get(self, key: str) -> None:
        start, end, later = (datetime(2030, 5, 6, hour, tzinfo=UTC) for hour in (9, 10, 11))
        first = e.BookingOutline(
            version=1, qpu="sim-a", start_at=start, end_at=end, mode="priority", status="booked", title="x", invited=[]
        )
        then = msgspec.structs.replace(first, end_at=later, invited=["bo"])
        told = [
            e.BookingData(booking_id=key, action="created", by="ana", before=None, after=first),
            e.BookingData(booking_id=key, action="changed", by="ana", before=first, after=then),
        ]
        events: list[e.LabEvent] = [
            e.BookingChanged(seq=n + 1, prev=n, at=NOW, qpu="sim-a", data=data) for n, data in enumerate(told)
        ]
        self.give(e.EventPage(events=events, cursor=2))


class _Rules(_Handler):
    def get(self) -> None:
        self.give(b.BookingRuleList(rules=[], mine={"sim-a": b.BookingRule(granularity_s=1800.0)}))


class _Events(_Handler):
    async def get(self) -> None:
        q = self.arguments()
        if q.get("newest"):
            self.give(e.EventPage(events=[], cursor=len(self.lab.events)))
        else:
            self.give(await self.lab.park_events(int(q["after"]), float(q["wait_s"])))


class _Sessions(_Handler):
    def get(self) -> None:
        self.give(b.SessionList(sessions=list(self.lab.sessions.values())))

    def post(self) -> None:
        body = self.read(b.SessionIn)
        model = b.SessionModel(
            id=f"s{len(self.lab.sessions) + 1}", qpu=body.qpu, holder="ana", opened_at=NOW, budget_s=body.budget_s,
            expires_at=NOW + timedelta(seconds=body.idle_s), idle_s=body.idle_s, mine=True,
        )  # fmt: skip
        self.lab.sessions[model.id] = model
        self.give(model, 201)


class _Session(_Handler):
    def delete(self, key: str) -> None:
        model = self.found("session", key)
        if self.lab.session_ends is not None:
            raise self.lab.session_ends
        closed = msgspec.structs.replace(model, closed_at=NOW, reason="closed", held_s=4.5, busy_s=1.25)
        self.lab.sessions[key] = closed
        self.give(closed)


class _Renew(_Handler):
    def post(self, key: str) -> None:
        if self.lab.session_ends is not None:
            raise self.lab.session_ends
        self.give(self.found("session", key))


class _Me(_Handler):
    def get(self) -> None:
        self.give(p.Me(user=ME, permissions=["jobs:submit"]))


class _Account(_Handler):
    def get(self, name: str) -> None:
        self.give(msgspec.structs.replace(self.lab.account, name=name.replace("%3A", ":")))


class _Statements(_Handler):
    def get(self) -> None:
        self.arguments()
        self.give(a.Statement(lines=self.lab.lines))


class _TimeRequests(_Handler):
    def post(self) -> None:
        body = self.read(a.TimeRequestIn)
        model = a.TimeRequestModel(
            id=f"r{len(self.lab.time_requests) + 1}", person="ana",
            account=f"group:{body.group}" if body.group else "ana", seconds=body.seconds,
            reason=body.reason, status="pending", answer="", granted_s=None, created_at=NOW,
        )  # fmt: skip
        self.lab.time_requests[model.id] = model
        self.give(model, 201)

    def get(self) -> None:
        self.arguments()
        self.give(a.TimeRequestList(requests=list(self.lab.time_requests.values())))


class _TimeRequest(_Handler):
    def get(self, key: str) -> None:
        self.give(self.found("time_request", key))

    def delete(self, key: str) -> None:
        self.answer(key, status="withdrawn")

    def post(self, key: str) -> None:
        body = self.read(a.TimeRequestAnswer)
        asked = self.found("time_request", key).seconds
        granted = (body.seconds or asked) if body.status == "approved" else None
        self.answer(key, status=body.status, answer=body.reason, granted_s=granted)

    def answer(self, key: str, **fields: Any) -> None:
        self.lab.time_requests[key] = msgspec.structs.replace(self.found("time_request", key), **fields)
        self.give(self.lab.time_requests[key])


class _Notices(_Handler):
    def get(self) -> None:
        self.give(p.NoticeList(notices=[notice for notice in self.lab.notices.values() if not notice.dismissed]))


class _Dismiss(_Handler):
    def post(self, key: str) -> None:
        self.lab.notices[key] = msgspec.structs.replace(self.found("notice", key), dismissed=True)
        self.give(self.lab.notices[key])


class _Tokens(_Handler):
    def post(self) -> None:
        body = self.read(w.TokenIn)
        key = f"t{len(self.lab.tokens) + 1}"
        self.lab.tokens[key] = p.TokenModel(
            id=key, name=body.name, owner="ana", scopes=body.scopes, created_at=NOW, expires_at=body.expires_at
        )
        self.give(w.TokenCreated(id=key, name=body.name, token=f"qpi_secret_{key}", expires_at=body.expires_at), 201)

    def get(self) -> None:
        self.give(p.TokenList(tokens=list(self.lab.tokens.values())))


class _Token(_Handler):
    def patch(self, key: str) -> None:
        body = self.read(p.TokenChange)
        fields = {n: v for n in body.__struct_fields__ if (v := getattr(body, n)) is not msgspec.UNSET}
        self.lab.tokens[key] = msgspec.structs.replace(self.found("token", key), **fields)
        self.give(self.lab.tokens[key])

    def delete(self, key: str) -> None:
        self.give(self.lab.tokens.pop(key))


_RULES: list[tuple[str, type[tornado.web.RequestHandler]]] = [
    ("bookings", _Bookings),
    ("bookings/next-free", _NextFree),
    (f"bookings/{ID}", _Booking),
    (f"bookings/{ID}/release", _Release),
    (f"bookings/{ID}/history", _History),
    ("booking-rules", _Rules),
    ("events", _Events),
    ("sessions", _Sessions),
    (f"sessions/{ID}", _Session),
    (f"sessions/{ID}/renew", _Renew),
    ("me", _Me),
    (r"accounts/([A-Za-z0-9:%-]+)", _Account),
    ("statements", _Statements),
    ("time-requests", _TimeRequests),
    (f"time-requests/{ID}", _TimeRequest),
    (f"time-requests/{ID}/answer", _TimeRequest),
    ("notices", _Notices),
    (f"notices/{ID}/dismiss", _Dismiss),
    ("tokens", _Tokens),
    (f"tokens/{ID}", _Token),
]
RulesLab.routes = [*ROUTES, *((f"/qpi/v1/{path}", handler) for path, handler in _RULES)]
