"""``jupyter qpi nats-config``: the keys of a lab at its NATS broker, and the broker's whole configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from qpi_jupyter.core import Rejected
from qpi_jupyter.wire.addresses import is_loopback
from qpi_server.app.extension import QPIServer
from qpi_server.host.tls import Authority, TlsFiles

DONE = """\
{config}   the broker's configuration: nats-server -c {config}
{keys}   the lab's keys at it, readable by you alone

The lab:      --QPIServer.buses="{url}?keys={keys}"
Each driver:  --bus {url}
"""
SIGNED = """\
The broker's certificate for {names} is signed by the lab's own authority, which drivers pin by
--ca-fingerprint {fingerprint}
It is renewed by this command (run it monthly), followed by: nats-server --signal reload
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the broker is, and what proves that it is that."""
    parser.add_argument(
        "--folder", type=Path, help="where to write (default: the folder nats of the lab's data folder)"
    )
    parser.add_argument("--listen", default="127.0.0.1:4222", metavar="HOST:PORT", help="default: 127.0.0.1:4222")
    parser.add_argument(
        "--name", action="append", default=[], metavar="HOST", dest="names",
        help="a name or an address of the broker, as the lab and its drivers write it; may be repeated",
    )  # fmt: skip
    parser.add_argument("--cert", type=Path, help="its certificate, if the lab's own authority is not to make one")
    parser.add_argument("--key", type=Path, help="the key of that certificate")
    parser.add_argument("--ca", type=Path, help="the authority (PEM) behind that certificate; default: the system's")


def run(lab: QPIServer, options: argparse.Namespace) -> int:
    """Write both files and say how they are used; keys that are there already stay. The exit status.

    Raises
    ------
    Rejected
        the options do not fit together, or the extra is not installed.
    """
    try:
        from qpi_server.bus.nats.config import configuration
        from qpi_server.bus.nats.keys import Keys
    except ImportError as error:
        raise Rejected("This needs an extra: pip install 'qpi-jupyter[nats]'", code="no_nats") from error
    host, port = _listening(options)
    lab_files, folder = lab.tls_files(), options.folder or Path(lab.lab_dir) / "nats"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys_file, config_file = folder / "keys.json", folder / "nats.conf"
    plain = is_loopback(host) and not options.names and options.cert is None
    files = TlsFiles(
        ca_cert=lab_files.ca_cert, ca_key=lab_files.ca_key, cert=folder / "server.pem", key=folder / "server.key"
    )
    authority = None if plain or options.cert is not None else Authority(files, options.names)
    if authority is not None:
        authority.ensure()
    ca = authority.ca_pem.decode() if authority is not None else options.ca.read_text() if options.ca else None
    known = Keys.read(keys_file) if keys_file.exists() else Keys.new()
    keys = Keys(issuer=known.issuer, lab=known.lab, ca=ca)
    keys.write(keys_file)
    cert, key = (None, None) if plain else (options.cert or files.cert, options.key or files.key)
    config_file.write_text(configuration(keys, options.listen, cert=cert, key=key))
    url = f"{'nats' if plain else 'tls'}://{(options.names or [host])[0]}:{port}"
    print(DONE.format(config=config_file, keys=keys_file, url=url))
    if authority is not None:
        print(SIGNED.format(names=", ".join(authority.names), fingerprint=authority.fingerprint))
    return 0


def _listening(options: argparse.Namespace) -> tuple[str, int]:
    host, colon, port = options.listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise Rejected(f"--listen is HOST:PORT, as in 0.0.0.0:4222, not {options.listen!r}.", code="bad_setting")
    if (options.cert is None) is not (options.key is None):
        raise Rejected("--cert and --key go together.", code="bad_setting")
    if (not is_loopback(host.strip("[]")) or host == "0.0.0.0") and not options.names:
        raise Rejected(
            "Say by --name how the lab and its drivers reach the broker, as in --name nats.example.org: its "
            "certificate is for that name.",
            code="bad_setting",
        )
    return host.strip("[]"), int(port)
