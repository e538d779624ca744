"""Delays by a parameter in the text of a circuit: OpenQASM 3, which Qiskit's own is not."""

from __future__ import annotations

import re

import openqasm3
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qpi_jupyter.data.formats import QPY


def test_the_unit_of_a_delay_stands_apart_from_its_parameter() -> None:
    wait = Parameter("wait")
    circuit = QuantumCircuit(1)
    for length, unit in ((wait, "s"), (wait / 2, "us"), (2 * wait + 1, "dt"), (30, "ns"), (3e-05, "s"), (7, "dt")):
        circuit.delay(length, 0, unit=unit)
    text = QPY.to_text(circuit)
    delays = re.findall(r"delay\[(.+)\] q", text)
    assert delays[:3] == ["(wait) * 1s", "(wait/2) * 1us", "(1 + 2*wait) * 1dt"]
    assert all(re.fullmatch(r"[\d.e-]+(ns|us|ms|s|dt)", delay) for delay in delays[3:]), delays
    openqasm3.parse(text)
