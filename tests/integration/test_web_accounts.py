"""QPU time over HTTP: every route, as JSON and as CSV."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from qpi_jupyter.core.access import Permission
from qpi_jupyter.wire.accounts import StatementLine
from qpi_server.web import ROUTES
from qpi_server.web.v1.accounts import as_csv
from tests.faults.lab import FrozenClock, ScriptedDriver, bell, small_lab
from tests.support.web import TOKENS, Authenticator, serving

USER, MANAGER, ADMIN = TOKENS["qpi_user"], TOKENS["qpi_manager"], TOKENS["qpi_admin"]
Ask = Callable[..., Awaitable[httpx.Response]]


def talk(folder: Path, dialogue: Callable[[Ask, Any, ScriptedDriver], Awaitable[None]], **settings: Any) -> None:
    """Hold a dialogue with a lab of one QPU in January 2030, as the person whose role comes first."""

    async def run() -> None:
        async with small_lab(folder, clock=FrozenClock(), **settings) as (lab, driver):
            target = SimpleNamespace(
                accounts=lab.accounts, time_requests=lab.time_requests, users=lab.users, authenticator=Authenticator()
            )
            async with (
                serving(target) as url,
                httpx.AsyncClient(base_url=f"{url}qpi/v1/", trust_env=False, verify=False) as client,
            ):

                async def ask(role: str, method: str, path: str, **options: Any) -> httpx.Response:
                    return await client.request(
                        method, path, headers={"Authorization": f"Bearer qpi_{role}"}, **options
                    )

                await driver.connect()
                await dialogue(ask, lab, driver)

    asyncio.run(run())


def test_from_a_request_to_a_statement(tmp_path: Path) -> None:
    async def dialogue(ask: Ask, lab: Any, driver: ScriptedDriver) -> None:
        asked = await ask("user", "POST", "time-requests", json={"seconds": 50, "reason": "thesis"})
        assert asked.status_code == 201
        path = f"time-requests/{asked.json()['id']}"
        answered = await ask("manager", "POST", f"{path}/answer", json={"status": "approved", "reason": "fine"})
        assert (answered.json()["status"], answered.json()["granted_s"]) == ("approved", 50)
        again = await ask("admin", "POST", f"{path}/answer", json={"status": "approved"})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "already_answered")
        assert (await ask("user", "GET", path)).json()["status"] == "approved"
        assert len((await ask("manager", "GET", "time-requests?status=approved")).json()["requests"]) == 1

        await lab.jobs.submit(USER, bell())
        await driver.deliver(await driver.claim(), busy_s=2.5)
        account = (await ask("user", "GET", "accounts/user")).json()
        assert (account["available_s"], account["used_s"], account["held_s"]) == (57.5, 2.5, 0)
        entries = (await ask("user", "GET", "accounts/user/entries?limit=2")).json()
        assert [e["kind"] for e in entries["entries"]] == ["settle", "hold"]
        more = (await ask("user", "GET", f"accounts/user/entries?after={entries['next']}")).json()
        assert [e["amount_s"] for e in more["entries"]] == [50, 10]
        statement = (await ask("user", "GET", "statements?month=2030-01&qpu=q1")).json()
        line = {"account": "user", "person": "user", "qpu": "q1", "month": "2030-01", "jobs": 1, "used_s": 2.5}
        assert statement == {"lines": [{**line, "granted_s": 0, "refunded_s": 0}]}

    talk(tmp_path, dialogue, default_allowance_s=10.0)


def test_a_statement_as_csv(tmp_path: Path) -> None:
    async def dialogue(ask: Ask, lab: Any, driver: ScriptedDriver) -> None:
        await lab.jobs.submit(USER, bell())
        await driver.deliver(await driver.claim(), busy_s=2.5)
        answer = await ask("manager", "GET", "statements?format=csv&month=2030-01")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="qpu-time-2030-01.csv"'
        assert answer.text == (
            "account,person,qpu,month,jobs,used_s,granted_s,refunded_s\r\nuser,user,q1,2030-01,1,2.5,0.0,0.0\r\n"
        )

    talk(tmp_path, dialogue)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(start: str) -> None:
    person = f'{start}HYPERLINK("http://x","a, b")'
    line = StatementLine(
        account="group:a\nb", person=person, qpu="", month="2030-01", jobs=1, used_s=1.0, granted_s=-2.0, refunded_s=0.0
    )
    text = as_csv(StatementLine, [line]).decode()
    [_, cells] = csv.reader(io.StringIO(text, newline=""))
    assert cells == ["group:a\nb", f"'{person}", "", "2030-01", "1", "1.0", "-2.0", "0.0"]


def test_grants_and_limits_are_managers(tmp_path: Path) -> None:
    async def dialogue(ask: Ask, lab: Any, driver: ScriptedDriver) -> None:
        await lab.accounts.get(USER, "user")
        granted = await ask("manager", "POST", "accounts/user/grants", json={"seconds": 5, "reason": "course"})
        assert (granted.status_code, granted.json()["available_s"]) == (201, 15)
        changed = await ask("manager", "PATCH", "accounts/user", json={"limited": False})
        assert (changed.json()["limited"], changed.json()["available_s"]) == (False, None)
        assert [a["name"] for a in (await ask("manager", "GET", "accounts")).json()["accounts"]] == ["user"]
        for path, body in (("accounts/user/grants", {"seconds": 0}), ("accounts/user/grants", {"seconds": 1e12})):
            assert (await ask("manager", "POST", path, json=body)).status_code == 400
        assert (await ask("manager", "POST", "accounts/nobody/grants", json={"seconds": 1})).status_code == 404

    talk(tmp_path, dialogue, default_allowance_s=10.0)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("accounts/manager", 404),
        ("accounts/group%3Aqed", 404),
        ("accounts/manager/entries", 404),
        ("accounts/user/entries?after=1;DROP", 400),
        ("accounts/user/entries?limit=1000000", 400),
        ("statements?account=manager", 404),
        ("statements?qpu=q9", 404),
        ("statements?month=January", 400),
        ("statements?format=xlsx", 400),
        ("time-requests/treq-1", 404),
        ("time-requests?status=open", 400),
    ],
)
def test_what_a_person_may_not_ask(tmp_path: Path, path: str, status: int) -> None:
    async def dialogue(ask: Ask, lab: Any, driver: ScriptedDriver) -> None:
        assert (await ask("user", "GET", path)).status_code == status

    talk(tmp_path, dialogue)


def test_no_route_lets_a_person_raise_their_own_balance(tmp_path: Path) -> None:
    """Every changing route of QPU time, tried on one's own account with bodies that a manager could send."""
    bodies = [{"seconds": 100}, {"limited": False}, {"status": "approved"}, {"status": "approved", "seconds": 100}]
    routes = [r for r in ROUTES if r.method != "GET" and ("accounts" in r.path or "time-requests" in r.path)]
    assert {r.permission for r in routes} == {Permission.TIME_GRANT, Permission.TIME_REQUEST}

    async def dialogue(ask: Ask, lab: Any, driver: ScriptedDriver) -> None:
        mine = (await ask("user", "POST", "time-requests", json={"seconds": 50})).json()["id"]
        for route in routes:
            path = route.path.removeprefix("/qpi/v1/").format(name="user", id=mine)
            for body in bodies:
                await ask("user", route.method, path, json=body)
        account = await lab.accounts.get(USER, "user")
        assert (account.balance_s, account.limited) == (10.0, True)
        assert all(e.amount_s == 10.0 for e in (await lab.accounts.entries(USER, "user")).entries)

    talk(tmp_path, dialogue, default_allowance_s=10.0)
