"""The token is shown to the lab that was meant, and to nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from qpi_jupyter.wire import frames
from tests.faults.agent_process import agent
from tests.faults.scripted_lab import TOKEN, ScriptedLab
from tests.support.waiting import until

pytestmark = pytest.mark.slow


class RecordingProxy:
    """Somebody in between: speaks TLS with its own certificate and keeps every byte that it could read."""

    def __init__(self, context: ssl.SSLContext, answer: bytes) -> None:
        self._context, self._answer = context, answer
        self.read = bytearray()
        self.port = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        async with server:
            yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            self.read += await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(self._answer)}\r\n\r\n"
            writer.write(head.encode() + self._answer)
            await writer.drain()
        writer.close()


def test_a_pinned_lab_gets_the_token_and_a_forged_one_sees_no_byte_of_it(tmp_path: Path) -> None:
    async def story() -> None:
        ours, forged = trustme.CA(), trustme.CA()
        pem = ours.cert_pem.bytes()
        pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest()
        colons = ":".join(pin[i : i + 2].upper() for i in range(0, 64, 2))

        lab = ScriptedLab(tls=_server(ours), ca_pem=pem)
        async with lab, agent(tmp_path / "right", lab.url, "--ca-fingerprint", colons):
            driver = await lab.greet()
            await driver.expect(frames.CLAIM)

        # The forger shows its own CA; then the right one, whose key it does not have.
        wrong = RecordingProxy(_server(forged), forged.cert_pem.bytes())
        async with wrong.listening() as url, agent(tmp_path / "wrong", url, "--ca-fingerprint", pin) as running:
            assert await running.ended() == 3
            assert pin in running.log
        replayed = RecordingProxy(_server(forged), pem)
        async with replayed.listening() as url, agent(tmp_path / "replay", url, "--ca-fingerprint", pin) as running:
            await until(lambda: "CERTIFICATE_VERIFY_FAILED" in running.log_path.read_text())
        for proxy in (wrong, replayed):
            assert b"ca.pem" in proxy.read
            assert TOKEN.encode() not in proxy.read
            assert b"uthorization" not in proxy.read

    (tmp_path / "right").mkdir()
    (tmp_path / "wrong").mkdir()
    (tmp_path / "replay").mkdir()
    asyncio.run(story())


def test_a_ca_file_is_trusted_instead_of_the_system(tmp_path: Path) -> None:
    async def story() -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        lab = ScriptedLab(tls=_server(authority))
        async with lab, agent(tmp_path, lab.url, "--ca-file", str(tmp_path / "ca.pem")):
            driver = await lab.greet()
            await driver.expect(frames.CLAIM)

    asyncio.run(story())


def _server(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context
