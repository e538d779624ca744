"""The panel's wire types, written from the structs.

``python -m qpi_jupyter.wire.typescript > labextension/src/wire.ts``
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import inspect

from . import (
    accounts,
    bench,
    bookings,
    events,
    jobs,
    labs,
    outputs,
    people,
    plans,
    previews,
    replays,
    rest,
    services,
    telemetry,
)

ROOTS: tuple[type[msgspec.Struct], ...] = (
    rest.ErrorBody, events.EventPage, jobs.JobPage, jobs.FamilyModel, jobs.JobChange, jobs.JobProvenance,
    jobs.PartialResult, jobs.ProgramText,
    jobs.SubmitRequest, rest.QpuList, rest.QpuDetail, rest.QpuIn, rest.QpuChange, rest.DriverIn,
    rest.DriverRegistered, rest.TokenIn, rest.TokenCreated,
    bookings.BookingIn, bookings.BookingChange, bookings.BookingList, bookings.BookingRuleIn, bookings.BookingRuleList,
    bookings.NextFree, bookings.FeedIn, bookings.FeedList, bookings.SessionList, bookings.Imported,
    accounts.AccountList, accounts.AccountChange, accounts.GrantIn, accounts.EntryPage, accounts.Statement,
    accounts.TimeRequestIn, accounts.TimeRequestAnswer, accounts.TimeRequestList,
    people.Me, people.UserIn, people.UserChange, people.UserList, people.GroupIn, people.GroupChange, people.GroupList,
    people.JoinLinkIn, people.JoinLinkList,
    people.TokenList, people.NoticeIn, people.NoticeChange, people.NoticeList, people.AuditPage,
    telemetry.CalibrationPage, telemetry.ChannelList, telemetry.Series, telemetry.QpuDriverList, telemetry.DriverLog,
    bench.DriverList, bench.SimulatorIn, bench.ExecutorList, bench.SimulatorList, bench.ConfigInForce,
    replays.ReplayIn, replays.ReplayState, outputs.JobOutput, previews.PreviewIn, previews.PreviewOutput,
    labs.LabConnections, labs.LabIn, labs.LabChoice, plans.PlanRun,
    services.ServiceList, services.EnrollmentIn, services.EnrollmentAnswer, services.Enrolled,
)  # fmt: skip
"""What the panel reads and sends; the structs inside them come along."""

_EVENTS = inspect.type_info(events.LabEvent)
Shape = inspect.StructType | inspect.DataclassType

_SCALARS: tuple[tuple[type[inspect.Type], str], ...] = (
    (inspect.NoneType, "null"),
    (inspect.BoolType, "boolean"),
    (inspect.IntType, "number"),
    (inspect.FloatType, "number"),
    (inspect.StrType, "string"),
    (inspect.BytesType, "string"),  # base64
    (inspect.DateTimeType, "string"),  # RFC 3339
    (inspect.AnyType, "unknown"),
)


def module(roots: Iterable[type[msgspec.Struct]] = ROOTS) -> str:
    """The TypeScript module that describes the JSON of ``roots``."""
    parts = [
        "// Written by `make generate` from qpi_jupyter/wire: change that, not this.",
        "/** The schema of the lab's events on Jupyter's event bus. */\n"
        f"export const LAB_EVENTS = '{events.JUPYTER_SCHEMA_ID}';",
        f"/** The media type of a job's output in a notebook. */\nexport const JOB_OUTPUT = '{outputs.JOB_OUTPUT}';",
        f"/** That of a preview. */\nexport const PREVIEW_OUTPUT = '{previews.PREVIEW_OUTPUT}';",
    ]
    parts += [_interface(struct) for struct in _reachable(roots)]
    if events.EventPage in roots:
        parts.append(
            "\n  | ".join(["export type LabEvent =", *(kind.__name__ for kind in events.KINDS.values())]) + ";"
        )
    return "\n\n".join(parts) + "\n"


def expression(kind: inspect.Type) -> str:
    """One type as TypeScript.

    Raises
    ------
    TypeError
        for a type that no message has had so far: add it here.
    """
    for scalar, text in _SCALARS:
        if isinstance(kind, scalar):
            return text
    match kind:
        case inspect.Metadata():
            return expression(kind.type)
        case inspect.StructType() | inspect.DataclassType():
            return kind.cls.__name__
        case inspect.TupleType():
            return f"readonly [{', '.join(expression(item) for item in kind.item_types)}]"
        case inspect.UnionType() if kind == _EVENTS:
            return "LabEvent"
        case inspect.UnionType():
            return " | ".join(expression(member) for member in kind.types)
        case inspect.LiteralType():
            return " | ".join(_quoted(value) for value in kind.values)
        case inspect.EnumType():
            return " | ".join(_quoted(member.value) for member in kind.cls)
        case inspect.DictType():
            return f"Readonly<Record<{expression(kind.key_type)}, {expression(kind.value_type)}>>"
        case inspect.ListType() | inspect.VarTupleType():
            item = expression(kind.item_type)
            return f"readonly ({item})[]" if "|" in item or item.startswith("readonly") else f"readonly {item}[]"
    raise TypeError(f"{kind!r} has no TypeScript form yet")


def may_miss(field: inspect.Field) -> bool:
    """Whether a field may be `UNSET`."""
    return not field.required and field.default is msgspec.NODEFAULT is field.default_factory


def _interface(struct: Shape) -> str:
    lines = [f"export interface {struct.cls.__name__} {{"]
    if isinstance(struct, inspect.StructType) and struct.tag_field is not None:
        lines.append(f"  readonly {struct.tag_field}: {_quoted(struct.tag)};")
    for field in struct.fields:
        # Answers are written with their defaults: only a field that may be UNSET can be missing. Requests may leave
        # out whatever has a default.
        optional = may_miss(field) or (not field.required and issubclass(struct.cls, rest.Request))
        missing = "?" if optional else ""
        lines.append(f"  readonly {field.encode_name}{missing}: {expression(field.type)};")
    return "\n".join([*_comment(struct.cls), *lines, "}"])


def _comment(cls: type) -> list[str]:
    text = (cls.__dict__.get("__doc__") or "").strip().split("\n\n")[0].replace("``", "`")
    if not text:
        return []
    lines = textwrap.wrap(text, 96)
    return [f"/** {text} */"] if len(lines) == 1 else ["/**", *(f" * {line}" for line in lines), " */"]


def _reachable(roots: Iterable[type[msgspec.Struct]]) -> Iterator[Shape]:
    """The structs of ``roots`` and all inside them, each once, the inner ones first."""
    seen: set[type] = set()

    def visit(kind: inspect.Type) -> Iterator[Shape]:
        match kind:
            case inspect.Metadata():
                yield from visit(kind.type)
            case inspect.UnionType():
                for member in kind.types:
                    yield from visit(member)
            case inspect.ListType() | inspect.VarTupleType():
                yield from visit(kind.item_type)
            case inspect.DictType():
                yield from visit(kind.value_type)
            case inspect.StructType() | inspect.DataclassType() if kind.cls not in seen:
                seen.add(kind.cls)
                for field in kind.fields:
                    yield from visit(field.type)
                yield kind

    for info in inspect.multi_type_info(roots):
        yield from visit(info)


def _quoted(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    sys.stdout.write(module())
