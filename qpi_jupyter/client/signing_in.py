"""Signing in to a lab whose address somebody gave: whom to trust, and a code, a password or a token."""

from __future__ import annotations

import getpass
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from qpi_jupyter.core import QpiError, Rejected, Unauthorized
from qpi_jupyter.wire import devices
from qpi_jupyter.wire.addresses import clean_token, is_loopback
from qpi_jupyter.wire.kept_labs import UNTRUSTED, KeptLab, KeptLabs
from qpi_jupyter.wire.people import Me, SignedIn, SignIn
from qpi_jupyter.wire.reach import trust

from . import origin as origins
from .http import ANSWER_S, RETRY_S
from .lab import Lab
from .portal import Portal

ASK = ""
"""Instead of a token: ask for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInWith:
    """How somebody wants to sign in; with nothing of this, by a code that is confirmed in a browser."""

    user: str | None = None
    ask_token: bool = False
    fingerprint: str | None = None
    insecure: bool = False
    retry_s: float = RETRY_S


Open = Callable[[str | None], Lab]
"""Opens the lab at an address, without a token, trusting a CA file."""


def arrive(open_lab: Open, bases: Sequence[str], known: KeptLab | None, how: SignInWith, ca_file: str | None) -> Lab:
    """The lab at one of ``bases``, signed in to: with what is kept, else as ``how`` says, which is then kept.

    Raises
    ------
    Unauthorized
        nobody signed in.
    Rejected
        the lab's certificate is not trusted; or secrets would travel over plain http.
    """
    kept = KeptLabs()
    lab, ca_file = _trusted(open_lab, bases, known, how, ca_file, kept)
    url = lab.url
    known = known if known is not None and known.url == url else kept.find(url)
    asked = how.user is not None or how.ask_token
    if not asked and _admitted(lab):
        return lab
    lab.close()
    if not asked and known is not None:
        lab = Lab(url, known.token, why="kept from an earlier sign-in", ca_file=ca_file, retry_s=how.retry_s)
        if _admitted(lab):
            return lab
        lab.close()
    host = urlsplit(url).hostname
    if url.startswith("http:") and not is_loopback(host) and not how.insecure:
        raise Rejected(
            f"Signing in to {host} over plain http would show it to others on the way: use https, or "
            "connect(..., insecure=True).",
            code="insecure",
        )
    token, expires_at = _token(url, ca_file, how)
    lab = Lab(url, token, why="signed in", ca_file=ca_file, retry_s=how.retry_s)
    person = lab.http.portal.run(lab.http.call("GET", "v1/me", Me)).user.name
    name = known.name if known is not None else None
    kept.keep(url, token, name=name, person=person, ca_file=ca_file, expires_at=expires_at)
    return lab


def disconnect(name: str) -> None:
    """Forget a lab that is kept, and end what one was signed in with there.

    Raises
    ------
    Rejected
        there is none of that name.
    """
    kept = KeptLabs()
    known = kept.find(name)
    if known is None:
        names = ", ".join(lab.name for lab in kept.all()) or "none"
        raise Rejected(f"You are not connected to a lab called {name!r}; known: {names}.", code="unknown_lab")
    kept.forget(known.name)
    with Lab(known.url, known.token, ca_file=known.ca_file, retry_s=0.0) as lab:
        try:
            lab.http.portal.run(lab.http.call("DELETE", "v1/tokens/current", type(None)))
        except QpiError:
            return  # it is away, or has ended it already


def _admitted(lab: Lab) -> bool:
    """Whether the lab knows who asks."""
    try:
        lab.http.portal.run(lab.http.call("GET", "v1/me", Me))
    except Unauthorized:
        return False
    return True


def _trusted(
    open_lab: Open, bases: Sequence[str], known: KeptLab | None, how: SignInWith, ca_file: str | None, kept: KeptLabs
) -> tuple[Lab, str | None]:
    """The lab without a token, and the authority to trust: where it is not trusted yet, or has changed, one asks."""
    known = known or kept.find(*bases)
    pinned = ca_file or (known.ca_file if known is not None else None)
    try:
        return open_lab(pinned), pinned
    except Rejected as error:
        if error.code != UNTRUSTED or ca_file is not None:
            raise
        pinned = _confirmed_authority(kept, bases, error, known, how.fingerprint)
        return open_lab(pinned), pinned


def _confirmed_authority(
    kept: KeptLabs, bases: Sequence[str], problem: QpiError, known: KeptLab | None, stated: str | None
) -> str:
    """The file of the lab's authority, whose fingerprint the person gives, or says yes to."""
    portal = Portal()
    try:
        try:
            return portal.run(kept.trust(bases, problem, known, stated))
        except Rejected as error:
            found = error.data.get("fingerprint")
            if error.code != UNTRUSTED or found is None:
                raise
            if not _says_yes(f"{error.message}\nTrust it? (yes/no) "):
                raise Rejected(
                    f"{error.message} Then connect with fingerprint='{found}' (%qpi_connect: --fingerprint).",
                    code=UNTRUSTED,
                ) from None
            return portal.run(kept.trust(bases, problem, known, str(found)))
    finally:
        portal.close()


def _says_yes(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("yes", "y")
    except (EOFError, NotImplementedError, OSError):  # nobody to ask
        return False


def _token(url: str, ca_file: str | None, how: SignInWith) -> tuple[str, datetime | None]:
    if how.user is not None:
        with Lab(url, ca_file=ca_file, retry_s=how.retry_s) as lab:
            body = SignIn(name=how.user, password=getpass.getpass(f"Password of {how.user}: "))
            found = lab.http.portal.run(lab.http.call("POST", "v1/sign-in", SignedIn, body=body, once=True))
            return found.token, found.expires_at
    if how.ask_token:
        return clean_token(getpass.getpass("Token: ")), None
    if origins.here() is None and not (sys.stdin is not None and sys.stdin.isatty()):
        raise Unauthorized(
            f"The lab at {url} wants to know who you are, and nobody is here to ask: give a token, for example in "
            "QPI_LAB_TOKEN.",
            code="not_signed_in",
        )
    portal = Portal()
    try:
        return portal.run(_confirmed(url, ca_file))
    finally:
        portal.close()


async def _confirmed(url: str, ca_file: str | None) -> tuple[str, datetime | None]:
    """The token for a code that somebody confirms in a browser."""
    secure = url.startswith("https:")
    settings: dict[str, Any] = {  # of parameters of one call
        "base_url": f"{url}/qpi/",
        "verify": trust(ca_file, httpx.create_ssl_context) if secure else False,
        "trust_env": not is_loopback(urlsplit(url).hostname),
        "timeout": ANSWER_S,
    }
    async with httpx.AsyncClient(**settings) as client:
        started = await devices.begin(client, f"Notebook on {socket.gethostname()}")
        print(
            f"To sign in, open {started.verification_uri_complete}\nand allow the code {started.user_code} within "
            f"{started.expires_in // 60} minutes.",
            flush=True,
        )
        answer = await devices.granted(client, started)
    end = None if answer.expires_in is None else datetime.now(UTC) + timedelta(seconds=answer.expires_in)
    return answer.access_token, end
