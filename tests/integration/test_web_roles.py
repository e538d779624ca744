"""Every role at every route: who may is told nothing about permissions, who may not gets no further."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest

from qpi_jupyter.core.access import OPEN_TO_ALL, PERMISSIONS, Role
from qpi_jupyter.wire.devices import GRANT
from qpi_jupyter.wire.results import DIGEST_HEADER
from qpi_server.web import OWN, PAGES, ROUTES, handlers
from qpi_server.web.compat.coordinator import JobSocket
from qpi_server.web.events import EventHandler
from qpi_server.web.handler import RestHandler, UnknownHandler
from qpi_server.web.link import PATH as LINK
from qpi_server.web.link import PERMISSION as LINK_PERMISSION
from qpi_server.web.link import LinkHandler
from qpi_server.web.table import Route
from tests.support.web import JUPYTER_TOKEN, SECRET, EmptyLab, talk

BODIES: dict[str, Any] = {
    "SubmitRequest": {"program": {"format": "openqasm3", "sources": ["x"]}},
    "PlanIn": {"program": {"format": "openqasm3", "sources": ["x"]}},
    "PlanJobIn": {},
    "PlanAndRunIn": {"plan": {"program": {"format": "openqasm3", "sources": ["x"]}}},
    "PreviewIn": {"program": {"format": "openqasm3", "sources": ["x"]}},
    "QpuIn": {"name": "q"},
    "EnrollmentIn": {"name": "q"},
    "EnrollmentAnswer": {"action": "approve"},
    "DriverIn": {"name": "d", "qpu": "q"},
    "SimulatorIn": {"name": "s"},
    "TokenIn": {},
    # QPI's
    "Submit": {"circuits": ["OPENQASM 3.0;"]},
    "JobRecordIn": {"payload": {"circuits": ["OPENQASM 3.0;"]}},
    "NewQpu": {"name": "q"},
    "NewDriver": {"name": "d", "qpu": "q", "kind": "mock"},
    "Subscribe": {"clientId": "c"},
    "NewToken": {},
    "TokenPatch": {},
    "Toggle": {"id": "q", "enabled": True},
    "NoticeRecordIn": {"title": "x"},
    "NoticePatch": {},
    "RequestRecordIn": {"seconds": 1},
    "RequestPatch": {"status": "approved"},
    "SlotIn": {"start_time": "2030-01-01", "end_time": "2030-01-02"},
    "SlotPatch": {},
    "SignInForm": {"name": "ann", "password": "x"},
    "AccountForm": {"code": "x", "name": "ann", "password": "0123456789"},
    "DeviceForm": {"user_code": "x", "answer": "deny"},
    "JoinLinkIn": {},
    "DeviceIn": {"client_id": "c"},
    "TokenAsked": {"grant_type": GRANT, "device_code": "x"},
    "TaskIn": {"quantum_circuit": "OPENQASM 3.0;"},
    "PortfolioIn": {"assets": ["a", "b"], "expected_returns": [0, 1], "covariance": [[1, 0], [0, 1]]},
    "RunIn": {"workflow_definition_id": "circuit", "input_snapshot": {"circuit": "OPENQASM 3.0;"}},
    "BenchmarkIn": {"workflow_run_id": "some"},
    "ReservationIn": {"workflow_run_id": "some", "fragment_id": "fragment-0"},
    "PeerIn": {"peer_id": "p"},
    "PeerAction": {"action": "approve"},
    "CoordinatorCircuit": {"circuit": "OPENQASM 3.0;"},
    # IBM's
    "ApiKeyIn": {"apikey": "qpi_user"},
    "SearchIn": {"query": "name:lab"},
    "RuntimeJobIn": {"program_id": "sampler", "backend": "q", "params": {}},
    "RuntimeTags": {"tags": []},
    "RuntimeSessionIn": {"backend": "q"},
    "RuntimeSessionChange": {},
    "UserRecordIn": {"username": "ann", "password": "0123456789"},
    "UserPatch": {"name": "Ann"},
    "Password": {"identity": "ann", "password": "x"},
    "Code": {"provider": "x", "code": "x"},
    "QpuChange": {},
    "SessionIn": {"qpu": "q"},
    "AccountChange": {"limited": None},
    "GrantIn": {"seconds": 1},
    "TimeRequestIn": {"seconds": 1},
    "TimeRequestAnswer": {"status": "approved"},
    "TokenChange": {},
    "ClockIn": {"timezone": "Europe/Berlin"},
    "PasswordChange": {"current": "x", "new": "0123456789"},
    "SignIn": {"name": "ann", "password": "x"},
    "UserIn": {"name": "ann"},
    "UserChange": {},
    "GroupIn": {"name": "g"},
    "GroupChange": {},
    "NoticeIn": {"title": "x"},
    "NoticeChange": {},
    "JobChange": {"name": "x"},
    "BookingIn": {"start_at": "2030-01-01T09:00:00Z", "end_at": "2030-01-01T10:00:00Z", "qpu": "q"},
    "BookingChange": {},
    "BookingRuleIn": {"rule": {}},
    "FeedIn": {},
    "ReplayIn": {"policies": [{"name": "as now"}]},
}
QUERIES: dict[str, dict[str, str]] = {
    "ImportQuery": {"qpu": "q"},
    "ReadingsQuery": {"channel": "x"},
    "NextFreeQuery": {"qpu": "q", "seconds": "60"},
}
"""What must be asked for."""


async def ask(client: httpx.AsyncClient, route: Route, token: str | None) -> httpx.Response:
    path = re.sub(r"\{(\w+)\}", lambda m: "1" if m[1] == "attempt" else "some", route.path)
    headers = {DIGEST_HEADER: "0" * 64}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    body = None
    if route.body is not None:
        sent = BODIES[route.body.__name__]
        body = urlencode(sent).encode() if route.form else msgspec.json.encode(sent)
    query = QUERIES.get(route.query.__name__, {}) if route.query is not None else {}
    async with client.stream(route.method, path.lstrip("/"), headers=headers, params=query, content=body) as answer:
        if answer.headers.get("Content-Type") == "text/event-stream":  # which would not end
            return httpx.Response(answer.status_code, headers=answer.headers)
        await answer.aread()
        return answer


def refused(answer: httpx.Response) -> tuple[str, str]:
    """Kind and code of the error, on the surfaces of others as far as their bodies have them."""
    body = answer.json()
    if isinstance(body.get("error"), str) and "details" in body:  # the coordinator's
        return {403: "Forbidden"}.get(answer.status_code, ""), body["details"][0]["code"]
    if isinstance(body.get("error"), str):  # OAuth's
        return "", "reached" if "reached" in body["error_description"] else ""
    if "error" in body:
        return body["error"]["kind"], body["error"]["code"]
    said = next(body[name] for name in ("detail", "message", "errorMessage") if name in body)
    return {403: "Forbidden"}.get(answer.status_code, ""), "reached" if "reached" in said else "not_found"


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_what_its_permissions_say(role: Role) -> None:
    async def dialogue(client: httpx.AsyncClient) -> list[tuple[Route, httpx.Response]]:
        return [(route, await ask(client, route, f"qpi_{role}")) for route in ROUTES]

    for route, answer in talk(EmptyLab(), dialogue):
        where = f"{role}: {route.method} {route.path}: {answer.status_code} {answer.text}"
        if route.permission in PERMISSIONS[role]:
            assert answer.status_code in (200, 204, 404, *route.refuses), where
            assert answer.is_success or refused(answer)[1] in ("reached", "not_found"), where
        else:
            assert answer.status_code == 403, where
            assert refused(answer)[0] == "Forbidden", where


@pytest.mark.parametrize("token", [None, "qpi_unknown", "qpi_local_secret-of-another-server", "not-jupyters"])
def test_without_a_good_credential_only_public_routes_answer(token: str | None) -> None:
    async def dialogue(client: httpx.AsyncClient) -> list[tuple[Route, httpx.Response]]:
        return [(route, await ask(client, route, token)) for route in ROUTES]

    for route, answer in talk(EmptyLab(), dialogue):
        where = f"{route.method} {route.path}: {answer.status_code} {answer.text}"
        if route.permission in OPEN_TO_ALL and not (token or "").startswith("qpi_"):
            assert answer.status_code in (200, 204, 404, *route.refuses), where
        elif route.method == "GET" or (token or "").startswith("qpi_"):
            assert answer.status_code == 401, where
            assert answer.headers["WWW-Authenticate"]
        else:  # Jupyter's XSRF check comes before its sign-in
            assert answer.status_code in (401, 403), where


def test_jupyters_token_is_the_local_owner_in_either_header() -> None:
    async def dialogue(client: httpx.AsyncClient) -> list[int]:
        answers = [
            await client.post("qpi/v1/tokens", headers={"Authorization": f"{scheme} {JUPYTER_TOKEN}"}, content=b"{}")
            for scheme in ("token", "Bearer")
        ]
        return [answer.status_code for answer in answers]

    assert talk(EmptyLab(), dialogue) == [404, 404]


def test_a_cookie_alone_cannot_change_anything() -> None:
    async def dialogue(client: httpx.AsyncClient) -> tuple[int, int, int]:
        signed_in = await client.get("qpi/v1/openapi.json", params={"token": JUPYTER_TOKEN})
        assert signed_in.status_code == 200
        read = await client.get("qpi/health", headers={"Referer": str(client.base_url)})
        forged = await client.post("qpi/v1/tokens", content=b"{}")
        client.cookies.set("_xsrf", "ab" * 16)  # Jupyter's pages set it
        meant = await client.post("qpi/v1/tokens", content=b"{}", headers={"X-XSRFToken": "ab" * 16})
        assert "owner" in read.json()
        return read.status_code, forged.status_code, meant.status_code

    assert talk(EmptyLab(), dialogue) == (200, 403, 404)


def test_a_drivers_token_is_no_persons() -> None:
    async def dialogue(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("qpi/v1/jobs", headers={"X-API-Token": "qpi_driver"})

    answer = talk(EmptyLab(), dialogue)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "driver_token"
    assert "token of your own" in answer.json()["error"]["message"]


@pytest.mark.parametrize("role", [role for role in Role if LINK_PERMISSION not in PERMISSIONS[role]])
def test_only_a_driver_opens_a_link(role: Role) -> None:
    handshake = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Authorization": f"Bearer qpi_{role}",
    }  # fmt: skip

    async def dialogue(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(LINK, headers=handshake)

    answer = talk(EmptyLab(), dialogue)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "not_a_driver"


def test_the_servers_own_secret_is_its_owner() -> None:
    async def dialogue(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("qpi/health", headers={"Authorization": f"Bearer {SECRET}"})

    assert talk(EmptyLab(), dialogue).json()["owner"] == {"pid": 1}


def test_health_shows_strangers_the_status_alone() -> None:
    async def dialogue(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("qpi/health")

    answer = talk(EmptyLab(), dialogue).json()
    assert answer["status"] == "up"
    assert "owner" not in answer


def test_every_address_that_the_server_registers_is_a_declared_route() -> None:
    # One signs drivers in, one tells of a job, one refuses everything, and one is Jupyter's own, narrowed.
    by_itself = (LinkHandler, UnknownHandler, JobSocket, EventHandler)
    declared = {id(route) for route in [*ROUTES, *PAGES, *OWN]}
    registered = 0
    for _pattern, handler, *arguments in handlers():
        if handler in by_itself:
            continue
        assert issubclass(handler, RestHandler), f"{handler} answers without a route"
        routes = arguments[0]["routes"].values()
        assert {id(route) for route in routes} <= declared
        registered += len(routes)
    assert registered == len(ROUTES) + len(PAGES) + len(OWN)
