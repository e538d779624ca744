"""In a run child: one run after the other, and its result on disk. A check child needs nothing of this."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import xarray as xr

from qpi_executors import Executor, RunCancelled, run_program
from qpi_executors.primitives import for_program
from qpi_jupyter.core import QpiError
from qpi_jupyter.data.build import bits_dataset, counts_dataset
from qpi_jupyter.data.codec import encode, encode_to_file
from qpi_jupyter.data.conventions import CircuitInfo
from qpi_jupyter.data.header import result_header
from qpi_jupyter.wire.disk import whole
from qpi_jupyter.wire.results import encode_header, prefix

from .messages import Calibrated, Cancel, Channel, Failed, Key, Measured, Progress, Run, Spooled
from .partial import Partials
from .spool import PART

log = logging.getLogger(__name__)
_PROGRESS_EVERY_S = 0.1
_IN_MEMORY_BYTES = 16 << 20
"""Up to here the blob is made in memory; above it passes through a file."""


def write_result(path: str | Path, datasets: Sequence[xr.Dataset]) -> None:
    """Write the result (see `qpi_jupyter.wire.results`); when this returns, ``path`` is on disk, whole.

    Raises
    ------
    OSError
        the disk is full, or the like; no ``path`` is left.
    """
    target = Path(path)
    part = target.with_name(target.name + PART)
    with whole(target, part) as file:
        if sum(dataset.nbytes for dataset in datasets) <= _IN_MEMORY_BYTES:
            blob = encode(datasets)
            file.write(_head(datasets, hashlib.sha256(blob).hexdigest(), len(blob)) + blob)
        else:
            _write_large(file, part.with_name(part.name + "-blob"), datasets)


def warm_up() -> None:
    """Encode something small once, for what that loads."""
    info = CircuitInfo(name="warm-up", shots=1, memory_slots=1, n_qubits=1, creg_sizes=(("c", 1),))
    datasets = [counts_dataset(info, {0: 1}), bits_dataset(info, [[1]])]
    result_header(datasets)
    encode(datasets)


def _head(datasets: Sequence[xr.Dataset], sha256: str, nbytes: int) -> bytes:
    return prefix(encode_header(result_header(datasets), sha256=sha256, nbytes=nbytes))


def _write_large(file: BinaryIO, blob_path: Path, datasets: Sequence[xr.Dataset]) -> None:
    try:
        encode_to_file(datasets, blob_path)
        with blob_path.open("rb") as blob:
            sha256 = hashlib.file_digest(blob, "sha256").hexdigest()
            size = blob.seek(0, os.SEEK_END)
            file.write(_head(datasets, sha256, size))
            file.flush()
            offset = 0
            while offset < size:
                offset += os.sendfile(file.fileno(), blob.fileno(), offset, size - offset)
    finally:
        blob_path.unlink(missing_ok=True)


class Runs:
    """Measures what it is told to, one program after the other."""

    def __init__(self, channel: Channel, executor: Executor) -> None:
        self._channel = channel
        self._executor = executor
        self._cancelled = False
        self._progress_at = 0.0
        self._partials = Partials(channel.send)
        self._calibration = executor.calibration().id
        """The one that the agent knows of."""

    def serve(self) -> None:
        """Until the agent hangs up."""
        while True:
            command = self._channel.receive()
            if isinstance(command, Run):
                self._run(command)
            # A Cancel that comes here is about an attempt that has just ended.

    def _run(self, command: Run) -> None:
        # As batch systems do: an executor that writes a log of its own can say there what it is about.
        os.environ.update(QPI_JOB_ID=command.key.job_id, QPI_ATTEMPT=str(command.key.attempt))
        self._cancelled, self._progress_at = False, 0.0
        start = time.perf_counter()
        try:
            program = command.program.to_program()
            self._partials.begin(program)
            datasets = run_program(
                for_program(self._executor, program),
                program,
                progress=self._progress,
                cancelled=lambda: self._asked_to_stop(command.key),
                partial=self._partials.heard,
                calibration=command.calibration,
            )
            busy_s = time.perf_counter() - start
            self._channel.send(Measured(busy_s=busy_s))
            self._tell_calibration()
            write_result(command.path, datasets)
        except RunCancelled:
            self._channel.send(Failed(outcome="aborted", busy_s=time.perf_counter() - start))
        except (QpiError, OSError, MemoryError) as error:
            self._channel.send(Failed.of(error, time.perf_counter() - start))
        else:
            self._channel.send(Spooled(busy_s=busy_s))

    def _tell_calibration(self) -> None:
        """Say it if it is another one; whatever is wrong with that, the result is there."""
        try:
            calibration = self._executor.calibration()
            if calibration.id == self._calibration:
                return
            calibration.into(self._executor.manifest)  # it has these qubits
        except Exception:  # whatever a guest's raises
            log.exception("the lab is not told of the executor's calibration")
            return
        self._channel.send(Calibrated(calibration=calibration))
        self._calibration = calibration.id

    def _progress(self, fraction: float) -> None:
        self._partials.offer()
        now = time.monotonic()
        if now - self._progress_at >= _PROGRESS_EVERY_S and fraction < 1:
            self._progress_at = now
            self._channel.send(Progress(fraction=min(1.0, max(0.0, fraction))))

    def _asked_to_stop(self, key: Key) -> bool:
        self._partials.offer()
        while not self._cancelled and self._channel.waiting():
            command = self._channel.receive()
            self._cancelled = isinstance(command, Cancel) and command.key == key
        return self._cancelled
