"""What every part of a `Lab` has: its connection and the loop that it lives on."""

from __future__ import annotations

from urllib.parse import quote

from .http import Http
from .portal import Portal


class Calls:
    """A theme of a lab's calls; `Lab` is all of them."""

    http: Http
    portal: Portal


def path(name: str) -> str:
    """A name as one part of an address."""
    return quote(name, safe="")
