"""Every refusal in the sources, read for the words of the libraries underneath: those of the server, core and wire."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from qpi_jupyter.core import errors
from tests.support.plain_text import library_words

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("qpi_jupyter/core", "qpi_jupyter/wire", "server_extension/qpi_server")
KINDS = {kind for kind, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.QpiError)}
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def refusals(tree: ast.Module) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Every error of ours that is made, with its message."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS and node.args:
            yield node, node.args[0]


def words_of(message: ast.expr) -> str:
    """The text of a message, with an X for each value in it."""
    if isinstance(message, ast.Constant):
        return str(message.value)
    if isinstance(message, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in message.values)
    return ""


def caught(tree: ast.Module) -> set[str]:
    """What caught exceptions are called."""
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_refusal_has_a_librarys_words(path: Path) -> None:
    tree = ast.parse(path.read_text())
    found = []
    for call, message in refusals(tree):
        found += [f"line {call.lineno}: {word}" for word in library_words(words_of(message))]
        values = [part.value for part in ast.walk(message) if isinstance(part, ast.FormattedValue)]
        names = {value.id for value in values if isinstance(value, ast.Name)} & caught(tree)
        found += [f"line {call.lineno}: the text of the caught {name}" for name in names]
    assert found == []
