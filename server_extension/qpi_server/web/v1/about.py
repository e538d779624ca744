"""The lab itself: its health, figures, owner and certificate."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.errors import NotFound
from qpi_jupyter.wire import rest
from qpi_jupyter.wire.bench import ConfigInForce
from qpi_server.web.table import Call, Reply

from .base import public, v1


@v1.route("GET", "ca.pem", P.HEALTH, {200: "application/x-pem-file"}, refuses=(404,))
async def get_ca(call: Call) -> Reply:
    """The certificate of the lab's own authority; compare its fingerprint before you trust it."""
    pem = call.site.ca_pem()
    if pem is None:
        raise NotFound("This server has no certificate authority of its own.")
    return Reply(body=pem, media_type="application/x-pem-file")


@v1.route("GET", "config", P.AUDIT_READ, {200: ConfigInForce})
async def get_config(call: Call) -> Reply:
    """Every setting as it is in force, and where it came from; secrets are masked."""
    return Reply(body=call.site.settings_in_force())


@public.route("GET", "health", P.HEALTH, {200: rest.Health, 503: rest.Health})
async def get_health(call: Call) -> Reply:
    """Whether the lab works; a signed-in person also hears who owns it and which drivers are there."""
    owner = call.site.owner() if call.principal is not None else None
    health = await call.lab.health(call.principal, owner=owner)
    return Reply(body=health, status=200 if health.status == "up" else 503)


@public.route("GET", "metrics", P.METRICS_READ, {200: "text/plain"})
async def get_metrics(call: Call) -> Reply:
    """Figures for Prometheus."""
    return Reply(body=generate_latest(call.lab.metrics), media_type=CONTENT_TYPE_LATEST)


@public.route("GET", "owner", P.DRIVERS_MANAGE, {200: rest.Health}, waits=True)
async def watch_owner(call: Call) -> Reply:
    """Answers when this server stops owning the queue; other servers of its user hold it open to hear of that."""
    await call.site.released()
    return await get_health(call)
