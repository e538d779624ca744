"""The addresses of qiskit-runtime-server, an earlier server for IBM's client: ``<base_url>qpi/runtime/v1``. They are
those of IBM's surface, but for what deleting means: there it cancels a job, and ends a session gracefully."""

from __future__ import annotations

from dataclasses import replace

from qpi_jupyter.core import Permission as P
from qpi_server.web.table import JSON, Call

from .backends import found
from .base import PREFIX, ROOT, runtime
from .catalogue import Facts
from .jobs import runtime_cancel
from .sessions import RuntimeSessionChange, runtime_cancel_session, runtime_change_session

SEED_ROOT = "runtime/v1"
_OTHERWISE = {("DELETE", "jobs/{id}"), ("DELETE", "sessions/{id}/close")}
_IBMS = f"{PREFIX}{ROOT}/"

runtime.serve(
    *(
        replace(route, name=route.name.replace("runtime_", "seed_"), path=f"{SEED_ROOT}/{inner}")
        for route in runtime.routes
        if route.path.startswith(_IBMS) and (route.method, inner := route.path.removeprefix(_IBMS)) not in _OTHERWISE
    )
)


@runtime.route("GET", f"{SEED_ROOT}/backends/{{name}}/defaults", P.QPUS_READ, {200: JSON})
async def seed_defaults(call: Call) -> Facts:
    """What a backend plays if nothing else is said: nothing is said of that."""
    await found(call, call.path["name"])
    return {}


@runtime.route("DELETE", f"{SEED_ROOT}/jobs/{{id}}", P.JOBS_CANCEL, {204: ""})
async def seed_cancel_job(call: Call) -> None:
    """Ask for a job's end."""
    await runtime_cancel(call)


@runtime.route("DELETE", f"{SEED_ROOT}/sessions/{{id}}/close", P.SESSIONS_OPEN, {204: ""})
async def seed_close_session(call: Call) -> None:
    """Let go of the QPU; the session's jobs still run."""
    await runtime_change_session(call, RuntimeSessionChange())


@runtime.route("DELETE", f"{SEED_ROOT}/sessions/{{id}}/cancel", P.SESSIONS_OPEN, {204: ""})
async def seed_cancel_session(call: Call) -> None:
    """Let go of the QPU, and cancel the session's jobs."""
    await runtime_cancel_session(call)
