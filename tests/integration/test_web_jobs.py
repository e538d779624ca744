"""Jobs over the native surface: found, edited and deleted; what cannot be meant is refused by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.faults.lab import ScriptedDriver, bell, small_lab
from tests.support.web import JUPYTER_TOKEN, serving


def with_lab(folder: Path, dialogue: Callable[[httpx.AsyncClient, ScriptedDriver], Awaitable[None]]) -> None:
    """Hold ``dialogue`` as the lab's owner."""

    async def run() -> None:
        headers = {"Authorization": f"token {JUPYTER_TOKEN}"}
        async with (
            small_lab(folder) as (lab, driver),
            serving(lab) as url,
            httpx.AsyncClient(base_url=f"{url}qpi/v1/", headers=headers, trust_env=False, verify=False) as client,
        ):
            await driver.connect()
            await dialogue(client, driver)

    asyncio.run(run())


async def submitted(client: httpx.AsyncClient, **fields: object) -> str:
    answer = await client.post("jobs", content=msgspec.json.encode(bell(**fields)))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_job_is_found_edited_and_deleted(tmp_path: Path) -> None:
    async def dialogue(client: httpx.AsyncClient, driver: ScriptedDriver) -> None:
        job = await submitted(client, name="Rabi", tags=["cal", "night"])
        other = await submitted(client, name="T1", tags=["cal"])

        async def found(query: str) -> list[str]:
            answer = await client.get(f"jobs?{query}")
            assert answer.status_code == 200, answer.text
            return [row["id"] for row in answer.json()["jobs"]]

        assert await found("tag=cal&tag=night") == await found("name=RABI&status=pending") == [job]
        assert await found("tag=cal") == [other, job]
        assert (await client.get("jobs?limit=1")).json()["total"] == 2
        assert await found("submitted_after=2001-01-01T00:00:00Z&submitted_before=2002-01-01T00:00:00%2B02:00") == []
        edited = await client.patch(f"jobs/{job}", json={"project": "readout", "tags": []})
        assert (edited.status_code, edited.json()["project"], edited.json()["name"]) == (200, "readout", "Rabi")
        assert await found("project=readout") == [job]
        early = await client.delete(f"jobs/{job}")
        assert (early.status_code, early.json()["error"]["code"]) == (409, "job_not_final")
        await driver.run()
        gone = await client.delete(f"jobs/{job}")
        assert (gone.status_code, gone.content) == (204, b"")
        assert (await client.get(f"jobs/{job}")).status_code == 404
        assert (await client.get("jobs?limit=1")).json()["total"] == 1

    with_lab(tmp_path, dialogue)


@pytest.mark.parametrize(
    "query",
    [
        "limit=1000000", "name=%00", f"name={'x' * 300}", "tag=a&tag=%00", "&".join(["tag=a"] * 40), "owner=%ff",
        "submitted_after=yesterday", "submitted_after=2030-01-01T00:00:00", "submitted_before=9e99", "mine=perhaps",
        "mine=true&owner=somebody", "after=1%20OR%201=1", "status=';--", "order=name",
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_meant_is_refused(tmp_path: Path, query: str) -> None:
    async def dialogue(client: httpx.AsyncClient, _driver: ScriptedDriver) -> None:
        answer = await client.get(f"jobs?{query}")
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["message"]

    with_lab(tmp_path, dialogue)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x" * 300}, {"name": None}, {"name": "a\x00b"}, {"tags": "cal"}, {"tags": [""]}, {"tags": ["x"] * 40},
        {"project": 3}, {"shared_with": "a-group-of-others"}, {"status": "completed"}, {"busy_s": 0}, {"owner": "me"},
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_made_is_refused_and_changes_nothing(tmp_path: Path, change: dict[str, object]) -> None:
    async def dialogue(client: httpx.AsyncClient, _driver: ScriptedDriver) -> None:
        job = await submitted(client, name="before")
        answer = await client.patch(f"jobs/{job}", json=change)
        assert answer.status_code == 400, answer.text
        assert next(iter(change)) in answer.json()["error"]["message"] + str(answer.json()["error"]["data"])
        now = (await client.get(f"jobs/{job}")).json()
        assert (now["version"], now["name"], now["tags"], now["status"]) == (1, "before", [], "pending")

    with_lab(tmp_path, dialogue)
