"""Signing in with somebody else's word: OAuth 2, by authorisation code and PKCE."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Forbidden,
    NotFound,
    Principal,
    Role,
    Unauthorized,
    Unavailable,
    emails,
    existing,
    joining_address,
)
from qpi_jupyter.wire.people import SignedIn
from qpi_server.service.base import Context, Tx
from qpi_server.settings.providers import OAuth2Provider
from qpi_server.store import LAB, IdentityRow, UserRow, people

from .authenticator import Authenticator
from .passwords import FREE_PER_ADDRESS, Throttle
from .shared import tell_people, the_user
from .tokens import TokenService
from .users import signed_in

SOURCE = "oauth2"
TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 1 << 20
MAX_SUBJECT = 255
"""What OpenID Connect allows."""
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
_USUAL_NAMES = ("oidc", "oidc2", "oidc3", "oauth2")
"""How labs call providers that are not well known; the first three are PocketBase's names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider with all its addresses."""

    config: OAuth2Provider
    auth_url: str
    token_url: str
    user_info_url: str

    def sign_in_url(self, state: str, challenge: str) -> str:
        """Where a browser signs in there (RFC 6749, 4.1.1); ends in ``redirect_uri=``, whose value is still to come."""
        query = {
            "client_id": self.config.client_id,
            "response_type": "code",
            "scope": str(self.config.extra.get("scope", "openid email profile")),
            "state": state,
            **({"code_challenge": challenge, "code_challenge_method": "S256"} if self.config.pkce else {}),
        }
        return f"{self.auth_url}{'&' if '?' in self.auth_url else '?'}{urlencode(query)}&redirect_uri="


def reserved_names(providers: Sequence[OAuth2Provider]) -> tuple[str, ...]:
    """How the names begin, in small letters, that providers give: of the lab's own, and of those it may have later."""
    names = (*_WELL_KNOWN, *_USUAL_NAMES, *(one.name for one in providers))
    return tuple(sorted({f"{name.lower()}-" for name in names}))


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is there: ``subject`` never changes; an e-mail only counts where the provider has verified it."""

    subject: str
    display_name: str
    email: str
    verified: bool


class OAuth2SignIns:
    """Signs in whom a configured provider vouches for.

    Somebody new is called by the provider and the subject there, so that no name that a person may choose elsewhere is
    anybody's here. A verified e-mail leads once to the person whom a manager has entered with it, who has no other way
    in; from then on the provider's subject does.
    """

    def __init__(self, context: Context, authenticator: Authenticator, tokens: TokenService) -> None:
        self._context, self._authenticator, self._tokens = context, authenticator, tokens
        self._throttle = Throttle(context.clock)

    async def ways_in(self) -> tuple[bool, Sequence[Provider]]:
        """Whether passwords are one, and the providers."""
        config = self._context.config
        return config.local_accounts, [_complete(provider) for provider in config.oauth2_providers]

    async def provider(self, name: str) -> Provider:
        """The provider of that name.

        Raises
        ------
        NotFound
            the lab knows no such provider.
        """
        return existing(
            next((found for found in (await self.ways_in())[1] if found.config.name == name), None),
            NotFound(f"The lab has no sign-in with {name!r}.", code="unknown_provider"),
        )

    async def sign_in(
        self, provider: str, *, code: str, verifier: str, redirect_url: str, address: str = ""
    ) -> SignedIn:
        """A token for the code that the provider gave.

        Raises
        ------
        NotFound
            the lab knows no such provider.
        Unauthorized
            the provider does not know the code.
        Forbidden
            the person is suspended.
        TooMany
            too many attempts from this address.
        Unavailable
            the provider does not answer.
        """
        known = await self.provider(provider)
        key = f"provider:{address}"
        self._throttle.begin(key, FREE_PER_ADDRESS)
        identity = await _ask(known, code, verifier, redirect_url)
        self._throttle.take_back(key)
        name = await self._context.db.write(lambda tx: _joined(tx, provider, identity))
        await self._authenticator.admit(Principal(name=name, roles=frozenset({Role.USER})), source=SOURCE)

        def guard(tx: Tx) -> None:
            row = the_user(tx.connection, name)
            told: dict[str, Any] = {"display_name": row.display_name or identity.display_name}
            address = joining_address(identity.email) if identity.verified else None
            if address is not None and not row.verified_email and people.with_email(tx.connection, address) is None:
                told |= {"email": identity.email, "verified_email": address}
            if replace(row, **told) != row:
                people.change(tx.connection, name, **told)
                tell_people(tx, [name], name)

        token, expires_at = await self._tokens.open_sign_in(name, guard)
        return await self._context.db.read(lambda connection: signed_in(connection, name, token, expires_at))


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
    if not isinstance(subject, str | int) or isinstance(subject, bool) or not 0 < len(str(subject)) <= MAX_SUBJECT:
        raise Unauthorized(f"{name} does not say who this is.", code="no_subject")
    shown = info.get("name") or info.get("preferred_username") or info.get("login") or ""
    email = info.get("email")
    email = email if isinstance(email, str) and len(email) <= emails.MAX_CHARS else ""
    return Identity(
        subject=str(subject),
        display_name=str(shown)[:200],
        email=email,
        verified=bool(email) and info.get("email_verified") is True,
    )


def _joined(tx: Tx, provider: str, identity: Identity) -> str:
    """What the person is called here, and whether they come for the first time.

    Only here does an identity get to be somebody's: the one that it has always led to; else whom a manager entered with
    an address that the provider has verified, or who has it by another provider's word; else somebody new.
    """
    connection = tx.connection
    known = people.identity(connection, provider, identity.subject)
    if known is not None:
        return known.person
    holder = people.with_email(connection, identity.email) if identity.verified else None
    told = {"provider": provider, "identity": identity.subject, "email": identity.email}
    if holder is not None and _open_to(connection, holder, provider):
        name = holder.name
        tx.audit(Principal(name=name, roles=frozenset()), "identity.joined", f"user:{name}", **told)
    else:
        name = _own_name(connection, provider, identity.subject)
        if people.find(connection, name) is None:
            people.add(connection, UserRow(name=name, source=SOURCE, source_roles=(Role.USER.value,), created_at=tx.at))
        if holder is not None:
            told["address_of"] = holder.name
        tx.audit(Principal(name=name, roles=frozenset()), "identity.new", f"user:{name}", **told)
    row = IdentityRow(provider=provider, subject=identity.subject, person=name, joined_at=tx.at)
    people.add_identity(connection, row)
    tell_people(tx, [name], name)
    return name


def _own_name(connection: Connection, provider: str, subject: str) -> str:
    """A name for somebody new; an account of before there were rows of identities is their own.

    Raises
    ------
    Forbidden
        somebody who signs in in another way has that name.
    """
    digest = hashlib.sha256(f"{provider}\0{subject}".encode()).hexdigest()[:32]
    plain = f"{provider}-{subject}" if _GOOD_NAME.fullmatch(subject) else f"{provider}-{digest}"
    for name in (plain, f"{provider}-{digest}"):
        row = people.find(connection, name)
        if row is None:
            return name
        if row.source != SOURCE:
            raise Forbidden(f"{name} signs in here in another way.", code="name_taken")
        if not people.identities_of(connection, name):
            return name
    raise AssertionError("a provider's subject has an identity already")


def _open_to(connection: Connection, row: UserRow, provider: str) -> bool:
    """Whether a verified address leads to the person: they have no other way in than providers, and none by this one.

    An address that a provider gives to somebody else some day does not open the account of who had it.
    """
    free = all(known.provider != provider for known in people.identities_of(connection, row.name))
    return free and row.source in (LAB, SOURCE) and row.password is None and not row.is_admin
