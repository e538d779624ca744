"""The lab itself: its version, its certificate, its looks."""

from __future__ import annotations

from qpi_jupyter._version import __version__
from qpi_jupyter.core import NotFound, existing
from qpi_jupyter.core import Permission as P
from qpi_server.web.table import JSON, Call, Reply

from .base import api

PEM = "application/x-pem-file"
_SITE_NAME, _TAGLINE = "QPI lab", "A quantum lab inside Jupyter."
_LIGHT = {"background": "#ffffff", "surface": "#f5f5f5", "text": "#212121", "primary": "#1976d2", "accent": "#f57c00"}
_DARK = {"background": "#111111", "surface": "#212121", "text": "#e0e0e0", "primary": "#64b5f6", "accent": "#ffb74d"}
_TOKENS = {
    "colors": {"light": _LIGHT, "dark": _DARK},
    "fonts": {"body": "system-ui, sans-serif", "mono": "ui-monospace, monospace"},
}


@api.route("GET", "op/version", P.AUDIT_READ, {200: JSON})
async def qpi_version(call: Call) -> Reply:
    """The server's version."""
    return Reply(body={"version": __version__})


@api.route("GET", "pub/root-ca.pem", P.HEALTH, {200: PEM}, refuses=(404,))
async def qpi_root_ca(call: Call) -> Reply:
    """The certificate of the lab's own authority."""
    pem = existing(call.site.ca_pem(), NotFound("This server has no certificate authority of its own.", code="no_ca"))
    return Reply(body=pem, media_type=PEM)


@api.route("GET", "theme/active", P.HEALTH, {200: JSON})
async def qpi_active_theme(call: Call) -> Reply:
    """How a dashboard of QPI's looks here; Jupyter's own theme is the panel's."""
    theme = {"site_name": _SITE_NAME, "tagline": _TAGLINE, "logo": "", "favicon": "", "tokens": _TOKENS}
    return Reply(body={"id": "", "name": "default", "is_active": True, "custom_css": "", "custom_js": "", **theme})


@api.route("GET", "theme/defaults", P.HEALTH, {200: JSON})
async def qpi_default_theme(call: Call) -> Reply:
    """The colours and fonts that a theme starts from."""
    return Reply(body=_TOKENS, headers={"Cache-Control": "public, max-age=300"})


@api.route("GET", "theme/css", P.HEALTH, {204: "text/css"})
async def qpi_theme_css(call: Call) -> Reply:
    """Nothing: the lab takes no style sheets from anybody."""
    return Reply(status=204)


@api.route("GET", "theme/js", P.HEALTH, {204: "text/javascript"})
async def qpi_theme_js(call: Call) -> Reply:
    """Nothing: the lab runs no scripts of anybody on its pages."""
    return Reply(status=204)
