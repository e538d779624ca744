"""How drivers reach the lab: the hub in its process, and the WebSockets on its own port that join it."""

from __future__ import annotations
