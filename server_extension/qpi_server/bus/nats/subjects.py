"""Who says what to whom on the broker: every subject, and which of them a driver may use.

====================================  =============================================================================
``qpi.up.ADDRESS.KIND.WORD``          from a driver to the lab: a request (``req``), a publication (``pub``), its
                                      advertisement (``ad``, with the number of the question as its word), whether
                                      the lab is there (``ping``)
``qpi.down.ADDRESS.KIND.WORD``        from the lab to one driver: ``req``, ``pub``
``qpi.all.who``, ``qpi.all.bye``      from the lab to all drivers
``qpi.in.SUFFIX.*``                   answers to what a driver asked
``qpi.who.SUFFIX``                    a driver that has just signed in asks for its address
``qpi.lab.>``                         answers to what the lab asked: a driver may answer each of its questions once
====================================  =============================================================================

An address is ``DRIVER:SUFFIX``; the driver draws the suffix, 128 random bits, at each connection.
"""

from __future__ import annotations

import re
from typing import Any

REQUEST, PUBLICATION, ADVERT, PING = "req", "pub", "ad", "ping"
WHO, BYE = "qpi.all.who", "qpi.all.bye"
UP = "qpi.up.*.*.*"
WHO_AM_I = "qpi.who.*"
LAB_INBOX = "qpi.lab"
LOST = "lost"
"""What a driver's inbox hears where nobody heard a publication."""
ERROR = "Nats-Service-Error-Code"
"""The header of an answer that is an error."""
_SUFFIX = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ANSWER_NS = 600 * 10**9
"""How long after a question of the lab a driver may answer it."""


def up(address: str, kind: str, word: str) -> str:
    """From this driver to the lab."""
    return f"qpi.up.{address}.{kind}.{word}"


def down(address: str, kind: str, word: str) -> str:
    """From the lab to this driver."""
    return f"qpi.down.{address}.{kind}.{word}"


def inbox(suffix: str) -> str:
    """What the answers to a driver begin with."""
    return f"qpi.in.{suffix}"


def who_am_i(suffix: str) -> str:
    """Where a driver asks for its address."""
    return f"qpi.who.{suffix}"


def suffix_of(address: str) -> str:
    """The part after the name."""
    return address.rpartition(":")[2]


def is_suffix(text: object) -> bool:
    """Whether a driver may call its connection that."""
    return isinstance(text, str) and _SUFFIX.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether a driver of that name can be part of a subject."""
    return _NAME.fullmatch(text) is not None


def permissions(address: str) -> dict[str, Any]:
    """What the broker lets this driver do, as a user's JWT has it: reach the lab and itself, nobody else."""
    suffix = suffix_of(address)
    return {
        "pub": {"allow": [f"qpi.up.{address}.>", who_am_i(suffix)]},
        "sub": {"allow": [f"qpi.down.{address}.>", f"{inbox(suffix)}.>", WHO, BYE]},
        "resp": {"max": 1, "ttl": _ANSWER_NS},
    }


def strangers(suffix: str) -> dict[str, Any]:
    """What the broker lets somebody do whom the lab does not let in: ask why."""
    return {"pub": {"allow": [who_am_i(suffix)]}, "sub": {"allow": [f"{inbox(suffix)}.>"]}}
