"""What holds for every test.

=====================  ==============================================================
``tests/unit``         pure; no process, no network
``tests/model``        the bounded explorer over the lifecycle
``tests/contract``     one suite for every implementation of a port
``tests/integration``  one room against a scripted neighbour, or a real server
``tests/acceptance``   real processes, real kills, real files
``tests/ui``           a real JupyterLab in a real browser; collected last
``tests/hub``          a real JupyterHub: its proxy, the lab as its service, people's own servers, a browser
``tests/faults``       doubles, each named for its bad habit
``tests/archives``     labs as earlier versions wrote them, and what makes one
``tests/support``      helpers: real servers, drivers, proxies
=====================  ==============================================================
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

ROOM_BYTES = 3 << 30
# Folders of tests lie in memory where that has room: a run makes more than a thousand labs, and none needs a disk.
MEMORY = Path("/dev/shm")


def in_memory() -> bool:
    """Whether it has room, files of it can be started, and nobody has said another place."""
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return False
    return shutil.disk_usage(MEMORY).free > ROOM_BYTES and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC


if in_memory():
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# A busy machine fails no test: what is slow is told by `--durations`, not by a deadline.
hypothesis.settings.register_profile("lab", deadline=None)
# `make test` tries fewer examples; `make test-slow` repeats those tests with all of them.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=25)
hypothesis.settings.load_profile("lab")


pytest_plugins = ["tests.support.leaks"]
BROWSERS = tuple(Path(__file__).parent / name for name in ("ui", "hub"))


LEAN = Path(__file__).parent / "support" / "lean"


def pytest_configure(config: pytest.Config) -> None:
    """Where tests run, and not where they are handed out: what they start is lean (`tests/support/lean`)."""
    if config.getoption("dist", "no") == "no":
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LEAN), os.environ.get("PYTHONPATH")]))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What it makes, a million objects, is needed until the end: nothing is looked for among them meanwhile."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests come last: Playwright keeps its event loop until the session ends."""
    items.sort(key=lambda item: any(item.path.is_relative_to(folder) for folder in BROWSERS))
