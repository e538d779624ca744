"""``jupyter qpi invite``: a join link, from the server that owns the lab."""

from __future__ import annotations

import argparse
import math
from urllib.parse import urlsplit

import httpx
import msgspec

from qpi_jupyter.core import Conflict, QpiError, Unavailable, existing
from qpi_jupyter.wire.addresses import is_base, is_loopback
from qpi_jupyter.wire.people import JoinLinkIn, JoinLinkModel
from qpi_jupyter.wire.rest import ErrorBody
from qpi_server.app.extension import QPIServer
from qpi_server.host.owner_files import OwnerFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a link may say."""
    parser.add_argument("--group", metavar="NAME", type=text, help="the group that people join")
    parser.add_argument("--allowance", metavar="SECONDS", type=float, help="QPU time for each of them")
    parser.add_argument("--uses", metavar="N", type=int, default=1, help="how many people may join (default: 1)")
    parser.add_argument("--days", metavar="N", type=float, default=7.0, help="how long the link is valid (default: 7)")
    parser.add_argument("--note", metavar="TEXT", type=text, default="", help="what the link is for, in the lab's list")
    parser.add_argument(
        "--url", metavar="URL", type=text, help="the lab's address for those who get it (default: public_url)"
    )


def text(given: str) -> str:
    """What stands on a command line, if it is text.

    Raises
    ------
    ArgumentTypeError
        its bytes are none in the terminal's encoding.
    """
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise argparse.ArgumentTypeError("this is not text in UTF-8: type it anew") from error
    return given


def run(lab: QPIServer, options: argparse.Namespace) -> int:
    """Make a link and print it; the exit status."""
    lab_dir = lab.backend().lab_dir
    if options.url and not is_base(options.url):
        raise Conflict(f"--url takes the lab's address, such as https://lab.example:8899, not {options.url!r}.")
    if options.allowance is not None and not math.isfinite(options.allowance):
        raise Conflict("--allowance takes a number of seconds; without it people get the lab's default.")
    owner = existing(
        OwnerFile(lab_dir).read(), Unavailable(f"No server runs on the lab in {lab_dir}: start it with `jupyter qpi`.")
    )
    request = JoinLinkIn(
        name=options.note, group=options.group, allowance_s=options.allowance, uses=options.uses, days=options.days
    )  # fmt: skip
    context = owner.upstream().connections.context
    try:
        answer = httpx.post(
            f"{owner.url}qpi/v1/join-links", content=msgspec.json.encode(request), trust_env=False,
            headers={"Authorization": f"Bearer {owner.secret}"}, verify=context if context is not None else False,
        )  # fmt: skip
    except httpx.TransportError as error:
        raise Unavailable(f"The lab's server at {owner.url} does not answer.") from error
    if not answer.is_success:
        raise QpiError.from_dict(msgspec.to_builtins(msgspec.json.decode(answer.content, type=ErrorBody).error))
    url = str(msgspec.json.decode(answer.content, type=JoinLinkModel).url)
    if options.url:
        url = f"{options.url.rstrip('/')}/qpi/join?{urlsplit(url).query}"
    print(url)
    if is_loopback(urlsplit(url).hostname):
        print("(This address works on this machine only. Give the one that others use with --url, or set public_url.)")
    return 0
