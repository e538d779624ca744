"""The scripted lab, against which the client is tested, says what the real one says: statuses, fields and words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.wire.accounts import AccountChange, GrantIn
from qpi_jupyter.wire.bookings import BookingRule, BookingRuleIn
from qpi_jupyter.wire.people import NoticeIn, NoticeModel
from qpi_jupyter.wire.rest import QpuIn, TokenIn
from tests.faults.lab import ADMIN, BELL, BOB, SIMULATOR, FrozenClock, ScriptedDriver, bell, driver_of, open_lab
from tests.faults.scripted_rest import NOW, SIM_A, TOKEN
from tests.faults.scripted_rules import RulesLab
from tests.support.web import serving

ANA = Principal(name="ana", roles=frozenset({Role.USER}), groups=frozenset({"qed"}))
MANAGER = Principal(name="max", roles=frozenset({Role.MANAGER}))
WORDS = {"action", "code", "kind", "mode", "phase", "rule", "status"}
"""Fields whose words programs compare with."""
PROGRAM = {"format": "openqasm2", "sources": [BELL]}
JOB = {"program": PROGRAM, "qpu": "sim-a", "options": {"shots": 100}}
Said = tuple[int, Any]


class Dialogue:
    """What is asked of a lab, and what it said, step by step."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.said: dict[str, Said] = {}

    async def ask(self, step: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = await self._client.request(method, path, json=body, headers=headers)
        found = answer.json() if answer.content else None
        self.said[step] = (answer.status_code, found)
        return found


def differences(script: Any, real: Any, at: str) -> list[str]:
    """What the script says and the real lab does not: other words, fields and types. It may say less."""
    if script is None or real is None:
        return [] if script is None else [f"{at}: only the script says {script!r}"]
    if isinstance(script, dict) and isinstance(real, dict):
        return [
            line for key, value in script.items() if value is not None
            for line in differences(value, real.get(key), f"{at}.{key}")
        ]  # fmt: skip
    if isinstance(script, list) and isinstance(real, list):
        return differences(script[0], real[0], f"{at}[0]") if script and real else []
    if at.rpartition(".")[2] in WORDS and script != real:
        return [f"{at}: {script!r} instead of {real!r}"]
    return [] if type(script) is type(real) else [f"{at}: {script!r} where the lab says {real!r}"]


async def jobs(lab: Dialogue) -> None:
    job = await lab.ask("submit", "POST", "v1/jobs", JOB, **{"Idempotency-Key": "one"})
    path = f"v1/jobs/{job['id']}"
    await lab.ask("submit again", "POST", "v1/jobs", JOB, **{"Idempotency-Key": "one"})
    await lab.ask("job", "GET", path)
    await lab.ask("jobs", "GET", "v1/jobs?limit=5")
    await lab.ask("events", "GET", f"{path}/events")
    await lab.ask("cancel", "POST", f"{path}/cancel")
    await lab.ask("cancel again", "POST", f"{path}/cancel")
    await lab.ask("cancelled", "GET", f"{path}?wait_s=1")
    await lab.ask("no job", "GET", "v1/jobs/none")


async def qpus(lab: Dialogue) -> None:
    await lab.ask("health", "GET", "health")
    await lab.ask("qpus", "GET", "v1/qpus")
    await lab.ask("qpu", "GET", "v1/qpus/sim-a")
    await lab.ask("no qpu", "GET", "v1/qpus/none")


async def bookings(lab: Dialogue) -> None:
    start, end, later = (f"2030-01-03T1{hour}:00:00Z" for hour in range(3))
    slot = {"qpu": "sim-a", "start_at": start, "end_at": end}
    made = await lab.ask("book", "POST", "v1/bookings", slot)
    booking = made["bookings"][0]
    path = f"v1/bookings/{booking['id']}"
    await lab.ask("conflict", "POST", "v1/bookings", slot)
    await lab.ask("bookings", "GET", "v1/bookings?mine=true")
    await lab.ask("next free", "GET", "v1/bookings/next-free?qpu=sim-a&seconds=3600")
    await lab.ask("booking", "GET", path)
    await lab.ask("change", "PATCH", path, {"end_at": later, "version": booking["version"]})
    await lab.ask("changed meanwhile", "PATCH", path, {"end_at": later, "version": 99})
    await lab.ask("history", "GET", f"{path}/history")
    await lab.ask("rules", "GET", "v1/booking-rules")
    await lab.ask("delete", "DELETE", path)
    await lab.ask("no booking", "GET", "v1/bookings/none")


async def sessions(lab: Dialogue) -> None:
    session = await lab.ask("open", "POST", "v1/sessions", {"qpu": "sim-a"})
    path = f"v1/sessions/{session['id']}"
    await lab.ask("sessions", "GET", "v1/sessions")
    await lab.ask("renew", "POST", f"{path}/renew")
    await lab.ask("close", "DELETE", path)
    await lab.ask("no session", "POST", "v1/sessions/none/renew")


async def accounts(lab: Dialogue) -> None:
    await lab.ask("me", "GET", "v1/me")
    await lab.ask("account", "GET", "v1/accounts/ana")
    await lab.ask("statement", "GET", "v1/statements?account=ana")
    asked = await lab.ask("ask for time", "POST", "v1/time-requests", {"seconds": 60, "reason": "more"})
    await lab.ask("requests", "GET", "v1/time-requests")
    await lab.ask("request", "GET", f"v1/time-requests/{asked['id']}")
    await lab.ask("withdraw", "DELETE", f"v1/time-requests/{asked['id']}")


async def notices(lab: Dialogue) -> None:
    shown = await lab.ask("notices", "GET", "v1/notices")
    await lab.ask("dismiss", "POST", f"v1/notices/{shown['notices'][0]['id']}/dismiss")
    await lab.ask("dismissed", "GET", "v1/notices")


async def tokens(lab: Dialogue) -> None:
    made = await lab.ask("make", "POST", "v1/tokens", {"name": "t"})
    await lab.ask("tokens", "GET", "v1/tokens")
    await lab.ask("rename", "PATCH", f"v1/tokens/{made['id']}", {"name": "u"})
    await lab.ask("revoke", "DELETE", f"v1/tokens/{made['id']}")


async def events(lab: Dialogue) -> None:
    newest = await lab.ask("newest", "GET", "v1/events?newest=true")
    await lab.ask("quiet", "GET", f"v1/events?after={newest['cursor']}&wait_s=0")


async def real(folder: Path, dialogue: Callable[[Dialogue], Awaitable[None]]) -> dict[str, Said]:
    """What the product says: one QPU with a driver that takes nothing, and somebody else's job ahead."""
    clock = FrozenClock()
    async with open_lab(folder, clock=clock) as lab:
        await lab.qpus.create(ADMIN, QpuIn(name="sim-a", description="An ideal simulator"))
        assert SIM_A.manifest is not None
        driver: ScriptedDriver = await driver_of(lab, "sim-a", "d", manifest=replace(SIMULATOR, meas_levels=(2, 1)))
        await driver.connect()
        await lab.jobs.submit(BOB, bell("sim-a"))
        await lab.authenticator.admit(ANA)
        await lab.notices.create(ADMIN, NoticeIn(title="x"))
        await lab.accounts.grant(MANAGER, "ana", GrantIn(seconds=1e6))
        await lab.accounts.change(MANAGER, "ana", AccountChange(limited=True))
        rule = BookingRule(granularity_s=1800.0)
        await lab.booking_rules.set(MANAGER, BookingRuleIn(rule=rule, qpu="sim-a"))
        token = (await lab.tokens.create(ANA, TokenIn(name="own"))).token
        async with serving(lab) as url:
            return await talk(f"{url}qpi/", token, dialogue)


async def scripted(dialogue: Callable[[Dialogue], Awaitable[None]]) -> dict[str, Said]:
    with RulesLab() as lab:
        lab.notices["n1"] = NoticeModel(
            id="n1", title="x", body="", created_by="root", created_at=NOW, people=[], groups=[]
        )
        return await talk(f"{lab.url}/qpi/", TOKEN, dialogue)


async def talk(url: str, token: str, dialogue: Callable[[Dialogue], Awaitable[None]]) -> dict[str, Said]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False) as client:
        held = Dialogue(client)
        await dialogue(held)
    return held.said


@pytest.mark.parametrize("dialogue", [jobs, qpus, bookings, sessions, accounts, notices, tokens, events])
def test_both_labs_say_the_same(tmp_path: Path, dialogue: Callable[[Dialogue], Awaitable[None]]) -> None:
    async def both() -> tuple[dict[str, Said], dict[str, Said]]:
        return await real(tmp_path, dialogue), await scripted(dialogue)

    real_lab, script = asyncio.run(both())
    assert script.keys() == real_lab.keys()
    assert {step: said[0] for step, said in script.items()} == {step: said[0] for step, said in real_lab.items()}
    assert [line for step in script for line in differences(script[step][1], real_lab[step][1], step)] == []
