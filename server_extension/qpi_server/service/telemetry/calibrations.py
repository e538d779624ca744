"""Calibrations: a QPU's newest counts for its jobs, and the earlier ones are kept to be looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Calibration,
    Figure,
    NotFound,
    Principal,
    Rejected,
    calibration_of,
    existing,
)
from qpi_jupyter.wire.events import CalibrationData, QpuCalibrated
from qpi_jupyter.wire.telemetry import CalibrationFigure, CalibrationModel, CalibrationPage
from qpi_server.service.base import Context, Tx, cursor, tell_qpu
from qpi_server.service.links import Linked
from qpi_server.store import CalibrationRow, Sample, bench, calibrations, telemetry

MOST = 2_000
"""Calibrations of one QPU."""
KEPT = timedelta(days=3 * 366)
MAX_FIGURES = 100_000
"""Of one page; a calibration that has more is one by itself."""
_NAME = 128


class CalibrationService:
    """Takes calibrations in and gives them out."""

    def __init__(self, context: Context) -> None:
        self._context = context
        context.commits.on(Linked, self._linked)

    async def heard(self, qpu: str, calibration: Calibration) -> None:
        """From now on the QPU runs on these values.

        Raises
        ------
        Rejected
            they are not of this QPU: it has fewer qubits.
        """

        def unit(tx: Tx) -> None:
            known = existing(
                self._context.qpus.get(qpu).manifest, NotFound(f"{qpu} has no manifest yet.", code="no_manifest")
            )
            try:
                manifest = calibration.into(known)
            except ValueError as error:
                message = f"{qpu} cannot have this calibration: its gates or qubits are not those of its manifest."
                raise Rejected(message, code="bad_frame") from error
            bench.change_qpu(tx.connection, qpu, manifest=msgspec.to_builtins(manifest))
            tell_qpu(tx, qpu)
            _note(tx, qpu, calibration, manifest.config_sha256)

        await self._context.db.write(unit)

    def _linked(self, linked: Linked) -> None:
        self._context.tasks.start(self._keep(linked.qpu), f"calibration of {linked.qpu}")

    async def _keep(self, qpu: str) -> None:
        """Keep what a QPU's driver has just said hello with."""
        manifest = self._context.qpus.get(qpu).manifest
        if manifest is not None and (calibration := calibration_of(manifest)).id:
            await self._context.db.write(lambda tx: _note(tx, qpu, calibration, manifest.config_sha256))

    async def page(
        self,
        principal: Principal,
        qpu: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        qubit: int | None = None,
        quantity: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> CalibrationPage:
        """The calibrations of a QPU, newest first, with the figures of one qubit or quantity, or all.

        Raises
        ------
        NotFound
            there is no such QPU.
        Rejected
            ``start`` is not before ``end``; ``after`` is of no page.
        """
        self._context.qpus.get(qpu)
        if start is not None and end is not None and start >= end:
            raise Rejected("start must be before end.", code="bad_query", field="start")
        before = cursor(after)

        def query(connection: Connection) -> CalibrationPage:
            found = CalibrationPage(calibrations=[])
            room, last = MAX_FIGURES, 0
            for row in calibrations.page(connection, qpu, start=start, end=end, before=before, limit=limit):
                model = _model(row, qubit, quantity)
                room -= len(model.figures)
                if room < 0 and found.calibrations:
                    found.next = str(last)
                    return found
                found.calibrations.append(model)
                last = row.seq
            if len(found.calibrations) == limit:
                found.next = str(last)
            return found

        return await self._context.db.search(principal, query, narrow="Choose a shorter time, or a smaller limit.")


def _note(tx: Tx, qpu: str, calibration: Calibration, config_sha256: str) -> None:
    """Keep a calibration, unless it is the one that the QPU had; tell of it."""
    before = calibrations.newest(tx.connection, qpu)
    if not calibration.id or (before is not None and before.calibration_id == calibration.id):
        return
    figures = list(calibration.figures())
    known = {row.name: row.value for row in telemetry.all_channels(tx.connection, qpu)}
    telemetry.add(
        tx.connection,
        (
            Sample(qpu=qpu, name=one.channel, value=one.value, unit=one.unit, at=tx.at, calibration=True)
            for one in figures
            if len(one.channel) <= _NAME and known.get(one.channel) != one.value
        ),
    )
    at = _measured_at(calibration.at, tx.at, None if before is None else before.at)
    row = CalibrationRow(
        qpu=qpu, calibration_id=calibration.id, at=at, config_sha256=config_sha256, figures=[list(f) for f in figures]
    )
    calibrations.add(tx.connection, row, keep=MOST, since=tx.at - KEPT)
    tx.event(QpuCalibrated(at=tx.at, qpu=qpu, data=CalibrationData(calibration_id=calibration.id)))


def _measured_at(said: datetime | None, now: datetime, before: datetime | None) -> datetime:
    """When it was measured, as its driver says or as it came: never before the one that it follows."""
    if said is None:
        return now
    said = said if said.tzinfo is not None else said.replace(tzinfo=UTC)
    return min(max(said, before or now - KEPT), now)


def _model(row: CalibrationRow, qubit: int | None, quantity: str | None) -> CalibrationModel:
    figures = (Figure(name, tuple(qubits), value, gate) for name, qubits, value, gate in row.figures)
    return CalibrationModel(
        id=row.calibration_id,
        at=row.at,
        config_sha256=row.config_sha256,
        figures=[
            CalibrationFigure(quantity=f.quantity, gate=f.gate, qubits=list(f.qubits), value=f.value, unit=f.unit)
            for f in figures
            if qubit in (None, *f.qubits) and quantity in (None, f.quantity)
        ],
    )
