"""Checks of the ways to a lab: its address behind a proxy, the lab that it forwards to, the Hub around it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from qpi_jupyter.core import QpiError
from qpi_jupyter.wire import sse
from qpi_jupyter.wire.addresses import is_base
from qpi_server.host.hub import is_service

from .findings import Check, Findings

ANSWER_S = 10.0
POLL_S = 20.0
"""What the client and the panel ask a long poll for."""
STREAM_S = 5.0
"""How soon the first words of a stream have to come: the lab says them at once."""
BODY_BYTES = 100 << 20
"""What a proxy should let in: a result of a large measurement."""
REFUSED_S = 3.0
"""How soon a proxy refuses an announced body that is too large for it; the lab reads on."""
ENDS_SOON = timedelta(days=14)
SKEW_S = 30.0
HOW_TO = "docs/how-to/reverse-proxy.md has the lines for nginx, Caddy and Traefik."
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """An address of a lab, the token to show there, and what to trust it by."""

    url: str
    token: str = ""
    ca_file: str = ""

    def client(self, headers: Mapping[str, str] | None = None, *, signed_in: bool = False) -> httpx.Client:
        """A client for it."""
        headers = dict(headers or {})
        if signed_in:
            headers["Authorization"] = f"Bearer {self.token}"
        verify = self.context() or True
        return httpx.Client(base_url=self.url.rstrip("/") + "/", headers=headers, verify=verify, timeout=ANSWER_S)

    def context(self) -> ssl.SSLContext | None:
        """What trusts it; None for plain http."""
        if urlsplit(self.url).scheme != "https":
            return None
        return ssl.create_default_context(cafile=self.ca_file or None)

    @property
    def may_be_told(self) -> bool:
        """Whether the token can be sent there without being overheard."""
        parts = urlsplit(self.url)
        return bool(self.token) and (parts.scheme == "https" or parts.hostname in LOOPBACK)


def proxy(way: Way) -> Findings:
    """Whether everything that people, drivers and the panel need gets through."""
    check = Check("proxy")
    if not is_base(way.url):
        yield check.problem(f"{way.url} is not an http or https address.", "Name it as people do: https://HOST/PATH/")
        return
    try:
        with way.client() as client:
            health = client.get("qpi/health")
    except httpx.HTTPError as error:
        yield check.problem(
            f"{way.url} does not answer ({error}).",
            "Start the proxy; where its certificate is not trusted, name its authority in QPI_LAB_CA_FILE.",
        )
        return
    if (trouble := _not_a_lab(health)) is not None:
        yield check.problem(f"{way.url} {trouble[0]}", trouble[1])
        return
    before = [*_certificate(check, way), *_clock(check, health), *_headers(check, way)]
    before += [*_prefix(check, way), *_uploads(check, way), *_long(check, way)]
    yield from before
    if not any(one.status in ("problem", "warning") for one in before):
        yield check.ok(f"{way.url} leads to a lab of version {_json(health)['version']}.")


def _json(answer: httpx.Response) -> dict[str, Any]:
    """The answer's object; empty where it is something else (Any: JSON)."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _not_a_lab(answer: httpx.Response) -> tuple[str, str] | None:
    """What is wrong with the answer of an address that should be a lab's, and what to do."""
    found = _json(answer)
    if "wire" in found:
        return None
    if isinstance(error := found.get("error"), dict) and "message" in error:
        return "reaches the lab, which refuses.", str(error["message"])
    if answer.is_redirect:
        return (
            f"redirects to {answer.headers.get('location', 'nowhere')}.",
            "Name the address that it leads to; a lab below a path needs ServerApp.base_url to be that path.",
        )
    if answer.status_code in (502, 503, 504):
        return (
            f"answers {answer.status_code}: the proxy does not reach the lab.",
            f"Start the lab, and correct its address in the proxy. {HOW_TO}",
        )
    return (
        f"answers {answer.status_code} with something other than a lab.",
        f"The lab's ServerApp.base_url must be the path of this address, and the proxy must keep that path. {HOW_TO}",
    )


def _certificate(check: Check, way: Way) -> Findings:
    context, parts = way.context(), urlsplit(way.url)
    if context is None:
        if parts.hostname not in LOOPBACK:
            yield check.warning("Plain http to another machine: tokens can be overheard.", "Use https in the proxy.")
        return
    assert parts.hostname is not None
    with (
        socket.create_connection((parts.hostname, parts.port or 443), timeout=ANSWER_S) as raw,
        context.wrap_socket(raw, server_hostname=parts.hostname) as connection,
    ):
        stated: Any = connection.getpeercert()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(stated["notAfter"]), UTC)
    if ends - datetime.now(UTC) < ENDS_SOON:
        yield check.warning(f"The proxy's certificate ends on {ends:%Y-%m-%d}.", "Renew it, and reload the proxy.")


def _clock(check: Check, answer: httpx.Response) -> Findings:
    try:
        there = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return
    if abs(behind := (datetime.now(UTC) - there).total_seconds()) > SKEW_S:
        yield check.warning(
            f"The clock there is {abs(behind):.0f} s {'behind' if behind > 0 else 'ahead of'} this machine's.",
            "Synchronize both.",
        )


def _prefix(check: Check, way: Way) -> Findings:
    """Where the lab's first page leads on to: below the same path, if the proxy keeps it."""
    path = urlsplit(way.url).path.rstrip("/")
    with way.client() as client:
        leads = urlsplit(client.get("").headers.get("location", "")).path
    if leads.startswith("/") and not leads.startswith(f"{path}/"):
        yield check.warning(
            f"The proxy takes the path away: programs and drivers get through, pages lead to {leads}.",
            f"Keep the path, and set ServerApp.base_url to {path}/. {HOW_TO}",
        )


def _headers(check: Check, way: Way) -> Findings:
    """Whether a WebSocket arrives as one, under its own name: the lab refuses it without a token, and says what came.

    A page's own requests carry its address twice, in Origin and in Host; behind the proxy they must agree.
    """
    asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    with way.client(asked) as client:
        error = _json(client.get("qpi/v1/link")).get("error")
    came = error.get("data", {}) if isinstance(error, dict) else {}
    if came.get("host") not in (None, urlsplit(way.url).netloc):
        yield check.problem(
            "The proxy replaces the Host header, so that the lab takes its own pages for somebody else's.",
            f"Let it keep the header (nginx: proxy_set_header Host $http_host). {HOW_TO}",
        )
    if came.get("upgrade") is not True:
        yield check.problem(
            "WebSockets do not get through: neither drivers nor kernels can connect.",
            f"Let the proxy speak HTTP/1.1 to the lab and pass on Connection and Upgrade. {HOW_TO}",
        )


def _uploads(check: Check, way: Way) -> Findings:
    """Whether a large body is let in. Only its size is sent: a proxy that minds says so before the body."""
    parts = urlsplit(way.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    options: dict[str, Any] = {"context": way.context()} if parts.scheme == "https" else {}
    connection = kind(parts.hostname or "", parts.port, timeout=REFUSED_S, **options)
    try:
        connection.putrequest("POST", f"{parts.path.rstrip('/')}/qpi/v1/jobs")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(BODY_BYTES))
        connection.endheaders()
        answer = connection.getresponse()
        ours = "json" in answer.headers.get("content-type", "")
    except (OSError, http.client.HTTPException):
        return  # it waits for the body: good
    finally:
        connection.close()
    if answer.status == 413 and not ours:
        yield check.problem(
            f"The proxy refuses bodies of {BODY_BYTES >> 20} MiB: large programs and results cannot be sent.",
            f"Raise its limit (nginx: client_max_body_size 0). {HOW_TO}",
        )


def _long(check: Check, way: Way) -> Findings:
    """Whether answers that take their time get through, and streams word by word."""
    if not way.may_be_told:
        yield check.skipped(
            "Long polls and event streams were not tried.",
            "Set QPI_LAB_TOKEN to a token of yours (over https, or on this machine).",
        )
        return
    with way.client(signed_in=True) as client:
        first = client.get("qpi/v1/events", params={"newest": "true"})
        if first.status_code != 200:
            message = (_json(first).get("error") or {}).get("message", f"It answers {first.status_code}.")
            yield check.problem("The token in QPI_LAB_TOKEN is not accepted there.", str(message))
            return
        cursor = _json(first)["cursor"]
        yield from _stream(check, client, cursor)
        began = time.monotonic()
        try:
            answer = client.get("qpi/v1/events", params={"after": cursor, "wait_s": POLL_S}, timeout=POLL_S + ANSWER_S)
            cut = answer.status_code != 200
        except httpx.HTTPError:
            cut = True
        if cut:
            yield check.problem(
                f"A request that waits was cut after {time.monotonic() - began:.0f} s; up to {POLL_S:g} s are usual.",
                f"Raise the proxy's read timeout to 75 s or more (nginx: proxy_read_timeout). {HOW_TO}",
            )


def _stream(check: Check, client: httpx.Client, cursor: int) -> Findings:
    try:
        with client.stream(
            "GET", "qpi/v1/events", params={"after": cursor}, headers={"Accept": sse.MEDIA_TYPE}, timeout=STREAM_S
        ) as answer:
            next(answer.iter_raw())
    except (httpx.HTTPError, StopIteration):
        yield check.problem(
            "The proxy keeps back what a stream says: the panel is told late.",
            f"Switch its buffering off (nginx: proxy_buffering off). {HOW_TO}",
        )


def upstream(way: Way) -> Findings:
    """Whether the lab that this server forwards to answers, and accepts its token."""
    check = Check("upstream")
    try:
        with way.client(signed_in=bool(way.token)) as client:
            answer = client.get("qpi/health")
    except httpx.HTTPError as error:
        yield check.problem(
            f"The lab at {way.url} does not answer ({error}).",
            "Correct upstream_url; where its certificate is not trusted, set upstream_ca_file.",
        )
        return
    if (trouble := _not_a_lab(answer)) is not None:
        yield check.problem(f"{way.url} {trouble[0]}", trouble[1])
    elif "owner" not in _json(answer):
        yield check.problem(
            f"The lab at {way.url} does not know this server's token.", "Set upstream_token to a valid one."
        )
    else:
        yield check.ok(f"forwards to {way.url}")
        yield from _clock(check, answer)


def hub(environ: Mapping[str, str]) -> Findings:
    """Whether the Hub that started this answers, and what it lets this do."""
    check, url, token = Check("hub"), environ.get("JUPYTERHUB_API_URL", ""), environ.get("JUPYTERHUB_API_TOKEN", "")
    if not url:
        return
    try:
        with httpx.Client(timeout=ANSWER_S, trust_env=False) as client:
            answer = client.get(f"{url.rstrip('/')}/user", headers={"Authorization": f"token {token}"})
    except httpx.HTTPError as error:
        yield check.problem(
            f"The Hub does not answer at {url} ({error}).",
            "Start it; from another machine or container it needs JupyterHub.hub_connect_url.",
        )
        return
    found = _json(answer)
    if answer.status_code in (401, 403):
        yield check.problem(
            "The Hub does not know this server's token.",
            "Restart this server from the Hub; for an external service, set the same api_token on both sides.",
        )
    elif "scopes" not in found:
        yield check.problem(
            f"{url} answers {answer.status_code} with something other than a Hub.", "Correct its address."
        )
    elif (lacking := _lacking(found["scopes"], environ)) is not None:
        yield check.problem(
            f"The Hub does not give {found.get('kind')} {found.get('name')} the scope {lacking[0]}: {lacking[1]}.",
            "Add it to a role in JupyterHub.load_roles, and restart the Hub.",
        )
    else:
        yield check.ok(f"{found.get('kind')} {found.get('name')}, with {', '.join(sorted(found['scopes']))}")


def _lacking(scopes: list[str], environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The scope that this token should have and has not, and what does not work without it."""
    if not is_service(environ):  # a person's own server
        if environ.get("QPI_UPSTREAM_URL") and not any(one.startswith("access:services") for one in scopes):
            return "access:services!service=qpi", "the person cannot use the lab"
    elif not any(one.partition("!")[0] in ("list:users", "admin:users") for one in scopes):
        return "list:users", "the lab does not hear of it when somebody leaves the Hub"
    return None


def shown(error: Exception) -> str:
    """An unforeseen error in a line."""
    told = isinstance(error, (OSError, QpiError, ValueError))  # their words stand by themselves
    return json.dumps(str(error) if told and str(error) else f"{type(error).__name__}: {error}")[1:-1]
