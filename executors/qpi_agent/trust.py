"""Whom the token is shown to: https by the system's trust, by a CA file, or by a CA pinned by its fingerprint."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from qpi_jupyter.core import QpiError, Rejected
from qpi_jupyter.wire import authority, reach
from qpi_jupyter.wire.addresses import bases, is_loopback


class Untrusted(QpiError):
    """The server is not the one that was meant."""

    default_code = "untrusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the lab is; a path is kept (a Jupyter server's base URL)."""

    base: str
    host: str
    secure: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address in a URL.

        Raises
        ------
        Rejected
            it is none.
        """
        parts = urlsplit(text.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            shown = text.partition("?")[0]  # what follows may be a token
            message = f"qpi_addr is a URL like http://127.0.0.1:8888 or https://lab.example.org/hub, not {shown!r}."
            raise Rejected(message, code="bad_setting", field="qpi_addr")
        base = f"{parts.scheme}://{parts.netloc}{bases(parts.path)[0]}"
        return cls(base=base, host=parts.hostname, secure=parts.scheme == "https")

    def url(self, path: str) -> str:
        """An address below ``qpi/v1/``."""
        return f"{self.base}/qpi/v1/{path}"

    @property
    def link(self) -> str:
        return "ws" + self.url("link").removeprefix("http")

    @property
    def loopback(self) -> bool:
        """Whether what is sent there stays on this machine."""
        return is_loopback(self.host)


def check_plain(address: Address, *, insecure: bool, fingerprint: str | None) -> None:
    """Refuse to show a token to everybody on the way.

    Raises
    ------
    Rejected
        plain http to another machine, or a fingerprint that nothing can be compared with.
    """
    if address.secure:
        return
    if fingerprint:
        message = "A CA fingerprint needs an https address: over plain http nothing proves who answers."
        raise Rejected(message, code="bad_setting", field="ca_fingerprint")
    if not address.loopback and not insecure:
        message = (
            f"The token would travel unencrypted to {address.host}: use an https address, "
            "or --insecure if the network in between is trusted."
        )
        raise Rejected(message, code="insecure", field="qpi_addr")


async def trust(address: Address, *, ca_file: Path | None, fingerprint: str | None) -> ssl.SSLContext | None:
    """What to verify the lab with; None for plain http. No credential is sent on the way.

    Raises
    ------
    Untrusted
        the server's CA is not the one with this fingerprint.
    Unavailable
        the server does not give its CA now.
    Rejected
        the CA file cannot be read.
    """
    if not address.secure:
        return None
    if fingerprint:
        return await _pinned(address, authority.read_fingerprint(fingerprint))
    return reach.trust(ca_file)


async def _pinned(address: Address, wanted: str) -> ssl.SSLContext:
    der = await authority.fetch(address.base)
    found = authority.fingerprint(der)
    if not authority.same(found, wanted):
        raise Untrusted(
            f"The CA of {address.base} has the fingerprint {found}, not {wanted}: somebody may sit in "
            "between, or the lab has a new CA. The token was not sent.",
            found=found,
            wanted=wanted,
        )
    # Only the certificate that was compared: the answer may hold others.
    return ssl.create_default_context(cadata=der)
