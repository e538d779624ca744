"""``p2p://multiaddr``: libp2p, whose peer is a process beside the lab's (`lab`) and beside each driver's (`driver`).

`process` is our end of that process and `program` what runs in it, in whichever environment has libp2p; `pipe` is what
the two say to each other.
"""

from __future__ import annotations

from .lab import PEER_TO_PEER

__all__ = ["PEER_TO_PEER"]
