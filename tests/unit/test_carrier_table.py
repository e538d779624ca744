"""The table of ``docs/reference/circuits.md``: what each carrier keeps of a circuit, each cell tried."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm2, qasm3, qpy, transpile
from qiskit.circuit import AnnotatedOperation, Clbit, InverseModifier, Parameter, Qubit, library
from qiskit.circuit.classical import expr, types
from qiskit.circuit.exceptions import CircuitError
from qiskit.quantum_info import Clifford, Operator
from qiskit.transpiler import CouplingMap

from qpi_executors.sources import parse_openqasm2, parse_openqasm3
from qpi_jupyter.data.carried import HELD
from qpi_jupyter.data.circuits import from_qpy, to_qpy
from tests.instructions import every_instruction
from tests.same_circuits import differences

PAGE = (Path(__file__).parents[2] / "docs/reference/circuits.md").read_text()


def _by_qiskit(version: int | None) -> Callable[[QuantumCircuit], QuantumCircuit]:
    def carry(circuit: QuantumCircuit) -> QuantumCircuit:
        file = io.BytesIO()
        qpy.dump(circuit, file, version=version)
        file.seek(0)
        return qpy.load(file)[0]

    return carry


CARRIERS: dict[str, Callable[[QuantumCircuit], QuantumCircuit]] = {
    "the lab's client": lambda circuit: from_qpy(to_qpy([circuit]))[0],
    "QPY 13": _by_qiskit(13),
    "newest QPY": _by_qiskit(None),
    "OpenQASM 2": lambda circuit: parse_openqasm2(qasm2.dumps(circuit).encode(), 0),
    "OpenQASM 3": lambda circuit: parse_openqasm3(qasm3.dumps(circuit).encode(), 0),
}


def _circuit(*operations: Any, **facts: Any) -> QuantumCircuit:
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(2, "c"), **facts)
    for operation in operations:
        circuit.append(operation, range(operation.num_qubits))
    return circuit


def _waiting(duration: Any, unit: str) -> QuantumCircuit:
    circuit = _circuit()
    circuit.delay(duration, 0, unit=unit)
    return circuit


def _with(*bits: Any) -> QuantumCircuit:
    circuit = QuantumCircuit(*bits)
    circuit.measure(0, 0)
    return circuit


def _flow(kind: str) -> QuantumCircuit:
    circuit = _circuit()
    circuit.measure(0, 0)
    if kind == "if":
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(1)
    elif kind == "for":
        with circuit.for_loop(range(3)):
            circuit.x(1)
    elif kind == "while":
        with circuit.while_loop((circuit.clbits[0], 1)):
            circuit.measure(0, 0)
    elif kind == "switch":
        with circuit.switch(circuit.cregs[0]) as case, case(1):
            circuit.x(1)
    elif kind == "box":
        with circuit.box(duration=10, unit="ns"):
            circuit.x(1)
    elif kind == "variables":
        circuit.store(circuit.add_input("given", types.Bool()), expr.lift(True))
    else:
        circuit.delay(circuit.add_stretch("gap"), 0)
    return circuit


def _placed() -> QuantumCircuit:
    circuit = _circuit(library.CXGate(), library.CCXGate())
    return transpile(circuit, coupling_map=CouplingMap.from_line(4), basis_gates=["cx", "rz", "sx"], seed_transpiler=1)


def _wait_inside() -> QuantumCircuit:
    inner = QuantumCircuit(1, name="inner")
    inner.delay(4, 0, unit="us")
    return _circuit(inner.to_instruction())


_T = Parameter("theta")
_OWN, _ALONE = QuantumRegister(2, "own"), [Clbit(), Clbit()]
_OTHER = ClassicalRegister(bits=[_ALONE[1]], name="other")
_EMPTY = ClassicalRegister(0, "empty")


def _delays(circuit: QuantumCircuit) -> list[tuple[float, str]]:
    return [(i.operation.duration, i.operation.unit) for i in circuit.data]


def _names(circuit: QuantumCircuit) -> list[Any]:
    bound = circuit.assign_parameters({"theta": 2.0})
    return [sorted(p.name for p in circuit.parameters), [float(value) for i in bound for value in i.operation.params]]


def _shape(circuit: QuantumCircuit) -> list[Any]:
    return [(r.name, [circuit.find_bit(bit).index for bit in r]) for r in (*circuit.qregs, *circuit.cregs)]


def _meaning(circuit: QuantumCircuit) -> str:
    matrix = Operator(circuit).data
    first = matrix.flat[np.flatnonzero(abs(matrix) > 1e-6)[0]]
    return str(((matrix / (first / abs(first))).round(6) + 0).tolist())  # whatever the global phase


Fact = Callable[[QuantumCircuit], Any]
PROBES: dict[str, tuple[Callable[[], QuantumCircuit], Fact | None]] = {
    "name of the circuit": (lambda: _circuit(name="mine"), lambda c: c.name),
    "metadata": (lambda: _circuit(metadata={"a": [1, 2.5]}), lambda c: c.metadata),
    "labels": (lambda: _circuit(library.RXGate(0.5, label="mine")), lambda c: c.data[0].operation.label),
    "global phase": (lambda: _circuit(global_phase=0.5), lambda c: float(c.global_phase)),
    "unit of a delay": (lambda: _waiting(100, "ns"), _delays),
    "fractional delay": (lambda: _waiting(1.5, "us"), _delays),
    "delay in dt": (lambda: _waiting(100, "dt"), _delays),
    "delay of a parameter": (lambda: _waiting(2 * _T, "ns"), _names),
    "delay inside a gate of one's own": (_wait_inside, lambda c: _delays(c.data[0].operation.definition)),
    "parameters": (lambda: _circuit(library.RXGate(_T), library.RZGate(_T**2 + 1)), _names),
    "parameters under a modifier": (
        lambda: _circuit(AnnotatedOperation(library.RXGate(_T), [InverseModifier()])),
        lambda c: sorted(p.name for p in c.parameters),
    ),
    "registers that share bits, in their order": (
        lambda: _with(_OWN, _ALONE, _OTHER, ClassicalRegister(1, "last")), _shape,
    ),
    "bits without a register": (lambda: _with([Qubit()], [Clbit()]), _shape),
    "empty registers": (lambda: _with(_OWN, ClassicalRegister(1, "c"), _EMPTY), _shape),
    "layout": (_placed, lambda c: c.layout and c.layout.final_index_layout()),
    "`if`": (lambda: _flow("if"), None),
    "`for`": (lambda: _flow("for"), None),
    "`while`": (lambda: _flow("while"), None),
    "`switch`": (lambda: _flow("switch"), None),
    "box with a duration": (lambda: _flow("box"), None),
    "real-time variables": (lambda: _flow("variables"), None),
    "stretches": (lambda: _flow("stretches"), None),
    "unitary matrices": (lambda: _circuit(library.UnitaryGate(Operator(library.HGate()))), _meaning),
    "Clifford operators": (lambda: _circuit(Clifford(library.HGate())), _meaning),
    "arithmetic and oracles of the library": (lambda: _circuit(library.AndGate(2)), _meaning),
    "inverse state preparation": (lambda: _circuit(library.StatePreparation("+r").inverse()), _meaning),
}  # fmt: skip


def cell(fact: str, carrier: str) -> str:
    """What becomes of a fact: kept, lost (without a word), or refused."""
    make, read = PROBES[fact]
    sent = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            got = CARRIERS[carrier](sent)
            [instruction.operation for instruction in got]  # Qiskit makes some only now
        except BaseException:  # Rust panics with a BaseException
            return "refused"
    if read is None:
        lost = [text for text in differences(sent, got) if not text.startswith("circuit.name")]
        return "kept" if not lost else "lost"
    try:
        return "kept" if read(got) == read(sent) else "lost"
    except (AttributeError, KeyError, CircuitError):
        return "lost"


def _table() -> dict[str, dict[str, str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
    head = rows[0]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows[2:]}


def test_the_table_is_whole() -> None:
    assert list(_table()) == list(PROBES)
    assert all(list(row) == list(CARRIERS) for row in _table().values())


@pytest.mark.parametrize("fact", PROBES)
def test_each_cell_of_the_table_is_true(fact: str) -> None:
    """A reader may have become better than the table says (Qiskit's, or the lab's of OpenQASM), and never worse."""
    ranks = ("lost", "refused", "kept")
    for carrier, claimed in _table()[fact].items():
        assert ranks.index(cell(fact, carrier)) >= ranks.index(claimed), (fact, carrier)


def test_the_lab_loses_nothing() -> None:
    assert {row["the lab's client"] for row in _table().values()} == {"kept"}


def test_the_page_names_the_gates_that_travel_as_their_definitions() -> None:
    made = [getattr(one, "base_class", type(one)) for one in every_instruction().values()]
    others = {
        kind.__name__ for kind in made if kind not in HELD and kind.__module__.startswith("qiskit.circuit.library")
    }
    assert [name for name in sorted(others) if f"`{name}`" not in PAGE] == []
