"""``nats://`` and ``tls://``: a broker between a lab and its drivers, in which the lab itself says who may do what."""

from __future__ import annotations

from .kind import NATS

__all__ = ["NATS"]
