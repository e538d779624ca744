"""The executors that are installed beside the server: which of them it can start as simulators, and with what."""

from __future__ import annotations

import asyncio
import logging
from importlib.metadata import entry_points

import msgspec

from qpi_jupyter.core import Principal, Unavailable
from qpi_jupyter.wire.bench import ExecutorList, ExecutorModel
from qpi_server.service.base import Joined, answer_of

log = logging.getLogger(__name__)
GROUP = "qpi.executors"
TIMEOUT_S = 60.0
"""Of a child that imports every executor with all that it brings along."""


class ExecutorService:
    """What a process of its own finds out; it is asked again once something else is installed, or was broken."""

    def __init__(self) -> None:
        self._asking: Joined[ExecutorList] = Joined(kept=1)
        self._round = 0

    async def executors(self, principal: Principal) -> ExecutorList:
        """Every installed executor, by name; ``problem`` says why one cannot be used.

        Raises
        ------
        Unavailable
            they do not say it in time.
        """
        found = await self._asking.get(f"{self._round} {await asyncio.to_thread(_installed)}", _asked)
        self._round += any(one.problem for one in found.executors)
        return found


def _installed() -> str:
    return repr(sorted((point.name, point.value) for point in entry_points(group=GROUP)))


async def _asked() -> ExecutorList:
    try:
        output = await answer_of("qpi_executors.catalogue", b"", timeout_s=TIMEOUT_S)
        executors = msgspec.json.decode(output, type=list[ExecutorModel])
    except TimeoutError as error:
        message = f"The installed executors did not say within {TIMEOUT_S:g} s what they take: try again."
        raise Unavailable(message, code="check_timeout") from error
    except msgspec.DecodeError as error:
        message = (
            "One of the installed executors ended the process that asks them all what they take; `qpi-agent executors` "
            "on the lab's machine may say which. Update or uninstall its package."
        )
        raise Unavailable(message, code="executors_broken") from error
    for one in executors:
        if one.problem:
            log.warning("an installed executor cannot be used: %s", one.problem)
    return ExecutorList(executors=executors)
