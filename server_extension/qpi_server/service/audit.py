"""The managers' log of who did what."""

from __future__ import annotations

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire.people import AuditEntry, AuditPage
from qpi_server.store import audit

from .room import Room

MAX_PAGE = 1000
MAX_SEQ = 2**63 - 1


class AuditService:
    """Reads the log; every use case writes its own line, in its own transaction."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def page(
        self, principal: Principal, *, limit: int = 100, after: str | None = None, text: str = ""
    ) -> AuditPage:
        """One page of the log, newest first; with ``text``, of the lines that have each of its words."""
        before = None if after is None else _cursor(after)
        limit = max(1, min(limit, MAX_PAGE))
        words = text.split()
        rows = await self._room.store.read(
            lambda connection: audit.page(connection, before=before, limit=limit, words=words)
        )
        entries = [
            AuditEntry(seq=row.seq, at=row.at, who=row.who, action=row.action, subject=row.subject, data=row.data)
            for row in rows
        ]
        return AuditPage(entries=entries, next=str(rows[-1].seq) if len(rows) == limit else None)


def _cursor(text: str) -> int:
    if text.isascii() and text.isdigit() and (seq := int(text)) <= MAX_SEQ:
        return seq
    raise Rejected(f"{text!r} is not a cursor of this list.", code="bad_cursor", field="after")
