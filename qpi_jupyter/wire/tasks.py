"""The end of background work, of which every end of a link has some."""

from __future__ import annotations

import asyncio
from typing import Any


async def ended(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancel these, and return when they have ended, in whichever way; None is nothing to end."""
    there = [task for task in tasks if task is not None]
    for task in there:
        task.cancel()
    await asyncio.gather(*there, return_exceptions=True)
