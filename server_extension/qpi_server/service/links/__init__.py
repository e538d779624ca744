"""Drivers that are linked now: what they said of themselves, and until when their attempts are theirs."""

from __future__ import annotations

from .links import Drained, Leases, Link, Linked, Links, SentAway, Unlinked
from .states import state_of, states, tell_state

__all__ = ["Drained", "Leases", "Link", "Linked", "Links", "SentAway", "Unlinked", "state_of", "states", "tell_state"]
