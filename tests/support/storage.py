"""A lab with something in it, owned as a server owns it, and what can be spoiled of it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qpi_jupyter.core.errors import QpiError, Unavailable
from qpi_server.host.owner import Ownership
from qpi_server.host.owner_files import OwnerRecord
from qpi_server.service import Lab, LabConfig
from qpi_server.store import USUAL, backend_of, facts
from qpi_server.store.blobs import Blobs
from qpi_server.store.facts import EventRow
from tests.support.waiting import PATIENCE_S, until

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DATA = b"what was measured"
SHA256 = hashlib.sha256(DATA).hexdigest()
PAGE = 4096


async def nothing(_lab: Lab) -> None:
    return None


def owning(lab_dir: Path, dialogue: Callable[[Ownership], Awaitable[Any]], **settings: Any) -> Any:
    """``dialogue`` with a server's ownership of ``lab_dir``."""

    async def run() -> Any:
        record = OwnerRecord.here(url="http://127.0.0.1:1/", secret="s", version="0", ca_file=None, own_ca=False)
        backend = backend_of(settings.get("db_url", USUAL), lab_dir)
        ownership = Ownership(
            backend=backend, upstream=None, record=record, started=nothing, stopping=nothing,
            open_lab=lambda: Lab.open(LabConfig(lab_dir=lab_dir, **settings)),
        )  # fmt: skip
        await ownership.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await dialogue(ownership)
        finally:
            await ownership.stop()

    return asyncio.run(run())


async def opened(ownership: Ownership, *, but: Lab | None = None) -> Lab:
    """The lab, as soon as it is open; another one than ``but``."""

    async def target() -> Lab | None:
        try:
            found = await ownership.target()
        except Unavailable:
            return None
        assert isinstance(found, Lab)
        return None if found is but else found

    return await until(target)


async def refused(ownership: Ownership) -> QpiError:
    """Why nobody can be answered, as soon as nobody can."""

    async def refusal() -> QpiError | None:
        try:
            await ownership.target()
        except QpiError as error:
            return error
        return None

    return await until(refusal)


async def up(lab: Lab) -> bool:
    return (await lab.health()).status == "up"


def make_lab(lab_dir: Path) -> Path:
    """A closed lab with rows on many pages and a result's data among its blobs."""

    async def fill(lab: Lab) -> None:
        async def rows(start: int) -> None:
            events = [EventRow(kind=f"kind-{n}", at=NOW, data={"text": "x" * 300}) for n in range(start, start + 500)]
            await lab.context.db.store.write(lambda c: [facts.add_event(c, row) for row in events] and None)

        for start in range(0, 2000, 500):
            await rows(start)
        put(lab.context.blobs)

    async def run() -> None:
        lab = await Lab.open(LabConfig(lab_dir=lab_dir))
        await fill(lab)
        await lab.close()

    asyncio.run(run())
    return lab_dir


def put(blobs: Blobs) -> None:
    writer = blobs.writer()
    writer.write(DATA)
    writer.publish(SHA256)


def pages_overwritten(lab_dir: Path) -> None:
    """In the middle, where the start of a lab need not look."""
    with (lab_dir / "lab.sqlite3").open("r+b") as stream:
        stream.seek(os.path.getsize(lab_dir / "lab.sqlite3") // 2 // PAGE * PAGE)
        stream.write(b"\xff" * PAGE * 8)
