"""Declarations and assignments of OpenQASM 3: numbers known before the program runs, and bits that it measures."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister, Clbit, Qubit
from qiskit_qasm3_import import types
from qiskit_qasm3_import.converter import _escape_qasm2
from qiskit_qasm3_import.data import Scope, Symbol
from qiskit_qasm3_import.exceptions import raise_from_node
from qiskit_qasm3_import.state import State

from qpi_jupyter.core import MAX_BITS, counted

from .openqasm3_conditions import typed
from .openqasm3_conversion import Conversion
from .openqasm3_expressions import RUN_TIME, Array, Typed, Values, copied
from .openqasm3_guard import find

_STORE_COST = 10
"""Operations that setting one bit is counted as: it takes as long to build."""


class Holder(Symbol):
    """A name that may stand for the value that measured bits had."""

    __slots__ = ("held",)

    def __init__(self, *symbol: Any, held: object = None) -> None:
        super().__init__(*symbol)
        self.held = held
        """Where it stands for measured bits: how they and the loops around were then."""


class Variable(Holder):
    """A number that is known before the program runs, and may change while it is written out."""

    __slots__ = ("constant", "depth")

    def __init__(self, *symbol: Any, depth: int, constant: bool = False) -> None:
        super().__init__(*symbol)
        self.depth, self.constant = depth, constant


class Classical(Conversion):
    """The part of the converter that knows classical data."""

    _bits = 0
    _measured: frozenset[str] = frozenset()
    """Names that a measurement or an assignment goes to somewhere in the text."""

    def find_measured(self, tree: ast.Program) -> None:
        """Note which names get a value while the program runs; begin with no loop around."""
        self._loops: list[tuple[bool, int]] = []
        self._registers: set[str] = set()
        self._changes: dict[Clbit, int] = {}
        targets = (ast.QuantumMeasurementStatement, ast.ClassicalAssignment)
        names = set()
        for node in find(tree.statements, targets):
            target = node.target if isinstance(node, ast.QuantumMeasurementStatement) else node.lvalue
            if target is not None:
                names.add(target.name.name if isinstance(target, ast.IndexedIdentifier) else target.name)
        self._measured = frozenset(names)

    @abstractmethod
    def returned_bits(self, name: str) -> Any:
        """The bits that stand for this local variable, where it is what the subroutine returns."""

    def check_size(self, size: int, node: ast.QASMNode) -> None:
        """Count declared bits and qubits."""
        if size < 1:
            raise_from_node(node, f"a register has at least one bit, not {size}.")
        self._bits += size
        if self._bits > MAX_BITS:
            raise_from_node(node, f"more than {MAX_BITS:,} bits in its registers.")

    # --- declarations ---

    def visit_ConstantDeclaration(self, node: ast.ConstantDeclaration, context: State) -> State:
        value = Values(context, True, self).cast(self.value(node.init_expression, context), node.type, node)
        symbol = Variable(node.identifier.name, *value, context.scope, node, depth=0, constant=True)
        self.declare(symbol, context, node)
        return context

    def visit_IODeclaration(self, node: ast.IODeclaration, context: State) -> State:
        word = node.io_identifier.name
        if word == "input" and isinstance(node.type, (ast.FloatType, ast.AngleType)):
            if node.identifier.name in context.symbol_table[0].symbols:
                raise_from_node(node, self.taken(node.identifier.name, node))
            return super().visit_IODeclaration(node, context)
        if word == "input":
            raise_from_node(node, "an input is a float or an angle; write any other value as const.")
        if not isinstance(node.type, ast.BitType):
            raise_from_node(node, "an output is a bit or bit[n]: a job returns what it measures.")
        return self._declare_bits(node.identifier.name, node.type, None, node, context)

    def visit_ClassicalDeclaration(self, node: ast.ClassicalDeclaration, context: State) -> State:
        name, initial = node.identifier.name, node.init_expression
        measured = isinstance(initial, ast.QuantumMeasurement) or self._is_measured_call(initial, context)
        if isinstance(node.type, ast.BitType) and (initial is None or measured or name in self._measured):
            return self._declare_bits(name, node.type, initial, node, context)
        if isinstance(node.type, ast.BoolType) and (measured or self._depends_on_bits(initial, context)):
            return self._declare_bits(name, ast.BitType(), initial, node, context)
        if measured:
            raise_from_node(node, "a measurement goes into bits: declare them with bit or bit[n], not as a number.")
        if isinstance(node.type, ast.StretchType):
            raise_from_node(node, "stretch needs a schedule: write the duration, for example 100ns.")
        if isinstance(node.type, ast.BitType) and initial is not None and self._depends_on_bits(initial, context):
            return self._declare_bits(name, node.type, initial, node, context)
        symbol = Variable(name, None, None, context.scope, node, depth=self.run_time_depth)
        if not self._hold(symbol, initial, context):
            symbol.data, symbol.type = self._initial(node, context)
        self.declare(symbol, context, node)
        return context

    def _hold(self, symbol: Variable, node: Any, context: State) -> bool:
        """Let a whole number stand for a measured bit or register, as Qiskit writes it before a `switch`."""
        inner = node
        while isinstance(inner, ast.Cast) and isinstance(inner.type, (ast.IntType, ast.UintType, ast.BitType)):
            inner = inner.argument
        declared = getattr(symbol.definer, "type", None)
        if not isinstance(inner, ast.Identifier) or not isinstance(declared, (ast.IntType, ast.UintType)):
            return False
        source = context.symbol_table.get(inner.name, inner)
        if source is None or not isinstance(source.type, (types.Bit, types.BitArray)):
            return False
        conditions = self.conditions(context)
        symbol.data, symbol.type = typed(conditions.cast(conditions.operand(node), declared, node))
        symbol.held = self.state_of(symbol.data)
        return True

    def state_of(self, bits: Any) -> object:
        """How bits and the loops around are now: another state may be another value."""
        changes = [self._changes.get(bit, 0) for bit in ([bits] if isinstance(bits, Clbit) else bits)]
        return changes, sum(not written_out for written_out, _ in self._loops)

    def check_held(self, symbol: Symbol, node: ast.QASMNode) -> None:
        if isinstance(symbol, Holder) and symbol.held and symbol.held != self.state_of(symbol.data):
            raise_from_node(
                node, f"'{symbol.name}' stands for bits that may have changed since: use the bits, or assign them anew."
            )

    def _initial(self, node: ast.ClassicalDeclaration, context: State) -> Typed:
        values = Values(context, True, self)
        if isinstance(node.type, ast.ArrayType) and node.init_expression is None:
            sizes = [values.whole(size) for size in node.type.dimensions]
            zeros = _zeros(sizes, node)
            self.count_work(prod(sizes), node)
            return zeros, Array()
        if node.init_expression is None:
            if isinstance(node.type, ast.DurationType):
                raise_from_node(node, "give the duration a value, for example 100ns.")
            return values.cast((0, types.Int(const=True)), node.type, node)
        return values.cast(self.value(node.init_expression, context), node.type, node)

    def _declare_bits(self, name: str, type_: ast.BitType, initial: Any, node: ast.Statement, context: State) -> State:
        width = None if type_.size is None else self._resolve_constant_int(type_.size, context)
        bits = self.returned_bits(name) if context.scope is not Scope.GLOBAL else None
        if bits is None or (None if isinstance(bits, Clbit) else len(bits)) != width:
            bits = self.hidden_bits(name, width, context, node)
        kind = types.Bit() if width is None else types.BitArray(width)
        self.declare(Symbol(name, bits, kind, context.scope, node), context, node)
        if initial is None:
            return context
        if isinstance(initial, ast.QuantumMeasurement):
            self.measure(initial.qubit, bits, context, node)
        else:
            fresh = not self.run_time_depth and not self._loops
            self.assign_bits(bits, initial, context, node, only_ones=fresh)
        return context

    def hidden_bits(self, name: str, width: int | None, context: State, node: ast.QASMNode) -> Any:
        """New classical bits; those of a block or subroutine come to the result under a name of their own."""
        self.check_size(1 if width is None else width, node)
        circuit = context.circuit
        if width is None and context.scope is Scope.GLOBAL and not self.run_time_depth:
            bit = Clbit()
            circuit.add_bits([bit])
            return bit
        register = ClassicalRegister(width or 1, name=self.register_name(name, context))
        circuit.add_register(register)
        return register if width is not None else register[0]

    def register_name(self, name: str, context: State) -> str:
        """A name that no other register of the circuit has."""
        wanted = unique = _escape_qasm2(name)
        while unique in self._registers:
            unique = context.unique_name(f"{wanted}")
        self._registers.add(unique)
        return str(unique)

    # --- measurements and assignments ---

    def visit_QuantumMeasurementStatement(self, node: ast.QuantumMeasurementStatement, context: State) -> State:
        qubits = self._resolve_qarg(node.measure.qubit, context)
        if node.target is None:
            target = self.hidden_bits("meas", 1 if isinstance(qubits, Qubit) else len(qubits), context, node)
        else:
            target = self._measured_bits(node.target, context)
        self.measure(node.measure.qubit, target, context, node)
        return context

    def _changed(self, bits: list[Clbit]) -> None:
        for bit in bits:
            self._changes[bit] = self._changes.get(bit, 0) + 1

    def _measured_bits(self, node: Any, context: State) -> Any:
        name = node.name.name if isinstance(node, ast.IndexedIdentifier) else node.name
        if isinstance(context.symbol_table.get(name, node), Variable):
            raise_from_node(node, "a measurement goes into bits: declare them with bit or bit[n], not as a number.")
        return self._resolve_carg(node, context)

    def measure(self, node: Any, target: Any, context: State, place: ast.QASMNode) -> None:
        """Measure qubits into as many bits."""
        qubits = self._resolve_qarg(node, context)
        measured = [qubits] if isinstance(qubits, Qubit) else list(qubits)
        bits = [target] if isinstance(target, Clbit) else list(target)
        if len(measured) != len(bits):
            raise_from_node(
                place, f"{counted(len(measured), 'qubit')} cannot be measured into {counted(len(bits), 'bit')}."
            )
        self.emitted(len(bits), place)
        self._changed(bits)
        context.circuit.measure(measured, bits)

    def visit_ClassicalAssignment(self, node: ast.ClassicalAssignment, context: State) -> State:
        whole = node.lvalue if isinstance(node.lvalue, ast.Identifier) else node.lvalue.name
        symbol = context.symbol_table.get(whole.name, node)
        if symbol is None:
            raise_from_node(node, f"'{whole.name}' is not declared.")
        if isinstance(symbol, Variable):
            self._assign_number(symbol, node, context)
            return context
        if not isinstance(symbol.type, (types.Bit, types.BitArray)):
            raise_from_node(node, f"'{whole.name}' cannot be assigned to.")
        if isinstance(symbol.definer, ast.ClassicalArgument):
            raise_from_node(node, "a subroutine does not change the bits it is given: declare a bit of its own.")
        bits = self._resolve_carg(node.lvalue, context)
        self.assign_bits(bits, _right_side(node), context, node)
        return context

    def assign_bits(
        self, bits: Any, wanted: Any, context: State, node: ast.QASMNode, *, only_ones: bool = False
    ) -> None:
        """Set bits to what an expression says while the program runs."""
        width = None if isinstance(bits, Clbit) else len(bits)
        self._changed([bits] if width is None else list(bits))
        if isinstance(wanted, ast.FunctionCall) and self.has_subroutine(wanted.name.name, context):
            result = self.call(wanted, context, bits)
            if result is None:
                raise_from_node(node, f"'{wanted.name.name}' returns nothing.")
            return  # the return statement has set them
        value: Any = self.conditions(context).assigned(wanted, width)
        if isinstance(value, int):
            targets = [bits] if width is None else list(bits)
            ones = [k for k in range(len(targets)) if value >> k & 1 or not only_ones]
            self.emitted(_STORE_COST * len(ones), node)
            for k in ones:
                context.circuit.store(targets[k], bool(value >> k & 1))
            return
        if width is not None and not isinstance(bits, ClassicalRegister):
            raise_from_node(node, "only a bit or a whole register can be assigned to.")
        self.emitted(1, node)
        context.circuit.store(bits, value)

    def _assign_number(self, symbol: Variable, node: ast.ClassicalAssignment, context: State) -> None:
        if symbol.constant:
            raise_from_node(node, f"'{symbol.name}' is a const.")
        if self.run_time_depth > symbol.depth:
            raise_from_node(
                node, f"'{symbol.name}' is a number, which cannot change under a measured condition: use bits for that."
            )
        wanted = _right_side(node)
        if isinstance(wanted, ast.QuantumMeasurement):
            raise_from_node(node, "a measurement goes into bits: declare them with bit or bit[n], not as a number.")
        symbol.held = None
        if isinstance(node.lvalue, ast.Identifier) and self._hold(symbol, wanted, context):
            return
        value, type_ = self.value(wanted, context)
        if isinstance(type_, (types.Bit, types.BitArray)):
            raise_from_node(node, f"a measured bit is {RUN_TIME}.")
        if isinstance(node.lvalue, ast.IndexedIdentifier):
            self._assign_element(symbol, node, value, context)
        elif isinstance(symbol.definer, (ast.ClassicalDeclaration, ast.ClassicalArgument, ast.ForInLoop)):
            symbol.data, symbol.type = Values(context, True, self).cast((value, type_), symbol.definer.type, node)
        else:
            symbol.data, symbol.type = value, type_

    def _assign_element(self, symbol: Variable, node: ast.ClassicalAssignment, value: Any, context: State) -> None:
        if isinstance(symbol.type, (types.Bit, types.BitArray)):
            raise_from_node(node, f"'{symbol.name}' stands for measured bits: to change one, declare it as bits.")
        values = Values(context, True, self)
        groups = getattr(node.lvalue, "indices", ())
        path: list[Any] = [index for group in groups if isinstance(group, list) for index in group]
        if not path or any(isinstance(index, ast.RangeDefinition) for index in path):
            raise_from_node(node, "an element is assigned by its index: a[2] = ...")
        if isinstance(symbol.data, int):
            at = values.index(path[0], getattr(symbol.type, "size", None) or 0)
            symbol.data = symbol.data & ~(1 << at) | (int(bool(value)) << at)
            return
        row: Any = symbol.data
        for index in path[:-1]:
            row = row[values.index(index, len(row))] if isinstance(row, list) else None
        if not isinstance(row, list):
            raise_from_node(node, "this array has fewer dimensions.")
        row[values.index(path[-1], len(row))] = copied(value) if isinstance(value, list) else value

    def _is_measured_call(self, node: Any, context: State) -> bool:
        """Whether a subroutine that returns bits is called."""
        if not isinstance(node, ast.FunctionCall) or not self.has_subroutine(node.name.name, context):
            return False
        definition = context.symbol_table.get(node.name.name).data.node
        return isinstance(definition.return_type, ast.BitType)

    def _depends_on_bits(self, node: ast.QASMNode | None, context: State) -> bool:
        for inner in find([node], ast.Identifier):
            symbol = context.symbol_table.get(inner.name, inner)
            if symbol is not None and isinstance(symbol.type, (types.Bit, types.BitArray)):
                return True
        return False


def _right_side(node: ast.ClassicalAssignment) -> Any:
    """``a += b`` as ``a + b``."""
    op = node.op.name
    if op == "=":
        return node.rvalue
    if op == "~=":
        raise_from_node(node, "write a = ~a;")
    target = node.lvalue
    left: Any = target
    if isinstance(target, ast.IndexedIdentifier):
        left = target.name
        for index in target.indices:
            left = ast.IndexExpression(collection=left, index=index)
            left.span = target.span
    combined = ast.BinaryExpression(op=ast.BinaryOperator[op[:-1]], lhs=left, rhs=node.rvalue)
    combined.span = node.span
    return combined


def _zeros(sizes: list[int], node: ast.QASMNode) -> list[Any]:
    total = 1
    for size in sizes:
        total *= size
        if not 0 < total <= MAX_BITS:
            raise_from_node(node, f"an array has 1 to {MAX_BITS:,} elements.")
    values: Any = 0
    for size in reversed(sizes):
        values = [copied(values) if isinstance(values, list) else values for _ in range(size)]
    return list(values)
