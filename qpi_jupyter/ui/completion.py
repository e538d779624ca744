"""The tab key: the magics' options, the keywords of the client's calls, and names that the lab knows.

In a magic's line these are all there is to offer; in Python they come before what IPython finds itself.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from IPython.core.completer import SimpleCompletion, SimpleMatcherResult, context_matcher

from .arguments import Option, options_of

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

    from qpi_jupyter.client import JobTable, Lab

    from .arguments import LabMagics

T = TypeVar("T")

_KEEP_S = 5.0
"""How long names are remembered: a person types faster than QPUs appear."""
_PATIENCE_S = 1.5
"""How long the tab key waits for a lab."""
_TIMES = ("now", "today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LENGTHS = ("30min", "1h", "2h", "4h")
_VALUES = {"--meas-level": ("0", "1", "2"), "--for": _LENGTHS, "--until": _TIMES, "--from": _TIMES}
_KINDS = {
    "qpu": "qpus", "--qpu": "qpus", "qpus": "qpus",
    "job_id": "jobs", "after": "jobs", "children": "jobs", "--after": "jobs and variables",
    "group": "groups", "shared_with": "groups", "--group": "groups", "--share-with": "groups",
    "model": "models",
}  # fmt: skip
"""What of a lab's names a keyword or an option takes."""
_WORDS = {
    "qpi_job": ("jobs",),
    "qpi_cancel": ("open jobs and variables",) * 9,
    "qpi_wait": ("open jobs and variables",) * 9,
    "qpi_book": ("qpus", "times"),
    "qpi_bookings": ("qpus",),
    "qpi_calendar": ("qpus",),
    "qpi_notices": ("dismiss",),
    "qpi_runtime": ("switches",),
}
"""What a magic's words are, in their order; those of `_EXPRESSIONS` take one of Python."""
_EXPRESSIONS = ("qpi_submit", "qpi_preview", "qpi_plan")
_FIXED: Mapping[str, Sequence[str]] = {"times": _TIMES, "dismiss": ("dismiss",), "switches": ("on", "off", "status")}
_BY_NAME = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_PACKAGE = "qpi_jupyter"
_PLAIN = (str, int, float, datetime)
_IDENTIFIER = "qpi_jupyter"

_MAGIC = re.compile(r"\s*(?:[\w\s,]+=\s*)?(?P<mark>%%?)(?P<name>qpi_\w+)[ \t](?P<before>(?:.*[ \t])?)(?P<word>\S*)$")
_STRINGS = re.compile(r"\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*", re.DOTALL)
_CLOSED = re.compile(r"[(\[{][^()\[\]{}]*[)\]}]")
_CALLEE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)$")
_IN_QUOTES = re.compile(r"(?:(?P<first>^\s*)|(?P<keyword>\w+)\s*=\s*)\[?\s*(?:s+\s*,\s*)*[\"'](?P<word>[^\"'\n]*)$")
_ATTRIBUTE = re.compile(r"(?<![\w.])(?P<owner>[A-Za-z_]\w*(?:\.qpi)?)\.(?P<word>[A-Za-z]\w*|)$")
_KEYWORD = re.compile(r"(?:^|,)\s*(?P<word>[A-Za-z_]\w*|)$")


class Offer(NamedTuple):
    """What may stand in the place of ``word``, and whether nothing else may."""

    texts: Iterable[str]
    word: str
    only: bool
    kind: str = "qpi"


class Completer:
    """Knows what to offer at a place in a cell."""

    def __init__(self, shell: InteractiveShell, options: Mapping[str, Mapping[str, Option]]) -> None:
        self._shell = shell
        self._options = options
        self._known: dict[tuple[str, str], tuple[float, Any]] = {}

    def __call__(self, context: CompletionContext) -> SimpleMatcherResult:
        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        lines[-1] = lines[-1][: context.cursor_position]
        offer = self._offer(lines)
        if offer is None or not context.token.endswith(offer.word):
            return SimpleMatcherResult(completions=[], suppress=False)
        texts = [text for text in dict.fromkeys(offer.texts) if text.startswith(offer.word)]
        if offer.only and not texts:
            texts = [offer.word]  # nothing can be offered, by nobody: IPython heeds `only` for something alone
        found = [SimpleCompletion(text, type=offer.kind) for text in texts]
        return SimpleMatcherResult(completions=found, suppress=offer.only, matched_fragment=offer.word, ordered=True)

    def _offer(self, lines: list[str]) -> Offer | None:
        magic = _MAGIC.match(lines[-1])
        if magic is not None and (magic["mark"] == "%" or len(lines) == 1):
            return self._in_magic(magic)
        return self._in_python("\n".join(lines))

    # -- magics --------------------------------------------------------------------------------------------------

    def _in_magic(self, magic: re.Match[str]) -> Offer | None:
        name, word, before = magic["name"], magic["word"], magic["before"].split()
        options = self._options.get(name, {})
        if before and (option := options.get(before[-1])) is not None and option.takes_value:
            if option.python:
                return Offer(self._variables(), word, True)
            kind = _KINDS.get(before[-1], "")
            return Offer(option.values or _VALUES.get(before[-1]) or self._names(kind), word, True)
        left = [text for text, option in options.items() if text not in before or option.repeats]
        if name in _EXPRESSIONS and magic["mark"] == "%":
            return Offer([*(() if word.startswith("-") else self._variables()), *left], word, True)
        words = _WORDS.get(name, ())
        place = len(list(_words(before, options)))
        taken = self._names(words[place]) if place < len(words) and not word.startswith("-") else ()
        return Offer([*taken, *left], word, True)

    # -- Python --------------------------------------------------------------------------------------------------

    def _in_python(self, text: str) -> Offer | None:
        attribute = _ATTRIBUTE.search(_STRINGS.sub(_mask, text).rpartition("\n")[2])
        if attribute is not None:
            owner, where = self._ours(attribute["owner"].split("."))
            if where is not None:
                return Offer(_public(owner, where), attribute["word"], True)
        opened = innermost_call(text)
        if opened is None:
            return None
        callee, given = opened
        owner, call = self._callable(callee)
        parameters = (
            [] if call is None else [p for p in inspect.signature(call).parameters.values() if p.name != "self"]
        )
        if (quoted := _IN_QUOTES.search(given)) is not None:
            name = quoted["keyword"]
            if name is None and quoted["first"] is not None and parameters:
                # Of `lab.qpu(name)` and `lab.backend(name)` the name is a QPU's.
                name = "qpu" if callee.rpartition(".")[2] in ("qpu", "backend") else parameters[0].name
            kind = _KINDS.get(name or "") if parameters or name == "qpu" else None
            return Offer(self._names(kind, owner), quoted["word"], True) if kind else None
        if (typed := _KEYWORD.search(given)) is None:
            return None
        *before, _ = given.split(",")
        named = {one.partition("=")[0].strip() for one in before if "=" in one}
        rest = parameters[len(before) - len(named) :]
        left = [p.name for p in rest if p.kind in _BY_NAME and p.name not in named]
        # After a comma and without a letter of it, a keyword is what is wanted.
        alone = bool(left and before) and not typed["word"]
        return Offer([f"{name}=" for name in left], typed["word"], alone, "param")

    def _callable(self, callee: str) -> tuple[object, Callable[..., Any] | None]:
        """The object of ours and its method that an expression names, found without running anything."""
        *path, call = callee.removesuffix(".aio").split(".")
        owner, where = self._ours(path)
        found = None if where is None else inspect.getattr_static(where, call, None)
        # A property would ask the lab; what a class gives for a method has its signature.
        return owner, None if found is None or isinstance(found, property) else _routine(getattr(where, call))

    def _ours(self, path: Sequence[str]) -> tuple[object, Any]:
        """What an expression names, and its class or module, if that is one of ours; ``ds.qpi`` is."""
        owner: Any = self._shell.user_ns.get(path[0]) if path else None
        if len(path) == 2 and path[1] == "qpi" and type(owner).__module__.startswith("xarray."):
            owner = owner.qpi  # there as soon as anything of ours has made a Dataset
        elif len(path) != 1:
            return owner, None
        where = owner if inspect.ismodule(owner) else type(owner)
        module = owner.__name__ if inspect.ismodule(owner) else type(owner).__module__
        return owner, where if owner is not None and module.partition(".")[0] == _PACKAGE else None

    # -- what the lab knows --------------------------------------------------------------------------------------

    def _names(self, kind: str, owner: object = None) -> Sequence[str]:
        if kind in _FIXED:
            return _FIXED[kind]
        if kind == "models":
            from qpi_jupyter.data.fits import MODELS

            return list(MODELS)
        if kind == "groups":
            return self._asked("groups", owner, lambda lab: lab.whoami.aio(), lambda me: list(me.groups))
        if kind == "qpus":
            return self._asked("qpus", owner, lambda lab: lab.qpus.aio(), lambda table: list(table.names))
        if kind.startswith("open jobs"):
            return [*self._job_variables(), *self._asked("jobs", owner, _newest, _open_ids)]
        if kind.startswith("jobs"):
            variables = self._job_variables() if kind.endswith("variables") else []
            return [*variables, *self._asked("jobs", owner, _newest, _ids)]
        return ()

    def _asked(
        self,
        what: str,
        owner: object,
        ask: Callable[[Lab], Coroutine[Any, Any, T]],
        names: Callable[[T], list[str]],
    ) -> list[str]:
        """Names of the lab, where it answers soon; else none: the call itself will say what is wrong."""
        from qpi_jupyter.client import Lab, connect
        from qpi_jupyter.core import QpiError

        try:
            lab = owner if isinstance(owner, Lab) else connect()
        except QpiError:
            return []
        at, answer = self._known.get((what, lab.url), (-_KEEP_S, None))
        if time.monotonic() - at >= _KEEP_S:
            try:
                answer = lab.http.portal.start(ask(lab)).result(timeout=_PATIENCE_S)
            except (QpiError, RuntimeError, TimeoutError):
                answer = None
            self._known[what, lab.url] = time.monotonic(), answer
        return [] if answer is None else names(answer)

    def _variables(self) -> list[str]:
        hidden = self._shell.user_ns_hidden
        return [name for name in self._shell.user_ns if not name.startswith("_") and name not in hidden]

    def _job_variables(self) -> list[str]:
        """The names that hold a job, or data that are still measured."""
        from qpi_jupyter.client import JobHandle

        from .pending import Pending

        namespace = self._shell.user_ns
        return [name for name in self._variables() if isinstance(namespace[name], JobHandle | Pending)]


def innermost_call(text: str) -> tuple[str, str] | None:
    """What is called by the last bracket that is still open, and its arguments so far; what is closed is masked."""
    masked, text = _STRINGS.sub(_mask, text), ""
    while masked != text:
        masked, text = _CLOSED.sub(_mask, masked), masked
    opened = [found.start() for found in re.finditer(r"[(\[{]", masked)]
    # A list of strings may be an argument: after=["job-1
    if opened and masked[opened[-1]] == "[":
        opened.pop()
    if not opened or masked[opened[-1]] != "(" or (callee := _CALLEE.search(masked[: opened[-1]])) is None:
        return None
    return callee[1], masked[opened[-1] + 1 :]


def _mask(found: re.Match[str]) -> str:
    return "s" * len(found[0])


def _words(before: Sequence[str], options: Mapping[str, Option]) -> Iterator[str]:
    """The words of a magic's line that are neither options nor their values."""
    value = False
    for word in before:
        option = options.get(word)
        if not value and not word.startswith("-"):
            yield word
        value = option is not None and option.takes_value


def _public(owner: object, where: Any) -> list[str]:
    """What people use of an object or a module of ours: its calls, properties and plain values, not its parts."""
    from qpi_jupyter.client.portal import both

    if inspect.ismodule(where):
        return [*getattr(where, "__all__", dir(where))]
    found = {name: inspect.getattr_static(where, name) for name in dir(where)}
    calls = [name for name, one in found.items() if isinstance(one, (property, both)) or inspect.isroutine(one)]
    values = [name for name, one in getattr(owner, "__dict__", {}).items() if isinstance(one, _PLAIN)]
    fields = getattr(where, "__struct_fields__", ()) or getattr(where, "_fields", ())
    return sorted(name for name in {*calls, *values, *fields} if not name.startswith("_"))


def _routine(found: object) -> Callable[..., Any] | None:
    return found if inspect.isroutine(found) else None


def _newest(lab: Lab) -> Coroutine[Any, Any, JobTable]:
    return lab.jobs.aio(limit=20)


def _ids(table: JobTable) -> list[str]:
    return [job.id for job in table]


def _open_ids(table: JobTable) -> list[str]:
    return [job.id for job in table if not job.final]


def register(shell: InteractiveShell, themes: Iterable[type[LabMagics]]) -> None:
    """Offer what these magics take, and what the client's calls do."""
    unregister(shell)
    names = [(theme, name) for theme in themes for kind in ("line", "cell") for name in theme.magics[kind]]
    completer = Completer(shell, {name: options_of(getattr(theme, name)) for theme, name in names})

    @context_matcher(identifier=_IDENTIFIER)  # type: ignore[untyped-decorator]
    def offer(context: CompletionContext) -> SimpleMatcherResult:
        return completer(context)

    shell.Completer.custom_matchers.append(offer)


def unregister(shell: InteractiveShell) -> None:
    """Offer nothing any more."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [known for known in matchers if getattr(known, "matcher_identifier", "") != _IDENTIFIER]
