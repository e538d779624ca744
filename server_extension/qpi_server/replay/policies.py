"""The policies that a replay tries: what is in force, with changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from qpi_jupyter.core import Policy
from qpi_server.settings.traits import LabTraits
from qpi_server.settings.values import SettingsError, allowed, convert, own_traits


def parse_policy(spec: str, current: Policy) -> Policy:
    """The policy that ``spec`` describes: ``current``, or changes such as ``fair_share=true,backfill_max_s=60``.

    Raises
    ------
    SettingsError
        it names something else than a policy has, or a value that cannot be used.
    """
    if spec == "current":
        return current
    changes = {}
    for part in spec.split(","):
        name, _, text = (piece.strip() for piece in part.partition("="))
        changes[name] = text
    return changed(current, changes, f"--policy {spec}")


def changed(current: Policy, changes: Mapping[str, Any], where: str) -> Policy:
    """``current`` with ``changes``, each of them as free in its spelling as the setting of the same name.

    Raises
    ------
    SettingsError
        as `parse_policy`; the message begins with ``where``.
    """
    traits = own_traits(LabTraits)
    names = [field.name for field in fields(Policy) if field.name in traits]
    values = {}
    for name, raw in changes.items():
        if name not in names:
            raise SettingsError(f"{where}: there is no {name!r} in a policy. Allowed: {', '.join(names)}.")
        if raw == "":
            raise SettingsError(f"{where}: {name} needs a value: {allowed(name, traits[name])}.")
        values[name] = convert(name, traits[name], raw, where)
    return replace(current, **values)
