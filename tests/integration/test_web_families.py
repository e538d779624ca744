"""Families over HTTP: what is answered, and what is refused, in words that say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from qpi_jupyter.core.access import Principal
from qpi_jupyter.wire.people import GroupIn
from tests.faults.lab import ADMIN, ANN, BELL, BOB
from tests.integration.test_web_bookings import BOSS, Street, play


async def submit(ask: Street, who: Principal = ANN, **fields: Any) -> httpx.Response:
    program = {"format": "openqasm2", "sources": [BELL]}
    return await ask(who, "POST", "jobs", json={"program": program, "qpu": "q1", **fields})


async def submitted(ask: Street, who: Principal = ANN, **fields: Any) -> str:
    answer = await submit(ask, who, **fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def test_a_family_is_read_as_one(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        first, part = await submitted(ask, name="first"), await submitted(ask, qpu="q2", name="part")
        whole = await submitted(ask, name="whole", after=[first], children=[part])
        for job in (first, part, whole):
            family = (await ask(ANN, "GET", f"jobs/{job}/family")).json()
            assert [(one["name"], one["phase"], one["after"], one["parent"]) for one in family["jobs"]] == [
                ("first", "queued", [], None), ("part", "queued", [], whole), ("whole", "blocked", [first, part], None),
            ]  # fmt: skip
            assert family["cost_s"] > 0
            events = (await ask(ANN, "GET", f"jobs/{job}/events?family=true")).json()["events"]
            assert {event["job_id"] for event in events} == {first, part, whole}
        model = (await ask(ANN, "GET", f"jobs/{whole}")).json()
        assert (model["status"], model["phase"]) == ("pending", "blocked")
        assert model["reason"]["message"] == f"Job {first} and 1 other have to complete first."

    play(tmp_path, dialogue)


def test_others_see_of_a_family_what_is_shared_with_them(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        await ask.lab.groups.create(ADMIN, GroupIn(name="qed", members=["ann", "bob"]))
        shared = await submitted(ask, shared_with="qed")
        private = await submitted(ask, after=[shared])
        assert (await ask(BOB, "GET", f"jobs/{private}/family")).status_code == 404
        family = (await ask(BOB, "GET", f"jobs/{shared}/family")).json()
        assert ([one["id"] for one in family["jobs"]], family["cost_s"]) == ([shared], None)
        events = (await ask(BOB, "GET", f"jobs/{shared}/events?family=true")).json()["events"]
        assert {event["job_id"] for event in events} == {shared}
        managers = (await ask(BOSS, "GET", f"jobs/{shared}/family")).json()
        assert (len(managers["jobs"]), managers["cost_s"] > 0) == (2, True)

    play(tmp_path, dialogue)


def test_others_see_nothing_of_costs_and_of_private_jobs_in_one_that_is_shared(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        await ask.lab.groups.create(ADMIN, GroupIn(name="qed", members=["ann", "bob"]))
        private = await submitted(ask)
        shared = await submitted(ask, after=[private], shared_with="qed")
        paths = (f"jobs/{shared}", f"jobs/{shared}/events", f"jobs/{shared}/events?family=true", "jobs?group=qed")

        async def seen(who: Principal) -> str:
            texts = [(await ask(who, "GET", path)).text for path in (*paths, f"jobs/{shared}/result")]
            return "".join(texts)

        assert private not in await seen(BOB), "why it waits"
        assert private in await seen(ANN)
        await ask(ANN, "POST", f"jobs/{private}/cancel")
        assert private not in (text := await seen(BOB)), "why it was cancelled"
        assert ("Another job of its owner did not complete." in text, '"ledger"' in text) == (True, False)
        for knowing in (ANN, BOSS):
            assert private in (text := await seen(knowing))
            assert '"ledger"' in text

    play(tmp_path, dialogue)


def test_what_nobody_can_wait_for_is_refused_by_name(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        await ask.lab.groups.create(ADMIN, GroupIn(name="qed", members=["ann", "bob"]))
        bobs = await submitted(ask, BOB, shared_with="qed")
        hidden = await submitted(ask, BOB)
        gone = await submitted(ask)
        await ask(ANN, "POST", f"jobs/{gone}/cancel")
        cancelled = await submitted(ask)
        await ask(ANN, "POST", f"jobs/{cancelled}/cancel")
        assert (await ask(ANN, "DELETE", f"jobs/{gone}")).status_code == 204
        for field in ("after", "children"):
            for job, status, code, words in (
                (bobs, 403, "not_yours", f"Job {bobs} belongs to bob: your jobs can only wait for your own."),
                (hidden, 404, "unknown_job", hidden),
                ("job-0", 404, "unknown_job", "There is no job 'job-0', or it is not yours."),
                (gone, 404, "unknown_job", gone),
                (cancelled, 409, "dependency_failed", "Run it again, and name the new one."),
            ):
                found = refusal(await submit(ask, **{field: [job]}))
                assert found[:2] == (status, code)
                assert words in found[2]
        part = await submitted(ask)
        parent = await submitted(ask, children=[part])
        status, code, words = refusal(await submit(ask, children=[part]))
        assert (status, code, words) == (
            409,
            "has_parent",
            f"Job {part} is a child of job {parent} already: name it in after instead.",
        )
        # The same job twice is the same job; what is a child is waited for anyhow.
        twin = await submitted(ask, after=[parent, parent, part], children=[parent])
        family = (await ask(ANN, "GET", f"jobs/{twin}/family")).json()["jobs"]
        assert {one["id"]: one["after"] for one in family}[twin] == [part, parent]

    play(tmp_path, dialogue)


@pytest.mark.parametrize(("field", "limit"), [("children", 1_000), ("after", 100)])
def test_ten_thousand_jobs_are_too_many(tmp_path: Path, field: str, limit: int) -> None:
    async def dialogue(ask: Street) -> None:
        status, _, words = refusal(await submit(ask, **{field: [f"job-{n}" for n in range(10_000)]}))
        assert status == 400
        assert field in words
        assert f"{limit}" in words.replace(",", "")
        assert (await ask(ANN, "GET", "jobs")).json()["total"] == 0

    play(tmp_path, dialogue)


def test_a_job_names_no_job_that_is_not_there_yet(tmp_path: Path) -> None:
    """So that no circle can be closed: neither at the submit nor by an edit."""

    async def dialogue(ask: Street) -> None:
        first = await submitted(ask)
        second = await submitted(ask, after=[first])
        for field in ("after", "children", "parent"):
            answer = await ask(ANN, "PATCH", f"jobs/{first}", json={field: [second]})
            assert answer.status_code == 400
            assert field in answer.json()["error"]["message"]

    play(tmp_path, dialogue)


def test_a_child_is_not_deleted_while_its_family_goes_on(tmp_path: Path) -> None:
    async def dialogue(ask: Street) -> None:
        part, other = await submitted(ask), await submitted(ask)
        whole = await submitted(ask, children=[part, other])
        await ask(ANN, "POST", f"jobs/{whole}/cancel")
        assert (await ask(ANN, "GET", f"jobs/{part}")).json()["error"]["code"] == "cancelled_with"
        assert (await ask(ANN, "DELETE", f"jobs/{part}")).status_code == 204
        family = (await ask(ANN, "GET", f"jobs/{whole}/family")).json()["jobs"]
        assert [(one["id"], one["after"]) for one in family] == [(other, []), (whole, [part, other])]
        running = await submitted(ask)
        late = await submitted(ask, children=[running])
        assert refusal(await ask(ANN, "DELETE", f"jobs/{running}"))[:2] == (409, "job_not_final")
        assert refusal(await ask(ANN, "DELETE", f"jobs/{late}"))[:2] == (409, "job_not_final")

    play(tmp_path, dialogue)
