"""Every route with the id of somebody else's thing, in every role: what is not theirs is refused and stays as it is."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from qpi_jupyter.core.access import Permission, Principal
from qpi_jupyter.wire.people import UserIn
from qpi_jupyter.wire.rest import DriverIn, TokenIn
from qpi_jupyter.wire.results import DIGEST_HEADER
from qpi_server.service import Lab
from qpi_server.store import DATABASE
from qpi_server.store.schema import metadata
from qpi_server.web import ROUTES
from qpi_server.web.table import Route
from tests.faults.lab import ADMIN, BOB, FrozenClock, bell, small_lab
from tests.integration.test_hostile_values import STREAMS, body_of
from tests.support.full_lab import MANAGER, furnish
from tests.support.plain_text import library_words
from tests.support.walk import address_of, encoded
from tests.support.web import serving

WITH_IDS = [route for route in ROUTES if "{" in route.path]
FOR_ALL = {
    "GET /qpi/v1/bookings/{id}", "GET /qpi/v1/bookings/{id}/history", "GET /qpi/v1/qpus/{name}",
    "GET /qpi/v1/qpus/{name}/drivers", "GET /qpi/v1/qpus/{name}/channels", "GET /qpi/v1/qpus/{name}/readings",
    "GET /qpi/v1/qpus/{name}/calibrations",
    "GET /qpi/v1/users/{name}", "GET /qpi/v1/feeds/{secret}/calendar.ics",
    "GET /qpi/api/collections/time_slots/records/{id}",
    "GET /qpi/api/qpus/{name}", "GET /qpi/api/collections/qpus/records/{id}",
}  # fmt: skip
"""What every signed-in person may know of; of a feed, whoever has its address."""
LISTING_PEOPLE = {
    "GET /qpi/v1/users", "GET /qpi/v1/groups", "GET /qpi/v1/users/{name}", "GET /qpi/v1/accounts/{name}",
    "GET /qpi/v1/accounts/{name}/entries", "GET /qpi/v1/feeds/{secret}/calendar.ics",
    "GET /qpi/api/collections/users/records/{id}",
}  # fmt: skip
"""Who there is, and what says back whose name one asked with."""
VOLATILE = {"events", "audit", "tallies"}
SEEN = {"seen_at", "last_used_at", "used_at"}


Answers = list[tuple[Route, httpx.Response]]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def rows(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that the lab keeps, but for what grows and when people were seen."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        found = {}
        for table in metadata.sorted_tables:
            columns = ", ".join(f'"{column.name}"' for column in table.columns if column.name not in SEEN)
            if table.name not in VOLATILE:
                found[table.name] = sorted(connection.execute(f'SELECT {columns} FROM "{table.name}"'), key=repr)
    return found


async def ask(client: httpx.AsyncClient, route: Route, names: dict[str, str], token: str | None) -> httpx.Response:
    headers = {DIGEST_HEADER: "0" * 64} | ({"X-API-Token": token} if token else {})
    content = encoded(body_of(route)) if route.body is not None else None
    return await client.request(route.method, address_of(route, names), headers=headers, content=content)


async def token_of(lab: Lab, who: Principal, **asked: Any) -> str:
    await lab.authenticator.admit(who)
    return (await lab.tokens.create(who, TokenIn(**asked))).token


async def drivers(lab: Lab) -> str:
    """The token of another QPU's driver."""
    asked = DriverIn(name="stranger", qpu="q2")
    return (await lab.registration.register(ADMIN, asked, address="http://lab")).token


async def services(lab: Lab) -> str:
    await lab.users.create(ADMIN, UserIn(name="bot", roles=["service"]))
    return (await lab.tokens.create(ADMIN, TokenIn(owner="bot"))).token


ASKERS: dict[str, Callable[[Lab], Awaitable[str]]] = {
    "a user": lambda lab: token_of(lab, BOB),
    "a user's token that reads": lambda lab: token_of(lab, BOB, scopes=["read"]),
    "a service": services,
    "another QPU's driver": drivers,
}


def walked(folder: Path, token: Callable[[Lab], Awaitable[str]], routes: list[Route], **settings: Any) -> Answers:
    """What each of ``routes`` answers about ann's things; nothing that the lab keeps has changed by then."""

    async def run() -> Answers:
        async with AsyncExitStack() as stack:
            lab, driver = await stack.enter_async_context(small_lab(folder, clock=FrozenClock(), **settings))
            names = await furnish(lab, driver)
            sent = await token(lab)
            url = await stack.enter_async_context(serving(lab))
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False, verify=False))
            await ask(client, WITH_IDS[0], names, sent)  # whoever asks is known from then on
            before = rows(folder)
            answers = [(route, await ask(client, route, names, sent)) for route in routes]
            assert rows(folder) == before
        return answers

    return asyncio.run(run())


@pytest.mark.parametrize("asker", ASKERS)
def test_nobody_reaches_what_is_somebody_elses(tmp_path: Path, asker: str) -> None:
    found = []
    for route, answer in walked(tmp_path, ASKERS[asker], WITH_IDS):
        # The driver of a lab of tests is too old for previews, and everybody may ask for one.
        refused = (401, 403, 404, 410, *((400,) if name_of(route) == "POST /qpi/v1/qpus/{name}/preview" else ()))
        if answer.status_code not in ((200, *refused) if name_of(route) in FOR_ALL else refused):
            found.append(f"{name_of(route)}: {answer.status_code} {answer.text[:200]}")
        elif answer.status_code != 200:
            said = answer.json()
            error = said["error"] if isinstance(said.get("error"), dict) else said
            words = library_words(error["detail" if "detail" in error else "message"])
            found += [f"{name_of(route)}: {word}" for word in words]
    assert found == []


def test_a_manager_does_not_reach_a_persons_tokens_and_feeds(tmp_path: Path) -> None:
    own = [r for r in WITH_IDS if r.permission is Permission.TOKENS_OWN or name_of(r) == "DELETE /qpi/v1/feeds/{id}"]
    assert len(own) > 4
    for route, answer in walked(tmp_path, lambda lab: token_of(lab, MANAGER), own):
        assert answer.status_code in (403, 404), f"{name_of(route)}: {answer.status_code} {answer.text}"


async def waiting(lab: Lab) -> str:
    """The token of somebody whose job waits for the end of ann's session, and who has asked for a look at it."""
    token = await token_of(lab, BOB)
    job, _ = await lab.jobs.submit(BOB, bell("q2"))
    assert job.reason is not None
    assert job.reason.message == "Somebody else holds a session on q2."
    return token


def test_where_bookings_are_private_no_answer_says_whose_one_is(tmp_path: Path) -> None:
    looks = [route for route in ROUTES if route.method == "GET" and name_of(route) not in LISTING_PEOPLE]
    looks = [route for route in looks if not route.waits and route.path != STREAMS]
    answers = walked(tmp_path, waiting, looks, public_bookings=False)
    assert sum(answer.status_code == 200 for _, answer in answers) > 25
    said = {name_of(route): answer.text for route, answer in answers if re.search(r"\bann\b", answer.text)}
    assert said == {}
