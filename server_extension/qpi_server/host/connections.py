"""The labs elsewhere that a person's own Jupyter server is connected to: signed in, kept, chosen, let go."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from qpi_jupyter.core import Conflict, NotFound, QpiError, Rejected, Unauthorized, Unavailable, existing
from qpi_jupyter.wire import WIRE_VERSION, devices
from qpi_jupyter.wire.addresses import bases, clean_token, is_loopback
from qpi_jupyter.wire.bounded import BoundedClient
from qpi_jupyter.wire.kept_labs import UNTRUSTED, KeptLab, KeptLabs
from qpi_jupyter.wire.labs import CodeShown, LabConnection, LabConnections, LabIn
from qpi_jupyter.wire.people import Me, SignedIn
from qpi_jupyter.wire.reach import trust, unreachable
from qpi_jupyter.wire.rest import ErrorBody, Health
from qpi_jupyter.wire.tasks import ended

from .forward import Upstream
from .owner import Ownership

log = logging.getLogger(__name__)
TIMEOUT_S = 10.0
CONNECTING = "X-QPI-Connecting"
"""Comes with what a server asks before it connects: one that gets its own word back asks itself."""
_CODE = re.compile(r"[A-Z0-9-]{4,20}")

T = TypeVar("T")


def way_to(lab: KeptLab) -> Upstream:
    """The way to a lab with the person's own credential, which opens it for nobody else."""
    upstream = Upstream.to(lab.url, lab.token, ca_file=lab.ca_file, insecure=True)  # who confirmed that, has kept it
    upstream.personal = True
    return upstream


class LabSwitch:
    """Connects this server to labs elsewhere, one of which it shows at a time.

    Parameters
    ----------
    home
        makes the way to the lab that the server's settings name; it gives None for a lab of the server's own.
    here
        where its kernels reach the server.
    """

    def __init__(
        self, ownership: Ownership, kept: KeptLabs, home: Callable[[], Upstream | None], here: str
    ) -> None:  # fmt: skip
        self._ownership, self._kept, self._home, self._here = ownership, kept, home, here
        self._word = secrets.token_urlsafe(16)
        self._waiting: CodeShown | None = None
        self._problem = ""
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Wait for nobody's confirmation any more."""
        await ended(self._task)
        self._task, self._waiting = None, None

    def require_elsewhere(self, word: str | None) -> None:
        """Refuse a request that this server has sent to itself, ``word`` being its `CONNECTING`.

        Raises
        ------
        Conflict
            it has.
        """
        if word == self._word:
            raise Conflict(
                "This is the address of your own Jupyter server, whose lab needs no connection. Give the address of a "
                "lab elsewhere.",
                code="own_address", field="url",
            )  # fmt: skip

    def state(self) -> LabConnections:
        """Every lab, the one that is shown, and the code that waits."""
        labs = [
            LabConnection(name=lab.name, url=lab.url, person=lab.person, expires_at=lab.expires_at)
            for lab in self._kept.all()
        ]
        chosen = self._ownership.chosen
        found = self._kept.find(chosen.url) if chosen is not None and chosen.personal else None
        return LabConnections(
            labs=labs, here=self._here, current=found.name if found is not None else None, waiting=self._waiting,
            problem=self._problem,
        )  # fmt: skip

    async def connect(self, request: LabIn) -> LabConnections:
        """Sign in to a lab and show it; without a password or a token, once its code has been confirmed.

        Raises
        ------
        Rejected
            no address; the lab's certificate is not trusted (the error has its fingerprint, and the one before);
            secrets would travel over plain http.
        Unauthorized
            it does not let the person in.
        Conflict
            it is this server itself, or of another wire version.
        Unavailable
            no lab answers there.
        """
        await self.close()
        self._problem = ""
        candidates = _candidates(request.url)
        parts = urlsplit(candidates[0])
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise Rejected(
                f"Signing in to {parts.hostname} over plain http would show it to others on the way: use https.",
                code="insecure", field="url",
            )  # fmt: skip
        known = self._kept.find(*candidates)
        url, ca_file = await self._found(candidates, known, request.fingerprint)
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(_client(url, ca_file))
            if request.token:
                await self._arrived(client, url, clean_token(request.token), ca_file, None)
            elif request.user:
                body = {"name": request.user, "password": request.password or ""}
                found = await _ask(client, "POST", "v1/sign-in", SignedIn, json=body)
                await self._arrived(client, url, found.token, ca_file, found.expires_at)
            else:
                started = await devices.begin(client, f"JupyterLab on {socket.gethostname()}")
                if not _CODE.fullmatch(started.user_code):
                    raise Unavailable(f"{url} is not a qpi lab.", code="not_a_lab")
                # Its own page, whatever address it names: somebody is going to follow that link.
                page = f"{url}/qpi/device?user_code={started.user_code}"
                self._waiting = CodeShown(url=url, user_code=started.user_code, page=page)
                waiting = self._confirmed(stack.pop_all(), client, url, ca_file, started)
                self._task = asyncio.create_task(waiting, name="wait for a sign-in")
        return self.state()

    async def choose(self, name: str | None) -> LabConnections:
        """Show another lab; None: this server's own."""
        lab = self._kept.find(name) if name is not None else None
        if name is not None and lab is None:
            raise NotFound(f"You are not connected to a lab called {name!r}.", code="unknown_lab")
        self._kept.choose(lab.name if lab is not None else None)
        await self._ownership.choose(way_to(lab) if lab is not None else self._home())
        return self.state()

    async def disconnect(self, name: str) -> LabConnections:
        """Forget a lab, and end the sign-in there."""
        lab = existing(
            self._kept.find(name), NotFound(f"You are not connected to a lab called {name!r}.", code="unknown_lab")
        )
        chosen = self._ownership.chosen
        if chosen is not None and chosen.personal and self._kept.find(chosen.url) == lab:
            await self._ownership.choose(self._home())
        self._kept.forget(lab.name)
        client = _client(lab.url, lab.ca_file)
        with suppress(QpiError):  # it is away, or has ended it already
            headers = {"Authorization": f"Bearer {lab.token}"}
            await _ask(client, "DELETE", "v1/tokens/current", dict[str, Any], headers=headers)
        await client.aclose()
        return self.state()

    async def cancel(self) -> LabConnections:
        """Wait for the code no longer."""
        await self.close()
        return self.state()

    async def _found(
        self, candidates: list[str], known: KeptLab | None, stated: str | None
    ) -> tuple[str, str | None]:  # fmt: skip
        """The lab's own address among ``candidates``, and whom to trust there."""
        ca_file = known.ca_file if known is not None else None
        try:
            return await self._lab_at(candidates, ca_file), ca_file
        except Rejected as error:
            if error.code != UNTRUSTED:
                raise
            ca_file = await self._kept.trust(candidates, error, known, stated)
            return await self._lab_at(candidates, ca_file), ca_file

    async def _lab_at(self, candidates: list[str], ca_file: str | None) -> str:
        for url in candidates:
            async with _client(url, ca_file) as client:
                try:
                    health = await _ask(client, "GET", "health", Health, headers={CONNECTING: self._word})
                except NotFound:
                    continue
                if health.wire != WIRE_VERSION:
                    raise Conflict(
                        f"The lab at {url} has version {health.version} (wire version {health.wire}): install the same "
                        "version of qpi-jupyter on both sides.",
                        code="wire_version",
                    )
                return url
        raise Unavailable(f"{candidates[0]} is not a qpi lab. Is the address right?", code="not_a_lab", field="url")

    async def _confirmed(
        self, stack: AsyncExitStack, client: httpx.AsyncClient, url: str, ca_file: str | None,
        started: devices.DeviceAnswer,
    ) -> None:  # fmt: skip
        async with stack:
            try:
                answer = await devices.granted(client, started)
                end = None if answer.expires_in is None else datetime.now(UTC) + timedelta(seconds=answer.expires_in)
                await self._arrived(client, url, answer.access_token, ca_file, end)
            except QpiError as error:
                self._problem = error.message
            except Exception:
                log.exception("signing in to %s", url)
                self._problem = "The sign-in failed; the server's log says why."
            finally:
                self._waiting = None

    async def _arrived(
        self, client: httpx.AsyncClient, url: str, token: str, ca_file: str | None, expires_at: datetime | None
    ) -> None:
        me = await _ask(client, "GET", "v1/me", Me, headers={"Authorization": f"Bearer {token}"})
        lab = self._kept.keep(url, token, person=me.user.name, ca_file=ca_file, expires_at=expires_at)
        await self.choose(lab.name)


def _candidates(text: str) -> list[str]:
    """Where the lab's own address may end in what a person has written; https, where they do not say."""
    text = text.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise Rejected(
            "This is not the address of a lab, such as https://lab.example:8899.", code="bad_url", field="url"
        )
    return [f"{parts.scheme}://{parts.netloc}{base}".rstrip("/") for base in bases(parts.path)]


def _client(url: str, ca_file: str | None) -> httpx.AsyncClient:
    parts = urlsplit(url)
    verify = trust(ca_file, httpx.create_ssl_context) if parts.scheme == "https" else False
    return BoundedClient(
        base_url=f"{url}/qpi/", verify=verify, timeout=TIMEOUT_S, trust_env=not is_loopback(parts.hostname)
    )  # fmt: skip


async def _ask(client: httpx.AsyncClient, method: str, path: str, kind: type[T], **more: Any) -> T:
    try:
        answer = await client.request(method, path, **more)
    except httpx.TransportError as error:
        raise unreachable(str(client.base_url).removesuffix("/qpi/"), error) from error
    if answer.status_code == 404:
        raise NotFound("There is no lab.", code="not_a_lab")
    try:
        if not answer.is_success:
            raise QpiError.from_dict(msgspec.to_builtins(msgspec.json.decode(answer.content, type=ErrorBody).error))
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.MsgspecError as error:
        if answer.status_code == 401:
            raise Unauthorized("The lab does not know this token.", code="bad_token") from error
        raise Unavailable("What answers there is not a qpi lab.", code="not_a_lab") from error
