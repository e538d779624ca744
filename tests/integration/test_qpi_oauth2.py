"""Signing in with a provider's word, against a provider that checks what real ones check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.provider import SECRET, Provider
from tests.support.servers import LabServer, lab_server

REDIRECT = "http://127.0.0.1/qpi/api/oauth2-redirect"
METHODS, SIGN_IN = "qpi/api/collections/users/auth-methods", "qpi/api/collections/users/auth-with-oauth2"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    campus = provider.settings()
    away = {**campus, "name": "away", "displayName": "", "tokenURL": "http://127.0.0.1:9/token"}
    folder = tmp_path_factory.mktemp("oauth2")
    with lab_server(folder, QPI_OAUTH2_PROVIDERS=json.dumps([campus, away])) as server:
        yield server


@pytest.fixture(scope="module")
def visitor(server: LabServer) -> httpx.Client:
    return server.client(None)


def sign_in(visitor: httpx.Client, at: Provider, person: dict[str, Any], **change: str) -> httpx.Response:
    """All of it, as PocketBase's JavaScript client does it."""
    offer = visitor.get(METHODS).json()["oauth2"]["providers"][0]
    code = at.authorise(offer["authURL"] + REDIRECT, person)
    body = {"provider": "campus", "code": code, "codeVerifier": offer["codeVerifier"], "redirectURL": REDIRECT}
    return visitor.post(SIGN_IN, json={**body, **change})


def test_the_ways_in_are_told(visitor: httpx.Client) -> None:
    methods = visitor.get(METHODS).json()
    assert methods["password"]["enabled"] is False
    assert [offer["displayName"] for offer in methods["oauth2"]["providers"]] == ["Campus", "Away"]
    assert SECRET not in json.dumps(methods)


def test_somebody_new_becomes_a_user_and_stays_the_same(
    visitor: httpx.Client, provider: Provider, server: LabServer
) -> None:
    dora = {"sub": "4711", "name": "Dora", "email": "dora@campus.example", "email_verified": True}
    first = sign_in(visitor, provider, dora)
    assert first.status_code == 200, first.text
    record = first.json()["record"]
    assert (record["id"], record["name"], record["email"]) == ("campus-4711", "Dora", "dora@campus.example")
    assert record["role"] == "user"
    again = sign_in(visitor, provider, {**dora, "name": "Dora D.", "email": "other@campus.example"})
    assert again.json()["record"]["id"] == "campus-4711"
    me = server.client(first.json()["token"]).get("qpi/v1/me").json()
    assert (me["user"]["name"], me["user"]["source"]) == ("campus-4711", "oauth2")


def test_a_verified_address_leads_to_whom_a_manager_entered(
    visitor: httpx.Client, provider: Provider, server: LabServer
) -> None:
    admin = server.client()
    admin.post("qpi/v1/users", json={"name": "emil", "email": "emil@campus.example"})
    unverified = sign_in(visitor, provider, {"sub": "1", "email": "emil@campus.example"})
    assert unverified.json()["record"]["id"] == "campus-1"
    verified = sign_in(visitor, provider, {"sub": "2", "email": "Emil@campus.example", "email_verified": True})
    assert verified.json()["record"]["id"] == "emil"
    joins = [entry for entry in admin.get("qpi/v1/audit").json()["entries"] if entry["action"] == "identity.joined"]
    assert [(entry["subject"], entry["data"]["identity"]) for entry in joins] == [("user:emil", "2")]
    reused = sign_in(visitor, provider, {"sub": "3", "email": "emil@campus.example", "email_verified": True})
    assert reused.json()["record"]["id"] == "campus-3"  # an address that somebody else was given since
    again = sign_in(visitor, provider, {"sub": "2", "email": "renamed@campus.example", "email_verified": True})
    assert again.json()["record"]["id"] == "emil"


@pytest.mark.parametrize("surface", ["qpi/v1/users/{}", "qpi/api/collections/users/records/{}"])
def test_nobody_gets_a_colleague_by_writing_their_address(
    visitor: httpx.Client, provider: Provider, server: LabServer, surface: str
) -> None:
    number = len(surface)
    victim = f"victim{number}@campus.example"
    mallory = sign_in(visitor, provider, {"sub": f"m{number}", "email": victim}).json()
    answer = server.client(mallory["token"]).patch(
        surface.format(mallory["record"]["id"]), json={"email": victim.upper()}
    )
    assert answer.status_code == 403, answer.text
    came = sign_in(visitor, provider, {"sub": f"v{number}", "email": victim, "email_verified": True}).json()["record"]
    assert (came["id"], came["email"]) == (f"campus-v{number}", victim)


@pytest.mark.parametrize(
    "address",
    [
        "\u212aim@campus.example", "kim@campus.example\n", "k\u0131m@campus.example", "kim@\uff43ampus.example",
        '"kim"@campus.example', "Kim <kim@campus.example>", "kim@campus.example" + "x" * 300, "", "kim@campus.example.",
    ],
)  # fmt: skip
def test_only_the_same_plain_address_joins(
    visitor: httpx.Client, provider: Provider, server: LabServer, address: str
) -> None:
    server.client().post("qpi/v1/users", json={"name": "kim", "email": "kim@campus.example"})
    person = {"sub": f"k{len(address)}{address[:9]!r}", "email": address, "email_verified": True}
    assert sign_in(visitor, provider, person).json()["record"]["id"] != "kim"


@pytest.mark.parametrize("word", [None, False, "true", 1, "false"])
def test_only_true_is_a_providers_word(
    visitor: httpx.Client, provider: Provider, server: LabServer, word: object
) -> None:
    server.client().post("qpi/v1/users", json={"name": "lea", "email": "lea@campus.example"})
    person = {"sub": f"l{word!r}", "email": "lea@campus.example", "email_verified": word}
    assert sign_in(visitor, provider, person).json()["record"]["id"] != "lea"


def test_no_name_of_the_provider_is_anybodys_here(visitor: httpx.Client, provider: Provider, server: LabServer) -> None:
    boss = server.client().get("qpi/v1/me").json()["user"]["name"]
    clever = sign_in(visitor, provider, {"sub": f"x/../{boss}", "login": boss, "preferred_username": boss})
    assert clever.json()["record"]["id"] not in (boss, "emil")
    assert clever.json()["record"]["id"].startswith("campus-")
    server.client().post("qpi/v1/users", json={"name": "campus-99", "roles": ["manager"]})
    refused = sign_in(visitor, provider, {"sub": "99"})
    assert refused.status_code == 403, refused.text


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"code": "guessed"}, 401), ({"codeVerifier": "another"}, 401), ({"redirectURL": "http://evil.example"}, 401),
        ({"provider": "nobody"}, 404), ({"provider": "away"}, 503), ({"code": ""}, 401),
    ],
)  # fmt: skip
def test_what_is_not_right_is_refused(
    visitor: httpx.Client, provider: Provider, change: dict[str, str], status: int
) -> None:
    answer = sign_in(visitor, provider, {"sub": "5"}, **change)
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status


def test_a_code_is_good_once_and_needs_somebody(visitor: httpx.Client, provider: Provider) -> None:
    assert sign_in(visitor, provider, {"name": "nobody in particular"}).status_code == 401
    offer = visitor.get(METHODS).json()["oauth2"]["providers"][0]
    code = provider.authorise(offer["authURL"] + REDIRECT, {"sub": "5"})
    body = {"provider": "campus", "code": code, "codeVerifier": offer["codeVerifier"], "redirectURL": REDIRECT}
    assert [visitor.post(SIGN_IN, json=body).status_code for _ in range(2)] == [200, 401]


def test_who_is_suspended_does_not_come_in(visitor: httpx.Client, provider: Provider, server: LabServer) -> None:
    assert sign_in(visitor, provider, {"sub": "666"}).status_code == 200
    server.client().patch("qpi/v1/users/campus-666", json={"suspended": True})
    assert sign_in(visitor, provider, {"sub": "666"}).status_code == 403


def test_a_suspended_person_does_not_come_back_by_their_address(
    visitor: httpx.Client, provider: Provider, server: LabServer
) -> None:
    admin = server.client()
    admin.post("qpi/v1/users", json={"name": "sid", "email": "sid@campus.example"})
    admin.patch("qpi/v1/users/sid", json={"suspended": True})
    sid = {"sub": "s1", "email": "sid@campus.example", "email_verified": True}
    assert [sign_in(visitor, provider, sid).status_code for _ in range(2)] == [403, 403]


def test_the_log_keeps_the_secret(visitor: httpx.Client, server: LabServer) -> None:
    assert SECRET not in server.log.read_text()
