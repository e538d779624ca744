"""What a driver says of an attempt, against the job that it is about: nothing of it is believed unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import BUILT_IN, Rejected, bounds, counted, unpack
from qpi_jupyter.wire.rest import OptionsIn
from qpi_jupyter.wire.results import ResultHeader, check_circuit
from qpi_server.store import JobRecord, attempts, jobs

CLOCK_SLACK_S = 86_400.0
"""A busy time that is this much longer than the attempt has lasted is refused: no clock that was set explains it."""
CHARGE_SLACK_S = 5.0
"""No more than the attempt's own time and this is charged."""
_options = msgspec.json.Decoder(OptionsIn).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a result of the job must be about."""

    shots: Sequence[int]
    """Of each circuit of the program; of all circuits where there is one entry."""
    circuits: int | None
    """How many there are, parameter rows counted; None where only who opens the program can tell."""
    lasted_s: float
    """How long the attempt has been with its driver."""


def due(connection: Connection, record: JobRecord, attempt: int, at: datetime) -> Due:
    """What was asked for, and how long ago the attempt began."""
    options, lasted = _options(jobs.options(connection, record.id)), lasted_s(connection, record.id, attempt, at)
    if options.circuits:
        shots = [options.shots if entry.shots is None else entry.shots for entry in options.circuits]
        rows = sum(max(1, len(entry.parameter_values)) for entry in options.circuits)
        return Due(shots=shots, circuits=rows, lasted_s=lasted)
    form = BUILT_IN.get(record.format)
    if form is None or form.many:
        return Due(shots=[options.shots], circuits=None, lasted_s=lasted)
    packed = jobs.program(connection, record.program_sha256)
    count = None if packed is None else len(unpack(packed))
    return Due(shots=[options.shots], circuits=count, lasted_s=lasted)


def check_result(header: ResultHeader, wanted: Due) -> None:
    """Refuse a result that is not of this job, or contradicts itself.

    Raises
    ------
    Rejected
        another number of circuits, more shots than were asked for, a busy time that is days longer than the attempt
        has lasted, or what `check_circuit` finds.
    """
    busy_s = 0.0 if header.provenance is None else header.provenance.busy_s
    if busy_s > wanted.lasted_s + CLOCK_SLACK_S:
        raise Rejected(
            f"The result says that the QPU was busy for {busy_s:,.0f} s; its attempt has lasted "
            f"{wanted.lasted_s:,.0f} s.",
            code="bad_result",
        )
    if wanted.circuits is not None and len(header.circuits) != wanted.circuits:
        raise Rejected(
            f"The result has {counted(len(header.circuits), 'circuit')}; the job has {wanted.circuits:,}.",
            code="bad_result",
        )
    for index, circuit in enumerate(header.circuits):
        most = max(wanted.shots) if circuit.circuit >= len(wanted.shots) else wanted.shots[circuit.circuit]
        if circuit.shots > most:
            raise Rejected(
                f"Circuit {index} of the result has {counted(circuit.shots, 'shot')}; {most:,} were asked for.",
                code="bad_result", circuit=index,
            )  # fmt: skip
        check_circuit(index, circuit)


def lasted_s(connection: Connection, job_id: str, attempt: int, at: datetime) -> float:
    """How long an attempt has been with its driver; 0 for one that never was."""
    began_at = attempts.assigned_at(connection, job_id, attempt)
    return 0.0 if began_at is None else max(0.0, (at - began_at).total_seconds())


def charged_s(connection: Connection, job_id: str, attempt: int, said_s: float, at: datetime) -> float:
    """The busy time that counts: what the driver says, and no more than the attempt has lasted."""
    return min(bounds.seconds(said_s), lasted_s(connection, job_id, attempt, at) + CHARGE_SLACK_S)
