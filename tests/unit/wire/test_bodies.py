"""Request bodies and result streams: what is taken apart, and what is refused."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core import MAX_HEADER_BYTES, QpiError, Rejected, TooLarge
from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.rest import MAX_BODY_BYTES, decode
from qpi_jupyter.wire.results import MAGIC, Splitter, digest, encode_header, prefix

GOOD: dict[str, Any] = {"program": {"format": "openqasm3", "sources": ["OPENQASM 3.0;"]}}


def body(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


@pytest.mark.parametrize(
    ("raw", "kind", "words"),
    [
        (b"", Rejected, "not JSON"),
        (b"\xff{}", Rejected, "not JSON"),
        (b'{"program": {"format": "openqasm3", "sources": ["\\ud800"]}}', Rejected, "not JSON"),
        (b"[]", Rejected, "must be an object"),
        (b"{}", Rejected, "program is missing"),
        (body(shotz=3), Rejected, "shotz is not known here"),
        (body(options={"shots": "many"}), Rejected, "options.shots must be a whole number"),
        (body(options={"shots": 1.5}), Rejected, "options.shots must be a whole number"),
        (body(options={"shotz": 3}), Rejected, "options.shotz is not known here; did you mean shots?"),
        (
            body(options={"circuits": [{"parameter_values": [[None]]}]}),
            Rejected,
            "parameter_values[0][0]",
        ),
        (body(priority=11), Rejected, "priority must be a whole number, at most 10"),
        (body(tags=["x"] * 33), Rejected, "tags must have at most 32 entries"),
        (body(name="x" * 201), Rejected, "name must have at most 200 characters"),
        (body(program={"format": "Q 9"}), Rejected, "program.format must be the name of a program format"),
        (b'{"options": {"extra": {"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}}", Rejected, "not JSON"),
        (b" " * (MAX_BODY_BYTES + 1), TooLarge, "limit"),
    ],
)
def test_a_bad_submit_names_the_field(raw: bytes, kind: type[QpiError], words: str) -> None:
    with pytest.raises(kind) as caught:
        decode(raw, SubmitRequest)
    assert words in caught.value.message


@pytest.mark.parametrize(
    "program", [{"format": "qpy", "sources": ["x"]}, {"format": "openqasm2", "sources": ["x"], "data": ["eA=="]}]
)
def test_text_and_bytes_are_not_mixed_up(program: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match=r"programs come as|not both"):
        decode(body(program=program), SubmitRequest).to_program()


def stream(blob: bytes, **wrong: Any) -> tuple[bytes, str]:
    named = {"sha256": hashlib.sha256(blob).hexdigest(), "nbytes": len(blob), **wrong}
    header = encode_header({"version": 1}, **named)
    return prefix(header) + blob, digest(header)


def split(data: bytes, cuts: list[int], expected: str) -> tuple[dict[str, Any], bytes]:
    splitter, blob = Splitter(expected), b""
    edges = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        blob += splitter.feed(data[start:end])
    return splitter.finish(), blob


CUTS = st.lists(st.integers(0, 500), max_size=12)


@given(st.binary(max_size=300), CUTS)
def test_any_chunking_gives_the_result_back(blob: bytes, cuts: list[int]) -> None:
    data, expected = stream(blob)
    header, back = split(data, cuts, expected.upper())
    assert back == blob
    assert header["dataset"] == {"sha256": hashlib.sha256(blob).hexdigest(), "bytes": len(blob)}


@given(st.binary(max_size=50), CUTS, st.data())
def test_a_cut_or_a_flipped_bit_is_always_noticed(blob: bytes, cuts: list[int], data: st.DataObject) -> None:
    whole, expected = stream(blob)
    at = data.draw(st.integers(0, len(whole) - 1))
    bad = bytearray(whole)
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    for wrong in (whole[:at], bytes(bad), whole + b"x"):
        with pytest.raises(Rejected) as caught:
            split(wrong, cuts, expected)
        assert caught.value.code in {"truncated", "bad_result", "bad_checksum"}


@pytest.mark.parametrize(
    ("data", "expected", "code"),
    [
        (*stream(b"x", sha256="0" * 64), "bad_checksum"),
        (*stream(b"x", nbytes=2), "truncated"),
        (*stream(b"x", nbytes=0), "truncated"),
        (*stream(b"x", sha256="short"), "bad_result"),
        (stream(b"x")[0], "0" * 64, "bad_checksum"),
        (prefix(b"[1]"), digest(b"[1]"), "bad_result"),
        (prefix(b"{}"), digest(b"{}"), "bad_result"),
        (prefix(b"no json"), digest(b"no json"), "bad_result"),
        (prefix(b""), digest(b""), "bad_result"),
        (MAGIC + (MAX_HEADER_BYTES + 1).to_bytes(8, "big"), "", "bad_result"),
        (b"not a result at all", "", "bad_result"),
        (b"", "", "truncated"),
    ],
)
def test_a_wrong_upload_is_refused(data: bytes, expected: str, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        split(data, [], expected)
    assert caught.value.code == code


def test_a_header_that_is_too_long_is_not_written() -> None:
    with pytest.raises(TooLarge):
        prefix(b"x" * (MAX_HEADER_BYTES + 1))
