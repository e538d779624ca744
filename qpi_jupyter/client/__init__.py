"""Talk to a lab: one async implementation on one kept connection, and the blocking calls derived from it.

`discovery` and `lab`      find a lab, connect, submit, list
`jobs`                     one job: wait, result, counts, dataset, cancel
`booking`, `bookings`      one booking; book, list, calendar
`accounts`, `people`       QPU time; oneself, API tokens, notices
`session`                  hold a QPU for a loop
`backend`                  a QPU as a Qiskit backend
`programs`, `origin`       from circuits and the running cell to a request
`times`                    ``"tomorrow 9:00"`` and ``"2h"``
`http`, `portal`, `calls`  the connection, and the loop it lives on
"""

from __future__ import annotations

from qpi_jupyter.core.errors import BookingConflict

from .booking import BookingHandle, BookingTable
from .jobs import JobCancelled, JobHandle
from .lab import Lab, connect, job
from .people import NewToken
from .session import Session
from .tables import JobTable, QpuTable

__all__ = [
    "BookingConflict",
    "BookingHandle",
    "BookingTable",
    "JobCancelled",
    "JobHandle",
    "JobTable",
    "Lab",
    "NewToken",
    "QpuTable",
    "Session",
    "connect",
    "job",
]
