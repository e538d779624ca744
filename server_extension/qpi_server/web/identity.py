"""Who is asking: a lab token, this server's own secret, or Jupyter's user, in that order."""

from __future__ import annotations

import getpass
import hmac
import os
from dataclasses import dataclass

from jupyter_core.utils import ensure_async
from jupyter_server.auth.identity import IdentityProvider, LegacyIdentityProvider, PasswordIdentityProvider
from jupyter_server.auth.utils import HTTP_METHOD_TO_AUTH_ACTION
from jupyter_server.base.handlers import JupyterHandler

from qpi_jupyter.core.access import OPEN_TO_ALL, Permission, Principal, Role, allows
from qpi_jupyter.core.errors import Forbidden, Unauthorized

TOKEN_PREFIX = "qpi_"
AUTH_RESOURCE = "qpi"
_LOCAL_PROVIDERS = (IdentityProvider, PasswordIdentityProvider, LegacyIdentityProvider)

SIGN_IN_PREFIX = "qpi_session_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody whom Jupyter (or this server's own secret) has signed in, and where they come from."""

    principal: Principal
    source: str = "jupyter"


def local_user() -> str:
    """The operating-system user this server runs as: its local owner."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return f"uid-{os.getuid()}"


def local_owner() -> Principal:
    """The person whose server this is."""
    return Principal(name=local_user(), roles=frozenset({Role.ADMIN}))


def credential(handler: JupyterHandler) -> str | None:
    """The token in the request's header, whoever issued it.

    With both headers a sign-in in ``Authorization`` counts, else ``X-API-Token``.
    """
    headers = handler.request.headers
    scheme, _, token = str(headers.get("Authorization", "")).partition(" ")
    bearer = token.strip() if scheme.lower() in ("bearer", "token") and token else None
    key = str(headers.get("X-API-Token", "")).strip() or None
    return bearer if key is None or (bearer or "").startswith(SIGN_IN_PREFIX) else key


def is_secret(token: str | None, secret: str) -> bool:
    """Whether ``token`` is this server's own secret."""
    return token is not None and hmac.compare_digest(token.encode(), secret.encode())


def is_lab_token(token: str | None) -> bool:
    """Whether the lab issued ``token``, by its looks."""
    return token is not None and token.startswith(TOKEN_PREFIX)


async def jupyter_visitor(handler: JupyterHandler) -> Visitor | None:
    """Jupyter's user as one of ours; call it after Jupyter's own ``prepare``.

    With Jupyter's token or password everybody is the local owner: Jupyter makes up a new name for every request. Other
    providers (a Hub's) name people; the one whose server this is, is its admin.
    """
    user = handler.current_user
    if user is None:
        return None
    action = HTTP_METHOD_TO_AUTH_ACTION.get(handler.request.method or "GET", "read")
    if not await ensure_async(handler.authorizer.is_authorized(handler, user, action, AUTH_RESOURCE)):
        raise Forbidden(f"This server does not let {user.username} {action} its lab.")
    if type(handler.identity_provider) in _LOCAL_PROVIDERS:
        return Visitor(principal=local_owner())
    own = user.username in (local_user(), os.environ.get("JUPYTERHUB_USER"))
    roles = frozenset({Role.ADMIN if own else Role.USER})
    of_hub = getattr(user, "hub_user", None)  # what jupyterhub's own identity provider adds
    if of_hub is None:
        return Visitor(principal=Principal(name=user.username, roles=roles))
    groups = frozenset(str(name) for name in of_hub.get("groups", ()))
    return Visitor(principal=Principal(name=user.username, roles=roles, groups=groups), source="hub")


def require(principal: Principal | None, permission: Permission) -> None:
    """Let pass who may.

    Raises
    ------
    Unauthorized
        nobody is signed in.
    Forbidden
        they are, and may not.
    """
    if permission in OPEN_TO_ALL:
        return
    if principal is None:
        raise Unauthorized("Sign in first: send a token in the header Authorization or X-API-Token.")
    if allows(principal, permission):
        return
    if principal.is_driver:
        raise Forbidden(
            "This is a driver's token: it lets a driver serve its QPU, not a person use the lab. Take a token of "
            "your own.",
            code="driver_token",
        )
    if permission is Permission.DRIVE:
        raise Forbidden("Only a driver may do this: use the token that its registration showed.", code="not_a_driver")
    raise Forbidden(f"This needs the permission {permission}, which you ({principal.name}) do not have.")
