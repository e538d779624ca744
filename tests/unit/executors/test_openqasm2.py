"""OpenQASM 2: what a text defines means what it says there, and its numbers are finite."""

from __future__ import annotations

import math

import pytest
from qiskit import QuantumCircuit, qasm2
from qiskit.circuit import Gate
from qiskit_aer import AerSimulator

from qpi_executors import run_program
from qpi_executors.aer import AerExecutor
from qpi_executors.mock import MockExecutor
from qpi_executors.own_gates import TAKEN
from qpi_executors.programs import parse
from qpi_jupyter.core.errors import ProgramError
from tests.circuits import qpy_program, text_program

Q2 = "openqasm2"
LEGACY = {known.name for known in qasm2.LEGACY_CUSTOM_INSTRUCTIONS}
WORDS = {"barrier", "measure", "reset", "store"}
"""Not names of gates in OpenQASM 2 ("store" ends in an error of Qiskit's own)."""
HEAD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\n'


@pytest.fixture(scope="module")
def simulators():
    return AerExecutor(), MockExecutor(num_qubits=2, coupling="all")


def test_every_name_that_means_something_to_aer_is_known_as_taken():
    assert set(AerSimulator().target.operation_names) <= TAKEN


@pytest.mark.parametrize("name", sorted((TAKEN | LEGACY | {"asin", "qft", "permutation"}) - WORDS))
def test_a_gate_of_ones_own_wins_over_what_others_call_so(simulators, name):
    """It flips its second qubit: nothing of that name does so to both."""
    text = (
        f"OPENQASM 2.0; gate flip a {{ U(pi,0,pi) a; }} gate {name} a,b {{ flip b; }} gate outer a,b {{ {name} a,b; }} "
        f"qreg q[2]; creg c[2]; outer q[0],q[1]; {name} q[1],q[0]; measure q->c;"
    )
    for simulator in simulators:
        (result,) = run_program(simulator, text_program(text, Q2, shots=3))
        assert result.qpi.counts() == {"11": 3}, simulator


def test_the_same_from_qpy_and_in_branches(simulators):
    body = QuantumCircuit(1)
    body.x(0)
    own = Gate("h", 1, [])
    own.definition = body
    circuit = QuantumCircuit(2, 2)
    circuit.append(own, [0])
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.append(own, [1])
    circuit.measure(1, 1)
    (result,) = run_program(simulators[0], qpy_program(circuit, shots=3))
    assert result.qpi.counts() == {"11": 3}


@pytest.mark.parametrize("known", qasm2.LEGACY_CUSTOM_INSTRUCTIONS, ids=lambda known: known.name)
@pytest.mark.parametrize("more", [(0, 0), (1, 0), (0, 1)], ids=["same", "parameter", "qubit"])
def test_a_text_is_accepted_as_plain_qiskit_does(known, more):
    params = ",".join(f"p{k}" for k in range(known.num_params + more[0]))
    qubits = ",".join(f"a{k}" for k in range(known.num_qubits + more[1]))
    for include in ("", 'include "qelib1.inc";'):
        text = f"OPENQASM 2.0;{include} gate {known.name}({params}) {qubits} {{ U(0,0,0) a0; }} qreg q[1];creg c[1];"
        try:
            qasm2.loads(text)
        except qasm2.QASM2ParseError:
            with pytest.raises(ProgramError, match="already defined"):
                parse(text_program(text, Q2))
        else:
            parse(text_program(text, Q2))


def test_the_functions_of_qiskits_first_parser():
    text = HEAD + "rx(asin(0.5)) q[0]; ry(acos(0.5)) q[0]; rz(atan(1)) q[0];"
    (parsed,) = parse(text_program(text, Q2))
    assert [instruction.params[0] for instruction in parsed.circuit.data] == [
        pytest.approx(math.pi / 6), pytest.approx(math.pi / 3), pytest.approx(math.pi / 4),
    ]  # fmt: skip


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1e300*1e300", "exp(1000)", "2^10000", "1e999-1e999"])
@pytest.mark.parametrize("statement", ["rx({}) q[0];", "if(c==1) rx({}) q[0];", "cu3(0,{},1) q[0],q[1];"])
def test_a_number_that_is_not_finite_is_refused_at_its_place(number, statement):
    fine = "rx(1) q[0]; cu3(0,1,1) q[0],q[1];\ngate g a { rx(1) a; }\n"
    with pytest.raises(ProgramError, match="not finite") as caught:
        parse(text_program(HEAD + fine * 1 + "g q[0];\n  " + statement.format(number) + "\n" + "rx(1) q[0];", Q2))
    assert (caught.value.code, caught.value.line, caught.value.column) == ("bad_number", 8, 3)


@pytest.mark.parametrize("use", ["g(0) q[0];", "g(0) q;", "if(c==1) g(0) q[0];"])
@pytest.mark.parametrize("body", ["rx(1/p) a;", "rx(ln(p)) a;", "rx(asin(p+2)) a;"])
def test_what_a_definition_cannot_compute_is_the_programs_fault(use, body):
    text = HEAD + f"gate g(p) a {{ {body} }}\n{use}\nmeasure q->c;"
    with pytest.raises(ProgramError):
        run_program(AerExecutor(), text_program(text, Q2))


@pytest.mark.parametrize("cycles", ["1e9", "1001", "0-1"])
def test_a_wait_of_very_many_cycles_is_not_expanded(cycles):
    with pytest.raises(ProgramError, match="use a delay"):
        parse(text_program(HEAD + f"u0({cycles}) q[0];", Q2))
