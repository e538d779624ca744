"""How a call is shown before it is made and when it goes wrong: signatures, wrong words, interrupted waits."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar

from qpi_jupyter.core import QpiError

E = TypeVar("E", bound=BaseException)
F = TypeVar("F", bound=Callable[..., Any])

_OTHER_WORDS = {
    "backend": "qpu", "backend_name": "qpu", "device": "qpu",
    "job_name": "name", "job_tags": "tags", "tag": "tags",
    "n_shots": "shots", "num_shots": "shots", "repetitions": "shots", "samples": "shots",
    "parameter_binds": "parameter_values", "parameters": "parameter_values", "params": "parameter_values",
    "random_seed": "seed_simulator", "seed": "seed_simulator",
    "share_with": "shared_with", "until": "end", "for": "duration", "length": "duration", "timeout_s": "timeout",
    "invited": "invite", "rrule": "repeat", "tz": "timezone", "time_zone": "timezone",
}  # fmt: skip
"""What others call the same thing, and what no comparison of letters would find."""


class _Plain(str):
    """An annotation as it stands in the source, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def plain(shown: Signature) -> Signature:
    """The signature as people read it: annotations without quotes."""
    parameters = [p.replace(annotation=_unquoted(p.annotation)) for p in shown.parameters.values()]
    return shown.replace(parameters=parameters, return_annotation=_unquoted(shown.return_annotation))


def _unquoted(annotation: Any) -> Any:
    return _Plain(annotation) if isinstance(annotation, str) else annotation


def called_like(model: Callable[..., Any], *without: str) -> Callable[[F], F]:
    """Show a function that passes its keywords on with the keywords of the ``model``, and what they mean."""

    def dress(function: F) -> F:
        own = signature(function)
        given = [p for p in signature(model).parameters.values() if p.kind is p.KEYWORD_ONLY and p.name not in without]
        *first, rest = own.parameters.values()
        vars(function)["__signature__"] = plain(own.replace(parameters=[*first, *given, rest]))
        _, _, meanings = inspect.cleandoc(model.__doc__ or "").partition("Parameters\n----------\n")
        meanings, _, _ = meanings.partition("\n\nRaises\n")
        entries = re.split(r"\n(?=\S)", meanings)
        wanted = {f"**{rest.name}", *(p.name for p in given)}
        kept = [entry for entry in entries if wanted.intersection(entry.partition("\n")[0].split(", "))]
        function.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Parameters", "----------", *kept])
        return function

    return dress


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question with the nearest of the known words, or nothing where none is near. Options are words, too."""
    spelt = {_bare(name): name for name in sorted(set(known))}
    word = _bare(word)
    other = _OTHER_WORDS.get(word)
    near = [other] if other in spelt else difflib.get_close_matches(word, spelt, n=3)
    near = near or [found for found in spelt if len(word) > 2 and found.startswith(word)]
    return f" Did you mean {' or '.join(spelt[found] for found in near if found)}?" if near else ""


def _bare(word: str) -> str:
    return word.lstrip("-").replace("-", "_")


def no_option(call: str, word: str, known: Iterable[str], besides: str = "") -> TypeError:
    """A call has no such keyword: the nearest that it has, or all of them and what is to be said ``besides``."""
    words = sorted(set(known))
    hint = did_you_mean(word, words) or (f" There are: {', '.join(words)}." if words else "") + besides
    return in_one_line(TypeError(f"{call}() has no option {word!r}.{hint}"))


def wrong_call(call: str, error: TypeError, shape: Signature, keywords: Iterable[str]) -> TypeError:
    """What Python says of arguments that do not fit, and of a keyword that is not there what was meant."""
    parameters = shape.parameters.values()
    named = [p.name for p in parameters if p.kind in (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    unknown = [word for word in keywords if word not in named]
    if unknown and not any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
        return no_option(call, unknown[0], named)
    _, _, words = str(error).partition("() ")
    bare = Signature([p.replace(annotation=Parameter.empty) for p in parameters])
    return in_one_line(TypeError(f"{call}() {words or error}. It is {call}{bare}."))


def interrupted(error: E, owner: object, call: str) -> E:
    """An interrupted call says in one line what goes on in the lab all the same."""
    error.args = (going_on(owner, call),)
    return in_one_line(error)


def going_on(owner: object, call: str) -> str:
    """What an interrupted call of an object leaves behind, where that says so by ``_going_on(call)``."""
    tell: Callable[[str], str] | None = getattr(owner, "_going_on", None)
    return "" if tell is None else tell(call)


def meanwhile(owner: object, call: str) -> Callable[[Future[Any] | None], object] | None:
    """What an object shows while its call waits, where it says so by ``_meanwhile(call)``: on the caller's own thread.

    It takes the work of a blocking call, and returns when that is done; it takes None where the loop goes on.
    """
    tell: Callable[[str], Callable[[Future[Any] | None], object] | None] | None = getattr(owner, "_meanwhile", None)
    return None if tell is None else tell(call)


def in_one_line(error: E) -> E:
    """A notebook shows the error in one line, without the code that it passed through."""
    words = f"{type(error).__name__}: {error}".removesuffix(": ")
    vars(error)["_render_traceback_"] = partial(list, [words])  # what IPython asks for
    return error


def without_frames(error: E) -> E:
    """The error without the client's own frames; what a lab says needs no cause to be understood."""
    if isinstance(error, QpiError):
        error.__cause__ = None
    return error.with_traceback(None)
