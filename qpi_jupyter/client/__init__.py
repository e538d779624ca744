"""Talk to a lab: one async implementation on one kept connection, and the blocking calls derived from it.

`discovery` and `lab`    find a lab, connect, submit, list
`jobs`                   one job: wait, result, counts, dataset, cancel
`backend`                a QPU as a Qiskit backend
`programs`, `origin`     from circuits and the running cell to a request
`http`, `portal`         the connection, and the loop it lives on
"""

from __future__ import annotations

from .jobs import JobCancelled, JobHandle
from .lab import Lab, connect, job
from .tables import JobTable, QpuTable

__all__ = ["JobCancelled", "JobHandle", "JobTable", "Lab", "QpuTable", "connect", "job"]
