"""Over what the nodes are reached, in the words of a coordinator whose nodes are libp2p peers."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.rest import Answer
from qpi_server.web.table import Call

from .base import API, coordinator

BusState = Literal["running", "stopped"]
LIBP2P = "p2p"
"""The scheme of a libp2p bus."""


class Bootstrap(Answer):
    """``GET bootstrap/libp2p``: where a node dials in. Without libp2p in the lab's ``buses`` it is not enabled, and
    nodes dial the lab's WebSocket."""

    enabled: bool
    state: BusState
    addresses: list[str]


class BusAddress(Answer):
    """A bus, and what its drivers dial (``--bus``)."""

    kind: str
    address: str


class BootstrapRuntime(Answer):
    """``GET bootstrap/libp2p/runtime``: every bus of the lab, and whether the lab is found on all of them."""

    enabled: bool
    state: BusState
    buses: list[BusAddress]
    linked_peers: int
    """Nodes that are heard of now, over whichever bus."""


def _buses(call: Call) -> list[BusAddress]:
    own = BusAddress(kind="websocket", address=f"{call.site.public_address(call.here)}qpi/v1/link")
    hosted = call.lab.context.config.buses
    others = [address for one in hosted for address in call.lab.buses.reached_at(one)]
    return [own, *(BusAddress(kind=urlsplit(one).scheme, address=one) for one in others)]


@coordinator.route("GET", f"{API}bootstrap/libp2p", P.QPUS_READ, {200: Bootstrap})
async def coordinator_bootstrap(call: Call) -> Bootstrap:
    """Where a libp2p node dials in."""
    state = await _state(call)
    found = [one.address for one in _buses(call) if one.kind == LIBP2P]
    return Bootstrap(enabled=bool(found), state=state, addresses=found)


async def _state(call: Call) -> BusState:
    return "running" if await call.lab.buses.up() else "stopped"


@coordinator.route("GET", f"{API}bootstrap/libp2p/runtime", P.QPUS_READ, {200: BootstrapRuntime})
async def coordinator_bootstrap_runtime(call: Call) -> BootstrapRuntime:
    """The buses of the lab."""
    state = await _state(call)
    buses = _buses(call)
    return BootstrapRuntime(
        enabled=any(one.kind == LIBP2P for one in buses), buses=buses, state=state,
        linked_peers=len((await call.lab.services.services(call.person)).qpus),
    )  # fmt: skip
