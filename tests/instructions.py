"""One of each: every instruction of Qiskit's library, in every way that its constructors offer."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    Barrier,
    ControlModifier,
    Gate,
    Instruction,
    InverseModifier,
    Measure,
    Operation,
    Parameter,
    PowerModifier,
    Reset,
    library,
)  # fmt: skip
from qiskit.quantum_info import Clifford, Kraus, Pauli, SparseObservable, SparsePauliOp
from qiskit.synthesis import SuzukiTrotter

_P, _Q, _T = Parameter("p"), Parameter("q"), Parameter("t")
_X = np.array([[0, 1], [1, 0]], complex)
_HALF = [1 / np.sqrt(2), 1j / np.sqrt(2)]
_XX_ZI = SparsePauliOp(["XX", "ZI"], [0.5, 1.5])
_WAYS: dict[str, list[tuple[Any, ...]]] = {
    "AndGate": [(3, [1, -1, 0])],
    "Barrier": [(3,)],
    "BitFlipOracleGate": [("a & ~b",)],
    "BitwiseXorGate": [(3, 5)],
    "DiagonalGate": [([1, -1, 1j, -1j],)],
    "ExactReciprocalGate": [(3, 0.5, True)],
    "FullAdderGate": [(2,)],
    "GraphStateGate": [([[0, 1], [1, 0]],)],
    "HalfAdderGate": [(2,)],
    "HamiltonianGate": [(np.diag([1.0, -1.0]), 0.3)],
    "Initialize": [(_HALF,), (2, 2), ("+-0",)],
    "InnerProductGate": [(2,)],
    "IntegerComparatorGate": [(3, 2, False)],
    "Isometry": [(np.eye(4)[:, :2], 0, 0)],
    "LinearAmplitudeFunctionGate": [(3, 0.5, 0.1, (0, 1), (0, 1))],
    "LinearFunction": [([[1, 1], [0, 1]],)],
    "LinearPauliRotationsGate": [(3, 0.2, 0.3, "X")],
    "MCGupDiag": [(np.diag([1, 1j]), 2, 0, 0)],
    "MCMTGate": [(library.XGate(), 2, 2, 1)],
    "MCPhaseGate": [(0.3, 3), (_P, 2)],
    "MCU1Gate": [(0.3, 3)],
    "MCXGate": [(n,) for n in range(1, 7)],
    "MCXGrayCode": [(5,)],
    "MCXRecursive": [(6,)],
    "MCXVChain": [(5,), (5, True)],
    "MSGate": [(3, 0.3), (2, _P)],
    "ModularAdderGate": [(2,)],
    "MultiplierGate": [(2,)],
    "OrGate": [(3,)],
    "PauliEvolutionGate": [
        (_XX_ZI, 0.7), (Pauli("XX"), _T), ([Pauli("XX"), SparsePauliOp("ZZ")], 0.2),
        (SparseObservable.from_list([("X0", 1.0)]), 0.2), (_XX_ZI, 0.2, None, SuzukiTrotter(order=4, reps=2)),
    ],
    "PauliGate": [("XYZ",)],
    "PauliProductMeasurement": [(Pauli("-XZ"),)],
    "PauliProductRotationGate": [(Pauli("XZ"), 0.3), (Pauli("XZ"), _P)],
    "PermutationGate": [([2, 0, 1],)],
    "PhaseOracleGate": [("a & b",)],
    "PiecewiseChebyshevGate": [(1.0, 2, 1, [0, 2])],
    "PiecewiseLinearPauliRotationsGate": [(2, [0, 2], [1, 2], [0, 1])],
    "PiecewisePolynomialPauliRotationsGate": [(2, [0, 2], [[1], [2]])],
    "PolynomialPauliRotationsGate": [(2, [1, 2])],
    "QFTGate": [(3,)],
    "QuadraticFormGate": [(2, [[1, 0], [0, 1]], [1, 1], 0)],
    "RVGate": [(0.1, 0.2, 0.3), (0.1, 0.2, 0.3, "ZYZ")],
    "StatePreparation": [("01+",), (_HALF,), (_HALF, None, True), (2, 2), ("0r", None, True)],
    "UCGate": [([_X, np.eye(2)],)],
    "UCPauliRotGate": [([0.1, 0.2], "X")],
    "UCRXGate": [([0.1, 0.2],)],
    "UCRYGate": [([0.1, 0.2],)],
    "UCRZGate": [([0.1, 0.2],)],
    "UniformSuperpositionGate": [(3, 2)],
    "UnitaryGate": [(_X,)],
    "WeightedSumGate": [(2, [1, 2])],
}  # fmt: skip


def every_instruction() -> dict[str, Operation]:
    """By a name that says how it was made; gates of one's own among them."""
    found: dict[str, Operation] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Qiskit has some that it will drop
        for name, kind in vars(library).items():
            if inspect.isclass(kind) and issubclass(kind, Operation):
                for number, operation in enumerate(_made(name, kind)):
                    found[f"{name}-{number}"] = operation
    return found | _composed()


def _made(name: str, kind: type) -> list[Operation]:
    _, *parameters = inspect.signature(kind.__init__).parameters.values()
    known = {p.name: p for p in parameters}
    needed = [p for p in parameters if p.default is p.empty]
    angles = [0.1 * (k + 1) for k in range(len(needed))]
    ways = _WAYS.get(name) or [tuple(angles)]
    if name not in _WAYS and angles:
        ways = [*ways, (_P, *angles[1:]), (2 * _P + _Q**2, *angles[1:])]
    made = [kind(*way) for way in ways]
    if "label" in known and name != "PauliGate":
        before = list(known).index("label")
        made += [kind(*way, label="läbel") for way in ways if len(way) <= before]
    if "ctrl_state" in known:
        made += [kind(*way, ctrl_state=0) for way in ways if len(way) < 4]
    return made


class Mine(Gate):
    """A class of a person's own, defined only when it is asked."""

    def __init__(self, angle: Any) -> None:
        super().__init__("mine", 1, [angle])

    def _define(self) -> None:
        self.definition = QuantumCircuit(1)
        self.definition.rx(2 * self.params[0], 0)


RXGate = type("RXGate", (Mine,), {"__doc__": "Of a person's own, with a name of Qiskit's."})


def _composed() -> dict[str, Operation]:
    inner = QuantumCircuit(2, name="inner", global_phase=0.3)
    inner.rx(_P, 0)
    inner.append(library.AndGate(1), [0, 1])
    gate = inner.to_gate(label="L")
    waiting = QuantumCircuit(2, 1, name="waiting")
    waiting.delay(12.5, 0, "us")
    waiting.delay(2 * _P, 1, "ns")
    waiting.measure(0, 0)
    return {
        "barrier": Barrier(2, label="x"),
        "measure": Measure(label="x"),
        "reset": Reset(label="x"),
        "clifford": Clifford(library.HGate()),
        "kraus": Kraus([np.sqrt(0.9) * np.eye(2), np.sqrt(0.1) * _X]).to_instruction(),
        "gate": gate,
        "gate-inverse": gate.inverse(),
        "gate-repeat": gate.repeat(2),
        "gate-control": gate.control(2, ctrl_state=1),
        "gate-control-annotated": gate.control(2, annotated=True),
        "library-control": library.AndGate(2).control(1),
        "instruction": waiting.to_instruction(),
        "opaque": Instruction("opaque", 2, 1, [1.5, "text"]),
        "mine": Mine(0.3),
        "mine-parameter": Mine(_P),
        "mine-control": Mine(0.3).control(1),
        "not-qiskits-rx": RXGate(0.3),
        "annotated": AnnotatedOperation(
            library.RXGate(_P), [ControlModifier(2, 1), InverseModifier(), PowerModifier(3)]
        ),
        "annotated-twice": AnnotatedOperation(
            AnnotatedOperation(library.OrGate(1), [InverseModifier()]), [ControlModifier(1)]
        ),
        "rx-of-a-function": library.RXGate((_P.sin() + 1).exp().log() * abs(_P)),
        "rx-numpy": library.RXGate(np.float32(0.5)),
    }
