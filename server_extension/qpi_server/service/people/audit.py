"""The managers' log of who did what."""

from __future__ import annotations

from qpi_jupyter.core import Principal
from qpi_jupyter.wire.people import AuditEntry, AuditPage
from qpi_server.service.base import Context, cursor
from qpi_server.store import audit

MAX_PAGE = 1000


class AuditService:
    """Reads the log; every use case writes its own line (`Tx.audit`)."""

    def __init__(self, context: Context) -> None:
        self._db = context.db

    async def page(
        self, principal: Principal, *, limit: int = 100, after: str | None = None, text: str = ""
    ) -> AuditPage:
        """One page of the log, newest first; with ``text``, of the lines that have each of its words."""
        before, limit = cursor(after), max(1, min(limit, MAX_PAGE))
        words = text.split()
        rows = await self._db.search(
            principal,
            lambda connection: audit.page(connection, before=before, limit=limit, words=words),
            narrow="Search for words of newer lines, or leaf through the log without text.",
        )
        entries = [
            AuditEntry(seq=row.seq, at=row.at, who=row.who, action=row.action, subject=row.subject, data=row.data)
            for row in rows
        ]
        return AuditPage(entries=entries, next=str(rows[-1].seq) if len(rows) == limit else None)
