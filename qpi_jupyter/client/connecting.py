"""`connect`: finds a lab, and says what was found where there is none."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec

from qpi_jupyter._version import __version__
from qpi_jupyter.core import Conflict, NotFound, QpiError, Rejected, Unavailable
from qpi_jupyter.wire import WIRE_VERSION
from qpi_jupyter.wire.addresses import bases, clean_token, is_loopback
from qpi_jupyter.wire.kept_labs import KeptLabs
from qpi_jupyter.wire.rest import Health

from . import origin as origins
from .http import RETRY_S
from .job_handle import JobHandle
from .lab import Lab
from .signing_in import ASK, SignInWith, arrive

_CHECK_S = 3.0
"""How long a lab may take to answer when one looks for it."""
_current: Lab | None = None


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    user: str | None = None,
    fingerprint: str | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    insecure: bool = False,
    retry_s: float = RETRY_S,
) -> Lab:
    """Find a lab and connect to it.

    It is looked for at ``url``; at ``QPI_LAB_URL`` (with ``QPI_LAB_TOKEN``); at the Jupyter server that started this
    kernel; at any live Jupyter server of yours. Without arguments an open connection is used again.

    Without a token one signs in to the lab at ``url``: with what is kept from before, else with a code that is
    confirmed in a browser. What comes of it is kept in Jupyter's data folder, for you alone, and in no notebook.

    Parameters
    ----------
    url
        its address, where that of JupyterLab in the browser will do; or the name of a lab that is kept.
    token
        where it is not found with the address; it is not kept. ``""`` asks for one, which is.
    user
        sign in with this name and a password, which is asked for.
    fingerprint
        the SHA-256 of the lab's own certificate authority, which is then trusted; without it one is asked.
    ca_file
        certificates to trust instead of the system's (default: ``QPI_LAB_CA_FILE``).
    insecure
        let the token travel over plain http to another machine.
    retry_s
        how long calls wait for a lab that does not answer.

    Raises
    ------
    Unavailable
        there is no lab: the message lists where was looked, and what was there.
    """
    global _current
    if url is None and token is None and _current is not None and not _current.closed:
        return _current
    if url is not None and (not token or user is not None):
        how = SignInWith(
            user=user, ask_token=token == ASK, fingerprint=fingerprint, insecure=insecure, retry_s=retry_s
        )  # fmt: skip
        _current = _signed_in(url, how, ca_file)
        return _current
    ca_file = ca_file or os.environ.get("QPI_LAB_CA_FILE")
    tried = []
    for place in addresses(url, token, insecure=insecure):
        if not isinstance(place, Address):
            tried.append(place.why)
            continue
        try:
            _current = _open(place, ca_file, retry_s)
        except QpiError as error:
            if place.certain:
                raise
            tried.append(f"{place.why}: {error.message}")
        else:
            return _current
    raise Unavailable(
        "No lab found. Looked here:\n"
        + "\n".join(f"  - {line}" for line in tried)
        + "\nStart one with `jupyter lab` (this package enables it) or `jupyter qpi`, or say where it is: "
        "qpi_jupyter.connect(url, token).",
        code="no_lab",
    )


def _signed_in(url: str, how: SignInWith, ca_file: str | os.PathLike[str] | None) -> Lab:
    """The lab at an address that a person gave without a token, or that they are connected to by name."""
    known = KeptLabs().find(url)
    [place] = (p for p in addresses(known.url if known is not None else url, insecure=how.insecure))
    assert isinstance(place, Address), "one that is given is one"
    if ca_file is None and _meant(place.url, os.environ):
        ca_file = os.environ.get("QPI_LAB_CA_FILE")
    ca = os.fspath(ca_file) if ca_file is not None else None
    if place.token and how.user is None and not how.ask_token:
        return _open(place, ca, how.retry_s)

    def open_lab(trusted: str | None) -> Lab:
        return _open(replace(place, token=""), trusted, how.retry_s)

    return arrive(open_lab, (place.url, *place.others), known, how, ca)


def _open(place: Address, ca_file: str | os.PathLike[str] | None, retry_s: float) -> Lab:
    """The lab at this address, or at one of those that it may stand for; the first one's problem if there is none."""
    problem: QpiError | None = None
    for url in (place.url, *place.others):
        lab = Lab(url, place.token, why=place.why, ca_file=ca_file, retry_s=retry_s)
        try:
            lab.http.portal.run(_check(lab))
        except QpiError as error:
            lab.close()
            # The most telling one: a Jupyter server whose lab is off is nearer than a page of something else.
            if problem is None or error.code == "lab_off":
                problem = error
            if error.code not in ("not_a_lab", "lab_off"):
                break
        else:
            return lab
    assert problem is not None
    raise problem


async def _check(lab: Lab) -> None:
    """Whether a lab answers there; what else does."""
    try:
        health = await lab.http.call("GET", "health", Health, retry_s=0.0, answer_s=_CHECK_S)
    except NotFound as error:
        raise await _not_here(lab) from error
    if health.wire != WIRE_VERSION:
        raise Conflict(
            f"The lab at {lab.url} is version {health.version} and speaks wire version {health.wire}; this is "
            f"qpi-jupyter {__version__}, which speaks {WIRE_VERSION}: install the same version on both sides.",
            code="wire_version",
        )


class _JupyterVersion(msgspec.Struct):
    """What a Jupyter server's ``/api`` says to anybody."""

    version: str


async def _not_here(lab: Lab) -> QpiError:
    """A server that knows nothing of a lab: is it a Jupyter server?"""
    try:
        await lab.http.call("GET", "../api", _JupyterVersion, retry_s=0.0, answer_s=_CHECK_S)
    except QpiError:
        hub = " It looks like a page of JupyterHub: copy the address of your own server, .../user/NAME/lab."
        hint = hub if "hub" in lab.url.split("/") else " Is the address right?"
        return Unavailable(f"{lab.url} is not a qpi lab (it answered 404 Not Found).{hint}", code="not_a_lab")
    return Unavailable(
        f"{lab.url} is a Jupyter server, but its lab is switched off: install qpi-jupyter there, run "
        "`jupyter server extension enable qpi_server`, and restart it.",
        code="lab_off",
    )


def job(job_id: str | None = None) -> JobHandle:
    """The job with this id in the lab that `connect` finds; without one, the newest that this notebook cell submitted.

    Raises
    ------
    NotFound
        there is none; this is no notebook cell, or none of your jobs comes from it.
    """
    if job_id is not None:
        return connect().job(job_id)
    here = origins.here()
    if here is None or here.cell_id is None:
        raise NotFound("This is no notebook cell that jobs could come from: give a job's id.", code="no_cell")
    found = connect().jobs(1, cell=here.cell_id)
    if not found:
        raise NotFound("No job of yours comes from this notebook cell: give a job's id.", code="unknown_job")
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One place to look, and why there; ``certain`` ones are not passed over when they fail.

    ``others`` are tried when there is no lab at ``url``: a page's address does not tell where the server's own ends.
    """

    url: str
    token: str = field(repr=False)
    why: str
    certain: bool = False
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """One place that has no address, for the message when no lab is found."""

    why: str


def addresses(
    url: str | None = None, token: str | None = None, *, env: Mapping[str, str] | None = None, insecure: bool = False
) -> Iterator[Address | Nothing]:
    """Every place to look, in order.

    Raises
    ------
    Rejected
        it is no address, or a token would travel over plain http to another machine.
    """
    env = os.environ if env is None else env
    token = clean_token(token) if token else None
    for stated, why in ((url, "given"), (env.get("QPI_LAB_URL"), "from QPI_LAB_URL")):
        if stated and stated.strip():
            of_hub = env.get("JUPYTERHUB_API_TOKEN") if env.get("QPI_LAB_URL") else None  # opens more than a lab
            kept = (env.get("QPI_LAB_TOKEN") or of_hub) if _meant(stated, env) else None
            yield _stated(stated, token or kept, why, insecure)
            return
    yield Nothing(why="QPI_LAB_URL is not set")
    yield from _servers(env.get("JPY_PARENT_PID"), token)


def _meant(url: str, env: Mapping[str, str]) -> bool:
    """Whether what is in the environment is for this address: what opens one lab is shown to no other."""
    told = env.get("QPI_LAB_URL")
    return not told or urlsplit(told).netloc == urlsplit(url.strip()).netloc


def _stated(text: str, token: str | None, why: str, insecure: bool) -> Address:
    """An address that a person wrote: that of any page of the server in a browser will do, token and all."""
    text = text.strip().strip("<>'\"").strip()
    url = re.sub(r"^(https?):/*(?!/)", r"\1://", text, flags=re.IGNORECASE) if ":" in text else text
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", parts.netloc):
        # Without what follows a question mark: that is where a token would be.
        raise Rejected(
            f"{text.partition('?')[0]!r} is not the address of a lab. Copy it from the browser, for example "
            "'http://localhost:8888/lab' or 'https://hub.example/user/ana/lab'.",
            code="bad_url",
        )
    token = clean_token(token or parse_qs(parts.query).get("token", [""])[0])
    if token and parts.scheme == "http" and not is_loopback(host) and not insecure:
        raise Rejected(
            f"A token is not sent to {host} over plain http, where others can read it: use https, or "
            "connect(..., insecure=True).",
            code="insecure",
        )
    first, *others = (urlunsplit((parts.scheme, parts.netloc, base, "", "")) for base in bases(parts.path))
    return Address(url=first, token=token, why=why, certain=True, others=tuple(others))


def _servers(parent_pid: str | None, token: str | None) -> Iterator[Address | Nothing]:
    from jupyter_core.paths import jupyter_runtime_dir

    folder = Path(jupyter_runtime_dir())
    own = folder / f"jpserver-{parent_pid}.json" if parent_pid else None
    if own is None:
        yield Nothing(why="no Jupyter server started this process (JPY_PARENT_PID is not set)")
    else:
        yield _server(own, token, "this notebook's own Jupyter server") or Nothing(
            why=f"the Jupyter server that started this kernel (process {parent_pid}) has left no runtime file"
        )
    files = sorted(folder.glob("jpserver-*.json"), key=_age, reverse=True)
    others = [server for file in files if file != own and (server := _server(file, token, "a live Jupyter server"))]
    yield from others
    if not others:
        yield Nothing(why=f"no {'other ' if own else ''}live Jupyter server in {folder}")


def _server(file: Path, token: str | None, why: str) -> Address | None:
    """The server of a runtime file; None where its process is gone (such files stay behind)."""
    try:
        server = json.loads(file.read_text())
        os.kill(server["pid"], 0)
        return Address(url=str(server["url"]).rstrip("/"), token=token or server.get("token", ""), why=why)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
