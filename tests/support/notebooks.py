"""Notebooks that a test writes and runs, in real kernels."""

from __future__ import annotations

import nbformat
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient


def execute(*cells: str) -> nbformat.NotebookNode:
    """The notebook of these cells after a kernel of its own ran them."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    try:
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    finally:
        ensure_event_loop().close()  # the one that it made
    return notebook
