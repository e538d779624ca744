"""A route: its address, who may use it, what it takes and gives. The table of routes is the surface's one truth."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct

from qpi_jupyter.core import Permission, Principal, QpiError, Rejected
from qpi_jupyter.wire.bench import ConfigInForce
from qpi_jupyter.wire.rest import ErrorBody
from qpi_jupyter.wire.validation import refused
from qpi_server.host.connections import LabSwitch
from qpi_server.service import Lab
from qpi_server.service.events import Out

from .errors import Refuse, body_of

Answers = type[Struct] | str | tuple[type[Struct] | str, ...]
JSON = "application/json"
_NOT_OURS = ("token", "_xsrf")
"""What a query has for Jupyter."""
_PATTERNS = {"attempt": r"[0-9]{1,9}"}


class Site(Protocol):
    """What the routes know of the server they run in."""

    def owner(self) -> dict[str, Any]:
        """The process that owns the queue, for ``GET health``."""

    def public_address(self, here: str = "") -> str:
        """The address that is told to people and drivers elsewhere: the setting, or ``here``, or the server's own."""

    def ca_pem(self) -> bytes | None:
        """The certificate of the lab's own authority, if it has one."""

    def ca_fingerprint(self) -> str | None:
        """Its SHA-256."""

    def settings_in_force(self) -> ConfigInForce:
        """Every setting, its value and where it came from, without secrets."""

    def labs(self) -> LabSwitch | None:
        """Connects this server to labs elsewhere; None where it is nobody's own."""

    async def released(self) -> None:
        """Wait until this server stops owning the queue."""


class Sink(Protocol):
    """Takes a request's body, chunk by chunk."""

    def feed(self, chunk: bytes) -> Awaitable[None] | None:
        """Take a chunk; the sender is read no further until the answer is done."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One authorised request, taken apart. ``principal`` is None only where nobody need sign in."""

    lab: Lab
    site: Site
    principal: Principal | None
    path: Mapping[str, str]
    headers: Mapping[str, str]
    address: str
    """Where the request comes from."""
    here: str = ""
    """This server's address, with its base path, as the asker has written it."""
    # the structs that the route names; each route knows its own
    query: Any = None
    body: Any = None
    sink: Any = None

    @property
    def person(self) -> Principal:
        """Who asks; the route's permission has made sure that somebody does."""
        if self.principal is None:
            raise AssertionError("a route without sign-in asked for its person")
        return self.principal

    @property
    def given(self) -> dict[str, Any]:
        """The query's fields, as arguments of the use case that has the same names for them."""
        return msgspec.structs.asdict(self.query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file as an answer: range requests, ``ETag``, constant memory."""

    path: Path
    etag: str
    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer that comes piece by piece; its route ``waits``, so that it ends when the asker goes."""

    write: Callable[[Out], Awaitable[None]]


Body = Struct | dict[str, Any] | list[Any] | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a route answers, where the body does not say it all; ``sent`` is called once the asker's connection has
    taken the whole body, and never where it broke off before."""

    body: Body | Download | Stream = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON
    sent: Callable[[], Awaitable[object]] | None = None


Answer = Awaitable[Body | Reply | None]
Run = Callable[[Call], Answer]
"""Makes the one call of the lab behind a route."""
AnyRun = TypeVar("AnyRun", bound=Callable[..., Answer])


@dataclass(frozen=True, slots=True)
class Route:
    """One verb of one address.

    ``run`` answers with a `Reply`, or with a body alone (None: nothing), which has the first status in ``answers``.
    ``answers`` maps each good status to the structs or the media types that come with it; ``opens`` makes the sink of a
    body of the media type ``takes`` before its first byte is read; the body of a ``form`` comes as browsers send one;
    ``waits`` marks a long-poll, which ends when its
    asker goes; ``closed`` answers where no lab is open, from the reason; ``refuses`` names error statuses that other
    routes do not have, ``error`` the body of every refusal.
    """

    name: str
    method: str
    path: str
    permission: Permission
    answers: Mapping[int, Answers]
    summary: str
    run: Run
    _: KW_ONLY
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    form: bool = False
    headers: tuple[str, ...] = ()
    opens: Callable[[Call], Awaitable[Sink]] | None = None
    takes: str = "application/octet-stream"
    waits: bool = False
    closed: Callable[[QpiError], Reply] | None = None
    refuses: tuple[int, ...] = ()
    error: type[Struct] = ErrorBody

    async def answer(self, call: Call) -> Reply:
        """What it answers."""
        found = await self.run(call)
        if isinstance(found, Reply):
            return found
        status, kind = next(iter(self.answers.items()))
        media_type = kind if isinstance(kind, str) else JSON
        return Reply(body=b"" if found is None else found, status=status, media_type=media_type)

    @property
    def pattern(self) -> str:
        """The address as a regular expression with named groups."""
        return re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{_PATTERNS.get(m[1], '[^/]+')})", self.path) + "$"


class Table:
    """The routes below one address, which say a refusal in the same way."""

    def __init__(self, prefix: str, *, error: type[Struct] = ErrorBody, refuse: Refuse = body_of) -> None:
        self.prefix = prefix
        self._error, self.refuse = error, refuse
        self.routes: list[Route] = []

    def serve(self, *routes: Route) -> None:
        """Add routes; their paths are relative."""
        self.routes += [replace(route, path=f"{self.prefix}{route.path}", error=self._error) for route in routes]

    def route(
        self, method: str, path: str, permission: Permission, answers: Mapping[int, Answers], **more: Any
    ) -> Callable[[AnyRun], AnyRun]:
        """Serve the decorated function: it gets the call and what the route takes, first the ``body``, then the
        ``query``; its docstring is the summary. See `Route` for ``more``."""
        taken = [name for name in ("body", "query") if name in more]

        def add(run: AnyRun) -> AnyRun:
            name, summary = run.__name__, str(run.__doc__).strip().splitlines()[0]
            self.serve(
                Route(
                    name, method, path, permission, answers, summary,
                    lambda call: run(call, *(getattr(call, name) for name in taken)), **more,
                )
            )  # fmt: skip
            return run

        return add

    def by_path(self) -> dict[str, dict[str, Route]]:
        """``{pattern: {method: route}}``, words of an address before names that may be anything."""
        found: dict[str, dict[str, Route]] = {}
        for route in sorted(self.routes, key=lambda route: route.path):  # "{" comes after every letter
            found.setdefault(route.pattern, {})[route.method] = route
        return found


class NoQuery(Struct, forbid_unknown_fields=True):
    """The query of a route that takes none."""


def parse_query(
    arguments: Mapping[str, list[bytes]], kind: type[Struct], *, strict: bool = False, whole: str = "The query"
) -> Struct:
    """A query string as its struct. Of repeated values for which the struct has no list, the last counts; ``strict``
    refuses them.

    Raises
    ------
    Rejected
        an unknown name, or a value of the wrong type.
    """
    try:
        lists = _lists(kind)
        twice = [name for name, found in arguments.items() if len(found) > 1 and name not in lists]
        if strict and twice:
            raise Rejected(f"{twice[0]} is given more than once.", code="bad_query", field=twice[0])
        values: dict[str, str | list[str]] = {
            name: [value.decode() for value in found] if name in lists else found[-1].decode()
            for name, found in arguments.items()
            if name not in _NOT_OURS
        }
        return msgspec.convert(values, type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise refused(error, kind, code="bad_query", whole=whole) from error
    except UnicodeDecodeError as error:
        raise Rejected(f"{whole} is not UTF-8.", code="bad_query") from error


@lru_cache
def _lists(kind: type[Struct]) -> frozenset[str]:
    """The names that have a list."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind) if _is_list(field.type))


def _is_list(kind: Any) -> bool:  # Any: whatever an annotation may be
    return get_origin(get_args(kind)[0] if get_origin(kind) is Annotated else kind) is list
