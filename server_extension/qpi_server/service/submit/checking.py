"""Has programs checked by a driver's prepare child, and tells what is wrong with them from what went wrong there."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Estimate,
    Faulted,
    Job,
    Preview,
    QpiError,
    Rejected,
    Unavailable,
    programs_fault,
    unpack,
)
from qpi_jupyter.core.reservations import Compiled
from qpi_jupyter.wire.frames import PREPARE, PREVIEW, Prepare, Prepared, Previewed, ProgramRef, fits, inline_limit
from qpi_jupyter.wire.rest import OptionsIn
from qpi_server.service.base import Context, Qpu
from qpi_server.service.links import Link, Links
from qpi_server.store import JobRecord, jobs

log = logging.getLogger(__name__)
_options = msgspec.json.Decoder(OptionsIn).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProgram:
    """A program as it is stored: packed, with its digest and its run options as JSON."""

    format: str
    packed: bytes
    sha256: str
    options: bytes

    @property
    def key(self) -> str:
        """What the check depends on."""
        return hashlib.sha256(b"\0".join((self.sha256.encode(), self.format.encode(), self.options))).hexdigest()

    def ref(self, limit: int) -> ProgramRef:
        """As a frame of at most ``limit`` bytes has it."""
        inline = len(self.packed) <= inline_limit(self.options, limit)
        return ProgramRef(
            format=self.format,
            sha256=self.sha256,
            options=_options(self.options),
            sources=list(unpack(self.packed)) if inline else [],
        )

    def question(self, link: Link, owner: str, seed: int | None = None) -> Prepare:
        """What a driver is asked about it, for whoever wants to know."""
        return Prepare(
            key=self.key, program=self.ref(link.max_frame_bytes), person=_alias(owner), compile_seed=seed
        )  # fmt: skip


class Fitted(NamedTuple):
    """What the driver of ``link`` says of a program that it has compiled; one that does not compile says no more than
    the estimate."""

    link: Link
    estimate: Estimate
    compiled: Compiled | None


class Checker:
    """Asks drivers whether a program can run, and remembers their estimates."""

    def __init__(self, context: Context, links: Links) -> None:
        self._budget_s, self._links = context.config.check_budget_s, links

    async def check(self, qpu: Qpu, program: StoredProgram, owner: str) -> Estimate | None:
        """The estimate; None if nobody could say within the budget.

        Raises
        ------
        Rejected, TooLarge
            the program cannot run there: what the driver found.
        """
        try:
            _, estimate = await self.ask(qpu.name, program, owner, self._budget_s)
        except Unavailable as error:
            log.info("%s did not check a program in time: %s", qpu.name, error)
            return None
        return estimate

    async def ask(self, qpu: str, program: StoredProgram, owner: str, timeout_s: float) -> tuple[Link, Estimate]:
        """What a driver of the QPU finds, and which one that was.

        Whatever goes wrong with the asking becomes `Unavailable` here, and only here: no job ends for that.

        Raises
        ------
        Rejected, TooLarge
            the program is at fault.
        Unavailable
            nothing was found out: ask again later.
        """
        link = self._link(qpu, program)
        estimate = link.estimates.get(program.key)
        if estimate is None:
            estimate = (await self._asked(link, program, owner, timeout_s)).estimate
        _fits(link, estimate)
        return link, estimate

    async def compile(self, qpu: str, program: StoredProgram, owner: str, timeout_s: float, *, seed: int) -> Fitted:
        """As `ask`, of a driver that also compiles the program for its present calibration: it is always asked."""
        fitted = await self._asked(self._link(qpu, program), program, owner, timeout_s, seed)
        _fits(fitted.link, fitted.estimate)
        return fitted

    async def _asked(
        self, link: Link, program: StoredProgram, owner: str, timeout_s: float, seed: int | None = None
    ) -> Fitted:
        link.asked += 1
        try:
            fitted = await self._prepare(link, program, owner, timeout_s, seed)
        finally:
            link.asked -= 1
        link.remember(program.key, fitted.estimate)
        return fitted

    async def preview(self, link: Link, program: StoredProgram, owner: str, timeout_s: float) -> Preview:
        """What a driver shows of a program.

        Raises
        ------
        Rejected, TooLarge
            the program is at fault, or the driver has no preview of it.
        Unavailable
            nothing was found out: ask again later.
        """
        try:
            with self._links.offering(program.sha256, program.packed):
                answer = await link.ask(PREVIEW, program.question(link, owner), Previewed, timeout_s=timeout_s)
        except QpiError as error:
            if error.code in ("no_such_subject", "no_responder"):
                raise Rejected(
                    f"The driver of {link.qpu} is too old for previews. Ask the lab's managers to update it.",
                    code="no_preview",
                ) from error
            raise Unavailable(f"The driver of {link.qpu} sent no preview: {error.message}", code=error.code) from error
        if answer.preview is not None:
            return answer.preview
        problem = QpiError.from_bench(answer.error or {"message": "The driver sent neither a preview nor an error."})
        if programs_fault(problem):
            raise problem
        raise Unavailable(problem.message, code=problem.code)

    def _link(self, qpu: str, program: StoredProgram) -> Link:
        """The driver to ask."""
        links = list(self._links.of(qpu))
        able = [link for link in links if fits(program.options, link.max_frame_bytes)]
        if links and not able:
            raise Unavailable(
                f"The driver of {qpu} is too old for run options of {len(program.options):,} bytes. Ask the lab's "
                "managers to update it, or send fewer parameter rows in one job.",
                code="old_driver",
            )
        if not able:
            raise Unavailable(f"{qpu} is offline.", code="qpu_offline")
        return min(able, key=lambda link: (link.evasions, link.asked))

    async def _prepare(
        self, link: Link, program: StoredProgram, owner: str, timeout_s: float, seed: int | None
    ) -> Fitted:
        frame = program.question(link, owner, seed)
        problem: QpiError
        try:
            with self._links.offering(program.sha256, program.packed):
                answer = await link.ask(PREPARE, frame, Prepared, timeout_s=timeout_s)
        except QpiError as error:
            words = {
                "no_answer": f"Its driver did not answer within {timeout_s:g} s.",
                "link_closed": "The link to its driver broke.",
                "no_responder": "The link to its driver broke.",
            }
            problem = Unavailable(words.get(error.code, error.message), code=error.code)
        else:
            problem = Faulted("The driver's check gave neither an estimate nor an error.")
            if answer.error is not None:
                problem = QpiError.from_bench(answer.error)
            if programs_fault(problem):
                raise problem
            if answer.error is None and answer.estimate is not None:
                link.evasions = 0
                return Fitted(link, answer.estimate, answer.compiled)
        link.evasions += 1
        raise Unavailable(problem.message, code=problem.code) from problem


def _alias(owner: str) -> str:
    """What a driver knows a person by."""
    return hashlib.sha256(owner.encode()).hexdigest()[:16]


def checked(job: Job, estimate: Estimate, timeout_s: float, correction: float) -> Job:
    """The job with its estimate, corrected by what was measured; no run is longer than the driver lets it be.

    The bound is the executor's own and never lowered: what never took that long still may.
    """
    likely_s = estimate.estimate_s * correction
    return job.with_(
        checked=True,
        estimate_s=min(likely_s, timeout_s),
        upper_s=min(max(estimate.upper_s, estimate.estimate_s, likely_s), timeout_s),
    )


def _fits(link: Link, estimate: Estimate) -> None:
    """Refuse what this driver can be known not to finish.

    Raises
    ------
    Rejected
        it needs more memory than a place has, or more time than an attempt may take.
    """
    cap = link.memory_cap_bytes
    if cap is not None and estimate.memory_bytes > cap:
        raise Rejected(
            f"The circuit needs about {_gib(estimate.memory_bytes)} of memory; a place of {link.qpu} has "
            f"{_gib(cap)}. Use fewer qubits.",
            code="too_much_memory",
            needed_bytes=estimate.memory_bytes,
            cap_bytes=cap,
        )
    if estimate.estimate_s > link.timeout_s:
        raise Rejected(
            f"The job would take about {estimate.estimate_s:,.0f} s; {link.qpu} runs a job for at most "
            f"{link.timeout_s:,.0f} s. Use fewer shots or circuits, or split it.",
            code="too_long",
            estimate_s=estimate.estimate_s,
            limit_s=link.timeout_s,
        )


def _gib(nbytes: int) -> str:
    return f"{nbytes / 2**30:,.1f} GiB" if nbytes >= 1 << 30 else f"{nbytes / 2**20:,.0f} MiB"


def stored_program(connection: Connection, record: JobRecord) -> StoredProgram | None:
    """What to check; None if the job was cancelled and deleted meanwhile."""
    packed = jobs.program(connection, record.program_sha256)
    if packed is None:
        return None
    return StoredProgram(
        format=record.format,
        packed=packed,
        sha256=record.program_sha256,
        options=jobs.options(connection, record.id),
    )
