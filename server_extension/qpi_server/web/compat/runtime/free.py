"""Sessions on fake backends, which are simulated with room for everybody: such a session holds nothing, costs nothing
but its jobs, and is written down nowhere but in its own id."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from weakref import WeakKeyDictionary

from qpi_jupyter.wire.bookings import SessionModel
from qpi_server.service.lab import Lab
from qpi_server.web.table import Call

MOST_S = 28_800
"""How long one lasts where nothing is said (s)."""
_ID = re.compile(r"free-([0-9]{1,11})-([0-9]{1,6})-([0-9a-f]{16})-([0-9a-f]{16})")
_KEPT = 10_000
_ends: WeakKeyDictionary[Lab, dict[str, datetime]] = WeakKeyDictionary()
"""When sessions of each lab were closed, the latest of them. One that a restart forgets is open until its time is over,
which harms nobody."""


def is_free(session_id: str) -> bool:
    """Whether an id is one of a session that holds nothing."""
    return session_id.startswith("free-")


def opened(call: Call, max_ttl: float | None) -> SessionModel:
    """A new one, which lasts ``max_ttl`` (s)."""
    begins, lasts, nonce = int(call.lab.context.now().timestamp()), int(max_ttl or MOST_S) or 1, secrets.token_hex(8)
    return _model(call, f"free-{begins}-{lasts}-{nonce}-{_sign(call, begins, lasts, nonce)}", begins, lasts)


def found(call: Call, session_id: str) -> SessionModel | None:
    """The one of that id; None of an id that was never given to who asks."""
    parts = _ID.fullmatch(session_id)
    if parts is None or parts[4] != _sign(call, int(parts[1]), int(parts[2]), parts[3]):
        return None
    return _model(call, session_id, int(parts[1]), int(parts[2]))


def closed(call: Call, session: SessionModel) -> SessionModel:
    """The same, closed from now on."""
    ends = _ends.setdefault(call.lab, {})
    ends.setdefault(session.id, call.lab.context.now())
    while len(ends) > _KEPT:
        del ends[next(iter(ends))]
    return found(call, session.id) or session


def _sign(call: Call, begins: int, lasts: int, nonce: str) -> str:
    """Ties an id to its person. Whoever makes one up only fools themselves: it opens nothing."""
    return hashlib.sha256(f"{call.person.name} {begins} {lasts} {nonce}".encode()).hexdigest()[:16]


def _model(call: Call, session_id: str, begins: int, lasts: int) -> SessionModel:
    opened_at = datetime.fromtimestamp(begins, UTC)
    expires_at, now = opened_at + timedelta(seconds=lasts), call.lab.context.now()
    closed_at = _ends.get(call.lab, {}).get(session_id) or (expires_at if now >= expires_at else None)
    return SessionModel(
        id=session_id, qpu="", holder=call.person.name, opened_at=opened_at, expires_at=expires_at, closed_at=closed_at,
        reason="" if closed_at is None else "Its time is over." if closed_at == expires_at else "You closed it.",
        budget_s=float(lasts), idle_s=float(lasts), mine=True,
    )  # fmt: skip
