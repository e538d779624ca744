"""The labs that a person's own Jupyter server is connected to, as its panel asks about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from .rest import Answer, Request

_Text = Annotated[str, Meta(max_length=1000)]


class LabConnection(Answer):
    """A lab elsewhere, and who one is there."""

    name: str
    url: str
    person: str
    expires_at: datetime | None = None


class CodeShown(Answer):
    """A code that waits for being confirmed at ``page``, in a browser."""

    url: str
    user_code: str
    page: str


class LabConnections(Answer):
    """``GET labs``. ``current`` is the lab that is shown; null: this server's own."""

    labs: list[LabConnection]
    here: str
    """Where the server's own kernels reach it: the address in what they write into notebooks."""
    current: str | None = None
    waiting: CodeShown | None = None
    problem: str = ""
    """Why the latest sign-in came to nothing."""


class LabIn(Request):
    """``POST labs``: connect to a lab: with a password or a token, else with a code to confirm. ``fingerprint`` trusts
    the lab's own certificate authority."""

    url: _Text
    fingerprint: _Text | None = None
    user: _Text | None = None
    password: Annotated[str, Meta(max_length=256)] | None = None
    token: _Text | None = None


class LabChoice(Request):
    """``PUT labs/current``: the lab to show; null: this server's own."""

    name: _Text | None = None
