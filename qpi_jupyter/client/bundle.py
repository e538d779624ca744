"""`JobHandle.bundle`: one zip of a job for somebody without its lab: program, result, and where that came from."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import platform
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import msgspec

from qpi_jupyter._version import __version__
from qpi_jupyter.core import NotFound, Unavailable, unpack
from qpi_jupyter.wire.events import UnreadEventPage
from qpi_jupyter.wire.jobs import FamilyModel, JobModel, ProgramText
from qpi_jupyter.wire.rest import Health
from qpi_jupyter.wire.telemetry import CalibrationPage

from .http import Http, path

FORMAT = 1
INDEX = "bundle.json"
README = """\
A job of a quantum lab (qpi-jupyter), or a family of jobs. Every file is in a common format:

bundle.json                      what is in here, with the SHA-256 of each file; versions; what is left out, and why
jobs/ID/job.json                 the job: QPU, shots, times, state, error
jobs/ID/program/                 what was sent, a file a circuit; text/ has binary ones as OpenQASM 3
jobs/ID/provenance.json          run options, and what the driver says of how the result came about
jobs/ID/calibration.json         the QPU's calibration that it was measured with (SI units)
jobs/ID/plan.json                how its circuit was spread over QPUs, with fragments, reservations and attempts
jobs/ID/result.json              Qiskit's Result:  qiskit.result.Result.from_dict(json.load(file))
jobs/ID/result/N.nc              NetCDF:  xarray.open_dataset("N.nc"); or ncdump, netCDF4, MATLAB. Circuits of the same
                                 shape are in one file; result/index.json says which circuits are where
events.jsonl                     what happened, in order, one JSON object a line
"""
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_CALIBRATIONS = 20


async def bundle(http: Http, jobs: list[JobModel], about: JobModel, into: Path) -> Path:
    """Write the zip of ``jobs`` that hang together, ``about`` one of them. Nothing is at ``into`` before it is whole.

    The same jobs make the same bytes, as long as nothing happened to them.
    """
    into = into.absolute()
    with tempfile.NamedTemporaryFile(prefix=f".{into.name}-", dir=into.parent, delete=False) as file:
        try:
            await _write(http, jobs, about, file)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o666 & ~_umask())
            os.replace(file.name, into)
        except BaseException:
            os.unlink(file.name)
            raise
    return into


async def family_of(http: Http, job: JobModel) -> list[JobModel]:
    """A job and those that hang together with it, oldest first."""
    family = await http.call("GET", f"v1/jobs/{path(job.id)}/family", FamilyModel)
    return [await http.call("GET", f"v1/jobs/{path(member.id)}", JobModel) for member in family.jobs] or [job]


async def _write(http: Http, jobs: list[JobModel], about: JobModel, file: IO[bytes]) -> None:
    health = await http.call("GET", "health", Health)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        out = _Members(archive)
        out.add("README.txt", README.encode())
        for job in jobs:
            await _Pages(http, job, out).write()
        family = {"family": "true"} if len(jobs) > 1 else {}
        events = await http.call("GET", f"v1/jobs/{path(about.id)}/events", UnreadEventPage, params=family)
        out.add("events.jsonl", b"".join(msgspec.json.encode(event) + b"\n" for event in events.events))
        versions = {"lab": health.version, "qpi-jupyter": __version__, "python": platform.python_version()}
        facts = {
            "format": FORMAT, "job": about.id, "jobs": [job.id for job in jobs], "versions": versions,
            "files": out.sha256, "left_out": out.left_out,
        }  # fmt: skip
        out.add(INDEX, _json(facts))


class _Members:
    """The files of a zip, with nothing in it of when and by whom it was written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.sha256 = dict[str, str]()
        self.left_out = dict[str, str]()

    def add(self, name: str, data: bytes) -> None:
        self._archive.writestr(self._member(name, zipfile.ZIP_DEFLATED), data)
        self.sha256[name] = hashlib.sha256(data).hexdigest()

    def copy(self, name: str, source: IO[bytes]) -> None:
        """A large file; it is compressed already, or hardly gets smaller."""
        digest = hashlib.sha256()
        with self._archive.open(self._member(name, zipfile.ZIP_STORED), "w", force_zip64=True) as target:
            while block := source.read(1 << 20):
                digest.update(block)
                target.write(block)
        self.sha256[name] = digest.hexdigest()

    def _member(self, name: str, compression: int) -> zipfile.ZipInfo:
        member = zipfile.ZipInfo(name, _ZIP_TIME)
        member.compress_type, member.external_attr = compression, 0o644 << 16
        return member


class _Pages:
    """What there is of one job."""

    def __init__(self, http: Http, job: JobModel, out: _Members) -> None:
        self._http, self._job, self._out = http, job, out
        self._address, self._folder = f"v1/jobs/{path(job.id)}", f"jobs/{job.id}"

    async def write(self) -> None:
        self._out.add(f"{self._folder}/job.json", _json(self._job))
        await self._program()
        await self._fetched("provenance", "provenance.json")
        await self._calibration()
        await self._fetched("plan", "plan.json")
        if self._job.status == "completed":
            await self._fetched("result", "result.json")
            await self._dataset()

    async def _fetched(self, what: str, name: str) -> None:
        """A document of the lab's as it is; of most jobs there is no plan, and of some other things nothing either."""
        try:
            raw = await self._http.call("GET", f"{self._address}/{what}", msgspec.Raw)
        except NotFound as error:
            if what != "plan":
                self._leave_out(name, error.message)
            return
        self._out.add(f"{self._folder}/{name}", msgspec.json.format(bytes(raw), indent=2) + b"\n")

    async def _program(self) -> None:
        try:
            text = await self._http.call("GET", f"{self._address}/program/text", ProgramText)
            with tempfile.TemporaryFile() as file:
                await self._http.download(f"{self._address}/program", file)
                file.seek(0)
                sources = unpack(file.read())
        except NotFound as error:  # of a job that the lab itself puts together
            return self._leave_out("program", error.message)
        for number, source in enumerate(sources):
            self._out.add(f"{self._folder}/program/{number}{text.suffix}", source)
        if text.as_sent:
            return
        for number, circuit in enumerate(text.circuits):
            if circuit.text is not None:
                self._out.add(f"{self._folder}/program/text/{number}.qasm", circuit.text.encode())
        if text.problem:
            self._leave_out("program/text", text.problem)

    async def _calibration(self) -> None:
        if not self._job.calibration_id or self._job.qpu is None:
            return
        where = f"v1/qpus/{path(self._job.qpu)}/calibrations"
        with contextlib.suppress(NotFound):  # of a QPU that is deleted
            # The newest first, for most jobs have that.
            async for page in self._http.pages(where, CalibrationPage, {"limit": _CALIBRATIONS}):
                for calibration in page.calibrations:
                    if calibration.id == self._job.calibration_id:
                        return self._out.add(f"{self._folder}/calibration.json", _json(calibration))
        self._leave_out("calibration.json", f"The lab no longer has calibration {self._job.calibration_id}.")

    async def _dataset(self) -> None:
        if self._job.dataset is None:
            return
        with tempfile.TemporaryFile() as file:
            got = await self._http.download(f"{self._address}/dataset", file)
            if got != self._job.dataset.sha256:
                what = f"The dataset of job {self._job.id} arrived damaged (its checksum differs): bundle it again."
                raise Unavailable(what, code="bad_checksum")
            file.seek(0)
            await asyncio.to_thread(self._unpacked, file)

    def _unpacked(self, file: IO[bytes]) -> None:
        with zipfile.ZipFile(file) as archive:
            if damage := _damage(archive):
                self._leave_out("result", f"The driver sent damaged data: {damage}.")
                return
            for name in _in_order(archive.namelist()):
                with archive.open(name) as member:
                    self._out.copy(f"{self._folder}/result/{name}", member)

    def _leave_out(self, what: str, why: str) -> None:
        self._out.left_out[f"{self._folder}/{what}"] = why


def _damage(archive: zipfile.ZipFile) -> str:
    """What is wrong with its members; empty: nothing. The lab has only looked at their directory."""
    try:
        damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        return str(error)
    return "" if damaged is None else f"the checksum of {damaged} is wrong"


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (not name.partition(".")[0].isdigit(), len(name), name))


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
