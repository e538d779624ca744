"""PocketBase's realtime on a real server: who hears what, and through a server that forwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from qpi_jupyter.core import Principal
from qpi_jupyter.core.access import Scope
from qpi_jupyter.wire.jobs import JobModel
from qpi_server.web.compat.qpi.realtime import load
from tests.faults.lab import ADMIN, ANN, BOB, bell, small_lab
from tests.support.qpi import FLIP, RECORDS, person, qpi_lab, refusal
from tests.support.servers import LabServer, lab_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with qpi_lab(tmp_path_factory.mktemp("qpi")) as server:
        yield server


@pytest.fixture(scope="module")
def admin(server: LabServer) -> httpx.Client:
    return server.client()


@pytest.fixture(scope="module")
def ann(server: LabServer) -> httpx.Client:
    return person(server, "ann")


@pytest.fixture(scope="module")
def bob(server: LabServer) -> httpx.Client:
    return person(server, "bob@lab.example")


class Stream:
    """An open stream of server-sent events."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()
        _, hello = self.next()
        self.id: str = hello["clientId"]

    def next(self) -> tuple[str, dict[str, Any]]:
        """The next event and its data."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in fields:
                return fields["event"], json.loads(fields["data"])
            name, _, value = line.partition(":")
            fields[name] = value
        raise AssertionError("the stream ended")

    def rest(self) -> list[str]:
        """Every line up to the stream's end."""
        return list(self._lines)

    def until(self, action: str) -> dict[str, Any]:
        """The record of the next message with this action."""
        while True:
            _, data = self.next()
            if data["action"] == action:
                record: dict[str, Any] = data["record"]
                return record


def test_realtime_tells_each_person_what_is_theirs(
    admin: httpx.Client, ann: httpx.Client, bob: httpx.Client, server: LabServer
) -> None:
    anybody = server.client(None)
    with anybody.stream("GET", "qpi/api/realtime") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        stream = Stream(response)
        topics = ["quantum_jobs/*", "notifications/*", "time_slots/*?options={}"]
        wanted = {"clientId": stream.id, "subscriptions": topics}
        assert ann.post("qpi/api/realtime", json=wanted).status_code == 204
        refusal(bob.post("qpi/api/realtime", json=wanted), 403)  # not his stream
        bob.post("qpi/api/jobs", json={"circuits": [FLIP], "qpu_target": "sim-b"})
        job = ann.post("qpi/api/jobs", json={"circuits": [FLIP], "qpu_target": "sim-b"}).json()
        assert stream.until("create")["id"] == job["id"]  # and nothing of Bob's before it
        while stream.until("update")["status"] != "completed":
            pass
        notice = admin.post(RECORDS.format("notifications"), json={"title": "now"}).json()
        assert stream.until("create")["title"] == "now"
        ann.post(f"qpi/api/notifications/{notice['id']}/dismiss")
        assert stream.until("delete") == {"id": notice["id"]}
        day = datetime.now(UTC).date() + timedelta(days=30)
        times = {"start_time": f"{day} 09:00:00Z", "end_time": f"{day} 10:00:00Z"}
        slot = bob.post(RECORDS.format("time_slots"), json=times).json()
        event, data = stream.next()
        assert (event, data["action"], data["record"]["id"]) == (topics[2], "create", slot["id"])
        assert ann.post("qpi/api/realtime", json={"clientId": stream.id, "subscriptions": []}).status_code == 204
        admin.patch("qpi/v1/users/ann", json={"suspended": True})  # the stream ends, and she cannot open another one
        assert "data" not in "".join(stream.rest())
    refusal(ann.post("qpi/api/realtime", json=wanted), 403)
    admin.patch("qpi/v1/users/ann", json={"suspended": False})
    refusal(ann.post("qpi/api/realtime", json={"clientId": "nobody's"}), 404)


def test_a_stream_without_sign_in_hears_only_how_its_own_ends(server: LabServer, ann: httpx.Client) -> None:
    anybody = server.client(None)
    with anybody.stream("GET", "qpi/api/realtime") as response:
        stream = Stream(response)
        wanted = {"clientId": stream.id, "subscriptions": ["quantum_jobs/*", "@oauth2"]}
        other = server.client(None)
        assert other.post("qpi/api/realtime", json=wanted).status_code == 204
        ann.post("qpi/api/jobs", json={"circuits": [FLIP], "qpu_target": "sim-b"})
        other.get("qpi/api/oauth2-redirect", params={"state": stream.id, "code": "abc"})
        assert stream.next() == ("@oauth2", {"state": stream.id, "code": "abc", "error": ""})


def test_a_server_that_forwards_has_the_same_surface(server: LabServer, ann: httpx.Client, tmp_path: Path) -> None:
    earlier = ann.post("qpi/api/jobs", json={"circuits": [FLIP], "qpu_target": "sim-b"}).json()["id"]
    server.client().get(f"qpi/v1/jobs/{earlier}", params={"wait_s": 60})
    with lab_server(tmp_path, lab_dir=server.lab_dir) as forwarder:
        near = forwarder.client(None, Authorization=ann.headers["Authorization"])
        assert near.get(f"qpi/api/jobs/{earlier}").json() == ann.get(f"qpi/api/jobs/{earlier}").json()
        refusal(near.get("qpi/api/jobs/nobodys"), 404)
        refusal(forwarder.client(None).get("qpi/api/jobs"), 401)
        assert person(forwarder, "bob").get(RECORDS.format("users")).json()["items"][0]["id"] == "bob"
        with forwarder.client(None).stream("GET", "qpi/api/realtime") as response:
            stream = Stream(response)
            near.post("qpi/api/realtime", json={"clientId": stream.id, "subscriptions": ["quantum_jobs/*"]})
            job = near.post("qpi/api/jobs", json={"circuits": [FLIP], "qpu_target": "sim-b"}).json()
            assert stream.until("create")["id"] == job["id"]


def test_a_record_is_loaded_once_for_all_who_see_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            get = lab.jobs.get

            async def counted(person: Principal, job_id: str) -> JobModel:
                asked.append(person.name)
                return await get(person, job_id)

            begun = (await lab.events.newest()).cursor
            job, _ = await lab.jobs.submit(ANN, bell())
            [event] = (await lab.events.page(ANN, after=begun)).events
            other = replace(ANN, scopes=frozenset({Scope.DRIVE}))
            people = [ANN, ADMIN, ANN, BOB, other]
            monkeypatch.setattr(lab.jobs, "get", counted)
            found = await asyncio.gather(*(load(lab, person, event) for person in people))
            assert [[news.id for news, _ in records] for records in found] == [[job.id]] * 3 + [[]] * 2
            assert asked == ["ann"]

    asyncio.run(dialogue())
