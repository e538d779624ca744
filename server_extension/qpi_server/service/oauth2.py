"""Signing in with somebody else's word: OAuth 2, by authorisation code and PKCE."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Forbidden, NotFound, Unauthorized, Unavailable
from qpi_jupyter.wire.people import SignedIn
from qpi_server.providers import OAuth2Provider
from qpi_server.store import people
from qpi_server.store.people import LAB, UserRow

from .parts import Part, the_user
from .users import user_model

SOURCE = "oauth2"
TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 1 << 20
_GOOD_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,40}")
_WELL_KNOWN: Mapping[str, tuple[str, str, str]] = {
    "google": (
        "https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/token",
        "https://openidconnect.googleapis.com/v1/userinfo",
    ),
    "github": (
        "https://github.com/login/oauth/authorize", "https://github.com/login/oauth/access_token",
        "https://api.github.com/user",
    ),
    "gitlab": (
        "https://gitlab.com/oauth/authorize", "https://gitlab.com/oauth/token", "https://gitlab.com/oauth/userinfo",
    ),
    "microsoft": (
        "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "https://login.microsoftonline.com/common/oauth2/v2.0/token", "https://graph.microsoft.com/oidc/userinfo",
    ),
}  # fmt: skip
"""Where to sign in, to exchange a code and to ask who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider with all its addresses."""

    config: OAuth2Provider
    auth_url: str
    token_url: str
    user_info_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is there: ``subject`` never changes; an e-mail only counts where the provider has verified it."""

    subject: str
    display_name: str
    email: str
    verified: bool


class OAuth2SignIns(Part):
    """Signs in whom a configured provider vouches for.

    Somebody new is called by the provider and the subject there, so that no name that a person may choose elsewhere is
    anybody's here. A verified e-mail leads to the person whom a manager has entered with it, who has no other way in.
    """

    async def ways_in(self) -> tuple[bool, Sequence[Provider]]:
        """Whether passwords are one, and the providers."""
        config = self._room.config
        return config.local_accounts, [_complete(provider) for provider in config.oauth2_providers]

    async def sign_in_with(self, provider: str, *, code: str, verifier: str, redirect_url: str) -> SignedIn:
        """A token for the code that the provider gave.

        Raises
        ------
        NotFound
            the lab knows no such provider.
        Unauthorized
            the provider does not know the code.
        Forbidden
            the person is suspended.
        Unavailable
            the provider does not answer.
        """
        known = next((found for found in (await self.ways_in())[1] if found.config.name == provider), None)
        if known is None:
            raise NotFound(f"The lab has no sign-in with {provider!r}.", code="unknown_provider")
        identity = await _ask(known, code, verifier, redirect_url)
        name = await self._room.store.read(lambda connection: _name(connection, known.config.name, identity))
        await self._door.seen(Principal(name=name, roles=frozenset({Role.USER})), source=SOURCE)

        def guard(connection: Connection) -> None:
            row = the_user(connection, name)
            told = {"display_name": row.display_name or identity.display_name, "email": row.email}
            if identity.verified and not row.email and people.with_email(connection, identity.email) is None:
                told["email"] = identity.email
            people.change(connection, name, **told)

        token, expires_at = await self._tokens.open_session(name, guard)

        def query(connection: Connection) -> SignedIn:
            groups = people.groups_of(connection, [name])[name]
            return SignedIn(
                token=token, expires_at=expires_at, user=user_model(the_user(connection, name), groups, whole=True)
            )

        return await self._room.store.read(query)


def _complete(config: OAuth2Provider) -> Provider:
    usual = _WELL_KNOWN.get(config.name, ("", "", ""))
    return Provider(
        config=config,
        auth_url=config.auth_url or usual[0],
        token_url=config.token_url or usual[1],
        user_info_url=config.user_info_url or usual[2],
    )


async def _ask(provider: Provider, code: str, verifier: str, redirect_url: str) -> Identity:
    """Exchange the code, and ask with what came for it who that is."""
    config = provider.config
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_url,
        "client_id": config.client_id,
        **({"client_secret": config.client_secret} if config.client_secret else {}),
        **({"code_verifier": verifier} if config.pkce else {}),
    }
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, headers={"Accept": "application/json"}) as client:
            granted = _parsed(await client.post(provider.token_url, data=form), config.name)
            bearer = {"Authorization": f"Bearer {granted.get('access_token', '')}"}
            return _identity(
                _parsed(await client.get(provider.user_info_url, headers=bearer), config.name), config.name
            )
    except httpx.HTTPError as error:
        raise Unavailable(f"{config.name} does not answer: try again.", code="provider_lost") from error


def _parsed(answer: httpx.Response, name: str) -> dict[str, Any]:
    if answer.status_code >= 500:
        raise Unavailable(f"{name} fails: try again.", code="provider_lost")
    try:
        body = msgspec.json.decode(answer.content[:MAX_ANSWER_BYTES], type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise Unavailable(f"{name} answers with something else than JSON.", code="provider_lost") from error
    if answer.is_error or "error" in body:
        raise Unauthorized(f"{name} does not accept this sign-in: begin it anew.", code="bad_code")
    return body


def _identity(info: Mapping[str, Any], name: str) -> Identity:
    subject = info.get("sub") or info.get("id")
    if not isinstance(subject, str | int) or not str(subject):
        raise Unauthorized(f"{name} does not say who this is.", code="no_subject")
    shown = info.get("name") or info.get("preferred_username") or info.get("login") or ""
    email = info.get("email")
    return Identity(
        subject=str(subject),
        display_name=str(shown)[:200],
        email=email[:200] if isinstance(email, str) else "",
        verified=isinstance(email, str) and info.get("email_verified") is True,
    )


def _name(connection: Connection, provider: str, identity: Identity) -> str:
    """What the person is called here."""
    subject = identity.subject
    if _GOOD_NAME.fullmatch(subject) is None:
        subject = hashlib.sha256(subject.encode()).hexdigest()[:32]
    own = f"{provider}-{subject}"
    row = people.find(connection, own)
    if row is None and identity.verified:
        known = people.with_email(connection, identity.email)
        if known is not None and _entered(known):
            return known.name
    if row is not None and row.source != SOURCE:
        raise Forbidden(f"{own} signs in here in another way.", code="name_taken")
    return own


def _entered(row: UserRow) -> bool:
    """Whether a manager has entered the person and nobody has come for them but from here."""
    return row.source in (LAB, SOURCE) and row.password is None and not row.is_admin
