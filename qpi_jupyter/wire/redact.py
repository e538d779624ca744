"""Keeps secrets out of logs: one function that every line goes through, whoever writes it."""

from __future__ import annotations

import logging
import re

HIDDEN = "[secret]"
_WORDS = r"token|secret|password|passwd|code|state|key|auth|signature"
_OURS = re.compile(r"(?P<kept>qpi_)(?:session_|local_)?[A-Za-z0-9_-]{20,}")
_FEED = re.compile(
    r"(?P<kept>(?:/|%2F)feeds(?:/|%2F))(?!\[)[^/?%\s\"']+(?=(?:/|%2F)calendar|[?\s\"']|$)", re.IGNORECASE
)
_HEADER = re.compile(
    r"(?P<kept>(?:authorization|x-api-token)[\"']?\s*[:=]\s*[\"']?(?:bearer |token |basic |apikey )?)[^\s\"',}]+",
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    rf"(?P<kept>(?:[?&;]|%3F|%26)[\w.-]*(?:{_WORDS})[\w.-]*(?:=|%3D))(?!\[)(?:(?!%26)[^&\s\"'])+", re.IGNORECASE
)
_ACCESS = re.compile(r"\d{3} [A-Z]+ \S")


def redact(text: str) -> str:
    """``text`` without the lab's tokens and the secrets of feeds; of a request's line also without every parameter
    that is called like a secret.

    Jupyter's own token stays where Jupyter itself prints its address for whoever has started it.
    """
    return _without(text, _OURS, _FEED, _HEADER, *([_PARAMETER] if _ACCESS.match(text) else []))


def redact_all(text: str) -> str:
    """``text`` without Jupyter's own token, too: for a log that others gather."""
    return _without(text, _OURS, _FEED, _HEADER, _PARAMETER)


def _without(text: str, *patterns: re.Pattern[str]) -> str:
    for pattern in patterns:
        text = pattern.sub(rf"\g<kept>{HIDDEN}", text)
    return text


class Redact(logging.Filter):
    """Changes what a handler is about to write."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record, without its secrets."""
        text = record.getMessage()
        if (told := redact(text)) != text:
            record.msg, record.args = told, None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True


def redact_log(*loggers: logging.Logger) -> None:
    """Let everything that these loggers write, and those above them, go through `redact`."""
    for logger in loggers:
        above: logging.Logger | None = logger
        while above is not None:
            for handler in above.handlers:
                if not any(isinstance(known, Redact) for known in handler.filters):
                    handler.addFilter(Redact())
            above = above.parent
