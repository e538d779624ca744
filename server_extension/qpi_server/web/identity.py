"""Who is asking: a lab token, this server's own secret, or Jupyter's user, in that order."""

from __future__ import annotations

import getpass
import hmac
import os
from dataclasses import dataclass, replace
from functools import cache

from jupyter_core.utils import ensure_async
from jupyter_server.auth.authorizer import AllowAllAuthorizer
from jupyter_server.auth.identity import IdentityProvider, LegacyIdentityProvider, PasswordIdentityProvider
from jupyter_server.auth.utils import HTTP_METHOD_TO_AUTH_ACTION
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError

from qpi_jupyter.core import (
    OPEN_TO_ALL,
    Forbidden,
    Permission,
    Principal,
    QpiError,
    Role,
    Unauthorized,
    Unavailable,
    allows,
    permissions,
    scope_for,
)
from qpi_server.host import hub
from qpi_server.service.people import SIGN_IN_PREFIX, TOKEN_PREFIX

from .errors import from_exception

AUTH_RESOURCE = "qpi"
_LOCAL_PROVIDERS = (IdentityProvider, PasswordIdentityProvider, LegacyIdentityProvider)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody whom Jupyter (or this server's own secret) has signed in, and where they come from."""

    principal: Principal
    source: str = "jupyter"
    own: bool = True
    """Whether this server is theirs."""


def local_user() -> str:
    """The operating-system user this server runs as: its local owner."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return f"uid-{os.getuid()}"


@cache
def local_owner() -> Principal:
    """The person whose server this is."""
    return Principal(name=local_user(), roles=frozenset({Role.ADMIN}))


def credential(handler: JupyterHandler) -> str | None:
    """The token in the request's header, whoever issued it.

    With both headers a sign-in in ``Authorization`` counts, else ``X-API-Token``.
    """
    bearer, key = _bearer(handler), str(handler.request.headers.get("X-API-Token", "")).strip() or None
    return bearer if key is None or (bearer or "").startswith(SIGN_IN_PREFIX) else key


def _bearer(handler: JupyterHandler) -> str | None:
    scheme, _, token = str(handler.request.headers.get("Authorization", "")).partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "token") and token else None


def is_secret(token: str | None, secret: str) -> bool:
    """Whether ``token`` is this server's own secret."""
    return token is not None and hmac.compare_digest(token.encode(), secret.encode())


def is_lab_token(token: str | None) -> bool:
    """Whether the lab issued ``token``, by its looks."""
    return token is not None and token.startswith(TOKEN_PREFIX)


def has_jupyter_token(handler: JupyterHandler) -> bool:
    """Whether Jupyter's own token came in the header ``Authorization``, and Jupyter would ask for nothing else."""
    usual = type(handler.identity_provider) in _LOCAL_PROVIDERS and type(handler.authorizer) is AllowAllAuthorizer
    own = handler.identity_provider.token if usual else ""
    return bool(own) and is_secret(_bearer(handler), own)


def has_own_people(provider: type[IdentityProvider]) -> bool:
    """Whether somebody else than this server's own token and password says who people are, as a Hub does."""
    return provider not in _LOCAL_PROVIDERS


async def jupyter_visitor(handler: JupyterHandler) -> Visitor | None:
    """Jupyter's user as one of ours; call it after Jupyter's own ``prepare``.

    With Jupyter's token or password everybody is the local owner: Jupyter makes up a new name for every request. Other
    providers (a Hub's) name people; the one whose server this is, is its admin. A service of a Hub is nobody's: there
    the Hub's scopes say who manages.
    """
    user = handler.current_user
    if user is None:
        return None
    action = HTTP_METHOD_TO_AUTH_ACTION.get(handler.request.method or "GET", "read")
    if not await ensure_async(handler.authorizer.is_authorized(handler, user, action, AUTH_RESOURCE)):
        raise Forbidden(f"This server does not let {user.username} {action} its lab.")
    if type(handler.identity_provider) in _LOCAL_PROVIDERS:
        return Visitor(principal=local_owner())
    of_hub = getattr(user, "hub_user", None)  # what jupyterhub's own identity provider adds
    own = hub.is_own(user.username) or (of_hub is None and user.username == local_user())
    roles = frozenset({Role.ADMIN if own else Role.USER})
    if of_hub is None:
        return Visitor(principal=Principal(name=user.username, roles=roles), own=own)
    if of_hub.get("kind", "user") != "user":
        raise Forbidden(
            f"{user.username} is a {of_hub['kind']} of the Hub, not a person. For a program make an API token in the "
            "lab, for somebody with the role service.",
            code="not_a_person",
        )
    if hub.is_service():
        roles = hub.roles_of(of_hub, handler.identity_provider.hub_auth)  # type: ignore[attr-defined]
    groups = frozenset(str(name) for name in of_hub.get("groups", ()))
    return Visitor(principal=Principal(name=user.username, roles=roles, groups=groups), source="hub", own=own)


def others_server(visitor: Visitor) -> Forbidden:
    """Whoever uses somebody else's server would be that person in the lab that it forwards to."""
    return Forbidden(
        f"This is not your server, {visitor.principal.name}: the lab behind it would take you for its owner. Open the "
        "lab from your own server.",
        code="others_server",
    )


def host_refused(host: str) -> Forbidden:
    """Jupyter does not answer under this name."""
    return Forbidden(
        f"This server answers under the names of its own machine only, and {host[:200]!r} is not one of them. Its "
        "settings ServerApp.local_hostnames (more names) and ServerApp.allow_remote_access (any name) change that.",
        code="host_not_allowed",
    )


def page_refused(error: HTTPError) -> QpiError:
    """Why Jupyter turns a page away, or the error as it is."""
    if error.status_code == 403 and "xsrf" in str(error.log_message).lower():
        return Forbidden(
            "This request was sent with a browser's sign-in but without the page's own proof (the cookie _xsrf in the "
            "header X-XSRFToken). A program sends a token in the header Authorization.",
            code="no_xsrf",
        )
    if error.status_code >= 500:
        return Unavailable(
            "The lab cannot find out who you are, because JupyterHub does not answer it. Jobs go on meanwhile; try "
            "again in a moment.",
            code="hub_away",
        )
    if error.status_code in (403, 404):
        return Forbidden(
            "Pages of other servers cannot use this lab. The setting ServerApp.allow_origin allows them.",
            code="origin_not_allowed",
        )
    return from_exception(error)


def require(principal: Principal | None, permission: Permission, *, sent: bool = False) -> None:
    """Let pass who may. ``sent``: a token came, whoever it belongs to.

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
        if sent:
            raise Unauthorized("This token is not valid.", code="bad_token")
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
    if permission in permissions(replace(principal, scopes=None)):
        scope = scope_for(permission)
        raise Forbidden(
            f"This token does not have the scope {scope}. Use one that has it, or sign in.",
            code="scope_missing", scope=scope,
        )  # fmt: skip
    raise Forbidden(f"You ({principal.name}) don't have the permission {permission}, which this needs.")
