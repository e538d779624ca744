"""``jupyter qpi demo``: JupyterLab on the quick start, with two simulated QPUs, in a folder of its own; or `nodes`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from . import nodes

NOTEBOOKS = Path(sys.prefix) / "share" / "qpi-jupyter" / "notebooks"
FIRST = "01_quickstart.ipynb"
NEEDED = {"jupyterlab": "lab", "qiskit_aer": "aer"}
"""Modules that it takes, and the extras that bring them."""
LAB = ".qpi-lab"
"""The lab's own folder: hidden, so that JupyterLab does not show it."""


def demo(arguments: list[str]) -> int:
    """Become a JupyterLab; the exit status where that cannot be."""
    parser = argparse.ArgumentParser(
        prog="jupyter qpi demo",
        description="JupyterLab on the quick-start notebook, with two simulated QPUs; or a lab alone, with many. "
        "Everything is kept in one folder. What else is given goes to `jupyter lab`.",
    )
    parser.add_argument("--folder", type=Path, default=Path("qpi-demo"), help="default: qpi-demo, here")
    nodes.add_arguments(parser)
    options, others = parser.parse_known_args(arguments)
    if options.nodes is not None:
        if others:
            parser.error(f"unknown: {' '.join(others)}")
        return nodes.demo(options, options.folder.absolute())
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        extras = ",".join(NEEDED.values())
        print(
            f"The demo needs {' and '.join(missing)}: pip install 'qpi-jupyter[{extras}]', or "
            f"uvx --from 'qpi-jupyter[{extras}]' jupyter-qpi demo",
            file=sys.stderr,
        )
        return 2
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        if not (folder / notebook.name).exists():
            shutil.copyfile(notebook, folder / notebook.name)
    others += [f"--ServerApp.port={options.port}"] if options.port else []
    root = ["--allow-root"] if os.geteuid() == 0 else []  # in a container root is all there is
    command = [
        sys.executable, "-m", "jupyterlab", "--QPIServer.demo=True", f"--QPIServer.lab_dir={folder / LAB}",
        f"--LabApp.default_url=/lab/tree/{FIRST}", f"--ServerApp.root_dir={folder}", *root, *others,
    ]  # fmt: skip
    os.execv(sys.executable, command)
