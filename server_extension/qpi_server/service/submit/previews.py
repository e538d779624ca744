"""What a job would be, before it is submitted: asked of its QPU's driver, which costs no QPU time."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from qpi_jupyter.core import (
    Booking,
    Estimate,
    Job,
    Permission,
    Preview,
    Principal,
    allows,
    check_program,
    limited,
)
from qpi_jupyter.wire.previews import BookingFit, ChargeModel, PreviewIn, PreviewModel
from qpi_server.service.accounts import AccountService
from qpi_server.service.base import Context, Qpu, Turns
from qpi_server.service.links import Link
from qpi_server.store import bench, load_rules

from .checking import Checker, checked
from .submit import account_of, require_fit, stored_program

TIMEOUT_S = 90.0
"""Of an answer: the driver's own limit, and others' previews before it."""
PLACES = 4
"""Previews under way at once, of everybody together; one of each person."""


class PreviewService:
    """Previews."""

    def __init__(self, context: Context, checker: Checker, accounts: AccountService) -> None:
        self._context, self._checker, self._accounts = context, checker, accounts
        self._turns = Turns("previewing", places=PLACES)

    async def preview(self, principal: Principal, name: str, request: PreviewIn) -> PreviewModel:
        """The program as the QPU would run it now, what that costs, and whether it fits into the current booking.

        Raises
        ------
        Rejected, TooLarge
            the program cannot run there, or its driver has no preview of it.
        Conflict
            the QPU gets no jobs, for want of trust.
        Unavailable
            the driver did not say: ask again later.
        TooMany
            too many previews of ``principal`` are under way.
        """
        qpu, program = self._context.qpus.get(name), request.to_program()
        check_program(program, self._context.qpus.format(program.format), max_shots=self._context.config.max_shots)
        account = account_of(principal, request.group)
        require_fit(qpu, program)
        packed = await stored_program(program, request.options)
        async with self._turns.turn(principal.name, free=not limited(principal)):
            link, estimate = await self._checker.ask(name, packed, principal.name, TIMEOUT_S)
            preview = await self._checker.preview(link, packed, principal.name, TIMEOUT_S)
        return await self._model(principal, qpu, account, link, estimate, preview)

    async def _model(
        self, principal: Principal, qpu: Qpu, account: str, link: Link, estimate: Estimate, preview: Preview
    ) -> PreviewModel:
        at = self._context.now()
        wanted = Job(id="preview", owner=principal.name, qpu=qpu.name, account=account, submitted_at=at)

        def look(connection: Connection) -> tuple[Job, BookingFit | None]:
            correction = bench.correction(connection, qpu.name) or 1.0
            job = checked(wanted, estimate, link.timeout_s, correction)
            booking = load_rules(connection, qpu.name, at, self._context.config.policy, online=True).booking
            return job, None if booking is None else _fit(job, booking, at)

        job, booking = await self._context.db.read(look)
        seen = allows(principal, Permission.TIME_READ)
        available_s = (await self._accounts.get(principal, job.payer)).available_s if seen else None
        covered = available_s is None or job.estimate_s <= available_s
        manifest = qpu.manifest
        return PreviewModel(
            qpu=qpu.name, at=at, circuits=list(preview.circuits), total=preview.total,
            estimate_s=job.estimate_s, upper_s=job.upper_s, booking=booking,
            charge=ChargeModel(
                account=job.payer, seconds=job.estimate_s, available_s=available_s, covered=covered
            ),
            calibration_id="" if manifest is None else manifest.calibration_id,
        )  # fmt: skip


def _fit(job: Job, booking: Booking, at: datetime) -> BookingFit:
    mine, left_s = booking.admits(job.owner), (booking.end_at - at).total_seconds()
    fits: Literal["yes", "likely", "no"] = "no"
    if mine and job.estimate_s <= left_s:
        fits = "yes" if job.upper_s <= left_s else "likely"
    return BookingFit(mine=mine, end_at=booking.end_at, left_s=left_s, fits=fits)
