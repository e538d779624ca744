"""Checks of the machine: installed versions, the clock, the disk."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from qpi_jupyter._version import __version__

from .findings import Check, Findings

DISTRIBUTION = "qpi-jupyter"
SHOWN = ("jupyter_server", "jupyterlab", "jupyterhub", "ipykernel", "qiskit", "qiskit-aer")
"""Whose versions are shown, where they are installed."""
ONE_OF = ("qiskit-aer", "qiskit-aer-gpu")
"""Both bring the same module."""
LITTLE_BYTES, LEAST_BYTES = 2 << 30, 200 << 20
LITTLE_INODES = 10_000
_TIME_ERROR = 5
"""What adjtimex answers while nothing keeps the clock right."""
_TIMEX_BYTES = 512
"""More than the kernel's struct timex has."""


def versions() -> Findings:
    """What is installed, held against what the package asks for."""
    check, there = Check("versions"), {name: found for name in SHOWN if (found := _version(name))}
    wrong = False
    for text in metadata.requires(DISTRIBUTION) or ():
        required = Requirement(text)
        if required.marker is not None and not required.marker.evaluate({"extra": ""}):
            continue
        found = _version(required.name)
        if found is None or not required.specifier.contains(found, prereleases=True):
            wrong = True
            yield check.problem(
                f"{DISTRIBUTION} needs {required.name}{required.specifier}; "
                + (f"{found} is installed." if found else "it is not installed."),
                f"pip install '{required.name}{required.specifier}'",
            )
    if all(_version(name) for name in ONE_OF):
        wrong = True
        yield check.problem(
            f"{' and '.join(ONE_OF)} are both installed, and bring the same module.",
            f"pip uninstall {' '.join(ONE_OF)}, then install the one that you want.",
        )
    if not wrong:
        told = ", ".join(f"{name} {version}" for name, version in there.items())
        yield check.ok(f"{DISTRIBUTION} {__version__}, Python {platform.python_version()}, {told}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def clock() -> Findings:
    """Whether something keeps the machine's clock right."""
    check = Check("clock")
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "adjtimex"):
        yield check.skipped("This system does not say whether its clock is synchronized.")
    elif libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)) == _TIME_ERROR:
        yield check.warning(
            "The machine's clock is not synchronized; bookings, tokens and certificates depend on it.",
            "Start a time service (systemd-timesyncd, chrony or ntpd); in a container, on the machine around it.",
        )
    else:
        yield check.ok("The machine's clock is synchronized.")


def disk(folder: Path) -> Findings:
    """The space that is left for the lab."""
    check, free = Check("disk"), shutil.disk_usage(folder)
    found = f"{_size(free.free)} of {_size(free.total)} are free at {folder}."
    remedy = "Free some space, delete old results, or move the lab with `jupyter qpi backup` and `restore`."
    inodes = os.statvfs(folder)
    if free.free < LEAST_BYTES:
        yield check.problem(found, remedy)
    elif free.free < LITTLE_BYTES:
        yield check.warning(found, remedy)
    elif inodes.f_files and inodes.f_favail < LITTLE_INODES:
        yield check.warning(f"{inodes.f_favail:,} more files can be made at {folder}.", remedy)
    else:
        yield check.ok(found)


def _size(number: int) -> str:
    return f"{number / (1 << 30):,.1f} GiB"
