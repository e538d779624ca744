"""Blobs as drivers deliver them, without what is in them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import IO

from qpi_jupyter.core.archive import INDEX


def zipped(data: bytes = b"data", more: Mapping[str, bytes] = MappingProxyType({})) -> bytes:
    """A result's zip around any bytes; ``more`` are further members, by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {"0.nc": data, **more, INDEX: b"{}"}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def zip_blocks(target: IO[bytes], block: bytes, count: int) -> None:
    """Write a result's zip with ``count`` times ``block`` in it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        with archive.open(zipfile.ZipInfo("0.nc"), "w", force_zip64=True) as member:
            for _ in range(count):
                member.write(block)
        archive.writestr(zipfile.ZipInfo(INDEX), b"{}")
