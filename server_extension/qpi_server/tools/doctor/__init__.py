"""``jupyter qpi doctor``: what is wrong with a lab and around it, and what to do. It changes nothing."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping

from qpi_jupyter._version import __version__
from qpi_server.app.extension import QPIServer

from . import lab, machine, reach
from .findings import Check, Finding, Findings, Report, as_json, as_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it is told besides the settings."""
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--url", metavar="URL", default="", help="the address that people use, to look at a proxy (default: public_url)"
    )


def run(server: QPIServer, options: argparse.Namespace) -> int:
    """Look at everything and print it; the exit status: 1 if something does not work."""
    report = Report.of(__version__, list(examined(server, options.url or server.public_url, os.environ)))
    print(as_json(report) if options.json else as_text(report))
    return 1 if report.status == "problem" else 0


def examined(server: QPIServer, url: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Every finding; a check that fails itself is one."""
    yield from _tried("versions", machine.versions)
    yield from _tried("clock", machine.clock)
    if server.upstream_url:
        way = reach.Way(url=server.upstream_url, token=server.upstream_token, ca_file=server.upstream_ca_file)
        yield from _tried("upstream", lambda: reach.upstream(way))
    else:
        yield from _of_lab(server)
    token, ca_file = environ.get("QPI_LAB_TOKEN", ""), environ.get("QPI_LAB_CA_FILE", "")
    if url:
        yield from _tried("proxy", lambda: reach.proxy(reach.Way(url=url, token=token, ca_file=ca_file)))
    else:
        yield Check("proxy").skipped("No address was given.", "Behind a proxy: --url https://HOST/PATH/")
    yield from _tried("hub", lambda: reach.hub(environ))


def _of_lab(server: QPIServer) -> Iterator[Finding]:
    """Of the lab's folder, and all that is in it."""
    backend = server.backend()
    yield from _tried("folder", lambda: lab.folder(backend))
    if not lab.can_be_read(backend):
        return
    yield from _tried("disk", lambda: machine.disk(backend.lab_dir))
    yield from _tried("database", lambda: lab.database(backend))
    owner = lab.Owner(backend)
    yield from _tried("owner", owner.check)
    if backend.present():
        yield from _tried("drivers", lambda: lab.drivers(owner))
    yield from _tried("certificates", lambda: lab.certificates(server.tls_files(), https=server.https, owner=owner))


def _tried(name: str, check: Callable[[], Findings]) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # whatever it stumbles over, the other checks go on
        yield Check(name).problem(
            f"This could not be looked at ({reach.shown(error)}).", "See what else is wrong first."
        )
