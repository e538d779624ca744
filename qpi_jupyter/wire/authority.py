"""A lab's own certificate authority: fetched before it is trusted, and then compared by its fingerprint."""

from __future__ import annotations

import hashlib
import hmac
import re
import ssl

from qpi_jupyter.core import Rejected, Unavailable

from .reach import DRIVER, unreachable

MAX_CA_BYTES = 1 << 20


async def fetch(base: str, *, remedy: str = DRIVER) -> bytes:
    """The certificate (DER) that the lab at this address says is its authority's. Nothing is sent, nothing is proved.

    Raises
    ------
    Unavailable
        it gives none.
    Rejected
        what it gives is no certificate.
    """
    import httpx

    from .bounded import BoundedClient

    url = f"{base}/qpi/v1/ca.pem"
    try:
        async with BoundedClient(verify=False, trust_env=False, timeout=10) as client:
            response = await client.get(url)
            response.raise_for_status()
            pem = response.text
    except httpx.HTTPError as error:
        if isinstance(error, httpx.HTTPStatusError):
            said = f"it answered {error.response.status_code} {error.response.reason_phrase}"
        else:
            said = unreachable(base, error, remedy=remedy).message
        raise Unavailable(f"{url} does not give the lab's CA: {said}", code="no_ca") from error
    try:
        return ssl.PEM_cert_to_DER_cert(pem[:MAX_CA_BYTES].strip() + "\n")
    except ValueError as error:
        raise Rejected(f"{url} is not a certificate.", code="untrusted") from error


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate's DER form, in hex."""
    return hashlib.sha256(certificate).hexdigest()


def read_fingerprint(text: str, field: str = "ca_fingerprint") -> str:
    """A SHA-256 fingerprint in hex, with or without colons.

    Raises
    ------
    Rejected
        it is none.
    """
    digits = re.sub(r"^sha-?256[:=]", "", text.strip().lower()).replace(":", "")
    if not re.fullmatch("[0-9a-f]{64}", digits):
        message = f"{field} is a SHA-256 in 64 hexadecimal digits, not {text!r}."
        raise Rejected(message, code="bad_setting", field=field)
    return digits


def same(one: str, other: str) -> bool:
    """Whether two fingerprints are one."""
    return hmac.compare_digest(one, other)
