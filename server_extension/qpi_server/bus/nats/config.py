"""The configuration of a broker for one lab and its drivers: whoever else comes is asked of the lab."""

from __future__ import annotations

from pathlib import Path

from .keys import ACCOUNT, Keys

_CONFIG = """\
# The broker of a quantum lab. Written by `jupyter qpi nats-config`; it holds no secrets.
# The lab says who may do what here ("auth callout"): drivers that come and go change nothing in this file.
# No JetStream, no leafnodes, no WebSocket, no monitoring port: nothing of that is used.
listen: "{listen}"
server_name: {name}
max_payload: 1MB
max_connections: 4096
ping_interval: "10s"
ping_max: 2
{tls}system_account: SYS
accounts {{
  SYS {{ exports: [ {{ stream: "$SYS.ACCOUNT.*.DISCONNECT" }} ] }}
  {account} {{
    users: [ {{ nkey: {lab} }} ]
    # How the lab learns at once that a driver has gone.
    imports: [ {{ stream: {{ account: SYS, subject: "$SYS.ACCOUNT.{account}.DISCONNECT" }} }} ]
  }}
}}
authorization {{
  timeout: 2
  auth_callout {{ issuer: {issuer}, account: {account}, auth_users: [ {lab} ] }}
}}
"""
_TLS = """\
tls {{
  cert_file: "{cert}"
  key_file: "{key}"
  min_version: "1.2"
  # The lab and its drivers begin with the handshake; after a moment the broker speaks to other clients first.
  handshake_first: auto
}}
"""


def configuration(
    keys: Keys, listen: str, *, name: str = "qpi", cert: Path | None = None, key: Path | None = None
) -> str:
    """What ``nats-server -c`` takes.

    Parameters
    ----------
    listen
        host and port.
    cert, key
        the broker's certificate and its key, for TLS; without them it must listen at this machine alone.
    """
    tls = "" if cert is None or key is None else _TLS.format(cert=cert, key=key)
    return _CONFIG.format(
        listen=listen, name=name, tls=tls, account=ACCOUNT, lab=keys.lab_public, issuer=keys.issuer_public
    )  # fmt: skip
