"""A log as JSON, one object a line, for machines that gather logs: the server's and a driver's alike."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

from .redact import redact_all

_JOB = re.compile(r"job-[0-9a-f]{16}")


class JsonLines(logging.Formatter):
    """``at``, ``level``, ``logger`` and ``message``; where they are known, also ``job`` and more. No secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        message = redact_all(record.getMessage())
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, "message": message, **self.around(),
        }  # fmt: skip
        if (job := _JOB.search(message)) is not None:
            line["job"] = job.group()
        line |= getattr(record, "facts", {})
        trace = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        if trace:
            line["trace"] = redact_all(trace)
        return json.dumps(line)

    def around(self) -> dict[str, object]:
        """What else is known of what is going on."""
        return {}
