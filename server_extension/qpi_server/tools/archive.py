"""The file that `jupyter qpi backup` writes and `jupyter qpi restore` reads: a tar of a lab's folder.

First the files, last ``manifest.json`` with the SHA-256 of each: an archive without it was cut off. Nothing else is
ever in it, so that a restore takes these names and no others.
"""

from __future__ import annotations

import re
import sys

from msgspec import Struct

from qpi_server.settings.values import FILE_NAMES
from qpi_server.store import DATABASE

FORMAT = 1
MANIFEST = "manifest.json"
TLS_NAMES = ("ca.pem", "ca.key", "server.pem", "server.key")
_BLOB = re.compile(r"blobs/[0-9a-f]{2}/[0-9a-f]{62}")
_OTHERS = frozenset({MANIFEST, DATABASE, *FILE_NAMES, *(f"tls/{name}" for name in TLS_NAMES)})


class Manifest(Struct, kw_only=True):
    """What an archive holds."""

    format: int
    version: str
    schema: int
    made_at: str
    jobs: int
    results: int
    files: dict[str, str]
    """SHA-256 by name."""
    lost: list[str]
    """Results that the lab refers to and could not read when the archive was made."""


def say(text: str) -> None:
    """Progress, where somebody watches."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


def is_ours(name: str) -> bool:
    """Whether an archive may hold a file of this name."""
    return name in _OTHERS or _BLOB.fullmatch(name) is not None


def blob_name(sha256: str) -> str:
    """Where a blob is, in the lab's folder and in an archive."""
    return f"blobs/{sha256[:2]}/{sha256[2:]}"
