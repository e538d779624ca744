"""Who offers what in a lab, as a table; and how somebody's QPU comes to be one of the lab's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from qpi_jupyter.core import Rejected
from qpi_jupyter.wire.services import Advertisement, Enrolled, Enrollment, EnrollmentIn, EnrollmentList, ServiceList

from . import times
from .calling import did_you_mean
from .http import Http
from .portal import both
from .status import qpu_word
from .tables import Table

if TYPE_CHECKING:
    import pandas as pd

AvailabilityWord = Literal["available", "busy", "unavailable"]
TRUST = {
    "platform_managed": "Managed by the lab",
    "user_contributed": "Contributed",
    "public_untrusted": "Not approved",
    "quarantined": "In quarantine",
}
"""The trust tiers, in the words of a screen (the panel's are in labextension/src/network/words.ts)."""


class ServiceTable(Table[Advertisement]):
    """The QPUs that match, with what each offers; ``to_pandas()`` has a row for each service of each QPU."""

    caption = "Services of this lab"
    empty = "No QPU of this lab offers that now."
    columns = (
        "QPU",
        "availability",
        "qubits",
        "fidelity",
        "services",
        "trust",
        "waiting",
        "running",
        "latency",
        "note",
    )

    def row(self, item: Advertisement) -> tuple[str, ...]:
        return (
            item.qpu, item.availability.capitalize(), str(item.num_qubits or ""), _figure(item.fidelity),
            ", ".join(offer.service for offer in item.services), TRUST.get(item.trust, item.trust), str(item.queued),
            f"{item.running} of {item.places}",
            "" if item.latency_s is None else f"{item.latency_s * 1e3:.3g} ms", _note(item),
        )  # fmt: skip

    def to_pandas(self) -> pd.DataFrame:
        """A row for each service of each QPU, as a DataFrame (needs pandas)."""
        import pandas as pd

        rows = [
            {
                **{name: value for name, value in msgspec.structs.asdict(item).items() if name not in _LISTS},
                "availability": str(item.availability), "trust": str(item.trust), "qpu_fidelity": item.fidelity,
                **msgspec.structs.asdict(offer),
            }
            for item in self
            for offer in item.services
        ]  # fmt: skip
        return pd.DataFrame(rows)


_LISTS = ("services", "coupling_map", "fidelity")


class EnrollmentTable(Table[Enrollment]):
    """QPUs that people added, or that a manager decided about."""

    caption = "Enrolled QPUs"
    empty = "Nobody has added a QPU, and no manager has decided about one."
    columns = ("QPU", "trust", "added by", "decided by", "reason", "when")

    def row(self, item: Enrollment) -> tuple[str, ...]:
        trust = "Waiting for approval" if item.pending else TRUST.get(item.trust, item.trust)
        at = "" if item.at is None else times.stamp(item.at, datetime.now(UTC))
        return item.qpu, trust, item.contributed_by or "", item.decided_by or "", item.reason, at


class NewQpu:
    """A QPU of yours, waiting for a manager's approval. ``.command`` starts its driver; it has the driver's token."""

    def __init__(self, enrolled: Enrolled) -> None:
        self.enrollment, self.name = enrolled.enrollment, enrolled.enrollment.qpu
        self.command, self.unit, self.token = enrolled.driver.command, enrolled.driver.unit, enrolled.driver.token

    def __repr__(self) -> str:
        return f"<QPU {self.name}: waiting for approval; .command starts its driver, and holds the driver's token>"


class Offers:
    """What a `Lab` knows about services and enrolment."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @both
    async def services(
        self,
        service: str | None = None,
        *,
        min_fidelity: float | None = None,
        availability: AvailabilityWord | None = None,
        include_stale: bool = False,
    ) -> ServiceTable:
        """Which QPU offers what, how good it is and how busy.

        Parameters
        ----------
        service
            only QPUs that offer this one: ``bell_pair``, ``teleportation``, ...
        min_fidelity
            only what is at least so good, by the QPU's calibration: of the service, or of the QPU where none is named.
        availability
            ``available`` (a place is free), ``busy`` or ``unavailable``.
        include_stale
            also QPUs that have missed three heartbeats.

        Raises
        ------
        Rejected
            there is no such service or availability.
        """
        _require_known(service, availability)
        params = {
            "service": service, "min_fidelity": min_fidelity, "availability": availability,
            "include_stale": include_stale or None,
        }  # fmt: skip
        return ServiceTable((await self.http.call("GET", "v1/services", ServiceList, params=params)).qpus)

    @both
    async def enroll(
        self,
        name: str,
        *,
        kind: Literal["device", "pool"] = "device",
        description: str = "",
        num_qubits: int | None = None,
    ) -> NewQpu:
        """Add a QPU of your own to the lab; it gets jobs once a manager has approved it.

        Parameters
        ----------
        name
            of the QPU and of its driver.
        kind
            ``device``: an instrument, with one place; ``pool``: simulators.
        description
            what people read about it.
        num_qubits
            what is shown until its driver says it.

        Raises
        ------
        Forbidden
            the lab takes no QPUs of its people.
        Conflict
            the name is taken.
        """
        body = EnrollmentIn(name=name, kind=kind, description=description, num_qubits=num_qubits)
        return NewQpu(await self.http.call("POST", "v1/enrollment", Enrolled, body=body))

    @both
    async def enrollments(self) -> EnrollmentTable:
        """The QPUs that people added or managers decided about; others than your own for managers."""
        return EnrollmentTable((await self.http.call("GET", "v1/enrollment", EnrollmentList)).enrollments)


def _require_known(service: str | None, availability: str | None) -> None:
    from qpi_jupyter.core.services import SERVICES

    known = [one.name for one in SERVICES]
    if service is not None and service not in known:
        hint = did_you_mean(service, known) or f" There are: {', '.join(known)}."
        raise Rejected(f"There is no service {service!r}.{hint}", code="unknown_service", field="service")
    words = get_args(AvailabilityWord)
    if availability is not None and availability not in words:
        raise Rejected(
            f"availability must be one of {', '.join(words)}, not {availability!r}.", code="bad_request",
            field="availability",
        )  # fmt: skip


def _figure(fidelity: float | None) -> str:
    return "" if fidelity is None else f"{fidelity:.4g}"


def _note(item: Advertisement) -> str:
    notes = [
        f"{qpu_word(item.status)}{f': {item.reason}' if item.reason else ''}" if item.status != "online" else "",
        "No heartbeat" if item.stale else "",
        "Below the lab's minimum fidelity" if item.below_min_fidelity else "",
        item.problem,
    ]
    return "; ".join(filter(None, notes))
