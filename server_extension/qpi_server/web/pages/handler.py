"""The handler of the pages: a browser's sign-in, and refusals that a person reads."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from tornado.httputil import HTTPServerRequest

from qpi_jupyter.core import OPEN_TO_ALL, Forbidden, Permission, QpiError, Unauthorized, Unavailable
from qpi_server.host.forward import Upstream
from qpi_server.host.hub import is_service
from qpi_server.service import Lab
from qpi_server.service.people import SIGN_IN_PREFIX
from qpi_server.web.bodies import BodySink
from qpi_server.web.errors import from_exception
from qpi_server.web.handler import RestHandler

from .base import HTML, HUB, SESSION, cookie_name, draw, forget, read_cookie

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


class PageHandler(RestHandler):
    """Answers a browser.

    A sign-in of the lab's own is in a cookie that counts here alone, so that no page can forge a request of the REST
    surface with it; else the person is Jupyter's user. What a form sends has to come from one of these pages.
    """

    error_media_type = HTML

    _refusal: QpiError | None = None

    async def prepare(self) -> None:  # type: ignore[override]
        """As for every route; but a refused form is read to its end, or its sender would see no page."""
        try:
            await super().prepare()
        except QpiError as error:
            if self.request.method != "POST":
                raise
            self._refusal, self._sink = error, BodySink()

    async def _respond(self) -> None:
        if self._refusal is not None:
            raise self._refusal
        await super()._respond()

    async def sign_in(self, permission: Permission) -> None:
        """Take the cookie, or Jupyter's user; whoever signs in is nobody yet."""
        require_own_page(self.request)
        token = read_cookie(self.request.headers, SESSION, self.request.host)
        if permission in OPEN_TO_ALL:
            self._no_jupyter_user()
        elif self._asks_hub:
            await super().sign_in(permission)
        elif token.startswith(SIGN_IN_PREFIX):
            self._no_jupyter_user()
            self.sent_token = token
        else:
            await super().sign_in(permission)

    @property
    def _asks_hub(self) -> bool:
        return is_service() and self.request.path.endswith(f"/qpi/{HUB}")

    def check_xsrf_cookie(self) -> None:
        """`require_own_page` has looked."""

    def check_origin(self, origin_to_satisfy_tornado: str = "") -> bool:
        """`require_own_page` has looked."""
        return True

    async def admit(self, target: Lab | Upstream, permission: Permission) -> None:
        """Let the request in where the lab is; elsewhere there are no pages."""
        if isinstance(target, Upstream):
            owner = self.site.owner()
            raise Unavailable(
                f"The pages of this lab are at {owner['url'] if owner else target.url}qpi/", code="pages_elsewhere"
            )
        await super().admit(target, permission)

    @property
    def content_security_policy(self) -> str:
        """Only what this server has, and never within another page."""
        return POLICY

    def set_default_headers(self) -> None:
        """Keep pages to this browser, and their addresses to this server."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "same-origin")  # with less, a form's Origin would be null
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Ask who nobody has signed in to do that; else say it on a page."""
        error = from_exception(kwargs["exc_info"][1]) if "exc_info" in kwargs else None
        if not isinstance(error, Unauthorized):
            super().write_error(status_code, **kwargs)
            return
        base = self.settings["base_url"]
        if not self._body_came:
            self.set_header("Connection", "close")
        self.set_status(303)
        to_sign_in = f"{base}qpi/sign-in?next={quote(self._onward())}"
        self.set_header("Location", self.get_login_url() if self._asks_hub else to_sign_in)
        self.set_header("Set-Cookie", forget(cookie_name(SESSION, self.request.host), base))
        self.finish()

    def _onward(self) -> str:
        """This page, to come back to after a sign-in."""
        if self.request.method != "GET":
            return ""
        parts = urlsplit(self.request.uri or "")
        name = parts.path.rpartition("/qpi/")[2]
        return f"{name}?{parts.query}" if parts.query else name

    def error_body(self, error: QpiError, status: int) -> bytes:
        """A page that says it."""
        return draw("message.html", here=self.settings["base_url"], error=error, title="Not possible")


def require_own_page(request: HTTPServerRequest) -> None:
    """Refuse what another site's page sends; browsers say where a form comes from.

    Raises
    ------
    Forbidden
        another site's.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        own = site in ("same-origin", "none")
    else:  # neither: a program, whom nobody sends unasked
        own = origin is None or urlsplit(origin).netloc.lower() == request.host.lower()
    if not own:
        raise Forbidden("This form was sent by a page of another site.", code="origin_not_allowed")
