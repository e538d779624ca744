"""The lab's own certificate authority: for https on a bench without anybody else's.

A CA (ten years) and a leaf (90 days) that it signs. The leaf is renewed when less than 30 days are left: at start, even
after it has expired, and daily while the server runs, on the live context, without a restart. Drivers pin the CA by
the SHA-256 of its DER form.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

log = logging.getLogger(__name__)
CA_DAYS = 3650
LEAF_DAYS = 90
RENEW_DAYS = 30
ALWAYS_NAMED = ("localhost", "127.0.0.1", "::1")
_SKEW = timedelta(minutes=10)
"""How far a driver's clock may be behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where the four files are."""

    ca_cert: Path
    ca_key: Path
    cert: Path
    key: Path

    @classmethod
    def under(cls, folder: Path) -> TlsFiles:
        """The usual names in ``folder``."""
        return cls(
            ca_cert=folder / "ca.pem", ca_key=folder / "ca.key", cert=folder / "server.pem", key=folder / "server.key"
        )


class Authority:
    """The CA and the leaf in their files.

    Parameters
    ----------
    names
        host names and addresses that the leaf is for, besides `ALWAYS_NAMED`.
    """

    def __init__(self, files: TlsFiles, names: Iterable[str] = ()) -> None:
        self.files = files
        self.names = tuple(dict.fromkeys([*ALWAYS_NAMED, *names]))

    def ensure(self, now: datetime | None = None) -> bool:
        """Make what is missing and renew what ends soon; whether anything changed."""
        now = now or datetime.now(UTC)
        made_ca = self._ensure_ca(now)
        if not made_ca and not self._leaf_is_due(now):
            return False
        if not self.files.ca_key.exists():
            log.warning("%s should be renewed, and %s is not here to sign it.", self.files.cert, self.files.ca_key)
            return False
        self._make_leaf(now)
        return True

    def context(self) -> ssl.SSLContext:
        """A server's context; `reload` gives it a renewed leaf while it serves."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.reload(context)
        return context

    def reload(self, context: ssl.SSLContext) -> None:
        """Use the leaf as it is now for every handshake from now on."""
        context.load_cert_chain(self.files.cert, self.files.key)

    @property
    def ca_pem(self) -> bytes:
        """The CA's certificate."""
        return self.files.ca_cert.read_bytes()

    @property
    def fingerprint(self) -> str:
        """What drivers pin: the SHA-256 of the CA's DER form, in hex."""
        return fingerprint(self.ca_pem)

    def _ensure_ca(self, now: datetime) -> bool:
        if self.files.ca_cert.exists() and (self.files.ca_key.exists() or self.files.cert.exists()):
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "QPI lab authority")])
        builder = _builder(name, name, key, now, CA_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(sign_certificates=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        _write_pair(self.files.ca_cert, self.files.ca_key, _sign(builder, key), key)
        return True

    def _leaf_is_due(self, now: datetime) -> bool:
        try:
            leaf = x509.load_pem_x509_certificate(self.files.cert.read_bytes())
        except (OSError, ValueError):
            return True
        if not self.files.key.exists():
            return True
        named = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        covered = {str(name.value) for name in named}
        return leaf.not_valid_after_utc - now < timedelta(days=RENEW_DAYS) or not covered.issuperset(self.names)

    def _make_leaf(self, now: datetime) -> None:
        ca = x509.load_pem_x509_certificate(self.files.ca_cert.read_bytes())
        # the file is ours, or was given by whoever runs the server: its type is known
        ca_key: Any = serialization.load_pem_private_key(self.files.ca_key.read_bytes(), password=None)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "QPI lab server")])
        builder = _builder(name, ca.subject, key, now, LEAF_DAYS)
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in self.names])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key())  # type: ignore[arg-type]
        builder = builder.add_extension(alternatives, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(sign_certificates=False), critical=True)
        builder = builder.add_extension(usage, critical=False)
        builder = builder.add_extension(issuer, critical=False)
        # The CA comes with the leaf: a driver that pins the CA's fingerprint finds it in the handshake.
        _write_pair(self.files.cert, self.files.key, _sign(builder, ca_key) + self.ca_pem, key)


def fingerprint(pem: bytes) -> str:
    """SHA-256 of a certificate's DER form, in hex."""
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=name,
        issuer_name=issuer,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _SKEW,
        not_valid_after=now + timedelta(days=days),
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=sign_certificates, crl_sign=sign_certificates, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _sign(builder: x509.CertificateBuilder, key: Any) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_pair(cert: Path, key_file: Path, pem: bytes, key: ec.EllipticCurvePrivateKey) -> None:
    """The key first: a certificate without its key would be worse than the other way round."""
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key_file, secret, 0o600)
    _write(cert, pem, 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as stream:
        stream.write(content)
    temporary.replace(path)
