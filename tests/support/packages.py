"""Packages that a test installs: a folder on the path with the metadata that pip would write."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

TOY_LAB = Path(__file__).parents[1] / "toys" / "lab"
"""A program format, an executor and a tab that nothing in the product knows."""
TOY_TABS = f"--LabApp.extra_labextensions_path={TOY_LAB / 'labextensions'}"
"""An option of JupyterLab: with the toy's tabs."""
TOY_STORE = Path(__file__).parents[1] / "toys" / "store"
"""A store that nothing in the product knows."""
TOY_BUS = Path(__file__).parents[1] / "toys" / "bus"
"""A bus that nothing in the product knows."""


def a_package(folder: Path, name: str, groups: Mapping[str, Mapping[str, str]]) -> None:
    """Register these entry points, ``{group: {name: "module:thing"}}``, for whoever has ``folder`` on its path."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{point} = {value}" for point, value in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def broken_packages(folder: Path) -> None:
    """Three packages that are not as they should be: one cannot be imported, and two have an executor of one name."""
    (folder / "leaves.py").write_text("raise SystemExit('no licence')")
    a_package(folder, "broken-lab", {"qpi.executors": {"toy_leaves": "leaves:X [driver]"}})
    for name in ("left-lab", "right-lab"):
        a_package(folder, name, {"qpi.executors": {"toy_twin": f"{name.replace('-', '_')}:X"}})


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """What is in ``folder`` is installed: for this process and for those that it starts meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])))
        yield
