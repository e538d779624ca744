"""The home page: the QPUs' state, one's jobs and bookings, and how to connect."""

from __future__ import annotations

from urllib.parse import urlsplit

from qpi_jupyter.core import BookingStatus, allows
from qpi_jupyter.core import Permission as P
from qpi_server.host.hub import is_service
from qpi_server.web.table import Call, Reply

from .base import HTML, page, pages

SHOWN = 10
"""So many jobs and bookings."""


@pages.route("GET", "", P.QPUS_READ, {200: HTML})
async def home(call: Call) -> Reply:
    """What one comes for."""
    lab, person = call.lab, call.person
    qpus = (await lab.qpus.list(person)).qpus
    jobs = (await lab.jobs.list(person, limit=SHOWN)).jobs if allows(person, P.JOBS_READ) else []
    bookings = []
    if allows(person, P.BOOKINGS_READ):
        found = await lab.bookings.list(
            person, start=lab.context.now(), mine=True, status=BookingStatus.BOOKED, limit=SHOWN
        )
        bookings = found.bookings
    return page(
        call, "home.html", title="QPI lab", person=await lab.users.get(person, person.name), qpus=qpus, jobs=jobs,
        bookings=bookings, address=call.here, fingerprint=call.site.ca_fingerprint(),
        own_ca=urlsplit(call.here).scheme == "https" and call.site.ca_fingerprint() is not None,
        session=person.token is not None, hub=is_service(),
    )  # fmt: skip
