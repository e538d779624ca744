"""What is said of a job that has not ended: its place, until when it is kept waiting, and when it starts or ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from qpi_jupyter.wire.jobs import Eta, JobModel

from . import times

_SOON = timedelta(minutes=10)
"""Until then seconds are told."""


def prospect_of(model: JobModel) -> list[str]:
    """The parts of it, for a line of text; none for a job that has ended."""
    parts = []
    reason, now = model.reason, datetime.now(UTC)
    if reason is not None:
        if reason.position is not None:
            parts.append(f"position {reason.position}")
        if reason.until_at is not None:
            parts.append(f"until {times.stamp(reason.until_at, now)}")
    if model.eta is not None and (text := eta_text(model.eta, now)):
        parts.append(text)
    return parts


def eta_text(eta: Eta, now: datetime) -> str:
    """When it is likely to start or to end: the range that holds the truth in four of five cases, and the past error.

    Nothing is said of an end that is not known.
    """
    if eta.earliest_at is None or eta.likely_at is None or eta.latest_at is None:
        return "start not known yet" if eta.of == "start" else ""
    exact = eta.latest_at - now < _SOON
    likely, earliest = (times.clock(at, times.zone_of(), now, exact=exact) for at in (eta.likely_at, eta.earliest_at))
    verb = "starts" if eta.of == "start" else "ends"
    text = f"{verb} about {likely} ({earliest} to {times.stamp(eta.latest_at, now, exact=exact)})"
    return text if eta.error_s is None else f"{text}, off by {times.length(round(eta.error_s))} lately"
