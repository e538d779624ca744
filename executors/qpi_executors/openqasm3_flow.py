"""Loops and branches of OpenQASM 3: written out where they are decided before the program runs, kept where not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister, Clbit
from qiskit_qasm3_import import types
from qiskit_qasm3_import.data import Scope
from qiskit_qasm3_import.exceptions import raise_from_node
from qiskit_qasm3_import.state import LocalScope, State

from .analysis import MAX_OPERATIONS
from .openqasm3_classical import Classical, Variable
from .openqasm3_expressions import Array, Values
from .openqasm3_guard import find


class EndOfProgram(Exception):
    """The program ends here."""


class _Left(Exception):
    """A loop that is written out comes to a `break` or `continue`."""

    def __init__(self, loop_goes_on: bool) -> None:
        super().__init__()
        self.loop_goes_on = loop_goes_on


class Flow(Classical):
    """The part of the converter that knows control flow."""

    def visit_CompoundStatement(self, node: ast.CompoundStatement, context: State) -> State:
        self._block(node.statements, context)
        return context

    def visit_Box(self, node: ast.Box, context: State) -> State:
        """A box keeps its operations together in time, which a simulator does anyway."""
        if node.duration is not None:
            raise_from_node(node, "a box with a duration needs a schedule: leave the duration out.")
        self._block(node.body, context)
        return context

    def visit_EndStatement(self, node: ast.EndStatement, context: State) -> State:
        if self.run_time_depth:
            raise_from_node(
                node, "end under a measured condition is not supported: put the rest into the other branch."
            )
        raise EndOfProgram

    def visit_BranchingStatement(self, node: ast.BranchingStatement, context: State) -> State:
        condition = self.conditions(context).condition(node.condition)
        if isinstance(condition, bool):
            self._block(node.if_block if condition else node.else_block, context)
            return context
        with context.circuit.if_test(condition) as otherwise:
            self._decided_later(node.if_block, context)
        if node.else_block:
            with otherwise:
                self._decided_later(node.else_block, context)
        return context

    def visit_WhileLoop(self, node: ast.WhileLoop, context: State) -> State:
        with self._loop(written_out=False):  # the condition is read in every turn
            condition = self.conditions(context).condition(node.while_condition)
        if not isinstance(condition, bool):
            with context.circuit.while_loop(condition), self._loop(written_out=False):
                self._decided_later(node.block, context)
            return context
        with self._loop(written_out=True):
            while condition:
                self.count_step(node)
                if not self._turn(node.block, context):
                    break
                condition = self.conditions(context).condition(node.while_condition)
                if not isinstance(condition, bool):
                    raise_from_node(
                        node.while_condition, "the condition depends on a measurement from the second turn on only."
                    )
        return context

    def visit_ForInLoop(self, node: ast.ForInLoop, context: State) -> State:
        values = self._loop_values(node, context)
        if not values:
            return context
        if self._stays_a_loop(node):
            with context.circuit.for_loop(values), self._loop(written_out=False):
                self._decided_later(node.block, context)
            return context
        with self._loop(written_out=True):
            for value in values:
                if not self._turn(node.block, context, (node, value)):
                    break
        return context

    def visit_SwitchStatement(self, node: ast.SwitchStatement, context: State) -> State:
        target, least = self.conditions(context).target(node.target)
        cases = [([self._resolve_constant_int(v, context) for v in values], block) for values, block in node.cases]
        if isinstance(target, (bool, int)):
            chosen = next((block for values, block in cases if target in values), node.default)
            self._block(chosen.statements if chosen else [], context)
            return context
        if not isinstance(target, (Clbit, ClassicalRegister)):
            raise_from_node(node.target, "switch takes a bit, a whole register or a number: use if for anything else.")
        top = 1 if isinstance(target, Clbit) else (1 << len(target)) - 1
        greatest = -least - 1 if least else top
        values = [value for some, _ in cases for value in some]
        if not cases or len(set(values)) < len(values) or any(not least <= value <= greatest for value in values):
            hint = f" A uint of as many bits goes to {top}." * bool(least)
            raise_from_node(
                node, f"switch has at least one case; its cases differ, and go from {least} to {greatest} here.{hint}"
            )
        cases = [([value % (top + 1) for value in some], block) for some, block in cases]
        with context.circuit.switch(target) as case:
            for values, block in cases:
                with case(*values):
                    self._decided_later(block.statements, context)
            if node.default:
                with case(case.DEFAULT):
                    self._decided_later(node.default.statements, context)
        return context

    def visit_BreakStatement(self, node: ast.BreakStatement, context: State) -> State:
        return self._leave(node, context, loop_goes_on=False)

    def visit_ContinueStatement(self, node: ast.ContinueStatement, context: State) -> State:
        return self._leave(node, context, loop_goes_on=True)

    def _leave(self, node: ast.Statement, context: State, *, loop_goes_on: bool) -> State:
        word = "continue" if loop_goes_on else "break"
        if not self._loops:
            raise_from_node(node, f"{word} belongs into a loop.")
        written_out, depth = self._loops[-1]
        if written_out:
            if self.run_time_depth > depth:
                raise_from_node(
                    node,
                    f"{word} under a measured condition needs a while loop, or a for loop without its variable.",
                )
            raise _Left(loop_goes_on)
        if loop_goes_on:
            context.circuit.continue_loop()
        else:
            context.circuit.break_loop()
        return context

    def _loop_values(self, node: ast.ForInLoop, context: State) -> Sequence[Any]:
        declared, resolver = node.set_declaration, Values(context, True, self)
        if isinstance(declared, ast.DiscreteSet):
            return [resolver.visit(value)[0] for value in declared.values]
        if isinstance(declared, ast.RangeDefinition):
            turns: range = resolver.visit(declared)[0]
            if abs(turns.stop - turns.start) // abs(turns.step) > MAX_OPERATIONS * 1000:
                raise_from_node(declared, f"a loop of more than {MAX_OPERATIONS:,} turns.")
            return turns
        values, type_ = self.value(declared, context)
        if isinstance(type_, types.Uint) and type_.size is not None:
            return [values >> k & 1 for k in range(type_.size)]
        if not isinstance(type_, Array):
            raise_from_node(declared, "a loop runs over a range [0:3], a set {0, 2}, an array or constant bits.")
        return list(values)

    def _stays_a_loop(self, node: ast.ForInLoop) -> bool:
        """Its turns are all alike: the variable is not used, and nothing is computed before the program runs."""
        name = node.identifier.name
        if not isinstance(node.set_declaration, (ast.DiscreteSet, ast.RangeDefinition)):
            return False
        computes = (
            ast.ClassicalAssignment,
            ast.ClassicalDeclaration,
            ast.FunctionCall,
            ast.ReturnStatement,
            ast.EndStatement,
        )
        return not any(
            isinstance(inner, computes) or inner.name == name for inner in find(node.block, (*computes, ast.Identifier))
        )

    def _turn(
        self, block: list[ast.Statement], context: State, variable: tuple[ast.ForInLoop, Any] | None = None
    ) -> bool:
        """One turn of a loop that is written out; whether the loop goes on."""
        try:
            with LocalScope(context) as inner:
                if variable is not None:
                    self._declare_variable(*variable, inner)
                for statement in block:
                    self.visit(statement, inner)
        except _Left as left:
            return left.loop_goes_on
        return True

    def _declare_variable(self, node: ast.ForInLoop, value: Any, context: State) -> None:
        self.count_step(node)
        typed = Values(context, True, self).cast((value, types.Int(const=True)), node.type, node)
        name = node.identifier.name
        self.declare(Variable(name, *typed, Scope.LOCAL, node, depth=self.run_time_depth), context, node)

    def _block(self, statements: Sequence[ast.Statement], context: State) -> None:
        with LocalScope(context) as inner:
            for statement in statements:
                self.visit(statement, inner)

    def _decided_later(self, statements: Sequence[ast.Statement], context: State) -> None:
        self.run_time_depth += 1
        try:
            self._block(statements, context)
        finally:
            self.run_time_depth -= 1

    @contextmanager
    def _loop(self, *, written_out: bool) -> Iterator[None]:
        self._loops.append((written_out, self.run_time_depth))
        try:
            yield
        finally:
            self._loops.pop()
