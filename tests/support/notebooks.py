"""Notebooks that a test writes and runs, in real kernels."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import nbformat
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.provisioning import LocalProvisioner
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


class Kernel:
    """A real kernel, asked as a notebook asks it."""

    def __init__(self) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel()
        self.client: BlockingKernelClient = self._manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, *, while_it_runs: Callable[[], object] | None = None) -> list[dict[str, Any]]:
        """What a cell puts out, by message: the content of each, with its ``type``."""
        found: list[dict[str, Any]] = []
        thread = threading.Thread(target=while_it_runs) if while_it_runs else None
        if thread:
            thread.start()
        self.client.execute_interactive(
            code, timeout=60, allow_stdin=False,
            output_hook=lambda message: found.append({"type": message["msg_type"], **message["content"]}),
        )  # fmt: skip
        if thread:
            thread.join()
        return [content for content in found if content["type"] not in ("status", "execute_input")]

    def value(self, code: str) -> str:
        """The text of a cell's value."""
        (output,) = self.run(code)
        text: str = output["data"]["text/plain"]
        return text

    def error(self, code: str, *, while_it_runs: Callable[[], object] | None = None) -> str:
        """What a cell that fails shows, without colours."""
        *_, output = self.run(code, while_it_runs=while_it_runs)
        assert output["type"] == "error", output
        return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output["traceback"]))

    def help(self, code: str) -> str:
        """What Shift-Tab shows at the end of the code, without colours."""
        answer = self.client.inspect(code, len(code), reply=True, timeout=60)["content"]
        return re.sub(r"\x1b\[[0-9;]*m", "", answer["data"].get("text/plain", ""))

    def complete(self, code: str, at: int | None = None) -> list[str]:
        """What the tab key offers at the end of the code, or ``at`` a place."""
        reply = self.client.complete(code, len(code) if at is None else at, reply=True, timeout=60)
        matches: list[str] = reply["content"]["matches"]
        return matches

    def interrupt(self) -> None:
        """What the stop button does; from any thread."""
        provisioner = self._manager.provisioner
        assert isinstance(provisioner, LocalProvisioner)
        assert provisioner.pid is not None
        os.kill(provisioner.pid, signal.SIGINT)

    def close(self) -> None:
        self.client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()
        ensure_event_loop().close()  # the one that the blocking client made


@contextmanager
def kernel() -> Iterator[Kernel]:
    """A kernel while it is needed; its environment is the test's own."""
    found = Kernel()
    try:
        yield found
    finally:
        found.close()
