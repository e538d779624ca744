"""Who people may sign in with: the typed form of the setting ``oauth2_providers``."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from .values import snake


class OAuth2Provider(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One provider. Addresses may be left out for a well-known name."""

    name: str
    client_id: str
    client_secret: str = ""
    auth_url: str = ""
    token_url: str = ""
    user_info_url: str = ""
    display_name: str = ""
    pkce: bool = True
    extra: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if not self.name or not self.client_id:
            raise ValueError("a provider needs a name and a client_id")
        for field in ("auth_url", "token_url", "user_info_url"):
            address = getattr(self, field)
            if address and (urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname):
                raise ValueError(f"{field} of {self.name} is not an http address: {address}")


def providers(raw: Any) -> list[OAuth2Provider]:
    """The providers of a list of mappings, or of JSON texts; keys as here or as QPI writes them (``clientId``).

    Raises
    ------
    ValueError
        a key is unknown, something is missing, or a name comes twice.
    """
    if not isinstance(raw, list | tuple):
        raise ValueError("no list")
    found = [_provider(json.loads(item) if isinstance(item, str) else item) for item in raw]
    names = [provider.name for provider in found]
    if len(set(names)) < len(names):
        raise ValueError("a name comes twice")
    return found


def _provider(raw: Any) -> OAuth2Provider:
    if isinstance(raw, OAuth2Provider):
        return raw
    if not isinstance(raw, dict):
        raise ValueError("a provider is a mapping")
    return msgspec.convert({snake(str(key)): value for key, value in raw.items()}, OAuth2Provider)
