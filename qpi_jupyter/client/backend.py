"""A QPU as a Qiskit backend: ``transpile`` knows its gates and times, the primitives run on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, JobStatus, JobV1, Options
from qiskit.result import Result
from qiskit.transpiler import Target

from qpi_jupyter.core import DEFAULT_SHOTS, MAX_CIRCUITS, Unavailable, counted
from qpi_jupyter.data.targets import target_of
from qpi_jupyter.wire.rest import QpuDetail

from .calling import called_like
from .job_handle import JobHandle
from .jobs import Jobs
from .qpus import named
from .tables import Table

_GATES = 8
"""How many gates a table lists."""


class QpiBackend(BackendV2):  # type: ignore[misc]  # qiskit has no types
    """One QPU of a lab; `Lab.backend` makes it.

    ``run`` takes Qiskit's options (shots, memory, seed_simulator, meas_level, meas_return, parameter_values) and those
    of the QPU's executor.
    """

    def __init__(self, jobs: Jobs, qpu: QpuDetail) -> None:
        if qpu.manifest is None:
            raise Unavailable(
                f"{qpu.name} has never been online, so what it can do is not known yet: start its driver.",
                code="no_manifest",
            )
        self.jobs = jobs
        self.manifest = qpu.manifest
        self._target = target_of(qpu.manifest, description=qpu.description or qpu.name)
        super().__init__(name=qpu.name, description=qpu.description, backend_version=qpu.manifest.executor_version)
        self.options.set_validator("shots", (1, qpu.manifest.max_shots))
        self.set_options(shots=min(DEFAULT_SHOTS, qpu.manifest.max_shots))

    @property
    def target(self) -> Target:
        return self._target

    @property
    def max_circuits(self) -> int:
        return MAX_CIRCUITS

    @classmethod
    def _default_options(cls) -> Options:
        return Options(shots=DEFAULT_SHOTS, memory=False, seed_simulator=None, meas_level=2, meas_return="single")

    @called_like(Jobs.submit, "qpu")
    def run(self, run_input: QuantumCircuit | Sequence[QuantumCircuit], **options: Any) -> QpiJob:
        """Submit circuits as one job; they need not be transpiled."""
        defaults = {name: value for name, value in self.options.items() if value is not None}
        return QpiJob(self, self.jobs.submit(run_input, qpu=self.name, **{**defaults, **options}), options)

    def __repr__(self) -> str:
        return f"<QpiBackend {self.name}: {counted(self.manifest.num_qubits, 'qubit')}, {self.manifest.executor}>"

    def _repr_html_(self) -> str:
        return BackendTable([self])._repr_html_()

    def retrieve_job(self, job_id: str) -> QpiJob:
        """A job of this lab as a Qiskit job."""
        return QpiJob(self, self.jobs.job(job_id), {})


class BackendTable(Table[QpiBackend]):
    """QPUs as Qiskit backends; ``table["sim-a"]`` finds one by its name."""

    caption = "Backends of this lab"
    empty = "No backends."
    columns = ("name", "qubits", "kind", "executor", "gates", "shots at most", "description")

    def row(self, item: QpiBackend) -> tuple[str, ...]:
        manifest = item.manifest
        kind = "simulator" if manifest.simulator else "device"
        gates = ", ".join(manifest.basis_gates[:_GATES]) + (", ..." if len(manifest.basis_gates) > _GATES else "")
        shots = str(manifest.max_shots)
        return item.name, str(manifest.num_qubits), kind, manifest.executor, gates, shots, item.description or ""

    def __getitem__(self, index: Any) -> Any:
        # A name or what every sequence takes: the union of the overloads says no more than Any.
        return named(self, index) if isinstance(index, str) else super().__getitem__(index)


class QpiJob(JobV1):  # type: ignore[misc]  # qiskit has no types
    """A job as Qiskit sees it; ``handle`` has all the rest."""

    def __init__(self, backend: QpiBackend, handle: JobHandle, options: dict[str, Any]) -> None:
        super().__init__(backend, handle.id)
        self.handle = handle
        self._memory = bool(options.get("memory", backend.options.memory))

    def submit(self) -> None:
        """Nothing to do: a job of the lab is submitted when it is made."""

    def result(self, timeout: float | None = None) -> Result:
        """Wait for Qiskit's Result; a failed job raises its own error."""
        return self.handle.result(timeout, memory=self._memory)

    def status(self) -> JobStatus:
        return JobStatus[self.handle.status.name]

    def cancel(self) -> bool:
        """Ask the lab to stop the job; whether it will have no result."""
        return self.handle.cancel().model.status != "completed"

    def __repr__(self) -> str:
        return repr(self.handle)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.handle)
