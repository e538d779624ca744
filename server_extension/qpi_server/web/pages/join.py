"""The page behind a join link: somebody makes their own account."""

from __future__ import annotations

from qpi_jupyter.core import Permission as P
from qpi_jupyter.core import QpiError
from qpi_server.web.table import Call, Reply

from .base import HTML, page, pages, signed_in
from .sign_in import AccountForm, CodeQuery


@pages.route("GET", "join", P.SIGN_IN, {200: HTML}, query=CodeQuery)
async def join_page(call: Call, query: CodeQuery) -> Reply:
    """Where the account is made; looking uses nothing up."""
    await call.lab.join_links.require(query.code)
    return _page(call, query.code)


@pages.route("POST", "join", P.SIGN_IN, {303: HTML}, body=AccountForm, form=True)
async def join(call: Call, form: AccountForm) -> Reply:
    """Make it, and sign in with it."""
    try:
        found = await call.lab.join_links.join(form.code, form.name, form.password, address=call.address)
    except QpiError as error:
        return _page(call, form.code, error=error, name=form.name)
    return signed_in(call, found.token, "")


def _page(call: Call, code: str, error: QpiError | None = None, name: str = "") -> Reply:
    return page(
        call, "account.html", error=error, title="Join this lab", action="join", code=code, name=name,
        lead="Create your account.",
    )  # fmt: skip
