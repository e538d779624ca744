"""The core's face: each name from its module, and loaded no earlier than somebody asks for it."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from qpi_jupyter import core


def test_every_name_is_that_of_its_module() -> None:
    tree = ast.parse(Path(str(core.__file__)).read_text())
    said = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert said.keys() == set(core.__all__)
    for name, module in said.items():
        assert getattr(core, name) is getattr(import_module(f"qpi_jupyter.core.{module}"), name)


def test_a_notebook_does_not_load_the_planner() -> None:
    code = "import sys, qpi_jupyter.client; print('qpi_jupyter.core.planner' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "False"
