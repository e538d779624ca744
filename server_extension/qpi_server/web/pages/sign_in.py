"""Pages of signing in: with a password, through a provider, with a set-up or a join link; and out again."""

from __future__ import annotations

import hmac
import secrets
from typing import Annotated
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Meta, Struct

from qpi_jupyter.core import Forbidden, QpiError, Unauthorized
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.addresses import is_loopback
from qpi_jupyter.wire.people import NewPassword, PersonName, SignIn
from qpi_server.host.hub import is_service
from qpi_server.service.people import challenge_of
from qpi_server.web.table import Call, Reply

from .base import FOLDER, HTML, HUB, SESSION, Form, Line, Secret, cookie, go, keep, onward, page, pages, signed_in

PROXIED = ("Forwarded", "X-Forwarded-", "X-Real-Ip", "X-Scheme", "Via")
ROUND_TRIP_S = 600.0
"""How long somebody may be at their provider."""
ROUND_TRIP = "provider"
ACCOUNTS = {
    "set-up": ("Set up this lab", "Create the account of the lab's first administrator."),
    "join": ("Join this lab", "Create your account."),
}
"""Titles and first words of the pages where somebody makes an account, by their addresses."""


class Onward(Struct, kw_only=True, forbid_unknown_fields=True):
    """``GET sign-in``: where to go afterwards, below ``qpi/``."""

    next: Line = ""


class SignInForm(Form):
    name: Line
    password: Secret
    next: Line = ""


class Back(Struct, kw_only=True):
    """``GET signed-in``: what a provider sends the browser back with; it may send more."""

    state: Line = ""
    code: Annotated[str, Meta(max_length=4096)] = ""
    error: Line = ""


class CodeQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """A link that was printed or sent."""

    code: Secret


class AccountForm(Form):
    code: Secret
    name: PersonName
    password: NewPassword


@pages.route("GET", "page.css", P.SIGN_IN, {200: "text/css"})
async def page_style(call: Call) -> bytes:
    """How the pages look."""
    return (FOLDER / "static" / "page.css").read_bytes()


@pages.route("GET", "page.js", P.SIGN_IN, {200: "text/javascript"})
async def page_script(call: Call) -> bytes:
    """Keeps the home page fresh, and its times by the browser's clock."""
    return (FOLDER / "static" / "page.js").read_bytes()


@pages.route("GET", "sign-in", P.SIGN_IN, {200: HTML}, query=Onward)
async def sign_in_page(call: Call, query: Onward) -> Reply:
    """Every way in."""
    return await _sign_in_page(call, onward(query.next))


@pages.route("POST", "sign-in", P.SIGN_IN, {303: HTML}, body=SignInForm, form=True)
async def sign_in_with_password(call: Call, form: SignInForm) -> Reply:
    """A local account's name (or e-mail) and password."""
    onto = onward(form.next)
    try:
        found = await call.lab.sign_ins.sign_in(SignIn(name=form.name, password=form.password), address=call.address)
    except QpiError as error:
        return await _sign_in_page(call, onto, error=error, name=form.name)
    return signed_in(call, found.token, onto)


@pages.route("GET", "sign-in/{provider}", P.SIGN_IN, {303: HTML}, query=Onward)
async def sign_in_with_provider(call: Call, query: Onward) -> Reply:
    """On to a provider's own page; what proves that the same browser comes back stays with it."""
    provider = await call.lab.oauth2.provider(call.path["provider"])
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    kept = "|".join((provider.config.name, state, verifier, onward(query.next)))
    headers = {"Set-Cookie": keep(call, ROUND_TRIP, kept, ROUND_TRIP_S)}
    return go(call, provider.sign_in_url(state, challenge_of(verifier)) + quote(_back(call), safe=""), **headers)


@pages.route("GET", "signed-in", P.SIGN_IN, {303: HTML}, query=Back)
async def back_from_provider(call: Call, back: Back) -> Reply:
    """Back from a provider, with its code."""
    name, state, verifier, onto = (*cookie(call, ROUND_TRIP).split("|"), "", "", "", "")[:4]
    try:
        if not back.state or not hmac.compare_digest(back.state.encode(), state.encode()):
            raise Unauthorized(
                "This sign-in was started in another browser, or too long ago: start again.", code="bad_state"
            )
        if not back.code:
            raise Unauthorized(f"{name} did not sign you in. Try again.", code="not_signed_in")
        found = await call.lab.oauth2.sign_in(
            name, code=back.code, verifier=verifier, redirect_url=_back(call), address=call.address
        )
    except QpiError as error:
        return await _sign_in_page(call, "", error=error)
    return signed_in(call, found.token, onto)


@pages.route("GET", HUB, P.QPUS_READ, {303: HTML}, query=Onward)
async def sign_in_with_hub(call: Call, query: Onward) -> Reply:
    """The JupyterHub has said who one is; nobody else gets here."""
    return go(call, onward(query.next))


@pages.route("POST", "sign-out", P.PROFILE_EDIT, {303: HTML})
async def sign_out(call: Call) -> Reply:
    """End this browser's sign-in."""
    if call.person.token is not None:
        await call.lab.tokens.revoke(call.person, call.person.token)
    return go(call, "sign-in", **{"Set-Cookie": keep(call, SESSION, "", 0)})


@pages.route("GET", "set-up", P.SIGN_IN, {200: HTML}, query=CodeQuery)
async def set_up_page(call: Call, query: CodeQuery) -> Reply:
    """Where the first administrator's account is made."""
    _require_here(call)
    call.lab.first_admin.require(query.code)
    return _account_page(call, "set-up", query.code)


@pages.route("POST", "set-up", P.SIGN_IN, {303: HTML}, body=AccountForm, form=True)
async def set_up(call: Call, form: AccountForm) -> Reply:
    """Make that account, and sign in with it."""
    _require_here(call)
    try:
        found = await call.lab.first_admin.create(form.code, form.name, form.password, address=call.address)
    except QpiError as error:
        return _account_page(call, "set-up", form.code, error=error, name=form.name)
    return signed_in(call, found.token, "")


def set_up_link(here: str, code: str) -> str:
    """The address of `set_up_page`."""
    return f"{here}qpi/set-up?{urlencode({'code': code})}"


def _account_page(call: Call, action: str, code: str, error: QpiError | None = None, name: str = "") -> Reply:
    title, lead = ACCOUNTS[action]
    return page(call, "account.html", error=error, title=title, action=action, code=code, name=name, lead=lead)


def _require_here(call: Call) -> None:
    """Refuse who is not at the lab's own machine.

    Raises
    ------
    Forbidden
        they come from elsewhere, or through a proxy.
    """
    proxied = any(name.title().startswith(PROXIED) for name in call.headers)
    if proxied or not is_loopback(call.address) or not is_loopback(urlsplit(call.here).hostname):
        raise Forbidden(
            "Open the set-up link on the machine that the lab runs on, for example through "
            "`ssh -L PORT:127.0.0.1:PORT`.",
            code="not_here",
        )


async def _sign_in_page(call: Call, onto: str, *, error: QpiError | None = None, name: str = "") -> Reply:
    password, providers = await call.lab.oauth2.ways_in()
    if is_service() and not password and not providers and error is None:
        return go(call, f"{HUB}?{urlencode({'next': onto})}")  # the only way in
    names = [(one.config.name, one.config.display_name or one.config.name.capitalize()) for one in providers]
    return page(call, "sign_in.html", error=error, title="Sign in", password=password, providers=names, next=onto,
                name=name, hub=is_service())  # fmt: skip


def _back(call: Call) -> str:
    return f"{call.here}qpi/signed-in"


@pages.route("GET", "join", P.SIGN_IN, {200: HTML}, query=CodeQuery)
async def join_page(call: Call, query: CodeQuery) -> Reply:
    """Where the account is made; looking uses nothing up."""
    await call.lab.join_links.require(query.code)
    return _account_page(call, "join", query.code)


@pages.route("POST", "join", P.SIGN_IN, {303: HTML}, body=AccountForm, form=True)
async def join(call: Call, form: AccountForm) -> Reply:
    """Make it, and sign in with it."""
    try:
        found = await call.lab.join_links.join(form.code, form.name, form.password, address=call.address)
    except QpiError as error:
        return _account_page(call, "join", form.code, error=error, name=form.name)
    return signed_in(call, found.token, "")
