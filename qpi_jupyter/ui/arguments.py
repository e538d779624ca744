"""What the magics share: how their lines are read, and how mistakes are told."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics

from qpi_jupyter.core.errors import Faulted, QpiError

from .cells import usage_error

if TYPE_CHECKING:
    from qpi_jupyter.client import Lab


class LabMagics(Magics):
    """Magics that talk to the lab that `connect` finds."""

    def _lab(self) -> Lab:
        from qpi_jupyter import connect

        return connect()


def options_of(magic: Any) -> tuple[str, ...]:
    """The options of a magic, for completion."""
    return tuple(
        option for action in magic.parser._actions for option in action.option_strings if option.startswith("--")
    )


@contextmanager
def mistakes_are_usage_errors(sources: tuple[str, ...] = ()) -> Iterator[None]:
    """What a person can put right is told without a traceback; a fault of the bench keeps its type."""
    try:
        yield
    except Faulted:
        raise
    except (QpiError, TypeError) as error:
        raise usage_error(error, sources) from error


def plain(text: str | None) -> str | None:
    """An argument without the quotes that IPython leaves around it."""
    if text is not None and len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text


def number(option: str, text: str | None) -> int | None:
    """The whole number that an option was given."""
    if text is None:
        return None
    try:
        return int(text.replace("_", "").replace(",", ""))
    except ValueError:
        raise UsageError(f"{option} takes a whole number, not {text!r}.") from None


def pair(text: str) -> tuple[str, Any]:
    """``KEY=VALUE``; the value as Python writes it, or as text."""
    key, equals, value = (plain(text) or "").partition("=")
    if not equals or not key.isidentifier():
        raise UsageError(f"--option takes KEY=VALUE, not {text!r}.")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def identifier(option: str, name: str | None) -> str | None:
    """The name of a variable."""
    name = plain(name)
    if name is not None and not name.isidentifier():
        raise UsageError(f"{option} takes the name of a variable, not {name!r}.")
    return name


def job_id(magic: str, line: str) -> str:
    """The one word of a line."""
    if len(words := line.split()) != 1:
        raise UsageError(f"{magic} takes one job id; %qpi_jobs lists them.")
    return plain(words[0]) or ""


def nothing(magic: str, line: str) -> None:
    """Refuse what a magic without arguments is given."""
    if line.strip():
        raise UsageError(f"{magic} takes no arguments.")
