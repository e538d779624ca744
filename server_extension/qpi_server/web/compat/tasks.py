"""The circuit task service's HTTP surface: ``<base_url>qpi/tasks``. A task is a job of one OpenQASM circuit.

Its clients send ``quantum_circuit`` and ``shots``, and ask for the task until its status is ``completed`` or
``failed``. What else there is of a job is at ``qpi/v1/jobs/{id}``, with the same id.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from qpi_jupyter.core import (
    DEFAULT_SHOTS,
    SCOPES,
    Forbidden,
    NotFound,
    Permission,
    Principal,
    QpiError,
    Role,
    Scope,
    format_outcome,
    text_format,
)
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.jobs import JobModel, SubmitRequest
from qpi_jupyter.wire.rest import Answer, Label, OptionsIn, ProgramIn
from qpi_server.host.forward import Upstream
from qpi_server.service import Lab
from qpi_server.web.handler import RestHandler
from qpi_server.web.identity import Visitor, credential, require
from qpi_server.web.table import Call, Table

from .texts import text_of

GUEST = Principal(name="local:tasks", roles=frozenset({Role.USER}), scopes=SCOPES[Scope.SUBMIT])
"""Whose the tasks are that come without a token: no person's name has a colon."""
Status = Literal["pending", "processing", "completed", "failed"]
STATUS: dict[str, Status] = {"pending": "pending", "running": "processing", "completed": "completed"}
"""Of a task, by its job's; a cancelled one has failed."""
PROXIED = ("Forwarded", "X-Forwarded-", "X-Real-Ip", "Via")
"""How the names of the headers begin that a proxy adds."""


class TaskRefusal(Answer):
    """Every error of this surface."""

    detail: str


class TaskIn(Struct, kw_only=True, forbid_unknown_fields=True):
    """``POST tasks``: the text of one circuit, OpenQASM 2 or 3. ``qpu`` is our own: without it the lab chooses."""

    quantum_circuit: str
    shots: Annotated[int, Meta(ge=1)] = DEFAULT_SHOTS
    qpu: Label | None = None


class TaskAccepted(Answer):
    """What is answered at once."""

    task_id: str
    status: Literal["pending"] = "pending"


class Task(Answer):
    """A task; ``result`` are its counts, keyed as Qiskit keys them, ``error`` says why it has none."""

    id: str
    circuit_qasm: str
    shots: int
    status: Status
    result: dict[str, int] | None
    error: str | None
    created_at: datetime
    completed_at: datetime | None


def refusal(error: QpiError, _status: int, _headers: Mapping[str, str]) -> bytes:
    """The one field that its clients read."""
    return msgspec.json.encode(TaskRefusal(detail=error.message))


tasks = Table("/qpi/", error=TaskRefusal, refuse=refusal)


@tasks.route("POST", "tasks", P.JOBS_SUBMIT, {201: TaskAccepted}, body=TaskIn, refuses=(507,))
async def submit_task(call: Call, wanted: TaskIn) -> TaskAccepted:
    """Submit one circuit."""
    job, _ = await call.lab.jobs.submit(
        call.person,
        SubmitRequest(
            program=ProgramIn(format=text_format(wanted.quantum_circuit).name, sources=[wanted.quantum_circuit]),
            options=OptionsIn(shots=wanted.shots),
            qpu=wanted.qpu,
        ),
    )
    return TaskAccepted(task_id=job.id)


@tasks.route("GET", "tasks/{id}", P.JOBS_READ, {200: Task})
async def get_task(call: Call) -> Task:
    """A task, with its counts once it is completed."""
    try:
        job = await call.lab.jobs.get(call.person, call.path["id"])
        if (text := await text_of(call.lab, call.person, job)) is None:
            raise NotFound
        result = await _counts(call, job)
    except NotFound as missing:
        raise NotFound("Task not found") from missing
    return Task(
        id=job.id, circuit_qasm=text, shots=job.shots, status=STATUS.get(job.status, "failed"),
        result=result, error=_error(job), created_at=job.submitted_at, completed_at=job.ended_at,
    )  # fmt: skip


async def _counts(call: Call, job: JobModel) -> dict[str, int] | None:
    if job.status != "completed":
        return None
    if job.counts is not None:
        return job.counts[0]
    (experiment,) = (await call.lab.jobs.result(call.person, job.id))["results"]
    header, counts = experiment["header"], experiment["data"].get("counts")
    if counts is None:  # points, or another kind of result
        raise NotFound
    return {format_outcome(int(key, 16), header["creg_sizes"], header["memory_slots"]): n for key, n in counts.items()}


def _error(job: JobModel) -> str | None:
    return job.error.message if job.error is not None else "Cancelled" if job.status == "cancelled" else None


class TaskHandler(RestHandler):
    """Answers the task service's clients; where the lab allows it, those on this machine without a token."""

    async def sign_in(self, permission: Permission) -> None:
        """Take the credentials; without any, who asks may be a program on this machine."""
        if not self._anonymous():
            await super().sign_in(permission)
            return
        self._no_jupyter_user()
        self.visitor = Visitor(principal=GUEST)

    async def admit(self, target: Lab | Upstream, permission: Permission) -> None:
        """Let the request in; without a token only where the lab itself says so."""
        if self.visitor is None or self.visitor.principal is not GUEST:
            await super().admit(target, permission)
            return
        if isinstance(target, Upstream) or not target.open_tasks:
            require(None, permission)
        self._require_neighbour()
        require(GUEST, permission)
        self.principal = GUEST

    def _anonymous(self) -> bool:
        """Whether nothing in the request says who asks."""
        return credential(self) is None and not self.request.cookies and "token" not in self.request.query_arguments

    def _require_neighbour(self) -> None:
        """Refuse what a page, a proxy or another machine sent: none of them shows who asks.

        Raises
        ------
        Forbidden
            it did not come from a program on this machine.
        """
        sent, host = self.request.headers, _name(self.request.host)
        local = _is_loopback(self.request.remote_ip or "") and (host == "localhost" or _is_loopback(host))
        by_page = "Origin" in sent or "Sec-Fetch-Site" in sent or "Referer" in sent
        if not local or by_page or any(name.startswith(PROXIED) for name in sent):
            raise Forbidden(
                "Without a token, tasks are taken only from programs on the lab's own machine, at its own address.",
                code="not_local",
            )
        if self.request.method == "POST" and not sent.get("Content-Type", "").lower().startswith("application/json"):
            raise Forbidden("Without a token, a task is sent with Content-Type: application/json.", code="not_json")


def _name(host: str) -> str:
    """The name in a request's ``Host``; empty where that is not one."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
