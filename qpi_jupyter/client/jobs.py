"""The jobs of a lab: submit one, find some."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeAlias

from qpi_jupyter.core import Conflict, NotFound, length
from qpi_jupyter.wire.jobs import JobModel, JobPage, OriginIn, SubmitRequest
from qpi_jupyter.wire.plans import PlanJobIn, Stale
from qpi_jupyter.wire.previews import PreviewIn, PreviewModel
from qpi_jupyter.wire.rest import QpuModel

from . import origin as origins
from . import programs, sweeps
from .calling import no_option
from .http import Http, path
from .job_handle import JobHandle, read_job
from .plan import Plan
from .portal import both
from .preview import Preview
from .progress import ProgressBar
from .qpus import Qpus
from .status import qpus_of, word_of
from .tables import Table
from .times import When, moment, zone_of

if TYPE_CHECKING:
    from qiskit.circuit import Parameter

_PAGE = 100
_PREVIEW_S = 200.0
"""How long a preview may take: a driver may have to load its scheduler, and others may ask for theirs before."""
OneOrMoreJobs: TypeAlias = JobHandle | str | Sequence[JobHandle | str]
"""A job or several, by handles or ids."""


class JobTable(Table[JobHandle]):
    """Jobs, newest first; each item is the handle itself."""

    caption = "Jobs"
    empty = "No jobs yet."
    columns = ("id", "status", "qpu", "name", "runs", "shots", "submitted", "ran", "details")

    def row(self, item: JobHandle) -> tuple[str, ...]:
        model = item.model
        ran = length(model.busy_s) if model.busy_s else ""
        return (
            model.id, word_of(model), qpus_of(model), model.name, f"{model.num_circuits:,}", f"{model.shots:,}",
            _ago(model.submitted_at), ran, "" if model.status == "completed" else item.explanation(),
        )  # fmt: skip

    def record(self, item: JobHandle) -> dict[str, Any]:
        model = item.model
        return {
            "id": model.id, "status": model.status, "qpu": model.qpu, "qpus": model.qpus, "name": model.name,
            "circuits": model.num_circuits, "shots": model.shots, "submitted_at": model.submitted_at,
            "started_at": model.started_at, "ended_at": model.ended_at, "busy_s": model.busy_s,
        }  # fmt: skip


def filter_params(*, tags: str | Sequence[str], **wanted: Any) -> list[tuple[str, Any]]:
    """The query of ``GET jobs``."""
    params: list[tuple[str, Any]] = [("tag", str(tag)) for tag in ([tags] if isinstance(tags, str) else tags)]
    for name, given in wanted.items():
        late = given is not None and name.startswith("submitted_")
        params.append((name, moment(given, zone_of(), datetime.now(UTC)) if late else given))
    return params


class Jobs:
    """What a `Lab` knows about jobs."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @both
    async def submit(
        self,
        /,
        circuits: object,
        *,
        qpu: str | QpuModel | None = None,
        shots: int | Sequence[int] | None = None,
        seed_simulator: int | None = None,
        parameter_values: object = None,
        meas_level: int = 2,
        meas_return: str = "single",
        memory: bool = True,
        format: str | None = None,
        name: str | None = None,
        tags: str | Sequence[str] | None = None,
        project: str | None = None,
        group: str | None = None,
        shared_with: str | None = None,
        priority: int | None = None,
        after: OneOrMoreJobs | None = None,
        children: OneOrMoreJobs | None = None,
        retry_safe: bool | None = None,
        calibration: str | None = None,
        stale: Stale = "refuse",
        origin: OriginIn | None = None,
        **options: Any,
    ) -> JobHandle:
        """Submit one job of one or several circuits, or a `Plan`; it is on the lab's disk when this returns.

        Parameters
        ----------
        circuits
            a QuantumCircuit, an OpenQASM 2 or 3 text, or a list of either; what an installed package's format
            recognises; or what `Lab.plan` made, of which each fragment becomes a child of this job.
        qpu
            the QPU's name; without it an online simulator that fits is taken.
        shots
            per circuit: one number, or one for each circuit (default 1024).
        seed_simulator
            makes a simulator's counts repeatable.
        parameter_values
            numbers for the circuit's parameters: a row, a list of rows, or a dict; for a circuit with one parameter
            also its values as they are (``np.linspace(0, 1, 41)``); a list of those for several circuits.
        meas_level, meas_return
            2 (bits), 1 (IQ points) or 0 (traces); ``single`` or ``avg``.
        memory
            keep every single shot in the dataset.
        format
            the program format, by name, of texts and bytes that are no circuits
            (``lab.qpu(name).manifest.formats``).
        name, tags, project
            for your own order; `jobs` finds them by these. Without a name it has that of its circuit.
        group
            whose account pays, instead of your own.
        shared_with
            a group of yours that may see the job.
        priority
            -10 to 10: the higher goes first (default 0). Over 0 is for managers.
        after, children
            jobs, or their ids, that have to complete first; children are a part of this job, and cancelled with it.
        retry_safe
            an instrument may repeat this job when it is not known whether it ran.
        calibration
            the id of the only calibration of ``qpu`` that the job may run on (``lab.qpu(name).calibration_id``): it is
            refused where that is not the present one, and fails where the QPU has another one before its turn.
        stale
            what becomes of a plan whose QPUs were calibrated again since it was made: ``refuse``, or ``replan``.
        origin
            the notebook cell it comes from; found by itself in a kernel.
        **options
            what the QPU's executor understands besides (``lab.qpu(name).manifest.options``).

        Raises
        ------
        ProgramError
            the circuit is wrong; ``line`` and ``column`` say where.
        TypeError
            an option that neither the lab nor the QPU knows.
        QpiError
            what else the lab has against it.
        """
        if isinstance(circuits, Plan):
            said = {
                "qpu": qpu, "shots": shots, "seed_simulator": seed_simulator, "parameter_values": parameter_values,
                "format": format, "after": after, "children": children, "calibration": calibration, **options,
            }  # fmt: skip
            if already := [option for option, value in said.items() if value is not None]:
                raise TypeError(f"A plan says itself how it runs: leave out {', '.join(already)}, or plan it again.")
            wanted = PlanJobIn(
                name=name or "", tags=_tags(tags), project=project or "", group=group, shared_with=shared_with,
                priority=0 if priority is None else programs.whole("priority", priority), retry_safe=bool(retry_safe),
                stale=stale, origin=origin or origins.here() or OriginIn(),
            )  # fmt: skip
            return await self._run(circuits, wanted, uuid.uuid4().hex)
        target = _name(qpu)
        if options:
            await self._check_extra(options, target)
        circuits = programs.once(circuits)
        request = SubmitRequest(
            program=programs.program_of(circuits, format),
            options=programs.options_of(
                circuits, shots=shots, seed_simulator=seed_simulator, meas_level=meas_level, meas_return=meas_return,
                parameter_values=parameter_values, memory=memory, extra=options,
            ),
            qpu=target,
            name=programs.called(circuits) if name is None else name,
            tags=_tags(tags),
            project=project or "",
            group=group,
            shared_with=shared_with,
            priority=0 if priority is None else programs.whole("priority", priority),
            retry_safe=bool(retry_safe),
            after=_ids(after),
            children=_ids(children),
            calibration=calibration,
            origin=origin or origins.here() or OriginIn(),
        )  # fmt: skip
        return await self._sent(request, uuid.uuid4().hex)

    @both
    async def preview(
        self,
        /,
        circuits: object,
        *,
        qpu: str | QpuModel,
        shots: int | Sequence[int] | None = None,
        parameter_values: object = None,
        meas_level: int = 2,
        meas_return: str = "single",
        format: str | None = None,
        group: str | None = None,
        **options: Any,
    ) -> Preview:
        """See what circuits become on a QPU before they run: native gates, pulses, time, cost. It costs no QPU time.

        Parameters
        ----------
        circuits, shots, parameter_values, meas_level, meas_return, format, group
            as in `submit`; of parameter rows the first is shown, and all of them are in the estimate.
        qpu
            the QPU's name.
        **options
            as in `submit`.

        Raises
        ------
        ProgramError
            the circuit is wrong; ``line`` and ``column`` say where.
        Rejected
            the QPU has no preview of such a program.
        QpiError
            what else the lab has against it.
        """
        target = _name(qpu)
        if options:
            await self._check_extra(options, target)
        circuits = programs.once(circuits)
        request = PreviewIn(
            program=programs.program_of(circuits, format),
            options=programs.options_of(
                circuits, shots=shots, meas_level=meas_level, meas_return=meas_return,
                parameter_values=parameter_values, extra=options,
            ),
            group=group,
        )  # fmt: skip
        address = f"v1/qpus/{path(str(target))}/preview"
        return Preview(await self.http.call("POST", address, PreviewModel, body=request, answer_s=_PREVIEW_S))

    @both
    async def sweep(
        self,
        /,
        circuit: object,
        values: Mapping[str | Parameter, Any] | None = None,
        *,
        zipped: bool = False,
        new: bool = False,
        qpu: str | QpuModel | None = None,
        shots: int | None = None,
        seed_simulator: int | None = None,
        meas_level: int = 2,
        meas_return: str = "single",
        memory: bool = True,
        name: str | None = None,
        tags: str | Sequence[str] | None = None,
        project: str | None = None,
        group: str | None = None,
        shared_with: str | None = None,
        priority: int | None = None,
        after: OneOrMoreJobs | None = None,
        retry_safe: bool | None = None,
        **parameters: Any,
    ) -> JobHandle:
        """Measure one circuit at many values of its parameters: ``lab.sweep(rabi, theta=np.linspace(0, np.pi, 41))``.

        Asked again, as after a restart of the kernel, it finds the job that it has submitted, as long as circuit,
        values, QPU, shots and the other run options are the same; one that failed, was cancelled or deleted is
        repeated. The labels that are given (name, tags, project, shared_with) are put onto a job that is found; its
        priority and who pays stay.
        ``job.partial()`` and ``job.plot()`` have what is measured so far; whoever waits, as in ``job.dataset()``,
        sees how far it is. The Dataset has the parameters as dimensions.

        Parameters
        ----------
        circuit
            a QuantumCircuit with parameters, or an OpenQASM 3 text with inputs.
        values
            numbers by parameter or by its name, for names that are no Python words (``{"v[0]": ...}``). All other
            parameters are keywords.
        zipped
            the parameters change together, along one axis; otherwise each has an axis of its own, the last one
            running fastest.
        new
            submit another job, whatever there was before.
        qpu, shots, seed_simulator, meas_level, meas_return, memory, name, tags, project, group, shared_with, priority
            as in `submit`; so are ``after`` and ``retry_safe``.
        **parameters
            the values of each parameter: a list or array, or one number. The ``units`` of an xarray coordinate go
            with it into the Dataset.

        Raises
        ------
        ProgramError
            the circuit is wrong; ``line`` and ``column`` say where.
        TypeError
            a keyword is neither an option nor a parameter of the circuit.
        QpiError
            the values are not those of the circuit's parameters; or what else the lab has against it.
        """
        given = {getattr(key, "name", key): numbers for key, numbers in (values or {}).items()}
        sweeps.check_words(circuit, parameters, _keywords(Jobs.sweep))
        swept = sweeps.rows_of(circuit, {**given, **parameters}, zipped=zipped)
        options = programs.options_of(
            circuit, shots=shots, seed_simulator=seed_simulator, meas_level=meas_level, meas_return=meas_return,
            memory=memory,
        )  # fmt: skip
        options.circuits = [swept]
        request = SubmitRequest(
            program=programs.program_of(circuit),
            options=options,
            qpu=_name(qpu),
            name=programs.called(circuit) if name is None else name,
            tags=_tags(tags),
            project=project or "",
            group=group,
            shared_with=shared_with,
            priority=0 if priority is None else programs.whole("priority", priority),
            retry_safe=bool(retry_safe),
            after=_ids(after),
            origin=origins.here() or OriginIn(),
        )
        key = uuid.uuid4().hex if new else sweeps.key_of(circuit, request)
        for again in itertools.count():
            try:
                job = await self._sent(request, f"{key}-{again}")
            except NotFound as error:
                if error.code != "job_deleted":
                    raise
                continue
            if job.model.status not in ("failed", "cancelled"):
                break
        labels = {"name": name, "tags": tags and request.tags, "project": project, "shared_with": shared_with}
        await _labelled(job, labels)
        _tell_what_stays(job, {"priority": priority, "group": group, "retry_safe": retry_safe})
        job.bar = ProgressBar()
        return job

    async def _sent(self, request: SubmitRequest, key: str) -> JobHandle:
        """The job of a request; whatever happens to the answer, asking with this key again finds the same one."""
        try:
            model = await self.http.call("POST", "v1/jobs", JobModel, body=request, headers={"Idempotency-Key": key})
        except Conflict as error:
            if error.code != "key_reused":
                raise
            # The same by its key, but sent from another cell, or written by Qiskit with other names of its own.
            model = await read_job(self.http, str(error.data["job_id"]))
        return JobHandle(self.http, model, tuple(request.program.sources))

    async def _run(self, plan: Plan, wanted: PlanJobIn, key: str) -> JobHandle:
        """The job that runs a plan; asking with this key again finds the same one."""
        where = f"v1/plans/{path(plan.plan_id)}/jobs"
        model = await self.http.call("POST", where, JobModel, body=wanted, headers={"Idempotency-Key": key})
        return JobHandle(self.http, model)

    async def _check_extra(self, options: Iterable[str], qpu: str | None) -> None:
        """Refuse what nobody understands before it is sent, with the nearest names that exist."""
        manifest = (await Qpus(self.http).qpu.aio(qpu)).manifest if qpu else None
        own = manifest.options if manifest is not None else ()
        unknown = [name for name in options if name not in own]
        if not unknown:
            return
        raise no_option(
            "submit", unknown[0], [*_keywords(Jobs.submit), *own], "" if qpu else " A QPU's own options need qpu=..."
        )

    def _going_on(self, call: str) -> str:
        """What an interrupted ``call`` may have left behind."""
        left = {
            "submit": "It may be submitted all the same: lab.jobs() lists your jobs.",
            "sweep": "It may be submitted all the same: the same call finds it.",
        }
        return left.get(call, "")

    @both
    async def job(self, job_id: str) -> JobHandle:
        """The job with this id, whoever submitted it: another kernel, or this one before it was restarted."""
        return JobHandle(self.http, await read_job(self.http, job_id))

    @both
    async def jobs(
        self,
        limit: int = 20,
        *,
        text: str | None = None,
        name: str | None = None,
        tags: str | Sequence[str] = (),
        project: str | None = None,
        group: str | None = None,
        owner: str | None = None,
        qpu: str | QpuModel | None = None,
        status: str | None = None,
        calibration: str | None = None,
        cell: str | None = None,
        submitted_after: When | None = None,
        submitted_before: When | None = None,
        mine: bool | None = None,
    ) -> JobTable:
        """The newest jobs, newest first, as a table of handles: your own, or those that a filter asks for.

        Parameters
        ----------
        text
            words, each of which is in the job's id, name, tags, project, owner, QPU or calibration, in any case.
        name
            a part of the name, in any case.
        tags
            one tag, or several that a job must have all of.
        project, qpu, status
            that a job has; ``status`` is pending, running, completed, failed or cancelled.
        calibration
            the id of the calibration that they were measured with.
        cell
            the id of the notebook cell that submitted them.
        group
            that the jobs are shared with, whoever submitted them.
        owner
            whose jobs; you see those that are shared with a group of yours.
        submitted_after, submitted_before
            times; one without a time zone is local.
        mine
            False: every job that you may see.
        """
        found: list[JobModel] = []
        params = filter_params(
            tags=tags, text=text, name=name, project=project, group=group, owner=owner, qpu=_name(qpu), status=status,
            calibration=calibration, cell=cell, submitted_after=submitted_after, submitted_before=submitted_before,
            mine=mine,
        )  # fmt: skip
        after = None
        while len(found) < limit:
            page = await self.http.call(
                "GET", "v1/jobs", JobPage, params=[*params, ("limit", min(_PAGE, limit - len(found))), ("after", after)]
            )
            found += page.jobs
            after = page.next
            if after is None:
                break
        return JobTable([JobHandle(self.http, model) for model in found[:limit]])


async def _labelled(job: JobHandle, labels: Mapping[str, Any]) -> None:
    """Put the labels that were given onto a job that was found."""
    changed = {label: given for label, given in labels.items() if given not in (None, getattr(job.model, label))}
    if changed:
        await job.edit.aio(**changed)


def _tell_what_stays(job: JobHandle, asked: Mapping[str, Any]) -> None:
    """Say what was asked for and is not so of a job that was found."""
    model = job.model
    has = {"priority": model.priority, "group": model.account.partition("group:")[2], "retry_safe": model.retry_safe}
    stays = " and ".join(what for what, given in asked.items() if given not in (None, has[what]))
    if stays:
        print(f"{job.id} is this sweep already: its {stays} cannot be changed (new=True submits another).")


def _keywords(call: Callable[..., Any]) -> list[str]:
    return [p.name for p in signature(call).parameters.values() if p.kind is p.KEYWORD_ONLY]


def _name(qpu: Any) -> str | None:
    """The name of a QPU: itself, or what has it."""
    name: str | None = getattr(qpu, "name", qpu)
    return name


def _ids(jobs: Any) -> list[str]:
    """The ids of one job or several, each a handle or an id."""
    several = [jobs] if isinstance(jobs, (str, JobHandle)) else () if jobs is None else jobs
    return [job.id if isinstance(job, JobHandle) else str(job) for job in several]


def _tags(tags: str | Sequence[str] | None) -> list[str]:
    return [tags] if isinstance(tags, str) else list(() if tags is None else tags)


def _ago(at: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    passed = max(0.0, (datetime.now(UTC) - at).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if passed >= size:
            return f"{passed / size:.0f} {unit} ago"
    return "just now" if passed < 5 else f"{passed:.0f} s ago"
