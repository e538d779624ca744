"""The page that shows the REST API, with a form to try each address."""

from __future__ import annotations

from qpi_jupyter.core import Permission as P
from qpi_server.web.table import Call, Reply

from .base import FOLDER, HTML, page, pages


@pages.route("GET", "docs", P.SPEC_READ, {200: HTML})
async def docs(call: Call) -> Reply:
    """What there is, drawn by a script out of the lab's own description."""
    return page(call, "docs.html", title="REST API - QPI lab")


@pages.route("GET", "docs.js", P.SPEC_READ, {200: "text/javascript"})
async def docs_script(call: Call) -> bytes:
    """What draws it."""
    return (FOLDER / "static" / "docs.js").read_bytes()
