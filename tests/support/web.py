"""The web room on a bare tornado application, with Jupyter's sign-in and no lab behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
from jupyter_server.auth import AllowAllAuthorizer, IdentityProvider
from prometheus_client import CollectorRegistry
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import NotFound, Unauthorized
from qpi_jupyter.wire.bench import ConfigInForce
from qpi_jupyter.wire.rest import Health, Services
from qpi_server.host.owner import Ownership
from qpi_server.service.base import Clock, Rates, Turns
from qpi_server.web import handlers

SECRET = "qpi_local_secret-of-the-tests"
JUPYTER_TOKEN = "jupyter-token-of-the-tests"
TOKENS = {f"qpi_{role}": Principal(name=role, roles=frozenset({role}), qpu="q") for role in Role}


class Nothing:
    """A service whose every call is counted and finds nothing."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*_args: Any, **_kwargs: Any) -> Any:
            self.calls.append(name)
            raise NotFound(f"{name} reached the lab.", code="reached")

        return call

    def timezone(self, _principal: Principal) -> None:
        """Nobody has said a clock."""


class Authenticator:
    """Knows one token of every role."""

    async def authenticate(self, token: str) -> Principal:
        if token not in TOKENS:
            raise Unauthorized("This token is not known, or has expired.", code="bad_token")
        return TOKENS[token]

    async def admit(self, principal: Principal, *, source: str) -> Principal:
        return principal


class EmptyLab:
    """A lab in which there is nothing."""

    def __init__(self) -> None:
        self.authenticator = Authenticator()
        self.metrics = CollectorRegistry()
        self.open_tasks = False
        self.waits = self.searches = Turns("tests", places=100, each=100)
        self.strangers = Rates(Clock(), per_s=1e6, burst=1_000_000)

    def __getattr__(self, _service: str) -> Nothing:
        return Nothing()

    async def health(self, _principal: Principal | None, *, owner: dict[str, Any] | None = None) -> Health:
        extra = {"owner": owner} if owner is not None else {}
        return Health(status="up", services=Services(database="up", bus="up"), version="0", wire=1, **extra)


class FixedOwnership:
    """An ownership whose target is given."""

    def __init__(self, target: Any) -> None:
        self._target = target

    async def target(self, *, after: Any = None) -> Any:
        return self._target


def site(target: Any) -> Any:
    """What the handlers find in the application's settings."""

    async def released() -> None:
        return None

    return SimpleNamespace(
        ownership=target if isinstance(target, Ownership) else FixedOwnership(target),
        secret=SECRET, owner=lambda: {"pid": 1},
        public_address=lambda here="": here or "http://127.0.0.1/",
        ca_pem=lambda: None, ca_fingerprint=lambda: None, released=released, labs=lambda: None,
        settings_in_force=lambda: ConfigInForce(settings=[]),
    )  # fmt: skip


@asynccontextmanager
async def serving(target: Any, identity_provider: IdentityProvider | None = None) -> AsyncIterator[str]:
    """The address of the surface with ``target`` behind it, and Jupyter's or another sign-in in front."""
    ours = [handler for handler in handlers() if handler[0] != r"/api/events"]
    application = Application(
        ours, qpi=site(target), base_url="/", log_function=lambda _handler: None, xsrf_cookies=True,
        identity_provider=identity_provider or IdentityProvider(token=JUPYTER_TOKEN),
        authorizer=AllowAllAuthorizer(),
        cookie_secret=b"c" * 32,
    )  # fmt: skip
    server = HTTPServer(application)
    [socket] = bind_sockets(0, "127.0.0.1")
    server.add_sockets([socket])
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}/"
    finally:
        server.stop()
        await server.close_all_connections()


def talk(target: Any, dialogue: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    """What ``dialogue`` returns, held with the surface in front of ``target``."""

    async def run() -> Any:
        async with serving(target) as url, httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:
            return await dialogue(client)

    return asyncio.run(run())
