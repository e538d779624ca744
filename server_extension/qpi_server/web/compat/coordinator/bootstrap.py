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
    """``GET bootstrap/libp2p``: what a node dials, with the lab's peer id, and whether the lab's peer is there. Without
    libp2p in the lab's ``buses`` it is not enabled, and nodes dial the lab's WebSocket."""

    enabled: bool
    state: BusState
    addresses: list[str]


class BusAddress(Answer):
    """What nodes dial, and whether the lab is found there."""

    kind: str
    address: str
    state: BusState


class BootstrapRuntime(Answer):
    """``GET bootstrap/libp2p/runtime``: every bus of the lab, and whether the lab is found on all of them."""

    enabled: bool
    state: BusState
    buses: list[BusAddress]
    linked_peers: int
    """Nodes that are heard of now, over whichever bus."""


async def _buses(call: Call) -> list[BusAddress]:
    own = BusAddress(kind="websocket", address=f"{call.site.public_address(call.here)}qpi/v1/link", state="running")
    others = await call.lab.buses.hosted()
    return [own, *(BusAddress(urlsplit(one).scheme, one, _state(bus.found)) for bus in others for one in bus.addresses)]


def _state(there: bool) -> BusState:
    return "running" if there else "stopped"


@coordinator.route("GET", f"{API}bootstrap/libp2p", P.QPUS_READ, {200: Bootstrap})
async def coordinator_bootstrap(call: Call) -> Bootstrap:
    """Where a libp2p node dials in."""
    hosts = [one for one in await _buses(call) if one.kind == LIBP2P]
    there = bool(hosts) and all(one.state == "running" for one in hosts)
    return Bootstrap(enabled=bool(hosts), state=_state(there), addresses=[one.address for one in hosts])


@coordinator.route("GET", f"{API}bootstrap/libp2p/runtime", P.QPUS_READ, {200: BootstrapRuntime})
async def coordinator_bootstrap_runtime(call: Call) -> BootstrapRuntime:
    """The buses of the lab."""
    buses = await _buses(call)
    running = all(one.state == "running" for one in buses)
    return BootstrapRuntime(
        enabled=any(one.kind == LIBP2P for one in buses), buses=buses, state=_state(running),
        linked_peers=sum(one.stale is False for one in (await call.lab.services.services(call.person)).qpus),
    )  # fmt: skip
