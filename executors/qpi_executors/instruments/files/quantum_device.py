"""Device files of the two schedulers: ``QuantumDevice`` as JSON in its generations, and as YAML with tags."""

from __future__ import annotations

from collections.abc import Callable, Collection

from .chip import Chip, Part, check_name, class_of, edge, element
from .findings import Findings
from .text import parse
from .tree import Node


def is_serialized(root: Node) -> bool:
    """Whether it is quantify's JSON, which names a class at its top."""
    return "deserialization_type" in root.mapping()


def is_plain(root: Node) -> bool:
    """Whether it is qblox-scheduler's JSON, or either library's YAML: elements and edges by their names."""
    return root.tag == "QuantumDevice" or "elements" in root.mapping()


def serialized(root: Node, findings: Findings) -> Chip:
    """quantify's JSON; an element is an object there, or, in older files, a text that has the object as JSON."""
    class_of(root.need("deserialization_type"), "device")
    root.only({"deserialization_type", "mode", "data"})
    data = root.need("data")
    data.only(_KEYS)
    return _chip(data, _content, findings)


def plain(root: Node, findings: Findings) -> Chip:
    """qblox-scheduler's JSON, or YAML of either library; ``hardware_config`` is read by `hardware_of`."""
    root.only(_KEYS)
    return _chip(root, lambda node, kind: (_class(node, kind), node), findings)


def hardware_of(root: Node) -> Node | None:
    """The hardware configuration that qblox-scheduler keeps inside a device file, None without one."""
    if is_serialized(root) or not is_plain(root):
        return None
    return root.get("hardware_config")


_KEYS = frozenset({
    "name", "elements", "edges", "cfg_sched_repetitions", "keep_original_schedule", "hardware_config",
    "scheduling_strategy",
})  # fmt: skip


def _entries(data: Node, key: str) -> dict[str, Node]:
    found = data.get(key)
    return found.mapping() if found else {}


def _content(node: Node, kind: str) -> tuple[str, Node]:
    """The class of an entry of quantify's JSON, and the values in it."""
    if isinstance(node.value, str):
        node = parse(node.value, node.file, path=node.path)
    name = class_of(node.need("deserialization_type"), kind)
    node.only({"deserialization_type", "mode", "data"})
    return name, node.need("data")


def _class(node: Node, kind: str) -> str:
    return class_of(Node(node.tag, node.file, node.path) if node.tag else node.need(f"{kind}_type"), kind)


def _chip(data: Node, content: Callable[[Node, str], tuple[str, Node]], findings: Findings) -> Chip:
    """The chip of these values; ``content`` tells the class of an entry (of a kind) and where its values are."""
    elements = {}
    for name, entry in _entries(data, "elements").items():
        _, node = content(entry, "element")
        check_name(node.get("name"), name)
        elements[name] = element(name, node, findings)
    if not elements:
        raise data.child("elements", None).refusal("is missing or empty: there is no qubit")
    edges = []
    for entry in _entries(data, "edges").values():
        kind, node = content(entry, "edge")
        parent, child = (node.need(f"{which}_element_name").text() for which in ("parent", "child"))
        edges.append(edge(parent, child, node, findings, kind))
    repetitions = data.get("cfg_sched_repetitions")
    if repetitions is not None and isinstance(repetitions.value, str) and repetitions.value.isdecimal():
        repetitions = Node(int(repetitions.value[:12]), repetitions.file, repetitions.path)  # quantify writes a text
    called = data.get("name")
    return Chip(
        name=called.text() if called else "device", elements=elements, edges=by_pair(elements, edges),
        repetitions=repetitions.whole(1, 10**9) if repetitions else 1024,
    )  # fmt: skip


def by_pair(elements: Collection[str], edges: list[Part]) -> dict[tuple[str, str], Part]:
    """Edges by the qubits that they join, each pair once."""
    found: dict[tuple[str, str], Part] = {}
    for part in edges:
        for which, name in (("parent", part.parent), ("child", part.child)):
            if name not in elements:
                raise part.node.refusal(f"names {name!r} as its {which}, which is not an element of this file")
        if part.parent == part.child:
            raise part.node.refusal("joins a qubit with itself")
        if {(part.parent, part.child), (part.child, part.parent)} & found.keys():
            raise part.node.refusal(f"joins {part.parent} and {part.child}, which another edge joins already")
        found[part.parent, part.child] = part
    return found
