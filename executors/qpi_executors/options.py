"""What an executor's constructor takes: one declaration, from which checks, messages, JSON Schema and forms follow."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from qpi_jupyter.core import Rejected

T = TypeVar("T", bound="ExecutorOptions")
_KINDS = {
    "integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text", "array": "a list",
    "object": "an object",
}  # fmt: skip


class ExecutorOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of an executor: a field each, with its type, default, bounds and description (``msgspec.Meta``)."""

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """The declaration as JSON Schema (Any: JSON): a class's own properties before those that it inherits, and none
        of a type of "not set"."""
        _, parts = msgspec.json.schema_components([cls], ref_template="#/$defs/{name}")
        own: dict[str, Any] = parts.pop(cls.__name__)
        declared = dict.fromkeys(name for kind in cls.__mro__ for name in vars(kind).get("__annotations__", ()))
        own["properties"] = {name: _set(own["properties"][name]) for name in declared if name in own["properties"]}
        return {**own, "$defs": parts} if parts else own

    @classmethod
    def read(cls: type[T], given: Mapping[str, object], who: str) -> T:
        """The options with these values, for the executor called ``who``.

        A value may come as text (a command line): then it is JSON where its field takes no text. None is always allowed
        and means "not set".

        Raises
        ------
        Rejected
            an option that there is not, one that is missing, or a value outside of its schema; the message names it.
        """
        known = {field.name: field for field in msgspec.structs.fields(cls)}
        if unknown := sorted(set(given) - set(known)):
            raise Rejected(
                f"{who} has no option {', '.join(map(repr, unknown))}; it knows: {', '.join(sorted(known)) or 'none'}.",
                code="unknown_option", field=unknown[0], known=sorted(known),
            )  # fmt: skip
        values: dict[str, Any] = {}
        for name, field in known.items():
            value = given.get(name)
            if value is not None and (value := cls._value(name, field.type, value)) is not None:
                values[name] = value
            elif field.required:
                raise cls._refusal(name, "is missing")
        return cls(**values)

    @classmethod
    def _value(cls, name: str, kind: Any, value: object) -> object:  # Any: a type
        with suppress(msgspec.ValidationError):
            return msgspec.convert(value, kind)
        with suppress(msgspec.DecodeError):
            if isinstance(value, str):
                value = msgspec.json.decode(value)
                return msgspec.convert(value, kind | None)
        raise cls._refusal(name, f"must be {words(cls.schema()['properties'][name])}, not {value!r}")

    @classmethod
    def _refusal(cls, name: str, problem: str) -> Rejected:
        what = cls.schema()["properties"][name].get("description", "")
        message = f"Executor option {name!r} {problem}{f' ({what})' if what else ''}."
        return Rejected(message, code="bad_option", field=name)


def words(schema: Mapping[str, Any]) -> str:
    """What a value has to be, by its JSON Schema."""
    if "enum" in schema:
        return " or ".join(map(repr, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(map(words, schema["anyOf"]))
    kind = _KINDS.get(schema.get("type", ""), "another thing")
    inner = schema.get("items") or schema.get("additionalProperties")
    if isinstance(inner, Mapping) and inner:
        return f"{kind} whose {'entries' if kind == 'a list' else 'values'} are each {words(inner)}"
    if (above := schema.get("exclusiveMinimum")) is not None:
        return f"{kind}, more than {_plain(above)}"
    low, high = (_plain(schema[name]) if name in schema else "" for name in ("minimum", "maximum"))
    if low and high:
        return f"{kind} from {low} to {high}"
    return f"{kind}, at least {low}" if low else f"{kind}, at most {high}" if high else kind


def _plain(bound: float) -> str:
    """1 and 1.0 are written alike: types with equal bounds share one schema."""
    return f"{int(bound) if float(bound).is_integer() else bound:,}"


def _set(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a property where it is set: without null, and without null as its default."""
    several = [entry for entry in schema.get("anyOf", ()) if entry != {"type": "null"}]
    others = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    return {**several[0], **others} if len(several) == 1 else {**others, **({"anyOf": several} if several else {})}
