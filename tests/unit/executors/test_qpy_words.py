"""A QPY file that cannot be read is told in words, whatever is wrong with it."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, __version__, qpy
from qiskit.circuit import Parameter
from qiskit.qpy.common import QPY_VERSION

from qpi_executors.sources import parse_qpy
from qpi_jupyter.core.errors import ProgramError

LIBRARY = re.compile(r"\x1b|Backtrace|buffer|unpack|[Yy]our (?:version|Qiskit)|Error\b|object at 0x|variants|reader")


def file(version: int | None = None) -> bytes:
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.rx(Parameter("t"), 1)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(2)
    circuit.measure(0, 0)
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer, version=version)
    return buffer.getvalue()


WHOLE = file()


def refusal(source: bytes) -> str:
    with pytest.raises(ProgramError) as caught:
        parse_qpy(source, 3)
    message = caught.value.message
    assert message.startswith("Circuit 3: ")
    assert not LIBRARY.search(message), message
    return message


@settings(max_examples=60, deadline=None)
@given(st.integers(7, len(WHOLE) - 1))
def test_a_file_that_is_cut_off(kept: int) -> None:
    assert "damaged or cut off" in refusal(WHOLE[:kept])


@pytest.mark.parametrize("version", [QPY_VERSION + 1, 99, 255])
def test_a_file_of_a_newer_version_names_both_and_what_to_do(version: int) -> None:
    said = refusal(WHOLE[:6] + bytes([version, 9, 8, 7]) + WHOLE[10:])
    for part in (f"version {version}", "Qiskit 9.8.7", __version__, f"version={QPY_VERSION}"):
        assert part in said


def test_an_operation_that_is_not_known_is_named() -> None:
    old = file(13)
    assert b"HGate" in old
    said = refusal(old.replace(b"HGate", b"HGat9"))
    assert "HGat9" in said
    assert "transpile" in said


def test_a_newer_writer_is_named_as_a_possible_cause() -> None:
    said = refusal(WHOLE[:7] + bytes([9, 8, 7]) + WHOLE[10:40])
    assert "9.8.7" in said
    assert __version__ in said
