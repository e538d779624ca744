"""What is known of every QPU without asking the database."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import (
    BUILT_IN,
    Manifest,
    NotFound,
    ProgramFormat,
    Rejected,
    existing,
    require_calibration,
    unknown_format,
)
from qpi_jupyter.core.trust import TrustTier
from qpi_server.store import QpuRow, Store, bench, calibrations

from .units import Commits, Tx

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Qpu:
    """One QPU."""

    name: str
    kind: str
    description: str
    manifest: Manifest | None
    embedded: bool
    trust: TrustTier = TrustTier.PLATFORM_MANAGED
    withheld: str = ""
    """Why it gets no jobs, as far as that is for want of trust."""

    @property
    def simulator(self) -> bool:
        """Embedded drivers are simulators; of others only their manifest says so."""
        return self.manifest.simulator if self.manifest is not None else self.embedded


class _Known(NamedTuple):
    """What is known of a QPU now; None: it was deleted."""

    name: str
    qpu: Qpu | None


class Qpus:
    """Every QPU of the lab, by name; whoever changes one says so in the same unit (`tell_qpu`)."""

    def __init__(self, store: Store, commits: Commits) -> None:
        self._store = store
        self._known: dict[str, Qpu] = {}
        commits.on(_Known, self._changed)

    async def load(self) -> None:
        """Read every QPU into memory: once, at the start."""

        def query(connection: Connection) -> tuple[list[QpuRow], set[str]]:
            return bench.all_qpus(connection), {driver.qpu for driver in bench.all_embedded(connection)}

        rows, embedded = await self._store.read(query)
        self._known = {row.name: _qpu(row, row.name in embedded) for row in rows}

    def __iter__(self) -> Iterator[Qpu]:
        return iter(self._known.values())

    def __contains__(self, name: str) -> bool:
        return name in self._known

    @property
    def names(self) -> list[str]:
        """In order."""
        return sorted(self._known)

    def get(self, name: str) -> Qpu:
        """The QPU of that name.

        Raises
        ------
        NotFound
            there is none; the message lists the ones there.
        """
        found = self._known.get(name)
        if found is None:
            there = ", ".join(self.names) or "none"
            raise NotFound(
                f"There is no QPU called {name!r}. The lab has: {there}.", code="unknown_qpu", qpus=self.names
            )
        return found

    def format(self, name: str) -> ProgramFormat:
        """What is known of a program format: by the lab itself, or from the drivers that take it."""
        manifests = (qpu.manifest for qpu in self if qpu.manifest is not None)
        facts = (form for manifest in manifests for form in manifest.format_facts if form.name == name)
        return BUILT_IN.get(name) or next(facts, None) or unknown_format(name)

    def _changed(self, known: _Known) -> None:
        if known.qpu is None:
            self._known.pop(known.name, None)
        else:
            self._known[known.name] = known.qpu


def tell_qpu(tx: Tx, name: str) -> None:
    """Tell how a QPU is from this unit on."""
    row, embedded = bench.qpu(tx.connection, name), bench.all_embedded(tx.connection)
    tx.tell(_Known(name, None if row is None else _qpu(row, name in {driver.qpu for driver in embedded})))


def _qpu(row: QpuRow, embedded: bool) -> Qpu:
    return Qpu(
        name=row.name, kind=row.kind, description=row.description, manifest=_manifest(row), embedded=embedded,
        trust=row.trust, withheld=row.withheld,
    )  # fmt: skip


def _manifest(row: QpuRow) -> Manifest | None:
    try:
        return None if row.manifest is None else msgspec.convert(row.manifest, Manifest)
    except msgspec.ValidationError as error:
        log.error("the stored manifest of %s cannot be read: its driver's next hello replaces it: %s", row.name, error)
        return None


def require_present(connection: Connection, qpu: Qpu, calibration: str) -> None:
    """Refuse what is for a calibration that the QPU does not have now.

    Raises
    ------
    Rejected
        it has another one, or never had this one.
    """
    current = "" if qpu.manifest is None else qpu.manifest.calibration_id
    if calibration != current and not calibrations.known(connection, qpu.name, calibration):
        has = f"the present one is {current}" if current else "it has none"
        message = f"{qpu.name} has had no calibration {calibration!r}; {has}."
        raise Rejected(message, code="unknown_calibration", field="calibration", current=current)
    require_calibration(qpu.name, calibration, current)


def the_qpu(connection: Connection, name: str) -> QpuRow:
    """The QPU's row: it may have been deleted a moment ago.

    Raises
    ------
    NotFound
        it was.
    """
    return existing(bench.qpu(connection, name), NotFound(f"There is no QPU called {name!r}.", code="unknown_qpu"))
