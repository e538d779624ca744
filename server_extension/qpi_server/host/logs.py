"""The server's log as JSON: the request behind a line, and a line for what happens in the lab."""

from __future__ import annotations

import logging
import re
import secrets
import sys
from collections.abc import Iterator
from contextvars import ContextVar

from tornado.httputil import HTTPHeaders

from qpi_jupyter.wire.events import DriverLogged, JobProgress
from qpi_jupyter.wire.json_log import JsonLines
from qpi_jupyter.wire.redact import Redact
from qpi_server.service.base import Commits, Written

REQUEST_ID = "X-Request-ID"
"""Whoever asks may name their request; the answer repeats the name, and the log has it."""
_SENT = re.compile(r"[A-Za-z0-9._-]{1,64}")
_request: ContextVar[str] = ContextVar("request")
log = logging.getLogger(__name__)


def begin_request(headers: HTTPHeaders) -> str:
    """The id of the request that these came with, from now on in every line about it; it is one of them then."""
    sent = headers.get(REQUEST_ID, "")
    if not _SENT.fullmatch(sent):
        headers[REQUEST_ID] = sent = secrets.token_hex(8)
    _request.set(sent)
    return sent


class ServerLines(JsonLines):
    """With the id of the ``request`` that a line is about."""

    def around(self) -> dict[str, object]:
        """The request, in what it brings about."""
        request = _request.get(None)
        return {} if request is None else {"request": request}


def write_json(*loggers: logging.Logger) -> None:
    """Let everything that these loggers write, and what nobody else writes, be JSON."""
    root = logging.getLogger()
    if not root.handlers:  # asyncio's words, say; else Python prints them as they are
        rest = logging.StreamHandler(sys.stderr)
        rest.addFilter(lambda record: not any(_is_of(record.name, logger) for logger in loggers))
        root.addHandler(rest)
    for handler in {handler for logger in (*loggers, root) for handler in _handlers(logger)}:
        handler.setFormatter(ServerLines())
        if not any(isinstance(known, Redact) for known in handler.filters):
            handler.addFilter(Redact())


def _is_of(name: str, logger: logging.Logger) -> bool:
    return name == logger.name or name.startswith(f"{logger.name}.")


def _handlers(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def tell_events(commits: Commits) -> None:
    """A line for everything that happens in the lab, but for steps of what runs and for what drivers log."""
    commits.on(Written, _tell)


def _tell(written: Written) -> None:
    event = written.event
    if isinstance(event, DriverLogged | JobProgress):
        return
    facts = {"event": event.seq, "job": event.job_id, "qpu": event.qpu, "owner": written.owner or None}
    phase = getattr(event.data, "phase", None)
    facts |= {"phase": phase, "attempt": getattr(event.data, "attempt", None)}
    message = f"{event.kind}: {phase}" if phase else event.kind
    log.info("%s", message, extra={"facts": {name: value for name, value in facts.items() if value is not None}})
