"""A lab's database as its first start makes it, copied: running the migrations takes longer than most tests."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from qpi_server.store.engine import bring_up, make_engine
from qpi_server.store.presence import DATABASE


def prepare(lab_dir: Path) -> Path:
    """The database of a lab that is opened for the first time, put into its folder; nothing where anything lies."""
    lab_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = lab_dir / DATABASE
    if not any(lab_dir.iterdir()):
        database.write_bytes(_empty())
    return database


@functools.cache
def _empty() -> bytes:
    """The file that the product's own migrations make; once a process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / DATABASE
        with make_engine(path).connect() as connection:
            bring_up(connection, path.parent)
        return path.read_bytes()
