"""A person's own Jupyter server on a lab elsewhere that means no good: what it learns, and what it can do."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from qpi_jupyter.wire.connections import Connections
from tests.support.foreign import Answer, Foreign, foreign_lab, says
from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
ENABLED = "--ServerApp.jpserver_extensions={'qpi_server': True}"
PAGE = says(
    b"<script>fetch('/api/terminals', {method: 'POST'})</script>",
    {"Content-Type": "text/html", "Content-Security-Policy": "default-src * 'unsafe-inline'", "Set-Cookie": "_xsrf=x",
     "Access-Control-Allow-Origin": "https://elsewhere.example", "Access-Control-Allow-Credentials": "true",
     "Cache-Control": "public, max-age=31536000", "Service-Worker-Allowed": "/", "Location": "https://x.example"},
)  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("own"), ENABLED, module="jupyter_server") as server:
        yield server


@pytest.fixture(scope="module")
def honest(own: LabServer) -> dict[str, Answer]:
    """What a lab answers to who connects."""
    client = own.client()
    return {
        "/qpi/health": says(client.get("qpi/health").json()),
        "/qpi/v1/me": says(client.get("qpi/v1/me").json()),
        "rest": PAGE,
    }


@pytest.fixture
def lab(own: LabServer, honest: dict[str, Answer]) -> Iterator[Foreign]:
    """One that the person has connected to."""
    with foreign_lab(dict(honest)) as lab:
        client = own.client()
        client.post("qpi/labs", json={"url": lab.url, "token": "theirs"}).raise_for_status()
        yield lab
        client.delete("qpi/labs/127.0.0.1").raise_for_status()


def test_its_answers_are_no_pages_of_this_server(own: LabServer, lab: Foreign) -> None:
    for headers in ({"Authorization": f"token {TOKEN}"}, {}):
        answer = httpx.get(f"{own.url}qpi/v1/jobs", params={"token": TOKEN}, headers=headers, trust_env=False)
        assert answer.status_code == 200
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "_xsrf" not in answer.headers.get("Set-Cookie", "")
        assert "elsewhere.example" not in str(answer.headers)
        for name in ("Access-Control-Allow-Credentials", "Service-Worker-Allowed", "Location"):
            assert name not in answer.headers


def test_it_hears_of_no_other_credential(own: LabServer, lab: Foreign) -> None:
    others = {"X-API-Token": "another", "Cookie": "a=secret", "X-Forwarded-Access-Token": "a proxy's secret"}
    query = f"limit=3&to%6ben=secret&status=done&_xsrf=secret&token={TOKEN}"
    httpx.get(f"{own.url}qpi/v1/jobs?{query}", headers=others, trust_env=False).raise_for_status()
    path, headers = next((path, headers) for path, headers in lab.asked if path.startswith("/qpi/v1/jobs?limit=3"))
    assert path == "/qpi/v1/jobs?limit=3&status=done"
    assert headers["authorization"] == "Bearer theirs"
    assert not [value for value in headers.values() if "secret" in value or value == "another" or TOKEN in value]


def test_events_that_are_none_cost_little_and_end_with_the_choice(own: LabServer, lab: Foreign) -> None:
    def count() -> int:
        return sum(path.startswith("/qpi/v1/events") for path, _ in lab.asked)

    lab.answers["/qpi/v1/events"] = says(b"", {"Content-Type": "text/event-stream"})
    wait_until(lambda: count() > 0, what="the first look")
    before = count()
    time.sleep(2.5)
    assert count() - before <= 4  # not as often as it hangs up
    for bad in (b"data: {}\n\n", b"data: [1]\n\n", b"data: {\n\n", b"id: x\n\n", b"x" * (5 << 20)):
        lab.answers["/qpi/v1/events"] = says(bad, {"Content-Type": "text/event-stream"})
        before = count()
        wait_until(lambda before=before: count() > before, 40, "another look")  # type: ignore[misc]
    assert "the lab's events" in own.log.read_text()


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" " * (1 << 20))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(endless, id="endless"),
        pytest.param(says(gzip.compress(b" " * (64 << 20)), {"Content-Encoding": "gzip"}), id="packed"),
        pytest.param(says({}, {"Location": "http://127.0.0.1:1/"}, status=302), id="elsewhere"),
        pytest.param(says(json.loads("[]")), id="another kind"),
    ],
)
@pytest.mark.parametrize("path", ["/qpi/health", "/qpi/v1/me", "/qpi/oauth/device_authorization"])
def test_answers_that_no_lab_gives_are_refused(
    own: LabServer, honest: dict[str, Answer], answer: Answer, path: str
) -> None:
    wanted = {} if "oauth" in path else {"token": "theirs"}
    with foreign_lab({**honest, path: answer}) as lab:
        refused = own.client().post("qpi/labs", json={"url": lab.url, **wanted})
        assert refused.status_code == 503, refused.text
        assert own.client().get("qpi/labs").json()["labs"] == []


def test_a_code_is_asked_about_no_faster_than_a_lab_needs(own: LabServer, honest: dict[str, Answer]) -> None:
    code = {
        "device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "https://x.example", "expires_in": 10**30,
        "verification_uri_complete": "javascript:alert(1)", "interval": -5,
    }  # fmt: skip
    answers = {"/qpi/oauth/device_authorization": says(code)}
    answers["/qpi/oauth/token"] = says({"error": "authorization_pending"}, status=400)
    with foreign_lab({**honest, **answers}) as lab:
        client = own.client()
        shown = client.post("qpi/labs", json={"url": lab.url}).json()["waiting"]
        assert shown["page"] == f"{lab.url}/qpi/device?user_code=ABCD-EFGH"
        time.sleep(2.5)
        client.delete("qpi/labs/waiting").raise_for_status()
        assert sum(path == "/qpi/oauth/token" for path, _ in lab.asked) <= 3


def test_what_is_kept_is_for_the_person_alone(own: LabServer, lab: Foreign) -> None:
    folder = own.lab_dir.parent / "data" / "qpi-labs"
    assert [path for path in (folder, *Path(folder).iterdir()) if path.stat().st_mode & 0o077] == []


def test_of_a_long_answer_no_more_than_its_beginning_is_kept() -> None:
    async def length(url: str) -> int:
        connections = Connections(url, None)
        answer = await connections.ask("GET", "/qpi/v1/jobs", {}, limit=1 << 20)
        connections.close()
        return len(answer.body)

    with foreign_lab({"rest": says(b"x" * (8 << 20))}) as lab:
        assert (1 << 20) < asyncio.run(length(lab.url)) < (2 << 20)
