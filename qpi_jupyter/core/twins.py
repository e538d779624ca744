"""Twins: simulators with the gates and the noise of a QPU, made of what its manifest says at one moment."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from .errors import Rejected

MAX_BYTES = 4 << 20
"""Of the manifest in a twin."""


def pack_twin(of: str, manifest: Mapping[str, Any]) -> str:
    """The option of a simulator that makes it the twin of the QPU called ``of``: a short text (Any: JSON)."""
    text = json.dumps({"of": of, "manifest": manifest}, separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode()


def unpack_twin(packed: str) -> tuple[str, dict[str, Any]]:
    """The QPU's name and its manifest (Any: JSON), as `pack_twin` put them together.

    Raises
    ------
    Rejected
        it is something else.
    """
    try:
        decompressor = zlib.decompressobj()
        text = decompressor.decompress(base64.urlsafe_b64decode(packed), MAX_BYTES)
        if not decompressor.eof:
            raise ValueError("cut, or too large")
        found = json.loads(text)
        return str(found["of"]), dict(found["manifest"])
    except (ValueError, TypeError, KeyError, zlib.error, RecursionError) as error:
        message = "This is not a twin: start one from the QPU's tab, or with lab.qpu(name).twin()."
        raise Rejected(message, code="bad_option", field="twin") from error
