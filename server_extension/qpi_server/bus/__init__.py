"""How drivers reach the lab: one WebSocket each, on the server's own port."""

from __future__ import annotations
