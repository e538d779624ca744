"""What the lab's QPUs offer now: their manifests, calibrations and presence, as one list."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from qpi_jupyter.core import Manifest, Permission, Principal, QpuState, allows
from qpi_jupyter.core.capabilities import Availability, Offer, availability, offers, qpu_fidelity, stale
from qpi_jupyter.wire.services import Advertisement, ServiceList, ServiceOffer
from qpi_server.service.base import Context
from qpi_server.service.links import Links, states
from qpi_server.store import QpuRow, bench
from qpi_server.store.load import Load, loads

from .enrollment import may_enroll

DRAWN_QUBITS = 128
"""Up to so many a coupling map comes along."""


class _Known:
    """What a manifest comes to, for as long as it is that manifest."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.offers: tuple[Offer, ...] = offers(manifest)
        self.fidelity = qpu_fidelity(manifest)


class ServiceCatalogue:
    """Who offers what, how good, how busy."""

    def __init__(self, context: Context, links: Links) -> None:
        self._context, self._links = context, links
        self._known: dict[str, _Known] = {}

    async def services(
        self,
        principal: Principal,
        *,
        service: str | None = None,
        min_fidelity: float = 0.0,
        availability: Availability | None = None,
        include_stale: bool = False,
    ) -> ServiceList:
        """The QPUs that match, by name.

        Parameters
        ----------
        service
            only those that offer it, and of their services only this one.
        min_fidelity
            of the service, or of the QPU where none is named; above 0, what is not known does not match.
        availability
            only those.
        include_stale
            also those that have missed three heartbeats.
        """
        now = self._context.now()

        def query(connection: Connection) -> list[Advertisement]:
            how, many = states(connection, self._links, now), loads(connection)
            return [
                self._advertisement(principal, row, how[row.name], many[row.name], now)
                for row in bench.all_qpus(connection)
                if row.name in self._context.qpus
            ]

        found = await self._context.db.read(query)
        matching = [
            one
            for one in found
            if (include_stale or not one.stale)
            and availability in (None, one.availability)
            and _offers(one, service, min_fidelity)
        ]
        return ServiceList(
            min_fidelity=self._min_fidelity, may_enroll=may_enroll(self._context, principal), qpus=matching
        )

    def _advertisement(
        self, principal: Principal, row: QpuRow, state: QpuState, load: Load, now: datetime
    ) -> Advertisement:
        qpu, places = self._context.qpus.get(row.name), self._links.places(row.name)
        manifest, seen_at = qpu.manifest, self._links.heard_at(row.name)
        known = self._of(row.name, manifest)
        silent = stale(seen_at, now, self._context.config.heartbeat_s)
        fidelity = None if known is None else known.fidelity
        inside = row.contributed_by == principal.name or allows(principal, Permission.QPUS_OPERATE)
        return Advertisement(
            qpu=row.name, kind="device" if row.kind == "device" else "pool", simulator=qpu.simulator,
            description=row.description or (manifest.description if manifest is not None else ""),
            status=state.status.value, reason=state.reason, stale=silent, seen_at=seen_at, trust=row.trust,
            availability=availability(open_=state.open, stale_=silent, running=load.running, places=places),
            num_qubits=manifest.num_qubits if manifest is not None else row.num_qubits or 0,
            fidelity=fidelity, below_min_fidelity=(1.0 if fidelity is None else fidelity) < self._min_fidelity,
            calibration_id="" if manifest is None else manifest.calibration_id,
            latency_s=self._links.latency_s(row.name), places=places, queued=load.waiting, running=load.running,
            services=[] if known is None else [_offer(one) for one in known.offers],
            coupling_map=_drawn(manifest),
            contributed_by=row.contributed_by, pending=row.pending,
            trust_reason=row.trust_reason,
            problem=self._links.refusals(row.name) if inside else "",
        )  # fmt: skip

    @property
    def _min_fidelity(self) -> float:
        return self._context.config.min_fidelity

    def _of(self, name: str, manifest: Manifest | None) -> _Known | None:
        if manifest is None:
            return None
        known = self._known.get(name)
        if known is None or known.manifest is not manifest:
            known = self._known[name] = _Known(manifest)
        return known


def _drawn(manifest: Manifest | None) -> list[tuple[int, int]] | None:
    if manifest is None or manifest.coupling_map is None or manifest.num_qubits > DRAWN_QUBITS:
        return None
    return list(manifest.coupling_map)


def _offer(one: Offer) -> ServiceOffer:
    return ServiceOffer(
        service=one.service, min_qubits=one.min_qubits, max_qubits=one.max_qubits, fidelity=one.fidelity
    )  # fmt: skip


def _offers(one: Advertisement, service: str | None, min_fidelity: float) -> bool:
    """Whether it offers that service as well as that; its list is narrowed to what was asked for."""
    if service is None:
        return min_fidelity <= 0 or (one.fidelity or 0.0) >= min_fidelity
    one.services = [
        offer
        for offer in one.services
        if offer.service == service and (min_fidelity <= 0 or (offer.fidelity or 0.0) >= min_fidelity)
    ]
    return bool(one.services)
