"""How large the product is and how its modules lie on one another: statements, import floors, circles, arrows up.

    python -m benchmarks.house [--against REVISION]

A statement is a node of the syntax tree; docstrings are none. Imports inside functions and for type checkers count. A
floor is one module on the longest chain of imports; modules in a circle share one.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import rustworkx

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "qpi_jupyter": "qpi_jupyter", "qpi_server": "server_extension/qpi_server",
    "qpi_executors": "executors/qpi_executors", "qpi_agent": "executors/qpi_agent",
}  # fmt: skip
"""The product's import packages, and where they lie."""
HIGH = "qpi_server.service"
"""The room whose sub-packages have floors of their own."""
MOST_FLOORS = 6

Graph = Mapping[str, set[str]]


def main() -> int:
    """Print the tables; 1 if the house is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.house", description=__doc__.splitlines()[0])
    parser.add_argument("--against", metavar="REVISION", help="count the statements of this git revision as well")
    then = parser.parse_args().against
    print_statements(dict(working_tree()), dict(revision(then)) if then else None, then)
    wrong = list(print_imports(imports()))
    print(*(wrong or ["no circle, no arrow up"]), sep="\n")
    return 1 if wrong else 0


def working_tree() -> Iterator[tuple[str, int]]:
    """Each package's statements."""
    for name, folder in PACKAGES.items():
        yield name, sum(statements(path.read_bytes()) for path in (ROOT / folder).rglob("*.py"))


def revision(name: str) -> Iterator[tuple[str, int]]:
    """Each package's statements in a git revision."""
    for package, folder in PACKAGES.items():
        packed = subprocess.run(["git", "archive", name, folder], cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            files = (archive.extractfile(member) for member in archive if member.name.endswith(".py"))
            yield package, sum(statements(file.read()) for file in files if file is not None)


def statements(source: bytes) -> int:
    """How many statements a module has."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    return sum(not _is_docstring(node) for node in nodes)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def print_statements(now: Mapping[str, int], then: Mapping[str, int] | None, name: str | None) -> None:
    """A row for each package, and their sum."""
    print(f"{'statements':24}{'now':>8}" + (f"{name:>14.12}{'change':>10}" if then else ""))
    for package in (*now, "all"):
        ours, theirs = (counts and counts.get(package, sum(counts.values())) for counts in (now, then))
        print(f"{package:24}{ours:8}" + (f"{theirs:14}{ours / theirs - 1:10.1%}" if ours and theirs else ""))


def imports() -> Graph:
    """Whom each module imports, of all the product's modules."""
    found = grimp.build_graph(*PACKAGES, cache_dir=None)  # a cache shared with import-linter serves both stale imports
    return {module: set(found.find_modules_directly_imported_by(module)) for module in found.modules}


def print_imports(graph: Graph) -> Iterator[str]:
    """A row for each room; what is wrong."""
    rooms = sorted(room for room in squashed(graph, room_of) if any(module.startswith(f"{room}.") for module in graph))
    print(f"{'room':24}{'modules':>8}{'floors':>8}")
    for room in rooms:
        inside = part(graph, lambda module, room=room: module.startswith(f"{room}."))  # type: ignore[misc]
        print(f"{room:24}{len(inside):8}{floors(inside):8}")
    themes = part(squashed(graph, theme_of), lambda name: name.startswith(f"{HIGH}."))
    high = floors(themes)
    print(f"{HIGH}, by sub-package: {len(themes)} on {high} floors (at most {MOST_FLOORS})")
    if high > MOST_FLOORS:
        yield f"{HIGH} has {high} floors, at most {MOST_FLOORS} are allowed"
    yield from (f"circle of modules: {', '.join(circle)}" for circle in circles(graph))
    yield from (f"circle in {HIGH}: {', '.join(circle)}" for circle in circles(themes))
    yield from (f"arrow up: {arrow}" for arrow in sorted(arrows_up(graph)))
    yield from (f"past the face: {arrow}" for arrow in sorted(past_faces(graph)))


def room_of(module: str) -> str:
    """The room that a module is in: a package of kernel or server, or all of one on the bench."""
    top, *rest = module.split(".")
    return f"{top}.{rest[0]}" if rest and top in ("qpi_jupyter", "qpi_server") else top


def theme_of(module: str) -> str:
    """The sub-package of `HIGH` that a module is in, or the module itself."""
    depth = HIGH.count(".") + 2
    return ".".join(module.split(".")[:depth]) if module.startswith(f"{HIGH}.") else module


def squashed(graph: Graph, name_of: Callable[[str], str]) -> Graph:
    """The same with several modules as one."""
    whole: dict[str, set[str]] = {}
    for module, imported in graph.items():
        name = name_of(module)
        whole.setdefault(name, set()).update(set(map(name_of, imported)) - {name})
    return whole


def part(graph: Graph, chosen: Callable[[str], bool]) -> Graph:
    """The same with some of the modules only."""
    return {module: set(filter(chosen, imported)) for module, imported in graph.items() if chosen(module)}


def _components(graph: Graph) -> list[list[str]]:
    """Modules that import one another in a circle, together; every other alone."""
    names = sorted(graph)
    places = {name: place for place, name in enumerate(names)}
    whole = rustworkx.PyDiGraph()
    whole.add_nodes_from(names)
    whole.add_edges_from_no_data([(places[one], places[other]) for one in names for other in graph[one]])
    return [sorted(names[place] for place in found) for found in rustworkx.strongly_connected_components(whole)]


def circles(graph: Graph) -> Iterable[list[str]]:
    """Every circle, smallest first."""
    return sorted((found for found in _components(graph) if len(found) > 1), key=len)


def floors(graph: Graph) -> int:
    """The length of the longest chain of imports."""
    home = {module: found[0] for found in _components(graph) for module in found}
    whole = squashed(graph, home.__getitem__)
    height: dict[str, int] = {}
    for name in TopologicalSorter(whole).static_order():
        height[name] = 1 + max((height[below] for below in whole[name]), default=0)
    return max(height.values(), default=0)


def arrows_up(graph: Graph) -> Iterator[str]:
    """Imports against the order of rooms that the contracts of import-linter give."""
    between = squashed(graph, room_of)
    for rank in _ranks():
        for room, imported in between.items():
            for other in imported & rank.keys():
                if room in rank and rank[room] <= rank[other]:
                    yield f"{room} imports {other}"


def past_faces(graph: Graph) -> Iterator[str]:
    """Imports of a module inside a sub-package of `HIGH` from outside of it: its ``__init__`` is for that."""
    for module, imported in graph.items():
        for other in imported:
            if other.startswith(f"{HIGH}.") and theme_of(other) not in (other, theme_of(module)):
                yield f"{module} imports {other}"


def _ranks() -> Iterator[dict[str, int]]:
    """How high each room lies, by contract."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    for contract in contracts:
        if contract["type"] == "layers":
            for container in contract.get("containers", [""]):
                names = [re.findall(r"[\w.]+", layer) for layer in reversed(contract["layers"])]
                prefix = f"{container}." if container else ""
                yield {f"{prefix}{name}": rank for rank, layer in enumerate(names) for name in layer}


if __name__ == "__main__":
    sys.exit(main())
