"""The handler of QPI's surface: its credentials, its refusals."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from qpi_jupyter.core.access import OPEN_TO_ALL, Permission
from qpi_jupyter.core.errors import NotFound, QpiError, Unauthorized
from qpi_server.forward import Upstream
from qpi_server.service import Lab
from qpi_server.web.handler import SETTING, RestHandler, Signed
from qpi_server.web.identity import SIGN_IN_PREFIX, Visitor, is_lab_token, is_secret, local_owner

from .base import refusal


class QpiHandler(RestHandler):
    """Answers QPI's clients.

    They send a login token in ``Authorization``, with or without ``Bearer``, an API token in ``X-API-Token`` or as
    ``Bearer``, or one of each: a valid sign-in counts, else ``X-API-Token``, else ``Bearer``.
    """

    _spare: tuple[str, ...] = ()

    async def sign_in(self, permission: Permission) -> None:
        """Take the credentials; without any of the lab's, the person is Jupyter's user."""
        tokens = sent_tokens(self.request.headers)
        ours = [token for token in tokens if is_lab_token(token)]
        if any(is_secret(token, self.settings[SETTING].secret) for token in tokens):
            self._no_jupyter_user()
            self.visitor = Visitor(principal=local_owner())
        elif ours:
            self._no_jupyter_user()
            self.sent_token, self._spare = ours[0], tuple(ours[1:])
        elif permission in OPEN_TO_ALL:  # no page's cookie counts, and so there is nothing to forge
            self._no_jupyter_user()
        else:
            await super().sign_in(permission)

    async def admit(self, seat: Lab | Upstream, permission: Permission) -> None:
        """Let the request in with the first token that is good."""
        try:
            await super().admit(seat, permission)
        except Unauthorized:
            if not self._spare:
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


def sent_tokens(headers: Mapping[str, str]) -> list[str]:
    """The tokens of a request, the one that counts first at the front."""
    sent = str(headers.get("Authorization", "")).strip()
    scheme, _, rest = sent.partition(" ")
    login = rest.strip() if scheme.lower() in ("bearer", "token") else sent
    key = str(headers.get("X-API-Token", "")).strip()
    both = [login, key] if login.startswith(SIGN_IN_PREFIX) else [key, login]
    return [token for token in both if token]
