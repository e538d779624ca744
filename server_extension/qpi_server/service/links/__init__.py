"""Drivers that are linked now: what they said of themselves, and until when their attempts are theirs."""

from __future__ import annotations

from .how import state_of, states, tell_state
from .links import Drained, Leases, Link, Linked, Links, SentAway, Unlinked

__all__ = ["Drained", "Leases", "Link", "Linked", "Links", "SentAway", "Unlinked", "state_of", "states", "tell_state"]
