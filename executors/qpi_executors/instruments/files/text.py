"""JSON, YAML and TOML of anybody's as plain values: bounded in size and depth, no key twice, no tag that is not known.

YAML is read by its 1.2 core schema,
as the libraries do (``5e9`` is a number, ``on`` a text); its tags only name values.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from qpi_jupyter.core import Rejected

from .tree import Node, Tagged

MAX_BYTES = 4 * 2**20
MAX_YAML = 2**20
"""Of characters: YAML is slow to read."""
MAX_DEPTH = 40
MAX_VALUES = 200_000
MAX_MAGNITUDE = 1e18
TAGS = frozenset({
    "QuantumDevice", "QbloxHardwareCompilationConfig", "BasicTransmonElement", "FluxTunableTransmonElement",
    "CalibratedTransmon",
    "CompositeSquareEdge", "FluxTunableCoupler", "numpy.ndarray",
})  # fmt: skip
"""The tags of YAML that quantify-scheduler and qblox-scheduler write and that say something here."""


def read(path: Path) -> Node:
    """The content of a file, by its suffix: ``.json``, ``.toml``, ``.yml``, ``.yaml``.

    What has another one is JSON where it begins with a brace, and YAML otherwise.

    Raises
    ------
    Rejected
        it cannot be read, is too large or nested too deeply, has a key twice,
        a value that is no finite number or NaN, or
        a tag that is not known.
    """
    source = _source(path)
    kind = path.suffix.lower()
    if kind not in _PARSERS:
        kind = ".json" if source.lstrip().startswith("{") else ".yaml"
    if kind != ".json" and len(source) > MAX_YAML:
        raise Node(None, path.name).refusal(f"is larger than {MAX_YAML // 2**20} MiB: write it as JSON")
    return parse(source, path.name, kind)


def parse(source: str, file: str, kind: str = ".json", path: str = "") -> Node:
    """The same for a text that has been read; ``path`` is where it stood in its file."""
    node = Node(None, file, path)
    try:
        node.value = _PARSERS[kind](source)
    except RecursionError:
        raise node.refusal(f"is nested more than {MAX_DEPTH} levels deep") from None
    except (ValueError, yaml.YAMLError) as error:
        message = " ".join(_problem(error).split()).rstrip(".")
        raise node.refusal(f"cannot be read as {kind.removeprefix('.').upper()}: {message[:300]}") from None
    _bounded(node)
    return node


def _problem(error: Exception) -> str:
    """What is wrong and where, without the line itself: the file may be none of a lab."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem or error.context} (line {mark.line + 1}, column {mark.column + 1})"
    return str(error)


def _source(path: Path) -> str:
    try:
        if not path.is_file():
            problem = "is not a file" if path.exists() else "does not exist"
            raise Rejected(f"{path} {problem}.", code="bad_config", field="", file=path.name)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            message = f"{path.name} is larger than {MAX_BYTES // 2**20} MiB."
            raise Rejected(message, code="bad_config", field="", file=path.name)
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Rejected(f"{path} cannot be read: {reason}.", code="bad_config", field="", file=path.name) from error


def _bounded(root: Node) -> None:
    """Refuse what no file of a lab has: a depth, a number of values or a number beyond all bounds."""
    count, waiting = 0, [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise root.refusal(f"is nested more than {MAX_DEPTH} levels deep")
        if count > MAX_VALUES:
            raise root.refusal(f"has more than {MAX_VALUES:,} values")
        value = node.value
        if isinstance(value, dict):
            waiting += [(node.child(key, part), depth + 1) for key, part in value.items()]
        elif isinstance(value, list):
            waiting += [(node.child(k, part), depth + 1) for k, part in enumerate(value)]
        elif isinstance(value, (int, float)) and abs(value) > MAX_MAGNITUDE:
            raise node.refusal("is not a finite number" if math.isinf(value) else "is too large a number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _json(source: str) -> Any:
    return json.loads(source, object_pairs_hook=_once)


class _Loader(yaml.SafeLoader):
    """Composes nodes; scalars are resolved by the core schema of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As in the base class, but no deeper than all files may be."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RecursionError
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("tag:yaml.org,2002:float",
     r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
     list("-+.0123456789")),
    ("tag:yaml.org,2002:merge", r"^(?:<<)$", ["<"]),
):  # fmt: skip
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def _yaml(source: str) -> Any:
    loader = _Loader(source)
    try:
        return _Plain().value(loader.get_single_node(), 0)
    finally:
        loader.dispose()


class _Plain:
    """Plain values of YAML's nodes; aliases are followed, and counted each time."""

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def value(self, node: yaml.Node | None, depth: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"more than {MAX_VALUES:,} values, aliases followed")
        if depth > MAX_DEPTH:
            raise RecursionError
        if node is None:
            return None
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if isinstance(node, yaml.SequenceNode):
            _known(node, "tag:yaml.org,2002:seq")
            return [self.value(part, depth + 1) for part in node.value]
        assert isinstance(node, yaml.MappingNode)
        tag = _known(node, "tag:yaml.org,2002:map")
        values = self._mapping(node, depth)
        return Tagged(tag, values) if tag else values

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        pairs = []
        for key, part in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError(f"a key on line {key.start_mark.line + 1} is not a text")
            value = self.value(part, depth + 1)
            if key.tag == "tag:yaml.org,2002:merge":
                for one in value if isinstance(value, list) else [value]:
                    if not isinstance(one, dict):
                        raise ValueError(f"<< on line {key.start_mark.line + 1} merges what has no keys")
                    merged = {**one, **merged}
            else:
                pairs.append((str(key.value), value))
        return {**merged, **_once(pairs)}


def _known(node: yaml.Node, plain: str) -> str:
    """The name of a tag of ours, empty for the one that every such node has."""
    tag = str(node.tag)
    if tag == plain:
        return ""
    if plain.endswith(":map") and tag.removeprefix("!") in TAGS and tag.startswith("!"):
        return tag.removeprefix("!")
    raise ValueError(f"the tag {tag[:80]} on line {node.start_mark.line + 1} is not known")


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
    if kind in ("str", "merge"):
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", text.lower()))
    raise ValueError(f"the tag {str(node.tag)[:80]} on line {node.start_mark.line + 1} is not known")


_PARSERS: dict[str, Callable[[str], Any]] = {
    ".json": _json, ".toml": tomllib.loads, ".yaml": _yaml, ".yml": _yaml,
}  # fmt: skip
