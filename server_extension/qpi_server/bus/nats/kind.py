"""How a lab and its drivers come to a NATS broker; neither needs more than its address and its secret."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from nats.aio.client import Client

from qpi_jupyter.core import Rejected, Unauthorized, Unavailable
from qpi_jupyter.wire.bus import Bus, Credential, SignIn

from . import subjects
from .connection import CONNECT_S, ONCE, End, Place, connect
from .driver import DriverEnd
from .keys import Keys
from .lab import LabEnd

AGAIN_S = 0.2
"""Seconds between the lab's tries to find a broker that has gone."""


class Nats:
    """``nats`` and, with TLS, ``tls``."""

    @asynccontextmanager
    async def host(self, address: str, sign_in: SignIn) -> AsyncIterator[Bus]:
        place = Place.parse(address)
        if place.keys is None:
            raise Rejected(
                f"The lab needs its keys at the broker: {place.url}?keys=/path/of/keys.json. `jupyter qpi nats-config` "
                "makes them, with the broker's configuration.",
                code="no_bus_keys", field="buses",
            )  # fmt: skip
        keys = Keys.read(Path(place.keys))
        context = None if keys.ca is None else ssl.create_default_context(cadata=keys.ca)
        ends: list[LabEnd] = []

        async def lost() -> None:
            for end in ends:
                end.lost()

        # The first try fails at once; from then on the client comes back by itself, for ever.
        await (await _sign_in(place, context, keys, **ONCE)).close()
        client = await _sign_in(
            place, context, keys, inbox_prefix=subjects.LAB_INBOX, disconnected_cb=lost, max_reconnect_attempts=-1,
            reconnect_time_wait=AGAIN_S,
        )  # fmt: skip
        end = LabEnd(client, place.url, keys, sign_in)
        ends.append(end)
        try:
            await end.open()
            yield end
        finally:
            await end.close()

    @asynccontextmanager
    async def dial(self, address: str, credential: Credential) -> AsyncIterator[Bus]:
        place, suffix = Place.parse(address), secrets.token_hex(16)
        context = await credential.trust() if place.secure else None
        ends: list[DriverEnd] = []

        async def lost() -> None:
            for end in ends:
                end.lost()

        client = await connect(
            place, context, token=credential.token, name=suffix, inbox_prefix=subjects.inbox(suffix),
            closed_cb=lost, **ONCE,
        )  # fmt: skip
        end = DriverEnd(client, suffix)
        try:
            await end.open(await _introduce(client, suffix))
            ends.append(end)
            yield end
        finally:
            ends.clear()
            await end.close()


NATS = Nats()


async def _sign_in(place: Place, context: ssl.SSLContext | None, keys: Keys, **options: Any) -> Client:
    try:
        return await connect(place, context, nkeys_seed_str=keys.lab, **options)
    except Unavailable as error:
        if error.code != "not_let_in":
            raise
        raise Unauthorized(
            f"The broker at {place.url} does not know the lab's key: start it with the configuration that "
            "`jupyter qpi nats-config` wrote beside that key.",
            code="bad_bus_keys", field="buses",
        ) from error  # fmt: skip


async def _introduce(client: Client, suffix: str) -> str:
    """This connection's address; raises what the lab has against it."""
    try:
        said = await End(client).ask(subjects.who_am_i(suffix), b"{}", CONNECT_S, "lab")
        return msgspec.json.decode(said, type=str)
    except msgspec.MsgspecError as error:
        raise Unavailable("The lab at this broker speaks otherwise.", code="no_lab") from error
