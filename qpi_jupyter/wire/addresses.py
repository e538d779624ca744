"""Addresses and tokens as people copy them: out of a browser, a mail, a shell, a terminal's output."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from qpi_jupyter.core import Rejected

_PAGES = frozenset({
    "lab", "tree", "notebooks", "doc", "edit", "consoles", "terminals", "files", "view", "nbconvert", "nbclassic",
    "retro", "voila", "api", "login", "logout", "static", "qpi",
})  # fmt: skip
"""The first words of a Jupyter server's own addresses, after the address of the server itself."""
_MAX_GUESSES = 4

_AROUND = " \t\r\n\v\f'\"<>\ufeff\u00a0\u200b"
"""What a token is copied with; a byte order mark and spaces that do not show are among it."""


def clean_token(text: str) -> str:
    """The token without the spaces, line ends and quotes that came with it; empty where there is none.

    Raises
    ------
    Rejected
        there is something in it that no token has. The message never shows the token.
    """
    token = text.strip(_AROUND).removeprefix("Bearer ").removeprefix("token ").strip(_AROUND)
    if not token.isascii() or not all(character.isprintable() and character != " " for character in token):
        raise Rejected(
            "The token has spaces, line breaks or special characters in it: copy it again, the token only.",
            code="bad_token",
            field="token",
        )
    return token


def is_loopback(host: str | None) -> bool:
    """Whether what is sent to this host stays on this machine."""
    if not host:
        return False
    if host.lower() in ("localhost", socket.gethostname().lower()):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # "All addresses of this machine" as a target is this machine.
    return address.is_loopback or address.is_unspecified


def is_base(text: str) -> bool:
    """Whether this is an http or https address to which a path can be added: no credential, query or blank in it."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    return whole and not re.search(r"[\s?#\\]", text) and text.isprintable()


def bases(path: str) -> list[str]:
    """Where the server's own address may end in the path of one of its pages, the likeliest first."""
    words = [word for word in path.split("/") if word]
    whole = words
    if "hub" in words and words[words.index("hub") + 1 :][:1] == ["user"]:
        words = [*words]
        words.remove("hub")  # the Hub's own page about a server that starts
    ends, named = [], False
    for at, word in enumerate(words):
        # What follows "user" is a person's name and what follows "services" a service's, whatever it looks like.
        if word in _PAGES and not named:
            ends.append(at)
        named = word in ("user", "services") and not named
    guesses = [*(words[:end] for end in ends[: _MAX_GUESSES - 1]), words, whole]
    return list(dict.fromkeys("".join(f"/{word}" for word in guess) for guess in guesses))
