"""The server side of the lab: the queue, its rules and its surfaces."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from qpi_server.app.extension import QPIServer

    return [{"module": "qpi_server", "app": QPIServer}]
