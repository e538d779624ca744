"""From a magic's line and cell to circuits: OpenQASM as it stands, or Python that builds them."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from qpi_jupyter.core import QpiError
from qpi_jupyter.core.openqasm import clean, version

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_QASM_WORDS = re.compile(r"^[ \t]*(?:include|qreg|creg|qubit|bit|gate|input|const)\b[^=:(]*", re.MULTILINE)


def circuits_of_cell(shell: InteractiveShell, cell: str, expression: str | None) -> Any:
    """What a cell asks to submit.

    Python runs in the user's namespace; the circuits are ``expression``, or the cell's last expression, or what its
    last line assigns.

    Raises
    ------
    UsageError
        the cell is empty, cannot be read, or ends in something that is no circuit.
    """
    if not cell.strip():
        raise UsageError("The cell is empty: write OpenQASM below %%qpi_submit, or Python that builds a circuit.")
    if expression is None and version(clean(cell)):
        return cell
    tree = _python(shell, cell, needed=expression is not None)
    if tree is None:
        return cell
    last = _run(shell, tree, cell)
    return (
        circuits_of_expression(shell, expression) if expression is not None else _program(last, "the cell's last line")
    )


def circuits_of_expression(shell: InteractiveShell, expression: str) -> Any:
    """The circuits that an expression names.

    Raises
    ------
    UsageError
        it cannot be evaluated, or gives no circuit.
    """
    try:
        value = shell.ev(expression)
    except Exception as error:
        raise UsageError(f"{expression!r} cannot be evaluated: {type(error).__name__}: {error}") from error
    return _program(value, repr(expression))


def _program(value: Any, what: str) -> Any:
    """``value`` if it is a program.

    Raises
    ------
    UsageError
        it is something else.
    """
    from qpi_jupyter.client.programs import is_program

    if is_program(value):
        return value
    raise UsageError(
        f"{what} is {'nothing' if value is None else f'a {type(value).__name__}'}, not a circuit: end the cell with a "
        "QuantumCircuit, an OpenQASM text or a list of them, or name it with --circuit."
    )


def _python(shell: InteractiveShell, cell: str, *, needed: bool) -> ast.Module | None:
    """The cell as Python; None where it is rather OpenQASM without its header."""
    try:
        return ast.parse(str(shell.transform_cell(cell)))
    except SyntaxError as error:
        if not needed and _QASM_WORDS.search(cell):
            return None
        where = f"line {error.lineno}, column {error.offset}"
        raise UsageError(
            f"The cell is neither OpenQASM (it has no OPENQASM line) nor Python ({error.msg}, {where})."
            + pointer(cell, error.lineno, error.offset)
        ) from error


def _run(shell: InteractiveShell, tree: ast.Module, cell: str) -> Any:
    """Run the cell in the user's namespace; the value of its last expression or assignment."""
    # The cache lets a traceback show the lines.
    filename = shell.compile.cache(cell)
    last = tree.body[-1] if tree.body else None
    namespace = shell.user_ns
    if isinstance(last, ast.Expr):
        exec(compile(ast.Module(body=tree.body[:-1], type_ignores=[]), filename, "exec"), namespace)
        return eval(compile(ast.Expression(body=last.value), filename, "eval"), namespace)
    exec(compile(tree, filename, "exec"), namespace)
    if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
        return namespace[last.targets[0].id]
    return None


def usage_error(error: QpiError | TypeError, sources: tuple[str, ...] = ()) -> UsageError:
    """A person's mistake, without a traceback, with the line it is in."""
    if not isinstance(error, QpiError):
        return UsageError(str(error))
    line, column = error.data.get("line"), error.data.get("column")
    source = source_of(error, sources)
    text = error.message
    if line is not None and f"line {line}" not in text:
        text = f"line {line}, column {column}: {text}" if column is not None else f"line {line}: {text}"
    return UsageError(text + (pointer(source, line, column) if source else ""))


def source_of(error: QpiError, sources: tuple[str, ...]) -> str | None:
    """The text of the circuit that the error is about."""
    index = error.data.get("circuit") or 0
    return sources[index] if isinstance(index, int) and 0 <= index < len(sources) else None


def pointer(source: str, line: int | None, column: int | None) -> str:
    """The line an error names, with a caret below the column; nothing where there is no such line."""
    lines = source.splitlines()
    if line is None or not 1 <= line <= len(lines):
        return ""
    margin = f"{line} | "
    text = f"\n\n    {margin}{lines[line - 1]}"
    if column is None or column < 1:
        return text
    # Tabs stay tabs, so that the caret stands where the line's character does.
    before = "".join("\t" if c == "\t" else " " for c in lines[line - 1][: column - 1])
    return f"{text}\n    {' ' * (len(margin) - 2)}| {before}^"
