"""People, tokens and notices over HTTP, with a real lab behind the surface."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyter_server.auth import IdentityProvider, User

from qpi_jupyter.core.access import OPEN_TO_ALL, PERMISSIONS, SCOPES, Role, Scope
from qpi_jupyter.wire.people import TIMEZONE_HEADER, UserChange
from qpi_server.service import Lab
from qpi_server.web import ROUTES
from qpi_server.web.identity import local_user
from tests.faults.lab import ADMIN, ANN, BELL, BOB, FrozenClock, open_lab
from tests.integration.test_service_people import MANAGER, PASSWORD
from tests.integration.test_web_roles import ask
from tests.support.web import JUPYTER_TOKEN, TOKENS, Authenticator, EmptyLab, serving, talk

ASKER = httpx.AsyncClient


def with_lab(folder: Path, dialogue: Callable[[Lab, ASKER, dict[str, str]], Awaitable[Any]], **settings: Any) -> Any:
    """What ``dialogue`` returns; it gets the lab, a client, and everybody's token by name."""
    from qpi_jupyter.wire.rest import TokenIn

    async def run() -> Any:
        async with open_lab(folder, clock=FrozenClock(), **settings) as lab:
            tokens = {}
            for person in (ADMIN, MANAGER, ANN, BOB):
                await lab.authenticator.admit(person)
                tokens[person.name] = (await lab.tokens.create(person, TokenIn())).token
            async with (
                serving(lab) as url,
                httpx.AsyncClient(base_url=f"{url}qpi/v1/", trust_env=False, verify=False) as client,
            ):
                return await dialogue(lab, client, tokens)

    return asyncio.run(run())


def key(token: str) -> dict[str, str]:
    return {"X-API-Token": token}


class Scoped(Authenticator):
    """Knows a token of every role with every scope."""

    async def authenticate(self, token: str) -> Any:
        from dataclasses import replace

        if token in TOKENS:  # what IBM's sign-in is sent
            return TOKENS[token]
        role, scope = token.rsplit("-", 1)
        return replace(TOKENS[role], scopes=SCOPES[Scope(scope)])


@pytest.mark.slow
@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("role", list(Role))
def test_a_token_opens_what_both_its_role_and_its_scope_open(role: Role, scope: Scope) -> None:
    lab = EmptyLab()
    lab.authenticator = Scoped()

    async def dialogue(client: ASKER) -> list[tuple[Any, httpx.Response]]:
        return [(route, await ask(client, route, f"qpi_{role}-{scope}")) for route in ROUTES]

    for route, answer in talk(lab, dialogue):
        where = f"{role} with {scope}: {route.method} {route.path}: {answer.status_code} {answer.text}"
        if route.permission in PERMISSIONS[role] & SCOPES[scope]:
            assert answer.status_code in (200, 204, 404, *route.refuses), where
        else:
            assert answer.status_code == 403, where


def test_no_read_scope_opens_what_changes_anything() -> None:
    only_ask = {
        "/qpi/api/collections/users/auth-refresh",  # a POST in PocketBase, which here says who one is
        "/qpi/search/v3/resources/search",  # one at IBM, which lists instances
    }
    changing = [
        route
        for route in ROUTES
        if route.method != "GET" and route.permission not in OPEN_TO_ALL and route.path not in only_ask
    ]
    assert changing
    assert [route.path for route in changing if route.permission in SCOPES[Scope.READ]] == []


def test_a_tokens_life_over_http(tmp_path: Path) -> None:
    async def dialogue(_lab: Lab, client: ASKER, tokens: dict[str, str]) -> None:
        ann = key(tokens["ann"])
        made = await client.post("tokens", json={"name": "night", "scopes": ["read"]}, headers=ann)
        assert made.status_code == 201
        token, where = made.json()["token"], f"tokens/{made.json()['id']}"
        assert (await client.get("me", headers={"Authorization": f"Bearer {token}"})).json()["user"]["name"] == "ann"
        assert (await client.post("tokens", json={}, headers=key(token))).status_code == 403
        listed = (await client.get("tokens", headers=ann)).json()["tokens"]
        assert token not in str(listed)
        assert (await client.patch(where, json={"name": "day"}, headers=ann)).json()["name"] == "day"
        past = await client.patch(where, json={"expires_at": "2001-01-01T00:00:00Z"}, headers=ann)
        assert (past.status_code, past.json()["error"]["data"]["field"]) == (400, "expires_at")
        assert (await client.get(where, headers=key(tokens["bob"]))).status_code == 404
        beyond = await client.post("tokens", json={"scopes": ["manage"]}, headers=ann)
        assert (beyond.status_code, beyond.json()["error"]["data"]["scope"]) == (403, "manage")
        assert (await client.delete(where, headers=ann)).status_code == 200
        assert (await client.get("me", headers=key(token))).status_code == 401

    with_lab(tmp_path, dialogue)


def test_with_two_credentials_a_sign_in_counts_and_else_the_api_token(tmp_path: Path) -> None:
    async def dialogue(_lab: Lab, client: ASKER, tokens: dict[str, str]) -> None:
        account = {"name": "dora", "password": PASSWORD}
        assert (await client.post("users", json=account, headers=key(tokens["max"]))).status_code == 201
        session = (await client.post("sign-in", json=account)).json()["token"]

        async def who(bearer: str, api_token: str) -> str:
            headers = {"Authorization": f"Bearer {bearer}", **key(api_token)}
            return str((await client.get("me", headers=headers)).json()["user"]["name"])

        assert await who(session, tokens["ann"]) == "dora"
        assert await who(tokens["bob"], tokens["ann"]) == "ann"
        assert await who(JUPYTER_TOKEN, tokens["ann"]) == "ann"
        assert await who(JUPYTER_TOKEN, "") == local_user()

    with_lab(tmp_path, dialogue, local_accounts=True)


def test_who_guesses_is_told_how_long_to_wait(tmp_path: Path) -> None:
    async def dialogue(_lab: Lab, client: ASKER, _tokens: dict[str, str]) -> None:
        for _ in range(5):
            wrong = await client.post("sign-in", json={"name": "ann", "password": "x"})
            assert wrong.status_code == 401
        refused = await client.post("sign-in", json={"name": "ann", "password": "x"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")

    with_lab(tmp_path, dialogue, local_accounts=True)


def test_the_owner_of_the_server_is_its_admin_and_known_to_the_lab(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, client: ASKER, _tokens: dict[str, str]) -> None:
        me = await client.get("me", headers={"Authorization": f"token {JUPYTER_TOKEN}"})
        assert me.json()["user"]["roles"] == ["admin"]
        assert (await lab.users.get(ADMIN, local_user())).source == "jupyter"

    with_lab(tmp_path, dialogue)


class Hub(IdentityProvider):
    """Signs in whom the request names, as jupyterhub's own provider does for a cookie or a Hub token."""

    async def get_user(self, handler: Any) -> User | None:
        name = handler.request.headers.get("X-Name")
        if name is None:
            return None
        user = User(username=name)
        user.hub_user = {"name": name, "groups": handler.request.headers.get("X-Groups", "").split()}
        return user


def test_people_of_a_hub_bring_their_groups_and_are_known_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "grace")

    async def run() -> None:
        async with (
            open_lab(tmp_path, clock=FrozenClock()) as lab,
            serving(lab, Hub()) as url,
            httpx.AsyncClient(base_url=f"{url}qpi/v1/", trust_env=False, verify=False) as client,
        ):
            headers = {"X-Name": "dora", "X-Groups": "course qed"}
            me = (await client.get("me", headers=headers)).json()["user"]
            assert (me["source"], me["groups"], me["roles"]) == ("hub", ["course", "qed"], ["user"])
            for name, role in (("grace", "admin"), (local_user(), "user")):  # whoever is called as the process is, too
                assert (await client.get("me", headers={"X-Name": name})).json()["user"]["roles"] == [role]
            await lab.users.change(ADMIN, "dora", UserChange(suspended=True))
            answer = await client.get("me", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "suspended")
            assert (await client.get("me")).status_code == 401

    asyncio.run(run())


def test_acceptance_10_a_user_cannot_raise_their_own_balance_nor_insert_a_finished_job(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, client: ASKER, tokens: dict[str, str]) -> None:
        ann = key(tokens["ann"])
        for field in ("balance_s", "qpu_seconds", "limited", "verified"):
            answer = await client.patch("users/ann", json={field: 10_000}, headers=ann)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request"), answer.text
            assert field in answer.json()["error"]["message"]
        for body in ({"roles": ["admin"]}, {"roles": ["manager"]}, {"groups": []}):
            assert (await client.patch("users/ann", json=body, headers=ann)).status_code == 403
        for method, path, body in (
            ("POST", "accounts/ann/grants", {"seconds": 1e6, "reason": "me"}),
            ("PATCH", "accounts/ann", {"limited": False}),
        ):
            assert (await client.request(method, path, json=body, headers=ann)).status_code in (403, 404)
        job = {"program": {"format": "openqasm2", "sources": [BELL]}}
        for field, value in (
            ("status", "completed"), ("phase", "completed"), ("owner", "bob"), ("busy_s", 0.0), ("attempt", 1),
            ("results", {}), ("ended_at", "2030-01-01T00:00:00Z"),
        ):  # fmt: skip
            answer = await client.post("jobs", json={**job, field: value}, headers=ann)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request"), answer.text
        assert (await lab.jobs.list(ADMIN, mine=False)).jobs == []

    with_lab(tmp_path, dialogue)


BAD: list[tuple[str, str, Any, int]] = [
    ("POST", "users", {"name": "a b"}, 400),
    ("POST", "users", {"name": "x", "password": "short"}, 400),
    ("POST", "users", {"name": "x", "roles": ["driver"]}, 400),
    ("POST", "users", {"name": "group:x"}, 400),
    ("PATCH", "users/root", {"suspended": True}, 403),
    ("PATCH", "users/ann", {"suspended": "perhaps"}, 400),
    ("POST", "groups", {"name": ""}, 400),
    ("POST", "groups", {"name": "g", "members": ["nobody"]}, 400),
    ("DELETE", "groups/none", None, 404),
    ("GET", "users?limit=1000000", None, 400),
    ("GET", "audit?limit=1000000", None, 400),
    ("GET", "audit?after=x", None, 400),
    ("GET", "users/'%20OR%201=1", None, 404),
    ("GET", "users?after='%20OR%201=1", None, 200),
    ("POST", "notices", {"title": ""}, 400),
    ("POST", "notices", {"title": "x", "end_at": "2030-13-01"}, 400),
    ("POST", "notices/none/dismiss", None, 404),
    ("GET", "notices?all=perhaps", None, 400),
    ("POST", "tokens", {"scopes": ["everything"]}, 400),
    ("POST", "tokens", {"scopes": ["drive"]}, 403),
    ("PATCH", "tokens/none", {"name": "x" * 101}, 400),
    ("POST", "sign-in", {"name": "x"}, 400),
    ("POST", "me/password", {"current": "x", "new": "short"}, 400),
    ("PUT", "me/timezone", {"timezone": "Mars/Base"}, 400),
    ("PUT", "me/timezone", {"timezone": "../../etc/passwd"}, 400),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD)
def test_bad_input_gets_a_clear_4xx(tmp_path: Path, method: str, path: str, body: Any, status: int) -> None:
    async def dialogue(_lab: Lab, client: ASKER, tokens: dict[str, str]) -> None:
        answer = await client.request(method, path, json=body, headers=key(tokens["max"]))
        assert answer.status_code == status, answer.text
        assert status == 200 or answer.json()["error"]["message"]

    with_lab(tmp_path, dialogue, local_accounts=True)


def test_every_answer_says_the_clock_that_its_person_chose(tmp_path: Path) -> None:
    async def dialogue(_lab: Lab, client: ASKER, tokens: dict[str, str]) -> None:
        max_, other = key(tokens["max"]), key(next(token for name, token in tokens.items() if name != "max"))
        before = await client.get("qpus", headers=max_)
        assert TIMEZONE_HEADER not in before.headers
        said = await client.put("me/timezone", json={"timezone": "Europe/Stockholm"}, headers=max_)
        assert said.json()["timezone"] == "Europe/Stockholm"
        for path in ("qpus", "me", "jobs?mine=true", "jobs/none"):
            answer = await client.get(path, headers=max_)
            if answer.is_success:
                assert answer.headers[TIMEZONE_HEADER] == "Europe/Stockholm"
            assert TIMEZONE_HEADER not in (await client.get(path, headers=other)).headers

    with_lab(tmp_path, dialogue, local_accounts=True)
