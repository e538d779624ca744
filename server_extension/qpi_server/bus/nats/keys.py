"""The lab's keys at its broker, and the JWTs by which it tells the broker who may do what."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import nkeys
from msgspec import Struct

from qpi_jupyter.core import Rejected

ACCOUNT = "QPI"
"""The broker's account that the lab and its drivers are in."""


class Keys(Struct, frozen=True):
    """What only the lab knows: ``issuer`` signs what drivers may do, ``lab`` is what it signs in with itself.

    ``ca``: the certificate authority of a broker with TLS, as PEM; none where the system's count.
    """

    issuer: str
    lab: str
    ca: str | None = None

    @classmethod
    def new(cls, ca: str | None = None) -> Keys:
        """Keys that nobody has had before."""
        return cls(issuer=_seed(nkeys.PREFIX_BYTE_ACCOUNT), lab=_seed(nkeys.PREFIX_BYTE_USER), ca=ca)

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Those in a file.

        Raises
        ------
        Rejected
            it cannot be read, or holds something else.
        """
        try:
            found = msgspec.json.decode(path.read_bytes(), type=cls)
            _ = found.issuer_public, found.lab_public
        except (OSError, ValueError, nkeys.NkeysError) as error:
            raise Rejected(
                f"The keys of the lab's NATS broker cannot be read from {path}: {error}. `jupyter qpi nats-config` "
                "writes them.",
                code="bad_bus_keys", field="buses",
            ) from error  # fmt: skip
        return found

    def write(self, path: Path) -> None:
        """Keep them, for this user alone."""
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self)) + b"\n")

    @property
    def issuer_public(self) -> str:
        return _public(self.issuer)

    @property
    def lab_public(self) -> str:
        return _public(self.lab)

    def user(self, key: str, name: str, permissions: dict[str, Any], lasts_s: float) -> str:
        """What whoever holds ``key`` is called at the broker, and may do there, for so long."""
        limits = {"subs": -1, "data": -1, "payload": -1}
        nats = {"type": "user", "version": 2, **limits, **permissions}
        expires = int(time.time() + lasts_s)
        return self._sign({"sub": key, "aud": ACCOUNT, "name": name, "exp": expires, "nats": nats})

    def response(self, key: str, server: str, user: str) -> bytes:
        """The answer to the broker that asked who ``key`` is."""
        nats = {"type": "authorization_response", "version": 2, "jwt": user}
        return self._sign({"sub": key, "aud": server, "nats": nats}).encode()

    def _sign(self, claims: dict[str, Any]) -> str:
        claims = {**claims, "iss": self.issuer_public, "iat": int(time.time())}
        claims["jti"] = hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).hexdigest()[:32]
        text = f"{_segment({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_segment(claims)}"
        return f"{text}.{_base64(nkeys.from_seed(bytearray(self.issuer.encode())).sign(text.encode()))}"


class Asked(Struct, frozen=True):
    """Somebody who wants to be let in: the ``key`` that the broker made for it, its token and its own word for its
    connection; ``server`` is the broker that asks."""

    key: str
    server: str
    token: str
    suffix: str


def asked(data: bytes) -> Asked:
    """The broker's question; raises ValueError where it is none.

    Nobody but the broker can put one: no permission of a driver has its subject.
    """
    payload = data.split(b".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))["nats"]
    said = claims["connect_opts"]
    return Asked(
        key=str(claims["user_nkey"]),
        server=str(claims["server_id"]["id"]),
        token=str(said.get("auth_token") or ""),
        suffix=str(said.get("name") or ""),
    )


def _seed(prefix: int) -> str:
    return bytes(nkeys.encode_seed(os.urandom(32), prefix)).decode()


def _public(seed: str) -> str:
    return bytes(nkeys.from_seed(bytearray(seed.encode())).public_key).decode()


def _segment(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
