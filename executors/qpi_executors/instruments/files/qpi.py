"""QPI's device files: elements and edges by name, each with its class and parameters."""

from __future__ import annotations

from .chip import Chip, check_name, class_of, edge, element
from .findings import Findings
from .quantum_device import by_pair
from .tree import Node


def is_device(root: Node) -> bool:
    """Whether it has an entry with an ``element_type`` of its own."""
    return any(isinstance(part.value, dict) and "element_type" in part.value for part in root.mapping().values())


def device(root: Node, findings: Findings) -> Chip:
    """The chip; an entry with two parts in the arguments of its class is an edge, every other one an element."""
    elements, edges = {}, []
    for name, node in root.mapping().items():
        kind = node.need("element_type")
        if isinstance(kind.value, str):
            kind = kind.child("path", kind.value)
            arguments: dict[str, Node] = {}
        else:
            kind.only({"path", "args", "kwargs"})
            arguments = _arguments(kind)
            kind = kind.need("path")
        if "parent_element_name" in arguments:
            parent, child = (_argument(node, arguments, f"{which}_element_name") for which in ("parent", "child"))
            edges.append(edge(parent, child, node, findings, class_of(kind, "edge"), beside=_OWN))
        else:
            class_of(kind, "element")
            check_name(arguments.get("name"), name)
            elements[name] = element(name, node, findings, beside=_OWN)
    return Chip(name="device", elements=elements, edges=by_pair(elements, edges))


_OWN = frozenset({"element_type"})


def _arguments(kind: Node) -> dict[str, Node]:
    """The arguments of a class by their names: the parent and child of an edge, the name of an element."""
    named = kind.get("kwargs")
    found = named.mapping() if named else {}
    if named:
        named.only({"name", "parent_element_name", "child_element_name"})
    places = kind.get("args")
    given = places.list() if places else []
    if len(given) > 2:
        raise kind.child("args", None).refusal("has more than two arguments")
    names = (
        ("name",)
        if len(given) == 1 and "child_element_name" not in found
        else ("parent_element_name", "child_element_name")
    )
    return {**dict(zip(names, given, strict=False)), **found}


def _argument(node: Node, arguments: dict[str, Node], key: str) -> str:
    if key not in arguments:
        raise node.need("element_type").child("kwargs", None).child(key, None).refusal("is missing")
    return arguments[key].text()
