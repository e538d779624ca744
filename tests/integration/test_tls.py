"""The lab's own authority: made, renewed and pinned without anybody's help."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from qpi_server.host.tls import Authority, TlsFiles, fingerprint
from tests.support.servers import lab_server

NOW = datetime.now(UTC)


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return TlsFiles.under(tmp_path / "tls")


def leaf(files: TlsFiles) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.cert.read_bytes())


def serial_in_handshake(port: int, trust: ssl.SSLContext) -> int:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        trust.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def test_everything_missing_is_made_once(files: TlsFiles) -> None:
    authority = Authority(files, ["lab.example", "10.0.0.7"])
    assert authority.ensure(NOW)
    assert not authority.ensure(NOW)
    names = leaf(files).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in names} == {"localhost", "127.0.0.1", "::1", "lab.example", "10.0.0.7"}
    ca = x509.load_pem_x509_certificate(files.ca_cert.read_bytes())
    assert ca.not_valid_after_utc > NOW + timedelta(days=3600)
    for key in (files.ca_key, files.key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_fingerprint_is_the_sha256_of_the_cas_der_form(files: TlsFiles) -> None:
    authority = Authority(files)
    authority.ensure(NOW)
    der = ssl.PEM_cert_to_DER_cert(files.ca_cert.read_text())
    assert authority.fingerprint == hashlib.sha256(der).hexdigest() == fingerprint(files.ca_cert.read_bytes())


@pytest.mark.parametrize(("days", "renewed"), [(0, False), (59, False), (61, True), (400, True)])
def test_a_leaf_with_less_than_thirty_days_is_renewed_and_the_authority_stays(
    files: TlsFiles, days: int, renewed: bool
) -> None:
    authority = Authority(files)
    authority.ensure(NOW)
    before, pinned = leaf(files).serial_number, authority.fingerprint
    assert authority.ensure(NOW + timedelta(days=days)) is renewed
    assert (leaf(files).serial_number != before) is renewed
    assert authority.fingerprint == pinned


def test_a_new_name_needs_a_new_leaf(files: TlsFiles) -> None:
    Authority(files).ensure(NOW)
    assert Authority(files, ["lab.example"]).ensure(NOW)
    assert not Authority(files).ensure(NOW)


@pytest.mark.parametrize("damage", [b"", b"no certificate"])
def test_a_damaged_leaf_is_made_again(files: TlsFiles, damage: bytes) -> None:
    authority = Authority(files)
    authority.ensure(NOW)
    files.cert.write_bytes(damage)
    assert authority.ensure(NOW)
    leaf(files)


def test_without_the_authoritys_key_the_given_leaf_is_served_as_it_is(files: TlsFiles) -> None:
    authority = Authority(files)
    authority.ensure(NOW)
    files.ca_key.unlink()
    assert not authority.ensure(NOW + timedelta(days=400))


def test_a_renewed_leaf_is_served_without_a_restart(files: TlsFiles) -> None:
    authority = Authority(files)
    authority.ensure(NOW - timedelta(days=80))

    async def dialogue() -> tuple[int, int]:
        context = authority.context()
        trust = ssl.create_default_context(cafile=str(files.ca_cert))
        async with await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            first = await asyncio.to_thread(serial_in_handshake, port, trust)
            assert authority.ensure(NOW)
            authority.reload(context)
            return first, await asyncio.to_thread(serial_in_handshake, port, trust)

    first, second = asyncio.run(dialogue())
    assert first != second
    assert second == leaf(files).serial_number


def test_a_server_boots_with_an_expired_leaf_and_serves_a_new_one(tmp_path: Path) -> None:
    tls = TlsFiles.under(tmp_path / "lab" / "tls")
    authority = Authority(tls)
    authority.ensure(NOW - timedelta(days=200))
    assert leaf(tls).not_valid_after_utc < NOW
    pinned = authority.fingerprint

    def trust(_lab_dir: Path) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(tls.ca_cert))

    with lab_server(tmp_path, "--https", verify=trust) as server:
        assert server.url.startswith("https://")
        served = server.client(None).get("qpi/v1/ca.pem")
        assert served.status_code == 200
        assert fingerprint(served.content) == pinned
    assert leaf(tls).not_valid_after_utc > NOW + timedelta(days=80)
