"""Nodes: what they offer (services, peers, topology, fidelities) and over what they are reached, in the words of a
coordinator whose nodes are libp2p peers. A node is a QPU, called by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from statistics import fmean
from typing import Any, Literal
from urllib.parse import urlsplit

from qpi_jupyter.core import NotFound, existing
from qpi_jupyter.core import Permission as P
from qpi_jupyter.core.capabilities import Availability
from qpi_jupyter.wire.rest import Answer
from qpi_jupyter.wire.services import Advertisement
from qpi_server.web.table import Call

from .base import API, Query, coordinator

HealthWord = Literal["healthy", "degraded", "offline"]
"""Of a node; ``degraded``: it is there and takes no jobs now."""


class NodeService(Answer):
    """A service of a node. Drivers dial in, so a node listens nowhere. ``fidelity`` is the estimated success
    probability, null where the node has no calibration."""

    node_id: str
    listen_addrs: list[str]
    service_type: str
    fidelity: float | None
    qubit_min: int
    qubit_max: int
    availability: bool
    trust_tier: str
    updated_at: datetime | None


class TopologyEntry(Answer):
    """A node, and how it is."""

    peer_id: str
    trust_tier: str
    health_status: HealthWord
    last_seen_at: datetime | None
    is_stale: bool


class Peer(TopologyEntry):
    """A node in the list."""

    network_address_count: int
    service_count: int
    active_executions: int


class PeerList(Answer):
    peers: list[Peer]
    total: int
    include_stale: bool


class PeerDetail(Peer):
    """One node. ``problem``: why its driver was refused last, for who may know."""

    service_ids: list[str]
    num_qubits: int
    fidelity: float | None
    calibration_id: str
    queued: int
    places: int
    latency_s: float | None
    reason: str
    problem: str


class Topology(Answer):
    """Every node, stale ones too."""

    peers: list[TopologyEntry]
    total_peers: int
    active_peers: int
    stale_peers: int


class NetworkTopology(Answer):
    """Every node that is there, with its services; ``couplings``: which of its qubits have two-qubit gates."""

    fabric_running: bool
    generated_at: datetime
    services: list[NodeService]
    registry_snapshot: list[PeerDetail]
    couplings: dict[str, list[tuple[int, int]]]


class DiscoveryStats(Answer):
    """The nodes in figures."""

    total_peers: int
    active_peers: int
    stale_peers: int
    by_trust_tier: dict[str, int]
    by_service: dict[str, int]
    average_fidelity: float | None
    queued: int
    running: int


class FidelitySample(Answer):
    service_type: str
    fidelity: float
    availability: bool
    updated_at: datetime | None


class FidelityMetrics(Answer):
    """The services of a node whose fidelity is known, and their average, least and greatest; null where none is."""

    node_id: str
    sample_count: int
    average_fidelity: float | None
    min_fidelity: float | None
    max_fidelity: float | None
    below_min_fidelity: bool
    """Less than the lab's own minimum."""
    samples: list[FidelitySample]


class PeersQuery(Query):
    """``GET discovery/peers``."""

    include_stale: bool = False


async def nodes(call: Call, *, include_stale: bool = False) -> list[Advertisement]:
    """What the QPUs offer now."""
    return (await call.lab.services.services(call.person, include_stale=include_stale)).qpus


async def node(call: Call, name: str) -> Advertisement:
    """One of them.

    Raises
    ------
    NotFound
        there is none of that name.
    """
    found = next((one for one in await nodes(call, include_stale=True) if one.qpu == name), None)
    return existing(found, NotFound(f"There is no node {name!r}.", code="unknown_qpu"))


@coordinator.route("GET", f"{API}services", P.QPUS_READ, {200: "application/json"})
async def coordinator_services(call: Call) -> list[NodeService]:
    """What each node offers."""
    return [service for one in await nodes(call) for service in _services(one)]


def _services(one: Advertisement) -> list[NodeService]:
    return [
        NodeService(
            node_id=one.qpu, listen_addrs=[], service_type=offer.service, fidelity=offer.fidelity,
            qubit_min=offer.min_qubits, qubit_max=offer.max_qubits, availability=_takes(one),
            trust_tier=one.trust.value, updated_at=one.seen_at,
        )
        for offer in one.services
    ]  # fmt: skip


def _takes(one: Advertisement) -> bool:
    return one.availability is not Availability.UNAVAILABLE


def _health(one: Advertisement) -> HealthWord:
    return "offline" if one.stale or one.status == "offline" else "healthy" if _takes(one) else "degraded"


def _entry(one: Advertisement) -> dict[str, Any]:
    """The fields of `TopologyEntry`; ``Any``: they have different types."""
    return {
        "peer_id": one.qpu, "trust_tier": one.trust.value, "health_status": _health(one), "last_seen_at": one.seen_at,
        "is_stale": one.stale,
    }  # fmt: skip


def _peer(one: Advertisement) -> dict[str, Any]:
    """The same of `Peer`."""
    return {
        **_entry(one), "network_address_count": 0, "service_count": len(one.services), "active_executions": one.running,
    }  # fmt: skip


def _detail(one: Advertisement) -> PeerDetail:
    return PeerDetail(
        **_peer(one), service_ids=[offer.service for offer in one.services], num_qubits=one.num_qubits,
        fidelity=one.fidelity, calibration_id=one.calibration_id, queued=one.queued, places=one.places,
        latency_s=one.latency_s, reason=one.reason, problem=one.problem,
    )  # fmt: skip


@coordinator.route("GET", f"{API}discovery/peers", P.QPUS_READ, {200: PeerList}, query=PeersQuery)
async def coordinator_peers(call: Call, q: PeersQuery) -> PeerList:
    """The nodes."""
    found = [Peer(**_peer(one)) for one in await nodes(call, include_stale=q.include_stale)]
    return PeerList(peers=found, total=len(found), include_stale=q.include_stale)


@coordinator.route("GET", f"{API}discovery/peers/{{id}}", P.QPUS_READ, {200: PeerDetail})
async def coordinator_peer(call: Call) -> PeerDetail:
    """One node."""
    return _detail(await node(call, call.path["id"]))


@coordinator.route("GET", f"{API}discovery/topology", P.QPUS_READ, {200: Topology})
async def coordinator_topology(call: Call) -> Topology:
    """The network of the nodes: each is one step from the lab."""
    found = await nodes(call, include_stale=True)
    entries = [TopologyEntry(**_entry(one)) for one in found]
    total, stale = _figures(found)
    return Topology(peers=entries, total_peers=total, active_peers=total - stale, stale_peers=stale)


def _figures(found: Sequence[Advertisement]) -> tuple[int, int]:
    return len(found), sum(one.stale for one in found)


@coordinator.route("GET", f"{API}discovery/network/topology", P.QPUS_READ, {200: NetworkTopology})
async def coordinator_network(call: Call) -> NetworkTopology:
    """The nodes that are there, with their services and couplings."""
    found = await nodes(call)
    edges = {one.qpu: one.coupling_map or [] for one in found}
    return NetworkTopology(
        fabric_running=await call.lab.buses.up(), generated_at=call.lab.context.now(),
        services=[service for one in found for service in _services(one)],
        registry_snapshot=[_detail(one) for one in found], couplings=edges,
    )  # fmt: skip


@coordinator.route("GET", f"{API}discovery/stats", P.QPUS_READ, {200: DiscoveryStats})
async def coordinator_stats(call: Call) -> DiscoveryStats:
    """The nodes in figures."""
    found = await nodes(call, include_stale=True)
    total, stale = _figures(found)
    known = [one.fidelity for one in found if one.fidelity is not None]
    return DiscoveryStats(
        total_peers=total, active_peers=total - stale, stale_peers=stale,
        by_trust_tier=dict(Counter(one.trust.value for one in found)),
        by_service=dict(Counter(offer.service for one in found for offer in one.services)),
        average_fidelity=fmean(known) if known else None, queued=sum(one.queued for one in found),
        running=sum(one.running for one in found),
    )  # fmt: skip


@coordinator.route("GET", f"{API}metrics/fidelity/{{id}}", P.QPUS_READ, {200: FidelityMetrics})
async def coordinator_fidelity(call: Call) -> FidelityMetrics:
    """How well a node's services do, from its calibration."""
    one = await node(call, call.path["id"])
    samples = [
        FidelitySample(
            service_type=offer.service, fidelity=offer.fidelity, availability=_takes(one), updated_at=one.seen_at
        )
        for offer in one.services if offer.fidelity is not None
    ]  # fmt: skip
    known = [sample.fidelity for sample in samples]
    return FidelityMetrics(
        node_id=one.qpu, sample_count=len(samples), average_fidelity=fmean(known) if known else None,
        min_fidelity=min(known, default=None), max_fidelity=max(known, default=None),
        below_min_fidelity=one.below_min_fidelity, samples=samples,
    )  # fmt: skip


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
