"""What an import may cost: the rules need nothing, the kernel side no numerics until they are asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"numpy", "qiskit", "qiskit_aer", "xarray", "matplotlib", "scipy", "pandas", "h5py"}
ENTRANCES = ["qpi_jupyter", "qpi_jupyter.core.planner", "qpi_jupyter.wire.peer", "qpi_jupyter.testing.fixtures"]
ENTRANCES += ["qpi_jupyter.client"] if (ROOT / "qpi_jupyter" / "client").exists() else []


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_it_pulls_no_numerics(entrance: str) -> None:
    code = f"import sys, {entrance}; print(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    output = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True, timeout=60)
    assert HEAVY.isdisjoint(output.split())


def imports(folder: Path) -> dict[str, set[str]]:
    """Every top-level module that the files import, at any depth of their code, by file."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        names = found[str(path.relative_to(ROOT))] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add((node.module or "").partition(".")[0])
    return found


def test_the_core_needs_the_standard_library_only() -> None:
    found = imports(ROOT / "qpi_jupyter" / "core")
    assert {name: outside for name, used in found.items() if (outside := used - sys.stdlib_module_names)} == {}
    noisy = {"asyncio", "logging", "os", "random", "socket", "sqlite3", "subprocess", "time"}
    assert noisy.isdisjoint(set().union(*found.values()))


def test_the_server_imports_no_numerics() -> None:
    found = imports(ROOT / "server_extension")
    assert {name: heavy for name, used in found.items() if (heavy := used & HEAVY)} == {}
