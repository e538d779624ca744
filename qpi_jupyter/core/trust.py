"""How far a lab trusts a QPU, and what follows from that: whether it gets jobs."""

from __future__ import annotations

from enum import StrEnum

from .errors import Conflict


class TrustTier(StrEnum):
    PLATFORM_MANAGED = "platform_managed"
    """The lab's own: what an admin registered."""
    USER_CONTRIBUTED = "user_contributed"
    """Somebody's of the lab's people, approved by a manager."""
    PUBLIC_UNTRUSTED = "public_untrusted"
    """Somebody's, which no manager has approved: it may link and show what it offers, and gets no jobs."""
    QUARANTINED = "quarantined"
    """A manager distrusts it: no new jobs; those that run end."""

    @classmethod
    def _missing_(cls, value: object) -> TrustTier:
        """A tier that nobody here knows gets no trust."""
        return cls.QUARANTINED

    @property
    def takes_jobs(self) -> bool:
        """Whether it gets new jobs."""
        return self in (TrustTier.PLATFORM_MANAGED, TrustTier.USER_CONTRIBUTED)


class TrustAction(StrEnum):
    """What a manager does about an enrolment."""

    APPROVE = "approve"
    REJECT = "reject"
    QUARANTINE = "quarantine"


def tier_after(action: TrustAction, *, contributed: bool) -> TrustTier:
    """The tier that a QPU has then; any action may follow any other, so that each can be undone."""
    if action is TrustAction.APPROVE:
        return TrustTier.USER_CONTRIBUTED if contributed else TrustTier.PLATFORM_MANAGED
    return TrustTier.PUBLIC_UNTRUSTED if action is TrustAction.REJECT else TrustTier.QUARANTINED


def withheld(tier: TrustTier, *, decided: bool, reason: str) -> str:
    """Why a QPU of this tier gets no jobs, in words; empty where it does."""
    if tier.takes_jobs:
        return ""
    if tier is TrustTier.QUARANTINED:
        word = "in quarantine"
    else:
        word = "not approved" if decided else "waiting for a manager's approval"
    return f"{word} ({reason})" if reason else word


def require_trust(qpu: str, tier: TrustTier, why: str) -> None:
    """Refuse a job for a QPU that gets none; ``why`` as `withheld` has it.

    Raises
    ------
    Conflict
        ``qpu_untrusted``; the message says why and what to do.
    """
    if not tier.takes_jobs:
        raise Conflict(
            f"{qpu} takes no jobs: it is {why}. Choose another QPU, or ask a manager to approve it.",
            code="qpu_untrusted", qpu=qpu, trust=tier.value,
        )  # fmt: skip
