"""Why a lab cannot be reached, in words for the person at the keyboard: who must do what. Standard library only."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from qpi_jupyter.core import QpiError, Rejected, Unavailable

_EXPIRED, _OTHER_NAMES = 10, (62, 64)
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""


def trust(
    ca_file: str | os.PathLike[str] | None, system: Callable[[], ssl.SSLContext] = ssl.create_default_context
) -> ssl.SSLContext:
    """Whom to trust: the certificates in a file, or those that ``system`` finds.

    Raises
    ------
    Rejected
        the file cannot be read, or holds no certificate.
    """
    # Python's own variable says which of the system's files is meant.
    name, setting = (
        (os.fspath(ca_file), "ca_file") if ca_file else (os.environ.get("SSL_CERT_FILE", ""), "SSL_CERT_FILE")
    )
    try:
        if ca_file:
            return ssl.create_default_context(cafile=os.path.expanduser(name))
        return system()
    except OSError as error:  # ssl.SSLError is one
        if isinstance(error, ssl.SSLError):
            what = "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        else:
            what = (os.strerror(error.errno) if error.errno else "it cannot be read").lower()
        also = " or QPI_LAB_CA_FILE" if ca_file else ""
        raise Rejected(
            f"The certificates in {name!r} cannot be used: {what}. Correct {setting}{also}.",
            code="bad_ca_file",
            field="ca_file",
        ) from error


NOTEBOOK = "pass the file as ca_file=... (or QPI_LAB_CA_FILE)"
DRIVER = "start the driver with --ca-file FILE, or with --ca-fingerprint"
"""How to say which authority to trust."""


def unreachable(
    url: str, error: BaseException, ca_file: object = None, besides: str = "", *, remedy: str = NOTEBOOK
) -> QpiError:
    """Why no answer came; `Unavailable` where trying again may help.

    Parameters
    ----------
    error
        what a library raised; its causes tell.
    ca_file
        the certificates that were trusted instead of the system's, if any.
    besides
        a sentence to add.
    remedy
        `NOTEBOOK` or `DRIVER`: how this person says whom to trust.
    """
    host = urlsplit(url).hostname or url
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Rejected(_distrust(url, host, cause, ca_file, remedy), code="untrusted_certificate", url=url)
        if isinstance(cause, ssl.SSLError):
            return Rejected(
                f"{host} does not speak https on this port: write http:// if the lab has no certificate, or correct "
                "the port.",
                code="no_https",
                url=url,
            )
    said = f"The lab at {url} does not answer ({_reason(error, url, host)}).{besides}"
    return Unavailable(said, code="no_answer", url=url)


def _distrust(url: str, host: str, error: ssl.SSLCertVerificationError, ca_file: object, remedy: str) -> str:
    if error.verify_code == _EXPIRED:
        return f"The certificate of {host} has expired: its administrator must renew it, unless this clock is wrong."
    if error.verify_code in _OTHER_NAMES:
        return f"The certificate of {host} is for another name: use the name that the certificate has, or renew it."
    if ca_file:
        return f"The certificate of {host} does not come from the authority in ca_file ({ca_file}): is it that lab's?"
    return (
        f"The certificate of {host} comes from an authority that this machine does not know. If it is the lab's own, "
        f"save {url}/qpi/v1/ca.pem, compare its fingerprint with the lab's, and {remedy}."
    )


def _reason(error: BaseException, url: str, host: str) -> str:
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return f"no machine is called {host!r}"
            case ConnectionRefusedError():
                return "nothing listens there: is it running?"
            case TimeoutError():
                return "no answer in time: is the address right, and the machine on?"
            case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH):
                return "no way there from this network"
    if url.startswith("http:"):
        return "the connection broke; a server that speaks https only closes it, too: is it https://?"
    return "the connection broke"


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
