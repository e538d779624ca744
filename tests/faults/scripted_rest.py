"""A lab that does what a test tells it: real HTTP, no queue, no QPU.

It serves from a thread of its own, so that blocking calls of the client can be tested. Jobs stay as they are until the
test moves them (`finish`, `change`, `fail`); connections are cut on request (`cut_next`), `stop` and `start` keep the
port.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import tornado.httpserver
import tornado.netutil
import tornado.web

from qpi_jupyter.core.errors import NotFound, QpiError, Unauthorized
from qpi_jupyter.core.formats import BUILT_IN
from qpi_jupyter.core.manifest import GateProperties, Manifest, QubitProperties
from qpi_jupyter.core.planner import Rule
from qpi_jupyter.core.plans import Alternative, Choice, Cost, Fragment, Operation, PlanKind, PlanRequest
from qpi_jupyter.core.previews import CircuitPreview, PreviewedPulse, PulseRow
from qpi_jupyter.wire import WIRE_VERSION
from qpi_jupyter.wire import rest as w
from qpi_jupyter.wire.events import EventPage, JobSubmitted
from qpi_jupyter.wire.jobs import LABELS, DatasetInfo, JobChange, JobData, JobModel, JobPage, SubmitRequest, WaitReason
from qpi_jupyter.wire.plans import PlanIn, PlanModel
from qpi_jupyter.wire.previews import BookingFit, ChargeModel, PreviewIn, PreviewModel

TOKEN = "secret"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STATUS = {
    "Rejected": 400, "ProgramError": 400, "Unauthorized": 401, "NotFound": 404, "Conflict": 409, "BookingConflict": 409,
}  # fmt: skip
SIM_A = w.QpuDetail(
    name="sim-a", kind="pool", status="online", simulator=True, executor="qiskit_aer", num_qubits=24, places=2,
    queued=0, running=0, description="An ideal simulator",
    manifest=Manifest(
        executor="qiskit_aer", executor_version="0.18", num_qubits=24, formats=tuple(BUILT_IN),
        basis_gates=("id", "x", "h", "rx", "rz", "cx", "ccx", "unitary"), meas_levels=(2, 1), control_flow=True,
        options=("method", "noise_model"),
    ),
)  # fmt: skip
SIM_B = w.QpuDetail(
    name="sim-b", kind="device", status="offline", simulator=True, executor="mock", num_qubits=5, places=1,
    queued=3, running=0,
    manifest=Manifest(
        executor="mock", executor_version="1", num_qubits=5, basis_gates=("rz", "sx", "x", "cz"), dt_s=1e-9,
        formats=tuple(BUILT_IN),
        coupling_map=((0, 1), (1, 2), (2, 3), (3, 4)), meas_levels=(2, 1), max_shots=10_000,
        gates=(
            GateProperties(gate="sx", qubits=(0,), duration_s=20e-9, error=1e-4),
            GateProperties(gate="cz", qubits=(0, 1), duration_s=40e-9, error=5e-3),
            GateProperties(gate="measure", qubits=(0,), duration_s=1e-6, error=0.02),
        ),
        qubits=(
            QubitProperties(t1_s=50e-6, t2_s=70e-6, frequency_hz=5e9, readout_error=0.02), *[QubitProperties()] * 4,
        ),
    ),
)  # fmt: skip


class ScriptedLab:
    """Use as a context manager; every method may be called from the test's own thread."""

    routes: ClassVar[list[Any]]

    def __init__(self) -> None:
        self.jobs: dict[str, JobModel] = {}
        self.requests: list[tuple[str, str]] = []
        self.submits: list[SubmitRequest] = []
        self.previews: list[tuple[str, PreviewIn]] = []
        self.plans: list[PlanIn] = []
        self.keys: dict[str, str] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}
        self.qpus = {qpu.name: qpu for qpu in (SIM_A, SIM_B)}
        self.refuse: QpiError | None = None
        self.on_submit: Callable[[JobModel], None] = lambda model: None
        self.wire = WIRE_VERSION
        self.cut_before = 0
        """How many answers are lost after the request was carried out."""
        self.cut_blob_at: int | None = None
        self.busy_answers = 0
        self.port = 0
        self.moved = threading.Condition()
        self._waiters: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    # -- its life ------------------------------------------------------------------------------------------------

    def __enter__(self) -> ScriptedLab:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(up)), name="scripted-lab")
        self._thread.start()
        assert up.wait(10)

    def stop(self) -> None:
        """Cut every connection, parked ones too, and leave the port."""
        assert self._loop is not None
        assert self._thread is not None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(10)

    async def _serve(self, up: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        app = tornado.web.Application(
            self.routes, default_handler_class=_Nowhere, lab=self, log_function=lambda h: None
        )
        sockets = tornado.netutil.bind_sockets(self.port, "127.0.0.1", reuse_port=False)
        self.port = sockets[0].getsockname()[1]
        server = tornado.httpserver.HTTPServer(app)
        server.add_sockets(sockets)
        up.set()
        await self._end.wait()
        server.stop()
        self._wake()
        await server.close_all_connections()
        if answering := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(answering)

    # -- its jobs ------------------------------------------------------------------------------------------------

    def change(self, job_id: str, **fields: Any) -> None:
        """A new version of the job: every long-poll that waits for it answers."""
        with self.moved:
            old = self.jobs[job_id]
            self.jobs[job_id] = msgspec.structs.replace(old, version=old.version + 1, **fields)
            self.moved.notify_all()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._waiters:
            event.set()

    def finish(self, job_id: str, counts: list[dict[str, int]] | None = None, blob: bytes | None = None) -> None:
        dataset = None
        if blob is not None:
            self.blobs[job_id] = blob
            dataset = DatasetInfo(sha256=hashlib.sha256(blob).hexdigest(), bytes=len(blob))
        self.change(
            job_id, status="completed", phase="completed", progress=1.0, counts=counts, dataset=dataset,
            busy_s=0.002, started_at=NOW, ended_at=NOW, reason=None,
        )  # fmt: skip

    def fail(self, job_id: str, error: QpiError) -> None:
        body = w.JobError(**error.to_dict())
        self.change(job_id, status="failed", phase="failed", error=body, ended_at=NOW, reason=None)

    def wait_submits(self, count: int) -> None:
        """Until that many submits have been carried out."""
        with self.moved:
            assert self.moved.wait_for(lambda: len(self.jobs) >= count, 10)

    def wait_requests(self, wanted: Callable[[str, str], bool]) -> None:
        """Until a request came for which ``wanted(method, path)`` is true."""
        with self.moved:
            assert self.moved.wait_for(lambda: any(wanted(*request) for request in self.requests), 10)

    def submit(self, request: SubmitRequest, key: str) -> JobModel:
        with self.moved:
            if key in self.keys:
                return self.jobs[self.keys[key]]
            self.submits.append(request)
            model = JobModel(
                id=f"job{len(self.jobs) + 1}", version=1, owner="ana", status="pending", phase="queued",
                qpu=request.qpu or "sim-a", name=request.name, tags=request.tags, priority=request.priority, attempt=0,
                checked=True, progress=0.0, format=request.program.format,
                num_circuits=len(request.program.sources or request.program.data), shots=request.options.shots,
                submitted_at=NOW, origin=msgspec.to_builtins(request.origin),
                reason=WaitReason(rule=Rule.BEHIND, message="1 job goes first on sim-a.", position=2),
            )  # fmt: skip
            self.jobs[model.id] = model
            self.keys[key] = model.id
            self.moved.notify_all()
        self.on_submit(model)
        return self.jobs[model.id]

    async def park(self, job_id: str, wait_s: float, version: int | None) -> JobModel:
        def moved() -> bool:
            model = self.jobs[job_id]
            return model.version != version if version is not None else model.ended_at is not None

        await self.until(moved, wait_s)
        return self.jobs[job_id]

    async def until(self, wanted: Callable[[], bool], wait_s: float) -> None:
        """Until it is so, the time is over or the lab ends."""
        event = asyncio.Event()
        self._waiters.add(event)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while not wanted() and not self._end.is_set():
                    event.clear()
                    await event.wait()
        self._waiters.discard(event)


class Handler(tornado.web.RequestHandler):
    lab: ScriptedLab

    def prepare(self) -> None:
        self.lab = self.settings["lab"]
        with self.lab.moved:
            self.lab.requests.append((self.request.method or "", self.request.path))
            self.lab.moved.notify_all()
        if self.lab.busy_answers:
            self.lab.busy_answers -= 1
            self.set_status(503)
            self.set_header("Retry-After", "0")
            self.finish("busy")
        elif not isinstance(self, _Health) and self.request.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.give_error(Unauthorized())

    def give(self, body: Any, status: int = 200) -> None:
        if self.lab.cut_before:
            self.lab.cut_before -= 1
            assert self.request.connection is not None
            self.request.connection.detach().close()
            self._finished = True
            return
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(body))

    def give_error(self, error: QpiError) -> None:
        body = w.ErrorBody(error=w.JobError(**error.to_dict()))
        self.set_status(STATUS.get(type(error).__name__, 500))
        self.finish(msgspec.json.encode(body))

    def job(self, job_id: str) -> JobModel | None:
        if job_id not in self.lab.jobs:
            self.give_error(NotFound(f"There is no job {job_id}.", code="unknown_job"))
        return self.lab.jobs.get(job_id)


class _Health(Handler):
    def get(self) -> None:
        services = w.Services(database="up", bus="up")
        self.give(w.Health(status="up", services=services, version="0.1.0", wire=self.lab.wire))


class _Jobs(Handler):
    def post(self) -> None:
        if self.lab.refuse is not None:
            self.give_error(self.lab.refuse)
            return
        request = w.decode(self.request.body, SubmitRequest)
        key = self.request.headers["Idempotency-Key"]
        status = 200 if key in self.lab.keys else 201
        self.give(self.lab.submit(request, key), status)

    def get(self) -> None:
        newest = list(reversed(self.lab.jobs.values()))
        if qpu := self.get_query_argument("qpu", None):
            newest = [job for job in newest if job.qpu == qpu]
        start = int(self.get_query_argument("after", "0"))
        end = start + int(self.get_query_argument("limit"))
        self.give(JobPage(jobs=newest[start:end], next=str(end) if end < len(newest) else None))


class _Job(Handler):
    async def get(self, job_id: str) -> None:
        if (model := self.job(job_id)) is None:
            return
        if wait := self.get_query_argument("wait_s", None):
            version = self.get_query_argument("version", None)
            model = await self.lab.park(job_id, float(wait), int(version) if version else None)
        self.give(model)

    def patch(self, job_id: str) -> None:
        asked = w.decode(self.request.body, JobChange)
        given = {name: value for name in LABELS if (value := getattr(asked, name)) is not msgspec.UNSET}
        self.lab.change(job_id, **given)
        self.give(self.lab.jobs[job_id])


class _Cancel(Handler):
    def post(self, job_id: str) -> None:
        if (model := self.job(job_id)) is None:
            return
        if model.ended_at is None:
            self.lab.change(job_id, status="cancelled", phase="cancelled", ended_at=NOW, reason=None)
        self.give(self.lab.jobs[job_id])


class _Result(Handler):
    def get(self, job_id: str) -> None:
        if self.job(job_id) is not None:
            self.give(self.lab.results[job_id])


class _Dataset(Handler):
    async def get(self, job_id: str) -> None:
        blob = self.lab.blobs[job_id]
        start = 0
        if (wanted := self.request.headers.get("Range")) is not None:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.set_status(206)
        self.set_header("Content-Length", str(len(blob) - start))
        if self.lab.cut_blob_at is not None:
            self.write(blob[start : self.lab.cut_blob_at])
            self.lab.cut_blob_at = None
            await self.flush()
            assert self.request.connection is not None
            self.request.connection.stream.close()  # type: ignore[attr-defined]
            self._finished = True
            return
        self.finish(blob[start:])


class _Events(Handler):
    def get(self, job_id: str) -> None:
        if (model := self.job(job_id)) is not None:
            event = JobSubmitted(
                seq=7, prev=3, at=NOW, job_id=model.id, qpu=model.qpu,
                data=JobData(status="pending", phase="queued", attempt=0, version=1),
            )  # fmt: skip
            self.give(EventPage(events=[event], cursor=7))


class _Qpus(Handler):
    def get(self) -> None:
        fields = w.QpuModel.__struct_fields__
        qpus = [w.QpuModel(**{name: getattr(qpu, name) for name in fields}) for qpu in self.lab.qpus.values()]
        self.give(w.QpuList(qpus=qpus))


class _Qpu(Handler):
    def get(self, name: str) -> None:
        if name in self.lab.qpus:
            self.give(self.lab.qpus[name])
        else:
            self.give_error(
                NotFound(f"There is no QPU {name!r}; there are: {', '.join(self.lab.qpus)}.", code="unknown_qpu")
            )


class _Preview(Handler):
    def post(self, name: str) -> None:
        self.lab.previews.append((name, w.decode(self.request.body, PreviewIn)))
        if self.lab.refuse is not None:
            self.give_error(self.lab.refuse)
        else:
            self.give(PREVIEW)


class _Plan(Handler):
    def post(self) -> None:
        self.lab.plans.append(w.decode(self.request.body, PlanIn))
        if self.lab.refuse is not None:
            self.give_error(self.lab.refuse)
        else:
            self.give(PLAN)


class _Nowhere(tornado.web.RequestHandler):
    def prepare(self) -> None:
        self.set_status(404)
        self.finish("<html>404</html>")


ID = r"([A-Za-z0-9-]+)"
PREVIEW = PreviewModel(
    qpu="chip", at=datetime(2030, 1, 1, tzinfo=UTC), total=2, estimate_s=2.0, upper_s=20.0, calibration_id="c1",
    charge=ChargeModel(account="ann", seconds=2.0, available_s=1.0, covered=False),
    booking=BookingFit(mine=True, end_at=datetime(2030, 1, 1, 1, tzinfo=UTC), left_s=3600.0, fits="likely"),
    circuits=[
        CircuitPreview(
            name="<b>", native="OPENQASM 3.0;\nx $0;\n", duration_s=1.2e-6, reset_s=2.5e-4,
            rows=(
                PulseRow(port="q0:mw", qubit="q0", kind="drive"),
                PulseRow(port="q0:res", qubit="q0", kind="readout"),
            ),
            pulses=(
                PreviewedPulse(row=0, label="rz", kind="phase", start_s=0.0, phase_deg=-90.0, clock="q0.01"),
                PreviewedPulse(row=0, label="x", kind="drive", start_s=0.0, duration_s=2e-8, amplitude=0.2),
                PreviewedPulse(row=1, label="measure", kind="readout", start_s=2e-8, duration_s=1e-6, amplitude=0.1),
                PreviewedPulse(row=1, label="q0_m0", kind="acquisition", start_s=1.2e-7, duration_s=1.08e-6),
            ),
            total_pulses=9, warnings=("q0 decays.",),
        ),
    ],
)  # fmt: skip
"""What it answers of whatever it is asked to preview."""
_COST = Cost(esp=0.9, duration_s=1.5, wait_s=20.0, load=1.0, latency_s=0.0, total=0.2)
PLAN = PlanModel(
    plan_id="plan-0123456789abcdef", owner="ann", created_at=datetime(2030, 1, 1, tzinfo=UTC), kind=PlanKind.CUT,
    num_qubits=4, request=PlanRequest(shots=100), circuit_sha256="c", num_cuts=1, overhead=9.0, cost=0.7,
    fragments=[
        Fragment(
            index=index, qubits=qubits, num_qubits=len(qubits), num_circuits=6, shots=100, program_sha256="p",
            choices=tuple(Choice(qpu=qpu, calibration_id="c", cost=_COST) for qpu in qpus),
        )
        for index, (qubits, qpus) in enumerate((((0, 1, 2), ("<q1>", "q3")), ((3,), ("q2",))))
    ],
    alternatives=[
        Alternative(kind=PlanKind.CUT, width=2, qpus=("q1", "q3"), overhead=81.0, cost=0.9),
        Alternative(kind=PlanKind.WHOLE, width=4, problem="It needs 4 qubits; the largest QPU, q3, has 3."),
    ],
    operations=[
        Operation(name="h", qubits=(0,), fragment=0), Operation(name="cx", qubits=(0, 1), fragment=0),
        Operation(name="barrier", qubits=(0, 1)), Operation(name="cx", qubits=(2, 3), cut=True),
        Operation(name="measure", qubits=(3,), fragment=1),
    ],
)  # fmt: skip
"""What it answers of whatever it is asked to plan."""
ROUTES: list[Any] = [
    (r"/qpi/health", _Health),
    (r"/qpi/v1/jobs", _Jobs),
    (rf"/qpi/v1/qpus/{ID}/preview", _Preview),
    (r"/qpi/v1/plans", _Plan),
    (rf"/qpi/v1/jobs/{ID}", _Job),
    (rf"/qpi/v1/jobs/{ID}/cancel", _Cancel),
    (rf"/qpi/v1/jobs/{ID}/result", _Result),
    (rf"/qpi/v1/jobs/{ID}/dataset", _Dataset),
    (rf"/qpi/v1/jobs/{ID}/events", _Events),
    (r"/qpi/v1/qpus", _Qpus),
    (rf"/qpi/v1/qpus/{ID}", _Qpu),
]
ScriptedLab.routes = ROUTES
