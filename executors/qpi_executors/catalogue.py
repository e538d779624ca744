"""The installed executors with what they take, as JSON: ``python -m qpi_executors.catalogue``.

It imports them all, each with whatever it brings along: the lab's server starts it as a process of its own.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

from qpi_jupyter.core import QpiError
from qpi_jupyter.core.plugins import Member

from .answers import own_output
from .base import Executor
from .registry import EXECUTORS, missing


def catalogue() -> list[dict[str, Any]]:
    """One entry a registered executor, by name; ``problem`` says why one cannot be used."""
    return [_entry(member) for member in EXECUTORS.members()]


def _entry(member: Member) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": member.name, "package": member.package, "description": "", "summary": "", "options": {}, "formats": [],
        "simulator": None, "problem": member.problem,
    }  # fmt: skip
    if member.problem:
        return entry
    try:
        kind = EXECUTORS.imported(member.point)
        facts = _facts(kind)
        json.dumps(facts, allow_nan=False)
        entry |= facts | {"problem": missing(member.name, kind)}
    except QpiError as error:
        entry["problem"] = error.message
    except (Exception, SystemExit) as error:  # whatever a guest's declarations raise, or JSON does not have
        entry["problem"] = f"The executor {member.name!r} cannot say what it takes: {type(error).__name__}: {error}"
    return entry


def _facts(kind: type[Executor]) -> dict[str, Any]:
    facts = {
        "description": (inspect.getdoc(kind) or "").partition("\n")[0].replace("`", ""),
        "summary": "",
        "options": kind.Options.schema(),
        "formats": [form.name for form in kind.formats],
    }
    try:
        manifest = kind().capabilities()
        return {**facts, "simulator": manifest.simulator, "summary": manifest.description}
    except (Exception, SystemExit):  # only its options tell
        return {**facts, "simulator": None}


if __name__ == "__main__":
    with own_output() as answer:
        json.dump(catalogue(), answer)
