"""The event loop of a notebook's kernel."""

from __future__ import annotations

import asyncio


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs this code; None in a plain Python."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
