"""Control flow as the instruments have it: loops written out, branches that play where one measured bit reads 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from qiskit import QuantumCircuit
from qiskit.circuit import (
    Bit,
    CircuitError,
    Clbit,
    ControlFlowOp,
    ForLoopOp,
    IfElseOp,
    Instruction,
    Qubit,
    Store,
)
from qiskit.circuit.classical import expr
from qiskit.circuit.controlflow import condition_resources

_KEYWORDS = {"while_loop": "while", "switch_case": "switch", "break_loop": "break", "continue_loop": "continue"}


def written_out(circuit: QuantumCircuit) -> QuantumCircuit:
    """The same circuit without loops, its branches each an ``if_else`` with one block that is for a bit of 1.

    A branch for 0 is played always, and taken back where the bit reads 1. A branch on a bit that no measurement wrote
    is decided here. What has no control flow comes back as it is.

    Raises
    ------
    ValueError
        the instruments cannot do it; the message names what, and the bit or qubit.
    """
    if not any(_is_control(instruction.operation) for instruction in circuit.data):
        return circuit
    writer = _Writer(circuit)
    writer.write(circuit, circuit.qubits, circuit.clbits)
    return writer.circuit


class _Writer:
    """Writes what it reads into one flat circuit."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        self.circuit = circuit.copy_empty_like()
        self._called = {bit: _name(circuit, bit) for bit in chain(circuit.qubits, circuit.clbits)}
        self._measured: dict[Clbit, bool] = {}  # whether a branch has used the measurement
        self._inside = False

    def write(self, block: QuantumCircuit, qubits: Sequence[Qubit], clbits: Sequence[Clbit]) -> None:
        """Append a block, its bits in order being these of the circuit."""
        bits: dict[Bit, Bit] = dict(zip((*block.qubits, *block.clbits), (*qubits, *clbits), strict=True))
        for instruction in block.data:
            operation = instruction.operation
            outer = [bits[bit] for bit in instruction.qubits], [bits[bit] for bit in instruction.clbits]
            match operation:
                case ForLoopOp():
                    indices, parameter, body = operation.params
                    for index in indices:
                        bound = body if parameter is None else body.assign_parameters({parameter: index})
                        self.write(bound, *outer)
                case IfElseOp():
                    self._branch(operation, bits, *outer)
                case ControlFlowOp() | Store():
                    name = _KEYWORDS.get(operation.name, operation.name)
                    raise _refused(f"has {name!r}; the instrument has loops of a fixed number of turns, and 'if'")
                case _ if operation.num_clbits and operation.name != "measure" and operation.definition is not None:
                    self.write(operation.definition, *outer)
                case _:
                    self._append(operation, *outer)

    def _append(self, operation: Instruction, qubits: Sequence[Qubit], clbits: Sequence[Clbit]) -> None:
        if self._inside and operation.name in ("measure", "reset"):
            raise _refused(
                f"has a {operation.name} of {self._called[qubits[0]]} inside of a branch; the instrument plays only "
                "gates and delays there"
            )
        if operation.name == "measure":
            self._measured[clbits[0]] = False
        self.circuit.append(operation, qubits, clbits, copy=False)

    def _branch(
        self, operation: IfElseOp, bits: Mapping[Bit, Bit], qubits: Sequence[Qubit], clbits: Sequence[Clbit]
    ) -> None:
        if self._inside:
            raise _refused("has a branch inside of a branch; the instrument decides one at a time")
        bit, wanted = self._decided(operation, bits)
        blocks = (*operation.blocks, None)[:2]  # for a condition that holds, and for one that does not
        at_one, at_zero = (blocks[0] if wanted[value] else blocks[1] for value in (1, 0))
        if bit not in self._measured or at_one is at_zero:
            if at_zero is not None:
                self.write(at_zero, qubits, clbits)
            return
        body = self.circuit.copy_empty_like()
        if at_zero is not None:
            always = self._gates(at_zero, qubits, clbits)
            self.circuit.compose(always, inplace=True)
            try:
                body.compose(always.inverse(), inplace=True)
            except CircuitError:
                raise _refused(
                    f"has a branch for {self._called[bit]} of 0 that cannot be taken back; the instrument branches "
                    "where a bit reads 1"
                ) from None
        if at_one is not None:
            body.compose(self._gates(at_one, qubits, clbits), inplace=True)
        self._add(bit, body)

    def _add(self, bit: Clbit, body: QuantumCircuit) -> None:
        """Append the branch; to the one right before it, if that is on the same bit."""
        if all(instruction.name in ("barrier", "delay") for instruction in body.data):
            return
        if self._measured[bit]:
            last = self.circuit.data[-1] if self.circuit.data else None
            if last is None or last.name != "if_else" or last.clbits != (bit,):
                raise _refused(
                    f"has two branches on one measurement of {self._called[bit]}; the instrument plays one: join "
                    "them, or measure again"
                )
            self.circuit.data.pop()
            first = self.circuit.copy_empty_like()
            first.compose(last.operation.blocks[0], last.qubits, last.clbits, inplace=True)
            body = first.compose(body)
        self._measured[bit] = True
        used = {qubit for instruction in body.data for qubit in instruction.qubits}
        touched = [qubit for qubit in self.circuit.qubits if qubit in used]
        narrow = QuantumCircuit(touched, [bit])
        for instruction in body.data:
            narrow.append(instruction)
        self.circuit.append(IfElseOp((bit, 1), narrow), touched, [bit])

    def _gates(self, block: QuantumCircuit, qubits: Sequence[Qubit], clbits: Sequence[Clbit]) -> QuantumCircuit:
        """One block of a branch, over all bits of the circuit."""
        outside, self.circuit, self._inside = self.circuit, self.circuit.copy_empty_like(), True
        try:
            self.write(block, qubits, clbits)
            return self.circuit
        finally:
            self.circuit, self._inside = outside, False

    def _decided(self, operation: IfElseOp, bits: Mapping[Bit, Bit]) -> tuple[Clbit, tuple[bool, bool]]:
        """The bit that decides, and whether the condition holds for 0 and for 1."""
        condition = operation.condition
        used = condition_resources(condition)
        read = list(dict.fromkeys([*used.clbits, *(bit for register in used.cregs for bit in register)]))
        if isinstance(condition, expr.Expr) and any(var.standalone for var in expr.iter_vars(condition)):
            raise _refused("has a branch on a variable; the instrument decides a branch by one measured bit")
        if len(read) != 1:
            named = ", ".join(self._called[bits.get(bit, bit)] for bit in read[:8]) or "none"
            raise _refused(f"has a branch on {len(read)} bits ({named}); the instrument takes one measured bit")
        if isinstance(condition, expr.Expr):
            holds = bool(_value(condition, 0)), bool(_value(condition, 1))
        else:
            holds = int(condition[1]) == 0, int(condition[1]) == 1
        return bits.get(read[0], read[0]), holds


_BINARY: Mapping[expr.Binary.Op, Callable[[int, int], int]] = {
    expr.Binary.Op.BIT_AND: lambda a, b: a & b, expr.Binary.Op.BIT_OR: lambda a, b: a | b,
    expr.Binary.Op.BIT_XOR: lambda a, b: a ^ b, expr.Binary.Op.LOGIC_AND: lambda a, b: bool(a and b),
    expr.Binary.Op.LOGIC_OR: lambda a, b: bool(a or b), expr.Binary.Op.EQUAL: lambda a, b: a == b,
    expr.Binary.Op.NOT_EQUAL: lambda a, b: a != b, expr.Binary.Op.LESS: lambda a, b: a < b,
    expr.Binary.Op.LESS_EQUAL: lambda a, b: a <= b, expr.Binary.Op.GREATER: lambda a, b: a > b,
    expr.Binary.Op.GREATER_EQUAL: lambda a, b: a >= b,
}  # fmt: skip


def _value(node: expr.Expr, bit: int) -> int:
    """An expression on one bit, where that is ``bit``."""
    match node:
        case expr.Var() | expr.Index():
            return bit
        case expr.Value():
            return int(node.value)
        case expr.Cast():
            return _value(node.operand, bit)
        case expr.Unary(op=expr.Unary.Op.LOGIC_NOT):
            return not _value(node.operand, bit)
        case expr.Unary():
            width = getattr(node.type, "width", 1)
            return ~_value(node.operand, bit) & ((1 << width) - 1)
        case expr.Binary() if node.op in _BINARY:
            return int(_BINARY[node.op](_value(node.left, bit), _value(node.right, bit)))
    raise _refused("has a branch on an expression that the instrument cannot decide; it reads one measured bit")


def _is_control(operation: Instruction) -> bool:
    """It is control flow, or may have some inside."""
    return isinstance(operation, ControlFlowOp | Store) or bool(
        operation.num_clbits and operation.name != "measure" and getattr(operation, "definition", None) is not None
    )


def _name(circuit: QuantumCircuit, bit: Bit) -> str:
    """A bit as its author knows it: register and index."""
    found = circuit.find_bit(bit)
    return f"{found.registers[0][0].name}[{found.registers[0][1]}]" if found.registers else f"bit {found.index}"


def _refused(what: str) -> ValueError:
    return ValueError(f"it {what}.")
