"""Who asks, found out before anything else is; and errors as answers."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.prometheus.metrics import HTTP_REQUEST_DURATION_SECONDS
from prometheus_client import Histogram
from tornado.web import HTTPError

from qpi_jupyter.core import Permission, Principal, QpiError, Rejected, Unauthorized
from qpi_server.host.forward import Upstream
from qpi_server.host.logs import REQUEST_ID, begin_request
from qpi_server.host.owner import Ownership
from qpi_server.service import Lab

from .errors import Refuse, body_of, from_exception, headers_of, reason_of, status_of
from .identity import (
    Visitor,
    credential,
    has_jupyter_token,
    host_refused,
    is_lab_token,
    is_secret,
    jupyter_visitor,
    local_owner,
    others_server,
    page_refused,
    require,
)
from .table import Site

SETTING = "qpi"


@lru_cache(maxsize=4096)
def _durations(method: str | None, handler: str, status: int) -> Histogram:
    """Where Jupyter counts how long answers take; its own `prometheus_log_method` looks for it with each request."""
    found: Histogram = HTTP_REQUEST_DURATION_SECONDS.labels(method=method, handler=handler, status_code=status)
    return found


class Signed(JupyterHandler):
    """Knows who asks, and answers errors as JSON."""

    sent_token: str | None = None
    """The credential in the header. (Not ``token``: that is Jupyter's own, which it is compared with.)"""
    visitor: Visitor | None = None
    """Whom this server knows by itself, without the lab."""
    principal: Principal | None = None
    error_media_type = "application/json"
    """Of a refusal."""
    refuse: Refuse = staticmethod(body_of)

    @property
    def site(self) -> Site:
        """The server around this request."""
        site: Site = self.settings[SETTING]
        return site

    @property
    def ownership(self) -> Ownership:
        """Where the lab is: in this process, or in another one."""
        ownership: Ownership = self.settings[SETTING].ownership
        return ownership

    def set_default_headers(self) -> None:
        """Every answer, a refusal too, says under which id the log tells of it."""
        super().set_default_headers()
        self.set_header(REQUEST_ID, begin_request(self.request.headers))

    async def sign_in(self, permission: Permission) -> None:
        """Find out who asks, as far as this server can tell; a lab token is for `admit`."""
        self.sent_token = credential(self)
        if is_secret(self.sent_token, self.settings[SETTING].secret):
            self._no_jupyter_user()
            self.visitor = Visitor(principal=local_owner())
        elif is_lab_token(self.sent_token) or permission is Permission.SIGN_IN:
            self._no_jupyter_user()
        elif has_jupyter_token(self):
            self._require_host()
            self._no_jupyter_user()
            self.set_cors_headers()
            self.visitor = Visitor(principal=local_owner())
        else:
            await self._ask_jupyter()
            self.visitor = await jupyter_visitor(self)

    async def _ask_jupyter(self) -> None:
        """Let Jupyter find its user; what it refuses is said in words that lead on."""
        self._require_host()
        try:
            await JupyterHandler.prepare(self)
            if not self.check_origin():
                raise HTTPError(404)
        except HTTPError as error:
            if error.status_code < 500 and self.current_user is None:
                require(None, Permission.PROFILE_EDIT, sent=self._sent())
            raise page_refused(error) from error

    def _require_host(self) -> None:
        if not self.check_host():
            self.current_user = self._jupyter_current_user = None
            raise host_refused(self.request.host)

    def _sent(self) -> bool:
        """Whether a token came with the request."""
        return self.sent_token is not None or "token" in self.request.query_arguments

    def _no_jupyter_user(self) -> None:
        # A credential in a header needs neither Jupyter's user nor its XSRF check: no page can send one unasked. Nor
        # does one in the body of a sign-in, which is answered with a token and sets no cookie.
        self.current_user = self._jupyter_current_user = None
        self._token_authenticated = True

    async def admit(self, target: Lab | Upstream, permission: Permission) -> None:
        """Let the request in, or raise. A lab token is judged where the lab is; so is what the lab adds to a person."""
        if isinstance(target, Upstream):
            if self.visitor is not None and not self.visitor.own:
                raise others_server(self.visitor)
            if self.visitor is None and target.personal:
                raise Unauthorized(
                    f"This server shows the lab at {target.url}: a token of another lab, or a driver's, is not sent "
                    "there.",
                    code="lab_elsewhere",
                )
            if self.visitor is None and is_lab_token(self.sent_token):
                return
            self.principal = self.visitor.principal if self.visitor is not None else None
        elif self.visitor is not None:
            self.principal = await target.authenticator.admit(self.visitor.principal, source=self.visitor.source)
        elif self.sent_token is not None and is_lab_token(self.sent_token):
            self.principal = await target.authenticator.authenticate(self.sent_token)
        require(self.principal, permission, sent=self._sent())

    async def admit_again(self, target: Lab, permission: Permission) -> None:
        """Let go on what has taken long, or raise: whoever signed the person in is asked again."""
        for asked in ("_jupyterhub_user", "_cached_hub_user"):  # what the Hub's provider keeps for a request
            self.__dict__.pop(asked, None)
        self.current_user = await ensure_async(self.identity_provider.get_user(self))
        self.visitor = await jupyter_visitor(self)
        self.principal = None
        await self.admit(target, permission)

    @property
    def content_security_policy(self) -> str:
        """Nothing here is a page."""
        return "default-src 'none'; frame-ancestors 'none'"

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """A part of the address as text."""
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise Rejected("The address is not UTF-8.", code="bad_address") from error

    def compute_etag(self) -> str | None:
        """No hash over every answer: a download brings its own."""
        return None

    def _log(self) -> None:
        """Jupyter's line in the log; what went well is put into words only for who debugs."""
        server = self.settings.get("serverapp")
        if server is None or server.log_level in (logging.NOTSET, logging.DEBUG) or self.get_status() >= 300:
            super()._log()
        elif server.record_http_request_metrics:
            handler = f"{type(self).__module__}.{type(self).__name__}"
            _durations(self.request.method, handler, self.get_status()).observe(self.request.request_time())

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Keep the log for what nobody foresaw."""
        if not isinstance(value, QpiError):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the one error body."""
        raised = kwargs["exc_info"][1] if "exc_info" in kwargs else HTTPError(status_code)
        error = from_exception(raised)
        status = raised.status_code if isinstance(raised, HTTPError) else status_of(error)
        self.set_status(status, reason_of(error))
        for name, value in headers_of(error).items():
            self.set_header(name, value)
        self.set_header("Content-Type", self.error_media_type)
        self.finish(self.error_body(error, status))

    def error_body(self, error: QpiError, status: int) -> bytes:
        """What a refusal says."""
        return self.refuse(error, status, self.request.headers)
