"""A route: its address, who may use it, what it takes and gives. The table of routes is the surface's one truth."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, get_args, get_origin

import msgspec
from msgspec import Struct

from qpi_jupyter.core.access import Permission, Principal
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire.bench import ConfigInForce
from qpi_jupyter.wire.rest import ErrorBody

if TYPE_CHECKING:
    from qpi_server.service import Lab

Answers = type[Struct] | str | tuple[type[Struct] | str, ...]
_PATTERNS = {"attempt": r"[0-9]{1,9}"}


class Site(Protocol):
    """What the routes know of the server they run in."""

    def owner(self) -> dict[str, Any]:
        """The process that owns the queue, for ``GET health``."""

    def address(self) -> str:
        """The server's own address, with its base path."""

    def ca_pem(self) -> bytes | None:
        """The certificate of the lab's own authority, if it has one."""

    def ca_fingerprint(self) -> str | None:
        """Its SHA-256."""

    def settings_in_force(self) -> ConfigInForce:
        """Every setting, its value and where it came from, without secrets."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file as an answer: range requests, ``ETag``, constant memory."""

    path: Path
    etag: str
    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer that comes piece by piece; its route ``waits``, so that it ends when the asker goes."""

    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a route answers; nothing with status 204."""

    body: Struct | dict[str, Any] | list[Any] | bytes | Download | Stream = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One verb of one address.

    ``answers`` maps each good status to the structs or the media types that come with it; ``opens`` makes the sink of a
    body of the media type ``takes`` before its first byte is read; ``waits`` marks a long-poll, which ends when its
    asker goes; ``refuses`` names error statuses that other routes do not have, ``error`` the body of every refusal.
    """

    method: str
    path: str
    permission: Permission
    run: Callable[[Call], Awaitable[Reply]]
    answers: Mapping[int, Answers]
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    headers: tuple[str, ...] = ()
    opens: Callable[[Call], Awaitable[Sink]] | None = None
    takes: str = "application/octet-stream"
    waits: bool = False
    refuses: tuple[int, ...] = ()
    error: type[Struct] = ErrorBody
    summary: str = ""

    @property
    def pattern(self) -> str:
        """The address as a regular expression with named groups."""
        return re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{_PATTERNS.get(m[1], '[^/]+')})", self.path) + "$"


class Table:
    """Collects routes by decorator, in the order in which they are matched."""

    def __init__(self, prefix: str, *, error: type[Struct] = ErrorBody) -> None:
        self.prefix = prefix
        self._error = error
        self.routes: list[Route] = []

    def route(
        self, method: str, path: str, permission: Permission, answers: Mapping[int, Answers], **more: Any
    ) -> Callable[[Callable[[Call], Awaitable[Reply]]], Callable[[Call], Awaitable[Reply]]]:
        """Add the decorated function as a route; see `Route` for ``more``."""

        def add(run: Callable[[Call], Awaitable[Reply]]) -> Callable[[Call], Awaitable[Reply]]:
            summary = (run.__doc__ or "").strip().splitlines()[0]
            path_ = f"{self.prefix}{path}"
            route = Route(
                method=method, path=path_, permission=permission, run=run, answers=answers, summary=summary,
                error=self._error, **more,
            )  # fmt: skip
            self.routes.append(route)
            return run

        return add

    def by_path(self) -> dict[str, dict[str, Route]]:
        """``{pattern: {method: route}}``."""
        found: dict[str, dict[str, Route]] = {}
        for route in self.routes:
            found.setdefault(route.pattern, {})[route.method] = route
        return found


def parse_query(arguments: Mapping[str, list[bytes]], kind: type[Struct]) -> Struct:
    """A query string as its struct: the last of repeated values counts, unless the struct has a list for them.

    Raises
    ------
    Rejected
        an unknown name, or a value of the wrong type.
    """
    try:
        lists = {field.encode_name for field in msgspec.structs.fields(kind) if _is_list(field.type)}
        values: dict[str, str | list[str]] = {
            name: [value.decode() for value in found] if name in lists else found[-1].decode()
            for name, found in arguments.items()
            if name not in ("token", "_xsrf")
        }
        return msgspec.convert(values, type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise Rejected(f"The query is not valid: {error}", code="bad_query") from error
    except UnicodeDecodeError as error:
        raise Rejected("The query is not UTF-8.", code="bad_query") from error


def _is_list(kind: Any) -> bool:  # Any: whatever an annotation may be
    return get_origin(get_args(kind)[0] if get_origin(kind) is Annotated else kind) is list
