"""The handler of QPI's surface: its credentials, and refusals in its clients' words."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from qpi_jupyter.core import OPEN_TO_ALL, Permission, QpiError, Unauthorized
from qpi_server.host.forward import Upstream
from qpi_server.service import Lab
from qpi_server.service.people import SIGN_IN_PREFIX
from qpi_server.web.handler import RestHandler
from qpi_server.web.identity import Visitor, is_lab_token, is_secret, local_owner
from qpi_server.web.signed import SETTING
from qpi_server.web.table import Route

from . import border


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

    async def admit(self, target: Lab | Upstream, permission: Permission) -> None:
        """Let the request in with the first token that is good."""
        try:
            await super().admit(target, permission)
        except Unauthorized:
            if not self._spare:
                raise
            self.sent_token, self._spare = self._spare[0], self._spare[1:]
            await super().admit(target, permission)

    def read_query(self, route: Route) -> Struct | None:
        """The query; a name that means nothing is refused."""
        return border.read_query(self.request.query_arguments, route)

    def read_body(self, body: bytes, route: Route) -> Struct | None:
        """The body; a field that means nothing is refused."""
        return border.read_body(body, route, self.path_kwargs)

    def error_body(self, error: QpiError, status: int) -> bytes:
        """PocketBase's shape, with the names that the client sent."""
        if self._call is not None and self._call.body is not None:
            error = border.in_their_words(error, self._route, self._call.body)
        return super().error_body(error, status)


def sent_tokens(headers: Mapping[str, str]) -> list[str]:
    """The tokens of a request, the one that counts first at the front."""
    sent = str(headers.get("Authorization", "")).strip()
    scheme, _, rest = sent.partition(" ")
    login = rest.strip() if scheme.lower() in ("bearer", "token") else sent
    key = str(headers.get("X-API-Token", "")).strip()
    both = [login, key] if login.startswith(SIGN_IN_PREFIX) else [key, login]
    return [token for token in both if token]
