"""One result in one stream: what a driver spools, uploads and the lab takes apart.

::

    b"QPIRES01"  |  uint64, big-endian: length of the header  |  header, JSON  |  blob, to the end

The header (at most `MAX_HEADER_BYTES`) holds the sparse counts of every circuit, enough to render every JSON form of
the result; its ``dataset`` entry ``{"sha256", "bytes"}`` says what follows. The upload names the SHA-256 of the header
in `DIGEST_HEADER`; since the header names the blob's, that one digest covers everything.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec

from qpi_jupyter.core.errors import Rejected, TooLarge

MAGIC = b"QPIRES01"
PREFIX_BYTES = len(MAGIC) + 8
MAX_HEADER_BYTES = 1 << 20
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
            raise Rejected(f"More data than the {self._size:,} bytes that the header says.", code="bad_result")
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
        self._parsed = _parse(header)
        self._sha256, self._size = self._parsed["dataset"]["sha256"], self._parsed["dataset"]["bytes"]
        self.header = header

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
        msgspec.convert(parsed.get("dataset"), type=_Dataset)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Rejected(f"The result header is not the expected JSON: {error}", code="bad_result") from error
    return parsed


class _Dataset(msgspec.Struct):
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, msgspec.Meta(ge=0)]
