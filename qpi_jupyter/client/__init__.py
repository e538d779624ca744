"""Talk to a lab: one async implementation on one kept connection, and the blocking calls derived from it.

`connecting`               find a lab
`signing_in`               a lab elsewhere: whom to trust, and a code, a password or a token
`lab`                      what a person talks to: it has the groups of calls below, and shows their methods as its own
`jobs`, `job_handle`       submit, list; one job: wait, cancel, edit
`plans`, `plan`            how one circuit would run on several QPUs
`sweeps`, `growing`        a sweep's points and key; what a running job has measured
`progress`                 how far a job is, in a line for those who wait
`results`, `story`         what came out of a job; its life in words
`comparing`                results of several jobs side by side
`qpus`                     the lab's QPUs
`bookings`, `booking`      book, list; one booking
`feeds`                    calendar feeds
`accounts`, `people`       QPU time; oneself, API tokens, notices
`session`                  hold a QPU for a loop
`backend`                  a QPU as a Qiskit backend
`ibm`, `ibm_kernel`        IBM's own client, pointed at a lab; with no arguments, in a whole process
`programs`, `origin`       from circuits and the running cell to a request
`times`, `numpy_values`    ``"tomorrow 9:00"`` and ``"2h"``; NumPy's and pandas' things as plain ones
`http`, `portal`           the connection, and the loop it lives on
`calling`, `status`        how calls show themselves and what wrong ones are told; a job's status as a word
`trouble`                  what goes wrong on the way, in words
"""

from __future__ import annotations

from qpi_jupyter.core import BookingConflict

from .booking import BookingHandle, BookingTable
from .comparing import compare
from .connecting import connect, job
from .ibm import runtime_service
from .job_handle import JobCancelled, JobHandle
from .jobs import JobTable
from .lab import Lab
from .people import NewToken
from .plan import Plan
from .preview import Preview
from .qpus import QpuTable
from .services import EnrollmentTable, ServiceTable
from .session import Session
from .signing_in import disconnect

__all__ = [
    "BookingConflict",
    "BookingHandle",
    "BookingTable",
    "EnrollmentTable",
    "JobCancelled",
    "JobHandle",
    "JobTable",
    "Lab",
    "NewToken",
    "Plan",
    "Preview",
    "QpuTable",
    "ServiceTable",
    "Session",
    "compare",
    "connect",
    "disconnect",
    "job",
    "runtime_service",
]
