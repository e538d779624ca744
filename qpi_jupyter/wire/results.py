"""One result in one stream: what a driver spools, uploads and the lab takes apart.

::

    b"QPIRES01"  |  uint64, big-endian: length of the header  |  header, JSON  |  blob, to the end

The header (at most `MAX_HEADER_BYTES`) holds the sparse counts of every circuit, enough to render every JSON form of
the result; its ``dataset`` entry ``{"sha256", "bytes"}`` says what follows. The upload names the SHA-256 of the header
in `DIGEST_HEADER`; since the header names the blob's, that one digest covers everything.
"""

from __future__ import annotations

import hashlib
import math
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from qpi_jupyter.core import (
    MAX_BITS,
    MAX_CIRCUITS,
    MAX_DRAWINGS,
    MAX_HEADER_BYTES,
    MAX_NAME,
    MAX_QUBITS,
    MAX_SHARED_BYTES,
    MAX_SHOTS,
    Rejected,
    TooLarge,
    counted,
    header_circuits,
)

from .frames import Named, Seconds
from .validation import END, refused

MAGIC = b"QPIRES01"
PREFIX_BYTES = len(MAGIC) + 8
DIGEST_HEADER = "X-QPI-SHA256"
MEDIA_TYPE = "application/vnd.qpi.result"


def prefix(header: bytes) -> bytes:
    """What precedes the blob: magic, length and header."""
    if len(header) > MAX_HEADER_BYTES:
        raise TooLarge(f"The result header has {len(header):,} bytes; the limit is {MAX_HEADER_BYTES:,}.")
    return MAGIC + len(header).to_bytes(8, "big") + header


def encode_header(header: dict[str, Any], *, sha256: str, nbytes: int) -> bytes:
    """The header as bytes, with the blob's digest and size filled in."""
    return msgspec.json.encode({**header, "dataset": {"sha256": sha256, "bytes": nbytes}})


def digest(header: bytes) -> str:
    """What `DIGEST_HEADER` says (lower-case hex)."""
    return hashlib.sha256(header).hexdigest()


class Splitter:
    """Takes a result's stream apart: feed chunks, get the blob's bytes back, then `finish`.

    Memory stays bounded by the header's limit.
    """

    def __init__(self, expected_digest: str) -> None:
        self._expected = expected_digest.lower()
        self._head = bytearray()
        self._need = PREFIX_BYTES
        self._blob = hashlib.sha256()
        self._blob_bytes = 0
        self._parsed: dict[str, Any] = {}
        self._sha256, self._size = "", 0
        self.header: bytes | None = None

    def feed(self, chunk: bytes) -> bytes:
        """The part of ``chunk`` that belongs to the blob.

        Raises
        ------
        Rejected
            the stream is no result, its header is not the announced one, or more comes than that header says.
        """
        rest = memoryview(chunk)
        while self.header is None and rest:
            take = rest[: self._need - len(self._head)]
            self._head += take
            rest = rest[len(take) :]
            if len(self._head) == self._need:
                self._advance()
        body = bytes(rest) if len(rest) != len(chunk) else chunk
        self._blob.update(body)
        self._blob_bytes += len(body)
        if self.header is not None and self._blob_bytes > self._size:
            raise Rejected(
                f"More data than the {self._size:,} bytes that the header says: send it again.", code="truncated"
            )
        return body

    def _advance(self) -> None:
        if self._need == PREFIX_BYTES:
            if self._head[: len(MAGIC)] != MAGIC:
                raise Rejected("This is not a result: its first bytes are wrong.", code="bad_result")
            length = int.from_bytes(self._head[len(MAGIC) :], "big")
            if not 0 < length <= MAX_HEADER_BYTES:
                raise Rejected(f"A result header of {length:,} bytes.", code="bad_result")
            self._need += length
            return
        header = bytes(self._head[PREFIX_BYTES:])
        if digest(header) != self._expected:
            raise Rejected("The header's checksum does not match: send the result again.", code="bad_checksum")
        self.header = header  # as it was announced, whatever it holds
        self._parsed = _parse(header)
        self._sha256, self._size = self._parsed["dataset"]["sha256"], self._parsed["dataset"]["bytes"]

    def finish(self) -> dict[str, Any]:
        """The header, once everything has come.

        Raises
        ------
        Rejected
            the stream was cut, or the blob is not the one that the header names.
        """
        if self.header is None:
            raise Rejected("The upload was cut short: send it again.", code="truncated")
        if self._blob_bytes != self._size:
            raise Rejected(
                f"The upload has {self._blob_bytes:,} bytes of data; its header says {self._size:,}.", code="truncated"
            )
        if self._blob.hexdigest() != self._sha256:
            raise Rejected("The data's checksum does not match: send the result again.", code="bad_checksum")
        return self._parsed


def _parse(header: bytes) -> dict[str, Any]:
    try:
        parsed = msgspec.json.decode(header, type=dict[str, Any])
        msgspec.convert(parsed.get("dataset"), type=Dataset)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Rejected("The result header is not the expected JSON.", code="bad_result") from error
    return parsed


class Dataset(msgspec.Struct):
    """What a header says of the blob."""

    sha256: Annotated[str, Meta(pattern=rf"^[0-9a-f]{{64}}{END}")]
    bytes: Annotated[int, Meta(ge=0)]


# What a header says

_Shots = Annotated[int, Meta(ge=0, le=MAX_SHOTS)]
_Bits = Annotated[int, Meta(ge=0, le=MAX_BITS)]
_Outcome = Annotated[str, Meta(pattern=rf"^0x(0|[1-9a-f][0-9a-f]*){END}", max_length=2 + MAX_BITS // 4)]
_Registers = Annotated[
    list[tuple[Annotated[str, Meta(max_length=MAX_NAME)], Annotated[int, Meta(ge=0, le=MAX_QUBITS)]]],
    Meta(max_length=MAX_BITS),
]


class CircuitResult(msgspec.Struct, kw_only=True):
    """One circuit of a header, with all its fields; `core.results` says what they are."""

    name: Annotated[str, Meta(max_length=MAX_NAME)]
    circuit: Annotated[int, Meta(ge=0, lt=MAX_CIRCUITS)] = 0
    row: Annotated[int, Meta(ge=0, lt=MAX_CIRCUITS)] | None = None
    shots: _Shots
    meas_level: Annotated[int, Meta(ge=0, le=2)]
    meas_return: Literal["single", "avg"]
    creg_sizes: _Registers
    qreg_sizes: _Registers
    memory_slots: _Bits
    n_qubits: Annotated[int, Meta(ge=0, le=MAX_QUBITS)]
    truncated: bool
    counts: dict[_Outcome, _Shots] | None
    seed: Annotated[int, Meta(ge=0)] | None = None
    metadata: dict[str, Any] | None = None
    """The circuit's own, any JSON."""
    memory: list[Any] | None = None
    """Points of level 1, or lists of them: see `check_circuit`."""
    kind: Named = ""
    """Of the result; empty where the driver knows no kinds: then `core.result_kind` tells it."""
    drawings: Annotated[list[dict[str, Any]], Meta(max_length=MAX_DRAWINGS)] | None = None
    """What is to be drawn of it, by whoever knows the forms; any JSON."""


class Origin(msgspec.Struct, kw_only=True):
    """What the lab reads of a header's provenance; a result may say more."""

    executor_version: Named = ""
    program_sha256: Named = ""
    finished_at: Named | None = None
    calibration_id: Named = ""
    busy_s: Seconds = 0.0


class ResultHeader(msgspec.Struct, kw_only=True):
    """A whole header."""

    success: bool
    circuits: list[CircuitResult]
    provenance: Origin | None = None


class _Document(msgspec.Struct):
    """A header as it is sent: what all circuits share stands once, in ``common``."""

    success: bool
    circuits: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=MAX_CIRCUITS)]
    common: dict[str, Any] = {}
    provenance: Origin | None = None


_document = msgspec.json.Decoder(_Document).decode


def read_header(raw: bytes) -> ResultHeader:
    """The header with every circuit's fields in place.

    Raises
    ------
    Rejected
        it is not a result's header, or a field breaks its bounds.
    """
    try:
        document = _document(raw)
        if len(msgspec.json.encode(document.common)) * len(document.circuits) > MAX_SHARED_BYTES:
            raise Rejected(
                f"What the circuits of the result share takes more than {MAX_SHARED_BYTES:,} bytes, written out for "
                f"{len(document.circuits):,} circuits.",
                code="bad_result",
            )
        circuits = header_circuits({"circuits": document.circuits, "common": document.common})
        return ResultHeader(
            success=document.success,
            circuits=msgspec.convert(circuits, list[CircuitResult]),
            provenance=document.provenance,
        )
    except msgspec.ValidationError as error:
        told = refused(error, dict, code="bad_result", whole="it")
        raise Rejected(f"The result header is not as expected: {told.message}", code="bad_result") from error
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Rejected("The result header is not the expected JSON.", code="bad_result") from error


def check_circuit(index: int, circuit: CircuitResult) -> None:
    """Refuse figures that contradict one another.

    Raises
    ------
    Rejected
        an outcome has more bits than the circuit, the counts do not add up to the shots, or the points of level 1 are
        not one for each bit (and shot).
    """
    if circuit.counts is not None:
        widest = max((int(key, 16).bit_length() for key in circuit.counts), default=0)
        if widest > circuit.memory_slots:
            raise _contradiction(index, f"an outcome has {counted(widest, 'bit')}, the circuit {circuit.memory_slots}")
        total = sum(circuit.counts.values())
        short = not circuit.truncated or (circuit.counts and not total)
        if total > circuit.shots or (total < circuit.shots and short):
            raise _contradiction(index, f"the counts add up to {total:,}, with {counted(circuit.shots, 'shot')}")
    if circuit.memory is not None:
        single = circuit.meas_return == "single"
        rows = circuit.memory if single else [circuit.memory]
        if circuit.meas_level != 1 or (single and len(rows) != circuit.shots):
            raise _contradiction(index, "its points are not one for each shot at level 1")
        if not all(_is_points(row, circuit.memory_slots) for row in rows):
            raise _contradiction(index, "its points are not two finite numbers for each classical bit")


def _is_points(row: object, memory_slots: int) -> bool:
    return (
        isinstance(row, list)
        and len(row) == memory_slots
        and all(isinstance(point, list) and len(point) == 2 and all(map(_is_finite, point)) for point in row)
    )


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _contradiction(index: int, what: str) -> Rejected:
    return Rejected(f"Circuit {index} of the result: {what}.", code="bad_result", circuit=index)
