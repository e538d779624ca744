"""What the lab's QPUs offer, and enrolment: which of them the lab trusts."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from qpi_jupyter.core import Permission as P
from qpi_jupyter.core.capabilities import Availability
from qpi_jupyter.wire import services
from qpi_server.web.table import Route

from .base import Query, Text, v1


class ServicesQuery(Query):
    """``GET services``: those that offer ``service`` at least as well as ``min_fidelity``, are so available, and were
    heard within three heartbeats, unless ``include_stale``."""

    service: Text | None = None
    min_fidelity: Annotated[float, Meta(ge=0, le=1)] = 0.0
    availability: Availability | None = None
    include_stale: bool = False


v1.serve(
    Route("list_services", "GET", "services", P.QPUS_READ, {200: services.ServiceList},
          "Which QPU offers what, how good it is and how busy.",
          lambda c: c.lab.services.services(c.person, **c.given), query=ServicesQuery),
    Route("list_enrollments", "GET", "enrollment", P.QPUS_READ, {200: services.EnrollmentList},
          "The QPUs that people added or that managers decided about; others than one's own for managers.",
          lambda c: c.lab.enrollment.list(c.person)),
    Route("enroll_qpu", "POST", "enrollment", P.QPUS_ENROLL, {201: services.Enrolled},
          "Add a QPU of one's own with a driver, whose token only this answer shows; a manager approves it.",
          lambda c: c.lab.enrollment.ask(c.person, c.body, address=c.site.public_address(),
                                         ca_fingerprint=c.site.ca_fingerprint()),
          body=services.EnrollmentIn),
    Route("decide_enrollment", "POST", "enrollment/{name}", P.QPUS_OPERATE, {200: services.Enrollment},
          "Approve a QPU, reject it, or put it into quarantine.",
          lambda c: c.lab.enrollment.decide(c.person, c.path["name"], c.body), body=services.EnrollmentAnswer),
)  # fmt: skip
