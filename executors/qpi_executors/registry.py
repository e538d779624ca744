"""Find executors by name: entry points of the group ``qpi.executors``, or ``module:Class``."""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points

from qpi_jupyter.core.errors import Rejected

from .base import Executor

GROUP = "qpi.executors"
_EXTRAS = {"qiskit_aer": "aer"}


def names() -> list[str]:
    """The installed executors, broken ones included, without importing any."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def describe() -> dict[str, str | None]:
    """Why each installed executor cannot be used; None for one that can.  Imports them all."""
    problems: dict[str, str | None] = {}
    for name in names():
        try:
            find(name)
        except Rejected as error:
            problems[name] = error.message
        else:
            problems[name] = None
    return problems


def load(name: str, **options: object) -> Executor:
    """The executor of that name, made with these options; nothing is opened yet.

    ``name`` is an installed executor or ``module:Class`` for one that is only importable.

    Raises
    ------
    Rejected
        there is no such executor, it cannot be imported, or an option is wrong.
    """
    return find(name)(**options)


def find(name: str) -> type[Executor]:
    """The class behind a name.

    Raises
    ------
    Rejected
        there is no such executor, or it cannot be imported.
    """
    point = EntryPoint(name=name, value=name, group=GROUP) if ":" in name else _installed(name)
    try:
        # Whatever a guest's import raises (SystemExit of a licence check, too) must not take the driver down.
        loaded = point.load()
    except (Exception, SystemExit) as error:
        extra = _EXTRAS.get(name)
        remedy = f" Install it with: pip install 'qpi-jupyter[{extra}]'." if extra else ""
        raise Rejected(
            f"Executor {name!r} ({point.value}) cannot be loaded: {type(error).__name__}: {error}.{remedy}",
            code="broken_executor",
            field="executor",
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Executor)):
        raise Rejected(
            f"Executor {name!r} ({point.value}) is not a subclass of qpi_executors.Executor.",
            code="broken_executor",
            field="executor",
        )
    return loaded


def _installed(name: str) -> EntryPoint:
    importlib.invalidate_caches()  # a package may have been installed since the process started
    found = [point for point in entry_points(group=GROUP) if point.name == name]
    if found:
        return found[0]
    extra = _EXTRAS.get(name)
    remedy = f"pip install 'qpi-jupyter[{extra}]'" if extra else "install its package, or name it as module:Class"
    raise Rejected(
        f"There is no executor {name!r}. Installed: {', '.join(names()) or 'none'}. To get it: {remedy}.",
        code="unknown_executor",
        field="executor",
        known=names(),
    )
