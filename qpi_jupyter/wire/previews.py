"""What a job would be on a QPU, before it is submitted: as the native surface sends it, and as an output holds it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from qpi_jupyter.core import CircuitPreview, Program

from .rest import Answer, Label, OptionsIn, ProgramIn, Request, program_from

PREVIEW_OUTPUT = "application/vnd.qpi.preview+json"
"""Its media type in a notebook."""


class PreviewIn(Request):
    """``POST qpus/{name}/preview``: a program, and who would pay, as in ``POST jobs``."""

    program: ProgramIn
    options: OptionsIn = msgspec.field(default_factory=OptionsIn)
    group: Label | None = None

    def to_program(self) -> Program:
        """The core's noun; as `program_from`."""
        return program_from(self.program, self.options)


class ChargeModel(Answer):
    """What a job is expected to cost: QPU-seconds of ``account``, which has ``available_s`` (None: without limit)."""

    account: str
    seconds: float
    available_s: float | None
    covered: bool


class BookingFit(Answer):
    """The booking that the QPU is in now: whether it is the asker's, and whether the job ends before it does.

    ``fits`` is ``likely`` where the job's likely length does, and its upper bound doesn't.
    """

    mine: bool
    end_at: datetime
    left_s: float
    fits: Literal["yes", "likely", "no"]


class PreviewModel(Answer):
    """A program as a QPU would run it; of ``total`` circuits the first ones.

    ``estimate_s`` is how long the whole job is likely to hold the QPU, ``upper_s`` the bound on it.
    """

    qpu: str
    at: datetime
    circuits: list[CircuitPreview]
    total: int
    estimate_s: float
    upper_s: float
    charge: ChargeModel
    booking: BookingFit | None
    calibration_id: str


class PreviewOutput(Answer):
    """A preview in a notebook."""

    v: Literal[1]
    preview: PreviewModel
