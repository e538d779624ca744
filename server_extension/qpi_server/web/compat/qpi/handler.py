"""The handler of QPI's surface: its credentials, its refusals."""

from __future__ import annotations

import msgspec
from tornado.httputil import HTTPHeaders

from qpi_jupyter.core.access import OPEN_TO_ALL, Permission
from qpi_jupyter.core.errors import NotFound, QpiError, Unauthorized
from qpi_server.forward import Upstream
from qpi_server.service import Lab
from qpi_server.web.handler import SETTING, RestHandler, Signed
from qpi_server.web.identity import is_lab_token, is_secret, local_owner

from .base import refusal


class QpiHandler(RestHandler):
    """Answers QPI's clients.

    They send a login token in ``Authorization``, with or without ``Bearer``, an API token in ``X-API-Token`` or as
    ``Bearer``, or one of each: a valid ``Authorization`` wins.
    """

    _spare: tuple[str, ...] = ()

    async def sign_in(self) -> None:
        """Take the credentials; without any of the lab's, the person is Jupyter's user."""
        tokens = sent_tokens(self.request.headers)
        ours = [token for token in tokens if is_lab_token(token)]
        if any(is_secret(token, self.settings[SETTING].secret) for token in tokens):
            self._no_jupyter_user()
            self.principal = local_owner()
        elif ours:
            self._no_jupyter_user()
            self.sent_token, self._spare = ours[0], tuple(ours[1:])
        elif self._route.permission in OPEN_TO_ALL:  # no page's cookie, and so nothing to forge
            self._no_jupyter_user()
        else:
            await super().sign_in()

    async def admit(self, seat: Lab | Upstream, permission: Permission) -> None:
        """Let the request in with the first token that is good."""
        try:
            await super().admit(seat, permission)
        except Unauthorized:
            if self.sent_token is None or not self._spare:
                raise
            self.sent_token, self._spare = self._spare[0], self._spare[1:]
            await super().admit(seat, permission)

    def error_body(self, error: QpiError, status: int) -> bytes:
        """PocketBase's shape."""
        return msgspec.json.encode(refusal(error, status))


class UnknownQpiHandler(Signed):
    """Every address under ``qpi/api/`` that no route has."""

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse."""
        raise NotFound("The requested resource wasn't found.")

    def error_body(self, error: QpiError, status: int) -> bytes:
        """PocketBase's shape."""
        return msgspec.json.encode(refusal(error, status))


def sent_tokens(headers: HTTPHeaders) -> list[str]:
    """The tokens of a request, the one that counts first at the front."""
    sent = str(headers.get("Authorization", "")).strip()
    scheme, _, rest = sent.partition(" ")
    login = rest.strip() if scheme.lower() in ("bearer", "token") else sent
    return [token for token in (login, str(headers.get("X-API-Token", "")).strip()) if token]
