"""How a lab's or driver's process and its libp2p peer speak: frames on the peer's standard input and output.

A frame is a kind, the number of a link (0: of none), the length of the body, and the body. On a link's stream between
two peers travel frames as well, without the number.
"""

from __future__ import annotations

import struct
from enum import IntEnum

ON_PIPE, ON_STREAM = struct.Struct(">BII"), struct.Struct(">BI")


class Kind(IntEnum):
    SETTINGS = 1
    """To the peer, first of all: JSON."""
    READY = 2
    """From the peer: JSON with its ``peer_id`` and the ``addresses`` that it is reached at."""
    FAILED = 3
    """From the peer, which ends: JSON with a ``code`` and a ``message``."""
    OPENED = 4
    """From the peer: a link is there, to the peer whose id is the body."""
    DATA = 5
    """Either way, and on streams."""
    CREDIT = 6
    """To the peer: so many more frames of the link can be taken; the first one lets its other end in."""
    BYE = 7
    """To the peer, and on streams: end the link; the body says why."""
    CLOSED = 8
    """From the peer: the link has ended; the body says why, if its other end did."""
    SAY = 9
    """To a driver's peer: publish the body on the topic of advertisements, now and again."""
    HEARD = 10
    """From the lab's peer: the other end of the link published this. Back to it, on the stream, and from the driver's
    peer: it was heard."""
