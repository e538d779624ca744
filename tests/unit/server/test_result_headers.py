"""What the lab reads out of a result's header."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.results import share_common
from qpi_jupyter.wire.results import check_circuit, read_header


def circuit(index: int) -> dict[str, Any]:
    return {
        "name": f"c{index}", "circuit": index, "row": None, "shots": 10, "meas_level": 2, "meas_return": "single",
        "creg_sizes": [["c", 2]], "qreg_sizes": [["q", 2]], "memory_slots": 2, "n_qubits": 2, "seed": None,
        "metadata": {}, "counts": {"0x0": index, "0x3": 10 - index}, "truncated": False, "memory": None,
    }  # fmt: skip


def test_a_header_of_many_circuits_reads_as_one_of_few() -> None:
    header = {"v": 1, "success": True, "circuits": [circuit(n) for n in range(5)], "provenance": {"busy_s": 0.5}}
    plain = read_header(msgspec.json.encode(header))
    share_common(header)
    assert "shots" not in header["circuits"][0], "the shared fields stand once"
    assert read_header(msgspec.json.encode(header)) == plain
    assert [c.shots for c in plain.circuits] == [10] * 5


def test_a_kind_and_its_drawings_are_kept_whatever_they_are() -> None:
    told = {**circuit(1), "kind": "x-rays", "counts": None, "drawings": [{"draw": "hologram", "deep": [None]}]}
    header = {"v": 1, "success": True, "circuits": [told, circuit(2)]}
    rays, plain = read_header(msgspec.json.encode(header)).circuits
    assert (rays.kind, rays.drawings) == ("x-rays", [{"draw": "hologram", "deep": [None]}])
    assert (plain.kind, plain.drawings) == ("", None)
    for wrong in (
        {"kind": "x" * 10_000},
        {"kind": 3},
        {"kind": "a\nb"},
        {"drawings": {"draw": "x"}},
        {"drawings": [1]},
    ):
        with pytest.raises(Rejected, match="The result header is not as expected"):
            read_header(msgspec.json.encode({**header, "circuits": [{**told, **wrong}]}))


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"success": true}', b'{"success": true, "circuits": [{"name": 1}]}'])
def test_what_is_no_header_is_an_error_of_one_kind(raw: bytes) -> None:
    with pytest.raises(Rejected, match="The result header is not"):
        read_header(raw)


def test_outcomes_that_were_left_out_are_no_excuse_for_counts_of_nothing() -> None:
    def check(counts: dict[str, int]) -> None:
        raw = msgspec.json.encode(
            {"v": 1, "success": True, "circuits": [{**circuit(0), "truncated": True, "counts": counts}]}
        )
        check_circuit(0, read_header(raw).circuits[0])

    for kept in ({"0x0": 4, "0x1": 0}, {}):
        check(kept)
    with pytest.raises(Rejected, match="the counts add up to 0, with 10 shots"):
        check({"0x0": 0})
