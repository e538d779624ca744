"""Signing in as PocketBase has it: by password, by a provider's word, and staying signed in."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from msgspec import Meta, Struct

from qpi_jupyter.core import Forbidden, Rejected, allows
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.people import SignedIn, SignIn
from qpi_server.service.people import Provider, challenge_of
from qpi_server.web.table import JSON, Call, Reply

from .base import Body, Record, api
from .handler import sent_tokens
from .realtime import REDIRECT_TOPIC
from .streams import clients_of
from .users import the_user, user_record

_Text = Annotated[str, Meta(max_length=4096)]


class Password(Body):
    """``POST collections/users/auth-with-password``: a name or an e-mail, and its password."""

    identity: Annotated[str, Meta(max_length=200)]
    password: Annotated[str, Meta(max_length=256)]


class Code(Body, rename="camel"):
    """``POST collections/users/auth-with-oauth2``: what the provider gave."""

    provider: str
    code: _Text
    code_verifier: _Text = ""
    redirect_url: Annotated[str, Meta(max_length=2048)] = ""
    redirectURL: Annotated[str, Meta(max_length=2048)] = ""
    create_data: dict[str, Any] | None = None


class Redirected(Struct, kw_only=True):
    """``GET oauth2-redirect``: the provider sends the browser back with this."""

    state: Annotated[str, Meta(max_length=200)] = ""
    code: _Text = ""
    error: _Text = ""


@api.route("GET", "collections/users/auth-methods", P.SIGN_IN, {200: JSON})
async def qpi_auth_methods(call: Call) -> Reply:
    """How people sign in here."""
    password, providers = await call.lab.oauth2.ways_in()
    return Reply(
        body={
            "password": {"enabled": password, "identityFields": ["username", "email"]},
            "oauth2": {"enabled": bool(providers), "providers": [_offer(provider) for provider in providers]},
            "mfa": {"enabled": False, "duration": 0},
            "otp": {"enabled": False, "duration": 0},
        }
    )


@api.route(
    "POST", "collections/users/auth-with-password", P.SIGN_IN, {200: JSON}, body=Password,
    refuses=(401, 403, 429),
)  # fmt: skip
async def qpi_sign_in(call: Call, wanted: Password) -> Reply:
    """A token for a local account's name or e-mail and its password."""
    signed_in = await _sign_in(call, wanted)
    return Reply(body=await _signed_in(call, signed_in))


@api.route(
    "POST", "collections/_superusers/auth-with-password", P.SIGN_IN, {200: JSON}, body=Password,
    refuses=(401, 403, 429),
)  # fmt: skip
async def qpi_sign_in_manager(call: Call, wanted: Password) -> Reply:
    """The same for who manages the lab."""
    signed_in = await _sign_in(call, wanted)
    if not allows(await call.lab.authenticator.authenticate(signed_in.token), P.PEOPLE_MANAGE):
        raise Forbidden("This is for the lab's managers.", code="no_manager")
    return Reply(body=await _signed_in(call, signed_in))


@api.route(
    "POST", "collections/users/auth-with-oauth2", P.SIGN_IN, {200: JSON}, body=Code,
    refuses=(401, 403, 404, 429),
)  # fmt: skip
async def qpi_sign_in_with_provider(call: Call, wanted: Code) -> Reply:
    """A token for the code that a provider gave."""
    if wanted.create_data:
        raise Rejected("The provider says who somebody new is.", code="forged", field="createData")
    signed_in = await call.lab.oauth2.sign_in(
        wanted.provider,
        code=wanted.code,
        verifier=wanted.code_verifier,
        redirect_url=wanted.redirectURL or wanted.redirect_url,
        address=call.address,
    )
    return Reply(body=await _signed_in(call, signed_in))


@api.route("POST", "collections/users/auth-refresh", P.PEOPLE_READ, {200: JSON})
async def qpi_stay_signed_in(call: Call) -> Reply:
    """Who one is, with the token that one has: it ends when it was to end."""
    person = await the_user(call.lab, call.person, call.person.name)
    return Reply(body={"token": next(iter(sent_tokens(call.headers)), ""), "record": person})


@api.route("GET", "oauth2-redirect", P.SIGN_IN, {200: "text/plain"}, query=Redirected)
async def qpi_redirected(call: Call, back: Redirected) -> Reply:
    """Pass a provider's code on to the stream that waits for it; its id is the state that only it knows."""
    client = clients_of(call.lab).get(back.state)
    if client is not None and REDIRECT_TOPIC in client.topics:
        client.send(REDIRECT_TOPIC, {"state": back.state, "code": back.code, "error": back.error})
    return Reply(body=b"You may close this window.", media_type="text/plain")


async def _sign_in(call: Call, wanted: Password) -> SignedIn:
    return await call.lab.sign_ins.sign_in(SignIn(name=wanted.identity, password=wanted.password), address=call.address)


async def _signed_in(call: Call, signed_in: SignedIn) -> Record:
    person = await call.lab.authenticator.authenticate(signed_in.token)
    account = await call.lab.accounts.get(person, person.name) if allows(person, P.TIME_READ) else None
    return {"token": signed_in.token, "record": user_record(signed_in.user, account)}


def _offer(provider: Provider) -> dict[str, Any]:
    """A provider with a fresh verifier for it; whoever asks keeps that to themselves."""
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    challenge, config = challenge_of(verifier), provider.config
    url = provider.sign_in_url(state, challenge)  # the client adds where it wants to be called back
    return {
        "name": config.name,
        "displayName": config.display_name or config.name.capitalize(),
        "state": state,
        "authURL": url,
        "authUrl": url,
        "codeVerifier": verifier,
        "codeChallenge": challenge,
        "codeChallengeMethod": "S256",
        "pkce": config.pkce,
    }
