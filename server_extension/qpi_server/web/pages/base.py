"""What the pages share: their table, how one is drawn, and the cookie of a sign-in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import Meta, Struct
from tornado.httputil import parse_cookie

from qpi_jupyter.core import QpiError, Rejected
from qpi_server.service.people import SIGN_IN_PREFIX, SIGN_IN_S
from qpi_server.web.errors import headers_of, status_of
from qpi_server.web.table import Call, Reply, Table

HTML = "text/html; charset=utf-8"
FOLDER = Path(__file__).parent
_DRAWN = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip
pages = Table("/qpi/")
Line = Annotated[str, Meta(max_length=200)]
Secret = Annotated[str, Meta(max_length=256)]
_NEXT = re.compile(r"[a-z-]*(\?[A-Za-z0-9=&_-]*)?")


class Form(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a page sends; an unknown field is refused."""


def draw(template: str, /, **values: Any) -> bytes:
    """A page (Any: what its template names)."""
    return _DRAWN.get_template(template).render(values).encode()


def page(call: Call, template: str, /, error: QpiError | None = None, **values: Any) -> Reply:
    """A page as an answer, with the status of what went wrong on it, if something did."""
    body = draw(template, here=path_of(call.here), error=error, **values)
    status, headers = (200, {}) if error is None else (status_of(error), headers_of(error))
    return Reply(body=body, status=status, headers=headers, media_type=HTML)


def go(call: Call, where: str, **headers: str) -> Reply:
    """Send the browser on: to another of the pages, or to an address of somebody else."""
    place = where if "://" in where else f"{path_of(call.here)}qpi/{where}"
    return Reply(status=303, headers={"Location": place, **headers}, media_type=HTML)


def onward(text: str) -> str:
    """Where to go after a sign-in: one of the pages, whatever an address says.

    Raises
    ------
    Rejected
        it leads elsewhere.
    """
    if not _NEXT.fullmatch(text):
        raise Rejected("This link leads nowhere in this lab: sign in at its home page.", code="bad_next", field="next")
    return text


def path_of(here: str) -> str:
    """The base path of this server's address."""
    return urlsplit(here).path or "/"


def cookie_name(what: str, host: str) -> str:
    """Of a cookie: browsers send one to every port of a machine, so its name says which it is for."""
    return f"qpi-{what}-{re.sub(r'[^A-Za-z0-9]', '-', host)}"


def cookie(call: Call, what: str) -> str:
    """What the browser keeps for this lab; empty: nothing."""
    return read_cookie(call.headers, what, urlsplit(call.here).netloc)


def read_cookie(headers: Mapping[str, str], what: str, host: str) -> str:
    """As `cookie`, from a request's own headers."""
    return unquote(parse_cookie(headers.get("Cookie", "")).get(cookie_name(what, host), ""))


def keep(call: Call, what: str, value: str, seconds: float) -> str:
    """A ``Set-Cookie`` that no script reads and no other site's form sends; empty forgets it."""
    parts = urlsplit(call.here)
    return _set_cookie(cookie_name(what, parts.netloc), value, parts.path, seconds, secure=parts.scheme == "https")


def forget(name: str, path: str) -> str:
    """A ``Set-Cookie`` that ends a cookie."""
    return _set_cookie(name, "", path, 0, secure=False)


def _set_cookie(name: str, value: str, path: str, seconds: float, *, secure: bool) -> str:
    safe = "; Secure" if secure else ""
    return f"{name}={quote(value)}; Path={path}qpi/; Max-Age={int(seconds)}; HttpOnly; SameSite=Lax{safe}"


SESSION = "session"
HUB = "hub"
"""The page on which the JupyterHub around the lab says who somebody is."""


def signed_in(call: Call, token: str, onto: str) -> Reply:
    """Keep a sign-in that was just made, and go on."""
    assert token.startswith(SIGN_IN_PREFIX)
    return go(call, onward(onto), **{"Set-Cookie": keep(call, SESSION, token, SIGN_IN_S)})
