"""The lab under a JupyterHub: how `jupyter qpi` runs as one of its services, and who its people are."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPError
from tornado.httputil import url_concat
from traitlets.config import Config

from qpi_jupyter.core import Role

if TYPE_CHECKING:
    from qpi_server.service import Lab

log = logging.getLogger(__name__)
MANAGE, ADMINISTER = "custom:qpi:manage", "custom:qpi:admin"
"""The scopes that make somebody a manager or an admin of the lab."""
LIST = "list:users"
"""The scope by which the service learns who has left."""
CACHED_S = 20
"""How long what the Hub says of a token counts. With `LOOK_EVERY_S` it stays below the minute after which a person who
was removed has no access any more."""
LOOK_EVERY_S = 15.0
CLOCKS_S = 5.0
"""How far a list of people may be behind the Hub."""
PAGE = 200
_NEEDED = (
    "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_API_URL", "JUPYTERHUB_SERVICE_NAME", "JUPYTERHUB_SERVICE_PREFIX",
    "JUPYTERHUB_SERVICE_URL",
)  # fmt: skip
"""What the Hub tells the services that it starts; whoever starts one by other means says it in its environment."""


def is_service(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is a service of a Hub, and no person's own server."""
    return bool(environ.get("JUPYTERHUB_SERVICE_NAME"))


def is_own(name: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is the server of the Hub's person of that name."""
    # A service that the Hub starts has a user in its environment, too: the machine's, who is nobody of the Hub.
    return not is_service(environ) and name == environ.get("JUPYTERHUB_USER")


def service_config(environ: Mapping[str, str] = os.environ) -> Config:
    """Jupyter's settings for a service of a Hub: its address, and the Hub's sign-in in the place of Jupyter's.

    Raises
    ------
    ValueError
        the environment or the package lacks something; the message says what to do.
    """
    if missing := [name for name in _NEEDED if not environ.get(name)]:
        raise ValueError(
            f"As a service of JupyterHub ({environ.get('JUPYTERHUB_SERVICE_NAME')}) the lab needs "
            f"{', '.join(missing)} in its environment: see docs/how-to/jupyterhub.md."
        )
    if find_spec("jupyterhub") is None:
        raise ValueError("As a service of JupyterHub the lab needs its package: pip install 'qpi-jupyter[hub]'.")
    listens = urlsplit(environ["JUPYTERHUB_SERVICE_URL"])
    if listens.scheme != "http" or listens.hostname is None or listens.port is None:
        raise ValueError(
            "JUPYTERHUB_SERVICE_URL must be the address at which the proxy finds the lab, such as "
            f"http://127.0.0.1:8899, and is {environ['JUPYTERHUB_SERVICE_URL']!r}."
        )
    config = Config()
    config.ServerApp.update(
        ip=listens.hostname, port=listens.port, port_retries=0, base_url=environ["JUPYTERHUB_SERVICE_PREFIX"],
        identity_provider_class="jupyterhub.singleuser.extension.JupyterHubIdentityProvider",
        # Behind the Hub's proxy the name in the address is the proxy's, and the sender's address is in a header.
        allow_remote_access=True, trust_xheaders=True,
        # Tornado checks before the person is known; Jupyter's own check, after that, stays.
        tornado_settings={"xsrf_cookies": False},
    )  # fmt: skip
    config.HubAuth.update(cache_max_age=CACHED_S)
    return config


def roles_of(person: Mapping[str, Any], hub_auth: Any) -> frozenset[Role]:
    """Somebody's roles in the lab by the Hub's word (Any: the Hub's JSON, and its `HubAuth`)."""
    scopes = {**person, "scopes": person.get("scopes", ())}
    if hub_auth.check_scopes(ADMINISTER, scopes):
        return frozenset({Role.ADMIN})
    return frozenset({Role.MANAGER if hub_auth.check_scopes(MANAGE, scopes) else Role.USER})


class HubPeople:
    """Tells the lab who has left the Hub (``hub_auth``: the service's own `HubAuth`)."""

    def __init__(self, lab: Lab, hub_auth: Any) -> None:
        self._lab, self._hub = lab, hub_auth
        self._trouble = ""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self._look()
                self._trouble = ""
            except Exception as error:  # the Hub's, or the disk's: the lab goes on, and so does this
                self._say(f"Cannot ask the Hub who its people are ({error}); asking again.")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        service = await self._ask("/user")
        if LIST not in service.get("scopes", ()):
            self._say(
                f"The Hub does not tell this service who its people are: give it the scope {LIST} (a role in "
                "load_roles). Until then the API tokens of people who leave the Hub go on working in the lab."
            )
            return
        began = datetime.now(UTC) - timedelta(seconds=CLOCKS_S)
        names: set[str] = set()
        page: dict[str, Any] | None = {"offset": 0}
        while page is not None:
            found = await self._ask("/users", offset=page["offset"], limit=PAGE)
            names |= {person["name"] for person in found["items"]}
            page = found["_pagination"]["next"]
        for name in await self._lab.authenticator.keep(names, at=began):
            log.info("%s has left the Hub: their tokens and calendar feeds have ended", name)

    async def _ask(self, path: str, **query: Any) -> Any:
        url = url_concat(self._hub.api_url + path, query)
        headers = {
            "Authorization": f"token {self._hub.api_token}",
            "Accept": "application/jupyterhub-pagination+json",
        }
        try:
            answer = await AsyncHTTPClient().fetch(url, headers=headers, ssl_options=self._ssl())
        except HTTPError as error:
            raise RuntimeError(f"it answered {error.code}") from error
        return json.loads(answer.body)

    def _ssl(self) -> Any:
        """The certificates of a Hub with ``internal_ssl``."""
        if not self._hub.certfile:
            return None
        from jupyterhub.utils import make_ssl_context  # type: ignore[import-untyped]

        return make_ssl_context(self._hub.keyfile, self._hub.certfile, cafile=self._hub.client_ca)

    def _say(self, trouble: str) -> None:
        """Into the log, once."""
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("%s", trouble)
