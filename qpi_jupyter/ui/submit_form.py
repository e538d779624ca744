"""`SubmitForm`: a form that submits a job."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
import traitlets
from traitlets import default

from qpi_jupyter.client.http import Http
from qpi_jupyter.client.jobs import Jobs
from qpi_jupyter.core import DEFAULT_SHOTS, Rejected
from qpi_jupyter.data import drawings
from qpi_jupyter.data.pictures import html_of

from . import shown
from .widget import LabWidget


class SubmitForm(LabWidget):
    """A form that submits a job: an OpenQASM text, or the circuits that it was made with.

    ``value`` is what stands in the form, as text, by field: ``program``, ``qpu``, ``shots``, ``name``,
    ``parameter_values`` and ``option NAME`` for what the QPU's executor understands besides. ``job`` is the job that
    was submitted last.
    """

    bundle: ClassVar[str] = "submit"
    asks = (("GET", "qpus(/[^/]+)?|events"),)

    value: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    job = traitlets.Any(None, allow_none=True, read_only=True)
    source = traitlets.Unicode(read_only=True, help="The circuit to draw, as OpenQASM.").tag(sync=True)

    def __init__(self, http: Http, circuits: object = None, **filled: Any) -> None:
        self._circuits = None if isinstance(circuits, str) else circuits
        self._jobs = Jobs(http)
        program = {"program": circuits} if isinstance(circuits, str) else {}
        given = {name: str(value) for name, value in filled.items() if value is not None}
        super().__init__(http, value={"shots": str(DEFAULT_SHOTS), **program, **given})

    @default("source")
    def _source(self) -> str:
        return "" if self._circuits is None else _text(self._circuits)

    async def asked(self, content: dict[str, Any]) -> Any:
        if content.get("do") == "submit":
            return await self._submit(dict(content["body"]))
        if content.get("do") == "preview":
            return await self._preview(dict(content["body"]))
        return await super().asked(content)

    async def _preview(self, body: dict[str, Any]) -> Any:
        """What a submit would become, as the lab says it."""
        if not body.get("qpu"):
            raise Rejected("Choose a QPU to preview the program on it.", code="no_qpu", field="qpu")
        with _mistakes():
            preview = await self._jobs.preview.aio(self._program(body), qpu=body["qpu"], **_options(body))
        return msgspec.to_builtins(preview.model)

    def _program(self, body: dict[str, Any]) -> Any:
        program = body.get("program", "") if self._circuits is None else self._circuits
        if isinstance(program, str) and not program.strip():
            raise Rejected("Enter an OpenQASM program.", code="no_program")
        return program

    async def _submit(self, body: dict[str, Any]) -> dict[str, str]:
        with _mistakes():
            job = await self._jobs.submit.aio(
                self._program(body), qpu=body.get("qpu") or None, name=body.get("name") or None, **_options(body)
            )
        self.set_trait("job", job)
        await shown.refresh(self)
        return {"id": job.id, "name": job.model.name}

    def draw(self) -> dict[str, Any]:
        rows = {name: str(value) for name, value in self.value.items() if value not in ("", None)}
        if self.source:
            rows = {"program": self.source, **rows}
        if self.job is not None:
            rows["job"] = self.job.id
        drawing = drawings.table(("field", "value"), list(rows.items()), label="Submit a job")
        return {"text/plain": drawings.text_of(drawing), "text/html": html_of(drawing)}


def _options(body: dict[str, Any]) -> dict[str, Any]:
    """How to run it, as the client's calls take it."""
    values = _values(str(body.get("parameter_values", "")))
    return {"shots": _shots(body.get("shots")), "parameter_values": values, **dict(body.get("options", {}))}


@contextlib.contextmanager
def _mistakes() -> Iterator[None]:
    """What the client calls a wrong call is somebody's mistake in the form."""
    try:
        yield
    except TypeError as error:
        raise Rejected(str(error), code="bad_option") from error


def _shots(text: Any) -> int | None:
    written = str(text or "").replace(",", "").replace("_", "").strip()
    if not written:
        return None
    try:
        return int(written)
    except ValueError:
        raise Rejected(f"Cannot read {written!r} as a number of shots. Example: 1000.", field="shots") from None


def _values(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise Rejected(
            f"Cannot read {text!r} as parameter values. Examples: 0.5, [0.1, 0.2], {{'theta': [0.1, 0.2]}}.",
            field="parameter_values",
        ) from None


def _text(circuit: object) -> str:
    """A Qiskit circuit as OpenQASM, to be drawn; a word about everything else."""
    from qiskit import QuantumCircuit, qasm3

    if isinstance(circuit, QuantumCircuit):
        try:
            return str(qasm3.dumps(circuit))
        except qasm3.QASM3ExporterError:
            return f"// {circuit.name}"
    return f"// {type(circuit).__name__}"
