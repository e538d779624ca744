"""What the magics share: how their lines are read, and how mistakes are told."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.error import UsageError
from IPython.core.magic import Magics
from IPython.core.magic_arguments import argument, parse_argstring

from qpi_jupyter.core import Faulted, QpiError
from qpi_jupyter.wire.jobs import TEXT_LABELS

from .cells import usage_error

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from qpi_jupyter.client import Lab


class LabMagics(Magics):
    """Magics that talk to the lab that `connect` finds."""

    shell: InteractiveShell

    def _lab(self) -> Lab:
        from .rendering import client

        lab: Lab = client().connect()
        return lab


class Option(NamedTuple):
    """An option of a magic, as the tab key needs it."""

    takes_value: bool
    repeats: bool
    values: tuple[str, ...]
    python: bool
    """Whether its value is an expression."""


def options_of(magic: Any) -> dict[str, Option]:
    """The options of a magic by their names, in the order of its help."""
    found: dict[str, Option] = {}
    for each in reversed(getattr(magic, "decorators", ())):
        about: dict[str, Any] = getattr(each, "kwds", {})
        option = Option(
            takes_value=about.get("action") != "store_true",
            repeats=about.get("action") == "append",
            values=tuple(about.get("choices", ())),
            python=about.get("metavar") == "EXPR",
        )
        found |= {name: option for name in getattr(each, "args", ()) if name.startswith("--")}
    return found


def parsed(magic: Any, line: str) -> Any:
    """What a magic's line says.

    Raises
    ------
    UsageError
        it has what the magic does not take; the message names the option that was meant.
    """
    try:
        return parse_argstring(magic, line)
    except UsageError as error:
        unknown = re.search(r"unrecognized arguments:.*?(--[\w-]+)", str(error))
        if unknown is None:
            raise
        from qpi_jupyter.client.calling import did_you_mean

        hint = did_you_mean(unknown[1], options_of(magic)) or f" %{magic.__name__}? lists those that it has."
        raise UsageError(f"%{magic.__name__} has no option {unknown[1]}.{hint}") from None


@contextmanager
def mistakes_are_usage_errors(sources: tuple[str, ...] = ()) -> Iterator[None]:
    """What a person can put right is told without a traceback; a fault of the bench keeps its type."""
    try:
        yield
    except Faulted:
        raise
    except (QpiError, TypeError) as error:
        raise usage_error(error, sources) from error


def label_arguments(magic: Any) -> Any:
    """``--project`` and the like: an argument for each of the job's labels that are plain text."""
    for name, meaning in TEXT_LABELS.items():
        magic = argument(f"--{name}", help=meaning)(magic)
    return magic


def labels(args: Any) -> dict[str, Any]:
    """What `label_arguments` were given."""
    return {name: unquoted(getattr(args, name)) for name in TEXT_LABELS}


def unquoted(text: str | None) -> str | None:
    """An argument without the quotes that IPython leaves around it."""
    if text is not None and len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text


def number(option: str, text: str | None, kind: type[int | float] = int) -> float | None:
    """The number that an option takes, written with or without separators."""
    if text is None:
        return None
    try:
        return kind(text.replace("_", "").replace(",", ""))
    except ValueError:
        raise UsageError(f"{option} takes a {'whole ' if kind is int else ''}number, not {text!r}.") from None


def pair(text: str) -> tuple[str, Any]:
    """``KEY=VALUE``; the value as Python writes it, or as text."""
    key, equals, value = (unquoted(text) or "").partition("=")
    if not equals or not key.isidentifier():
        raise UsageError(f"--option takes KEY=VALUE, not {text!r}.")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def identifier(option: str, name: str | None) -> str | None:
    """The name of a variable."""
    name = unquoted(name)
    if name is not None and not name.isidentifier():
        raise UsageError(f"{option} takes the name of a variable, not {name!r}.")
    return name


def words_of(magic: str, line: str) -> list[str]:
    """The words of a line, at least one: names of variables, or ids of jobs."""
    if not (words := line.split()):
        raise UsageError(f"{magic} takes variables that hold jobs or data, or jobs' ids; %qpi_jobs lists them.")
    for word in words:
        if word.startswith("-"):
            raise UsageError(f"{magic} has no options, so {word} means nothing here; {magic}? says what it takes.")
    return [unquoted(word) or "" for word in words]


def job_id(magic: str, line: str) -> str:
    """The one word of a line."""
    if len(words := line.split()) != 1:
        raise UsageError(f"{magic} takes one job id; %qpi_jobs lists them.")
    return unquoted(words[0]) or ""


def nothing(magic: str, line: str) -> None:
    """Refuse what a magic without arguments is given."""
    if line.strip():
        raise UsageError(f"{magic} takes no arguments.")
