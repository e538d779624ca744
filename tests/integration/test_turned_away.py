"""Who is turned away hears which token, which scope or which setting it is."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from qpi_jupyter.core.access import OPEN_TO_ALL, PERMISSIONS, SCOPES, Principal, Role, Scope, scope_for
from qpi_server.web import ROUTES
from tests.support.plain_text import assert_plain
from tests.support.web import JUPYTER_TOKEN, TOKENS, EmptyLab, talk


def refusal(method: str, address: str, **sent: Any) -> tuple[int, str, str]:
    """Status, code and message of what the lab says to a request."""

    async def dialogue(client: httpx.AsyncClient) -> httpx.Response:
        return await client.request(method, address, **sent)

    answer = talk(EmptyLab(), dialogue)
    error = answer.json()["error"]
    assert_plain(error["message"])
    return answer.status_code, error["code"], error["message"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", ["nonsense", "qpi_nonsense", "qpi_local_of-another-server"])
@pytest.mark.parametrize("scheme", ["Bearer", "token", None])
def test_a_wrong_token_is_called_that(method: str, token: str, scheme: str | None) -> None:
    headers = {"Authorization": f"{scheme} {token}"} if scheme else {"X-API-Token": token}
    status, code, message = refusal(method, "qpi/v1/tokens", headers=headers, content=b"")
    assert (status, code) == (401, "bad_token")
    assert "token" in message
    assert "Sign in first" not in message


def test_a_wrong_token_in_the_address_is_called_that_too() -> None:
    assert refusal("GET", "qpi/v1/tokens?token=nonsense")[:2] == (401, "bad_token")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_token_one_is_asked_to_sign_in(method: str) -> None:
    status, code, message = refusal(method, "qpi/v1/tokens", content=b"")
    assert (status, code) == (401, "unauthorized")
    assert message.startswith("Sign in first")


@pytest.mark.parametrize("host", ["lab.example", "192.0.2.7:8888", "lab.example:8888"])
def test_a_name_that_jupyter_does_not_answer_to_names_the_settings(host: str) -> None:
    headers = {"Host": host, "Authorization": f"token {JUPYTER_TOKEN}"}
    status, code, message = refusal("GET", "qpi/v1/tokens", headers=headers)
    assert (status, code) == (403, "host_not_allowed")
    assert host in message
    assert "allow_remote_access" in message
    assert "local_hostnames" in message


def test_a_page_without_its_proof_hears_what_to_send() -> None:
    async def dialogue(client: httpx.AsyncClient) -> httpx.Response:
        await client.get("qpi/v1/openapi.json", params={"token": JUPYTER_TOKEN})  # the cookie of a sign-in
        return await client.post("qpi/v1/tokens", content=b"{}")

    answer = talk(EmptyLab(), dialogue)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_xsrf")
    assert_plain(answer.json()["error"]["message"])


@pytest.mark.parametrize("scope", [Scope.READ, Scope.SUBMIT])
def test_a_scope_that_is_too_small_is_named_and_nobody_is_blamed(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    eve = Principal(name="eve", roles=frozenset({Role.ADMIN}), scopes=SCOPES[scope])
    monkeypatch.setitem(TOKENS, "qpi_narrow", eve)
    lacking = [r for r in ROUTES if r.permission not in SCOPES[scope] | OPEN_TO_ALL and r.path.startswith("/qpi/v1/")]
    lacking = [route for route in lacking if route.permission in PERMISSIONS[Role.ADMIN]]
    assert len(lacking) > 20
    for route in lacking[::3]:
        path = route.path.lstrip("/").replace("{", "").replace("}", "")
        status, code, message = refusal(route.method, path, headers={"X-API-Token": "qpi_narrow"}, content=b"")
        assert (status, code) == (403, "scope_missing")
        assert f"the scope {scope_for(route.permission)}" in message
        assert "eve" not in message
