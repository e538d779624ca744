"""The QPUs of a lab, and what they look like as a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec import UNSET, UnsetType

from qpi_jupyter.core import NotFound, counted
from qpi_jupyter.wire.bench import SimulatorIn, SimulatorList
from qpi_jupyter.wire.rest import QpuChange, QpuDetail, QpuList, QpuModel
from qpi_jupyter.wire.services import Enrollment, EnrollmentAnswer, TrustWord
from qpi_jupyter.wire.telemetry import CalibrationPage

from . import times
from .calling import did_you_mean
from .http import Http, path
from .portal import both
from .status import qpu_word
from .tables import Table

if TYPE_CHECKING:
    import xarray as xr

_PAGE = 200


class QpuTable(Table[QpuModel]):
    """The lab's QPUs; ``table["sim-a"]`` finds one by its name."""

    caption = "QPUs of this lab"
    empty = "This lab has no QPU yet."
    columns = ("name", "status", "reason", "qubits", "kind", "executor", "waiting", "running", "description")

    def row(self, item: QpuModel) -> tuple[str, ...]:
        kind = "simulator" if item.simulator else item.kind
        return (
            item.name, qpu_word(item.status), condition(item), str(item.num_qubits or ""), kind, item.executor,
            str(item.queued), f"{item.running} of {item.places}", item.description,
        )  # fmt: skip

    def record(self, item: QpuModel) -> dict[str, Any]:
        return super().record(item) | {"status": item.status}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(qpu.name for qpu in self)

    def __getitem__(self, index: Any) -> Any:
        # A name or what every sequence takes: the union of the overloads says no more than Any.
        return named(self, index) if isinstance(index, str) else super().__getitem__(index)


def condition(qpu: QpuModel) -> str:
    """Why a QPU is as it is, and until when, as far as that is known."""
    until = "" if qpu.until_at is None else f"until {times.stamp(qpu.until_at, datetime.now(UTC))}"
    return ", ".join(filter(None, [qpu.reason, until]))


class HasName(Protocol):
    """What a QPU's name finds."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=HasName)


def named(qpus: Iterable[N], name: str) -> N:
    """The one with this name.

    Raises
    ------
    NotFound
        there is none; the message says what there is, and what was probably meant.
    """
    found = {qpu.name: qpu for qpu in qpus}
    if name not in found:
        hint = did_you_mean(name, found) or f" There are: {', '.join(found)}."
        raise NotFound(f"There is no QPU {name!r}.{hint}", code="no_qpu")
    return found[name]


class Qpu(QpuDetail, kw_only=True, dict=True):
    """One QPU with what it can do: its ``manifest``, once a driver has been there."""

    @property
    def http(self) -> Http:
        found: Http = vars(self)["_http"]
        return found

    @both
    async def refresh(self) -> Qpu:
        """Read it again."""
        return await self._ask("GET")

    @both
    async def edit(
        self,
        *,
        enabled: bool | UnsetType = UNSET,
        maintenance: bool | UnsetType = UNSET,
        hold: str | UnsetType | None = UNSET,
        description: str | UnsetType = UNSET,
    ) -> Qpu:
        """Change what is given; the rest stays. For managers. Jobs that run are not stopped.

        Parameters
        ----------
        enabled
            False: nothing starts there.
        maintenance
            True: nothing starts there, and its state says why.
        hold
            why nothing starts there for now, which those who wait are told; None releases the hold.
        """
        change = QpuChange(enabled=enabled, maintenance=maintenance, hold=hold, description=description)
        return await self._ask("PATCH", change)

    @both
    async def approve(self, reason: str = "") -> Qpu:
        """Trust this QPU: it gets jobs from now on. For managers; a manager's own QPU is for another one to approve."""
        return await self._decide("approve", reason)

    @both
    async def reject(self, reason: str = "") -> Qpu:
        """Do not approve this QPU, which somebody added: it gets no jobs; `approve` takes it back. For managers."""
        return await self._decide("reject", reason)

    @both
    async def quarantine(self, reason: str = "") -> Qpu:
        """Give it no new jobs; those that run end. `approve` takes it back. For managers.

        Parameters
        ----------
        reason
            what those are told who want to run something there.
        """
        return await self._decide("quarantine", reason)

    async def _decide(self, action: TrustWord, reason: str) -> Qpu:
        answer = EnrollmentAnswer(action=action, reason=reason)
        await self.http.call("POST", f"v1/enrollment/{path(self.name)}", Enrollment, body=answer)
        return await self._ask("GET")

    @property
    def calibration_id(self) -> str:
        """The id of the calibration that the QPU had when this was read; empty: none."""
        return "" if self.manifest is None else self.manifest.calibration_id

    @property
    def calibration(self) -> xr.Dataset:
        """All calibrations that the lab has of it over time, as `calibrations` gives them."""
        return self.calibrations()

    @both
    async def calibrations(
        self,
        start: times.When | None = None,
        end: times.When | None = None,
        *,
        qubit: int | None = None,
        quantity: str | None = None,
    ) -> xr.Dataset:
        """The calibrations that the lab has of it in ``[start, end)``, oldest first: a Dataset over ``time``.

        ``t1`` and ``t2`` (s), ``frequency`` (Hz) and ``readout_error`` have the dimensions ``time`` and ``qubit``,
        ``gate_error`` and ``gate_duration`` (s) ``time`` and ``gate``; ``calibration_id`` is a coordinate. A new row
        comes only with a new id.

        Parameters
        ----------
        start, end
            times; one without a time zone is local.
        qubit
            the figures of this one and of its gates alone.
        quantity
            t1, t2, frequency, readout_error, error or duration alone.
        """
        from .calibrations import dataset_of

        now = datetime.now(UTC)
        given = {
            name: times.moment(when, times.zone_of(), now)
            for name, when in (("start", start), ("end", end))
            if when is not None
        }
        params = {"qubit": qubit, "quantity": quantity, "limit": _PAGE, **given}
        pages = self.http.pages(f"v1/qpus/{path(self.name)}/calibrations", CalibrationPage, params)
        return dataset_of(self.name, [one async for page in pages for one in page.calibrations])

    @both
    async def twin(self, /, name: str | None = None, **options: Any) -> Qpu:
        """Start a simulator with this QPU's gates and the noise of its present calibration. For managers.

        It is a QPU of its own, stays when this one is calibrated again or goes away, and starts again with the lab; its
        results are stamped with the calibration that it was made of. It takes jobs when it is online.

        Parameters
        ----------
        name
            default: this QPU's name and ``-twin``.
        **options
            of the executor ``qiskit_aer``, as ``method`` or ``seed``.

        Raises
        ------
        Rejected
            this QPU has no calibration, or an option is wrong.
        Conflict
            the name is taken: stop the earlier twin, or give another name.
        """
        wanted = SimulatorIn(name=name or f"{self.name}-twin", twin_of=self.name, options=options)
        await self.http.call("POST", "v1/simulators", SimulatorList, body=wanted)
        return await Qpus(self.http).qpu.aio(wanted.name)

    async def _ask(self, method: str, body: QpuChange | None = None) -> Qpu:
        answer = await self.http.call(method, f"v1/qpus/{path(self.name)}", QpuDetail, body=body)
        for field in answer.__struct_fields__:
            setattr(self, field, getattr(answer, field))
        return self

    def __repr__(self) -> str:
        kind = "simulator" if self.simulator else self.kind
        qubits = counted(self.num_qubits, "qubit")
        return f"<QPU {self.name}: {qpu_word(self.status)}, {qubits}, {kind} ({self.executor})>"

    def _repr_html_(self) -> str:
        return QpuTable([self])._repr_html_()


class Qpus:
    """What a `Lab` knows about QPUs."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @both
    async def qpus(self) -> QpuTable:
        """All QPUs of the lab, as a table."""
        return QpuTable((await self.http.call("GET", "v1/qpus", QpuList)).qpus)

    @both
    async def qpu(self, name: str) -> Qpu:
        """One QPU with what it can do."""
        found = await self.http.call("GET", f"v1/qpus/{path(name)}", Qpu)
        vars(found)["_http"] = self.http
        return found
