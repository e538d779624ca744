"""Find executors by name: entry points of the group ``qpi.executors``, or ``module:Class``."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from importlib.util import find_spec

from qpi_jupyter.core import Rejected
from qpi_jupyter.core.plugins import Plugins, remedy

from .base import Executor

GROUP = "qpi.executors"


EXECUTORS: Plugins[type[Executor]] = Plugins(
    GROUP, "executor", lambda thing: isinstance(thing, type) and issubclass(thing, Executor),
    "a subclass of qpi_executors.Executor",
    remedy="install its package, or name it as module:Class",
)  # fmt: skip


def names() -> list[str]:
    """The installed executors, broken ones included, without importing any."""
    return EXECUTORS.names()


def is_ours(name: str) -> bool:
    """Whether it is one of the project's own, which can be loaded before it is known what is done with it."""
    return EXECUTORS.has_own(name)


def load(name: str, **options: object) -> Executor:
    """The executor of that name, made with these options; nothing is opened yet.

    ``name`` is an installed executor or ``module:Class`` for one that is only importable.

    Raises
    ------
    Rejected
        there is no such executor, it cannot be imported, or an option is wrong.
    Faulted
        it could not be imported now.
    """
    return find(name)(**options)


def find(name: str) -> type[Executor]:
    """The class behind a name; raises as `load`."""
    if ":" in name:
        point = EntryPoint(name=name, value=name, group=GROUP)
        if point.pattern.match(name) is None:
            raise Rejected(f"Cannot read {name[:100]!r} as module:Class.", code="unknown_executor", field="executor")
        return EXECUTORS.imported(point)
    return EXECUTORS.load(name)


def require(name: str) -> None:
    """Refuse an executor whose `Executor.needs` are not installed; otherwise raises as `load`.

    Raises
    ------
    Rejected
        what is missing, with the command that installs it.
    """
    if problem := missing(name, find(name)):
        raise Rejected(problem, code="missing_package", field="executor")


def missing(name: str, kind: type[Executor]) -> str:
    """What that executor needs and has not, with the command that installs it; empty where it has all of it."""
    absent = [module for module in kind.needs if find_spec(module) is None]
    if not absent:
        return ""
    hints = (remedy(member.point) for member in EXECUTORS.members() if member.name == name)
    return f"The executor {name!r} needs {', '.join(absent)}, not installed here.{next(hints, '')}"
