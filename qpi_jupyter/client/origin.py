"""Which notebook cell is running now: what a job remembers as its origin."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from qpi_jupyter.wire.jobs import OriginIn

_KERNEL_FILE = re.compile(r"kernel-(.+)\.json$")


def here() -> OriginIn | None:
    """The cell that this kernel executes; None outside of IPython.

    Called from any thread: everything comes from the shell's own state, which belongs to the running cell.
    """
    # Looked up, not imported: without IPython loaded there is no cell.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return None
    parent: Mapping[str, Any] = getattr(shell, "parent_header", None) or {}
    code = parent.get("content", {}).get("code") or ""
    config = getattr(shell, "config", {}).get("IPKernelApp", {})
    kernel = _KERNEL_FILE.search(str(config.get("connection_file", "")))
    return OriginIn(
        notebook=os.environ.get("JPY_SESSION_NAME"),
        cell_id=parent.get("metadata", {}).get("cellId"),
        kernel_id=kernel[1] if kernel else None,
        # The inputs are numbered as they come; `execution_count` itself grows before or after the cell, by version.
        execution_count=len(shell.history_manager.input_hist_parsed) - 1,
        source_sha256=hashlib.sha256(code.encode()).hexdigest() if code else None,
    )
