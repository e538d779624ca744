"""Every field of every message of a driver, with every value: it is within its bounds, or a bad frame; nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
import pytest
from msgspec import Raw, inspect

from qpi_jupyter.core import MAX_CIRCUITS, calibration_of
from qpi_jupyter.core.errors import QpiError, Rejected
from qpi_jupyter.core.results import qiskit_result
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES
from qpi_jupyter.wire.peer import parse
from qpi_jupyter.wire.results import ResultHeader, read_header
from qpi_server.service.lifecycle import is_small, keyed_counts
from qpi_server.web.compat.qpi.results import qpi_results
from tests.support.frames import FRAMES, HEADER, PREPARED, whole
from tests.support.hostile import checked_header, walk

T = TypeVar("T")
KINDS = {type(frame): frame for frame in FRAMES.values()} | {frames.Prepared: PREPARED}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_frame_is_within_its_bounds_or_bad(kind: type[frames.Frame]) -> None:
    taken = refused = 0
    for path, value, text in walk(kind, whole(KINDS[kind])):
        frame = _said(lambda text=text: parse(Raw(text.encode()), kind), "bad_frame")
        if frame is None:
            refused += 1
            continue
        taken += 1
        assert _largest(frame) <= 1e30, (path, value)
        for name in ("error", "manifest"):
            if (found := getattr(frame, name, None)) is not None:
                use = {
                    "error": lambda f: QpiError.from_bench(f).to_dict(),
                    "manifest": lambda f: list(calibration_of(f).figures()),
                }
                assert len(json.dumps(use[name](found), allow_nan=False)) < MAX_FRAME_BYTES, (path, value)
    assert taken
    assert refused > taken


def _unbounded(kind: inspect.Type, at: str) -> Iterator[str]:
    """Every field that can be as large as its sender likes; the core's own nouns check themselves."""
    if isinstance(kind, inspect.StructType):
        for entry in kind.fields:
            yield from _unbounded(entry.type, f"{at}.{entry.name}")
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _unbounded(one, at)
    elif isinstance(kind, inspect.ListType):
        yield from [at] if kind.max_length is None else ()
        yield from _unbounded(kind.item_type, f"{at}[]")
    elif isinstance(kind, inspect.TupleType):
        for one in kind.item_types:
            yield from _unbounded(one, f"{at}[]")
    elif isinstance(kind, inspect.DictType):
        yield from _unbounded(kind.key_type, f"{at} key")
        yield from _unbounded(kind.value_type, f"{at} value")
    elif isinstance(kind, inspect.IntType | inspect.FloatType):
        low, high = (kind.ge, kind.gt), (kind.le, kind.lt)
        yield from [at] if low == (None, None) or high == (None, None) else ()
    elif isinstance(kind, inspect.StrType):
        yield from [at] if kind.max_length is None else ()
    elif isinstance(kind, inspect.AnyType | inspect.BytesType):
        yield at


# What has no bound of its own, and why it may.
KNOWN = {
    "Report.error key", "Report.error value", "Prepared.error key", "Prepared.error value",  # QpiError.from_bench cuts
    "Rows.chunks[].data", "Rows.drawings[] key", "Rows.drawings[] value",  # any, in a frame
    "ResultHeader.circuits",  # counted before it is spread out
    "ResultHeader.circuits[].seed",  # a whole number of any length, shown as it came
    "ResultHeader.circuits[].metadata key", "ResultHeader.circuits[].metadata value",  # the person's own, in 1 MiB
    "ResultHeader.circuits[].drawings[] key", "ResultHeader.circuits[].drawings[] value",  # any, in 1 MiB
    "ResultHeader.circuits[].memory", "ResultHeader.circuits[].memory[]",  # check_circuit
}  # fmt: skip


def test_no_field_of_a_driver_is_without_a_bound() -> None:
    kinds = [*KINDS, ResultHeader]
    found = {field for kind in kinds for field in _unbounded(inspect.type_info(kind), kind.__name__)}
    assert found == KNOWN


def _said(read: Callable[[], T], code: str) -> T | None:
    """What was read; None if it is refused, in few words and with this code."""
    refusals = []
    try:
        return read()
    except Rejected as error:
        refusals.append(error)
    assert [(error.code, len(error.message) < 400) for error in refusals] == [(code, True)]
    return None


def _largest(value: Any) -> float:
    """The largest number in a frame, apart from errors, which `QpiError.from_bench` reads."""
    plain = msgspec.to_builtins(value)
    if isinstance(plain, dict):
        plain.pop("error", None)
    numbers = [0.0]
    stack = [plain]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack += item.values()
        elif isinstance(item, list | tuple):
            stack += item
        elif isinstance(item, int | float):
            numbers.append(abs(item))
    return max(numbers)


def test_a_result_header_is_rendered_in_bounds_or_refused() -> None:
    taken = refused = 0
    for path, value, text in walk(ResultHeader, HEADER):
        header = _said(lambda text=text: checked_header(text.encode()), "bad_result")
        if header is None:
            refused += 1
            continue
        taken += 1
        rendered = qiskit_result(msgspec.to_builtins(header), "job-0", "q")
        size = len(msgspec.json.encode(rendered)) + len(msgspec.json.encode(qpi_results(rendered)))
        if is_small(header):
            size += len(msgspec.json.encode([keyed_counts(circuit) for circuit in header.circuits]))
        assert size < 20 * len(text) + (1 << 20), (path, value)
    assert taken
    assert refused > taken


def test_what_the_circuits_share_does_not_multiply() -> None:
    circuit = msgspec.to_builtins(HEADER.circuits[0])
    header = {"success": True, "common": {**circuit, "metadata": {"x": "y" * 500_000}}, "circuits": [{}] * MAX_CIRCUITS}
    with pytest.raises(Rejected, match="share") as caught:
        read_header(json.dumps(header).encode())
    assert caught.value.code == "bad_result"
    header["circuits"] = [{}] * (MAX_CIRCUITS + 1)
    with pytest.raises(Rejected, match=f"{MAX_CIRCUITS:,}"):
        read_header(json.dumps(header).encode())
