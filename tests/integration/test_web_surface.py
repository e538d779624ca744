"""The native surface of a real server: good requests, and every bad one that somebody will send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from qpi_jupyter.wire import rest
from qpi_jupyter.wire.events import KINDS, EventPage
from qpi_jupyter.wire.jobs import JobModel, JobPage
from qpi_server.web import ROUTES
from tests.support.servers import LabServer, lab_server

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'
JOB: dict[str, Any] = {"program": {"format": "openqasm3", "sources": [BELL]}, "qpu": "sim-b", "options": {"shots": 100}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A demo lab whose drivers are not started: nothing runs."""
    folder = tmp_path_factory.mktemp("surface")
    with lab_server(folder, "--demo", "--QPIServer.embedded_drivers=False", "--ServerApp.base_url=/user/x/") as server:
        yield server


@pytest.fixture(scope="module")
def me(server: LabServer) -> httpx.Client:
    return server.client()


def job_with(**changes: Any) -> dict[str, Any]:
    return {**JOB, **changes}


def submitted(me: httpx.Client, **headers: str) -> JobModel:
    answer = me.post("qpi/v1/jobs", json=JOB, headers=headers)
    assert answer.status_code == 201, answer.text
    return msgspec.json.decode(answer.content, type=JobModel)


def test_a_job_is_submitted_found_listed_and_cancelled(me: httpx.Client) -> None:
    job = submitted(me)
    assert (job.status, job.qpu, job.shots) == ("pending", "sim-b", 100)
    assert me.get(f"qpi/v1/jobs/{job.id}").json()["id"] == job.id
    page = msgspec.json.decode(me.get("qpi/v1/jobs?limit=1").content, type=JobPage)
    assert [found.id for found in page.jobs] == [job.id]
    waiting = me.get(f"qpi/v1/jobs/{job.id}").json()["reason"]
    assert waiting["message"] == "sim-b is offline."
    assert me.post(f"qpi/v1/jobs/{job.id}/cancel").json()["status"] == "cancelled"
    events = msgspec.json.decode(me.get(f"qpi/v1/jobs/{job.id}/events").content, type=EventPage)
    assert events.events[0].kind == "job.submitted"


def test_pages_follow_one_another_without_gap_or_repeat(me: httpx.Client) -> None:
    made = [submitted(me).id for _ in range(5)]
    found: list[str] = []
    after: str | None = None
    while len(found) < 5:
        query = {"limit": 2} | ({"after": after} if after else {})
        page = msgspec.json.decode(me.get("qpi/v1/jobs", params=query).content, type=JobPage)
        found += [job.id for job in page.jobs]
        after = page.next
    assert found[:5] == made[::-1]


def test_a_key_makes_a_submit_repeatable(me: httpx.Client) -> None:
    first = me.post("qpi/v1/jobs", json=JOB, headers={"Idempotency-Key": "k1"})
    again = me.post("qpi/v1/jobs", json=JOB, headers={"Idempotency-Key": "k1"})
    other = me.post("qpi/v1/jobs", json=job_with(name="other"), headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["id"] == again.json()["id"]


def test_a_waiting_request_is_answered_by_the_change_it_waits_for(server: LabServer, me: httpx.Client) -> None:
    from concurrent.futures import ThreadPoolExecutor

    job = submitted(me)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.client().get, f"qpi/v1/jobs/{job.id}?wait_s=60")
        assert me.post(f"qpi/v1/jobs/{job.id}/cancel").status_code == 200
        assert waiting.result(10).json()["status"] == "cancelled"


def test_the_addresses_are_under_the_servers_base_url(server: LabServer, me: httpx.Client) -> None:
    assert server.url.endswith("/user/x/")
    names = {qpu["name"] for qpu in me.get("qpi/v1/qpus").json()["qpus"]}
    assert {"sim-a", "sim-b"} <= names
    assert me.get("qpi/metrics").text.startswith("# HELP")


def test_only_its_user_reads_the_owner_file_and_it_leads_to_the_server(server: LabServer) -> None:
    record = json.loads((server.lab_dir / "owner.json").read_text())
    assert record["url"] == server.url
    with httpx.Client(headers={"Authorization": f"Bearer {record['secret']}"}, trust_env=False, timeout=120) as other:
        assert other.get(record["url"] + "qpi/health").json()["owner"]["pid"] == server.process.pid


SUBMITS: dict[str, tuple[Any, int, str]] = {
    "no JSON": (b"{", 400, "bad_json"),
    "no UTF-8": (b'{"\xff": 1}', 400, ""),
    "a list": (b"[]", 400, "bad_request"),
    "nothing": (b"", 400, "bad_json"),
    "no program": (b"{}", 400, "bad_request"),
    "an unknown field": (job_with(shots=3), 400, "bad_request"),
    "an unknown format": (job_with(program={"format": "qasm9", "sources": ["x"]}), 400, "bad_format"),
    "an unknown QPU": (job_with(qpu="nope"), 404, "unknown_qpu"),
    "negative shots": (job_with(options={"shots": -1}), 400, ""),
    "no shots": (job_with(options={"shots": 0}), 400, ""),
    "too many shots": (job_with(options={"shots": 10**9}), 400, ""),
    "half a shot": (job_with(options={"shots": 1.5}), 400, "bad_request"),
    "shots as text": (job_with(options={"shots": "many"}), 400, "bad_request"),
    "shots beyond 64 bits": (job_with(options={"shots": 2**70}), 400, ""),
    "no circuit": (job_with(program={"format": "openqasm3", "sources": []}), 400, ""),
    "an empty circuit": (job_with(program={"format": "openqasm3", "sources": [""]}), 400, ""),
    "a text over 1 MiB": (job_with(program={"format": "openqasm3", "sources": ["x" * ((1 << 20) + 1)]}), 413, ""),
    "QPY as text": (job_with(program={"format": "qpy", "sources": ["x"]}), 400, "bad_program"),
    "no base64": (job_with(program={"format": "qpy", "data": ["*"]}), 400, "bad_request"),
    "old QPY": (job_with(program={"format": "qpy", "data": ["UUlTS0lUAgAAAAAAAAAAAAA="]}), 400, ""),
    "a priority out of range": (job_with(priority=99), 400, "bad_request"),
    "a name too long": (job_with(name="x" * 201), 400, "bad_request"),
    "measurement level 7": (job_with(options={"meas_level": 7}), 400, ""),
    "not a number": (job_with(options={"circuits": [{"parameter_values": [["NaN?"]]}]}), 400, "bad_request"),
}


@pytest.mark.parametrize("name", SUBMITS)
def test_a_bad_submit_says_what_is_wrong_and_leaves_no_job(me: httpx.Client, name: str) -> None:
    body, status, code = SUBMITS[name]
    before = me.get("qpi/v1/jobs?limit=1").json()
    answer = me.post("qpi/v1/jobs", content=body if isinstance(body, bytes) else json.dumps(body))
    assert answer.status_code == status, answer.text
    error = msgspec.json.decode(answer.content, type=rest.ErrorBody).error
    assert error.message
    assert not code or error.code == code
    assert me.get("qpi/v1/jobs?limit=1").json() == before


def test_an_unknown_qpu_is_answered_with_those_that_are_there(me: httpx.Client) -> None:
    message = me.post("qpi/v1/jobs", json=job_with(qpu="nope")).json()["error"]["message"]
    assert "sim-a" in message
    assert "sim-b" in message


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("qpi/v1/jobs?limit=0", 400),
        ("qpi/v1/jobs?limit=x", 400),
        ("qpi/v1/jobs?limit=99999999999999999999999", 400),
        ("qpi/v1/jobs?after=garbage", 400),
        ("qpi/v1/jobs?status=late", 400),
        ("qpi/v1/jobs?mine=perhaps", 400),
        ("qpi/v1/jobs?nonsense=1", 400),
        ("qpi/v1/jobs?qpu=%ff", 400),
        ("qpi/v1/jobs/%ff", 400),
        ("qpi/v1/jobs/nope", 404),
        ("qpi/v1/jobs/nope?wait_s=5", 404),
        ("qpi/v1/jobs/nope?wait_s=-1", 400),
        ("qpi/v1/jobs/nope?wait_s=inf", 400),
        ("qpi/v1/jobs/nope?wait_s=nan", 400),
        ("qpi/v1/jobs/nope?version=x", 400),
        ("qpi/v1/jobs/nope/result", 404),
        ("qpi/v1/jobs/nope/dataset", 404),
        ("qpi/v1/jobs/nope/events", 404),
        ("qpi/v1/jobs/nope/program", 404),
        ("qpi/v1/jobs/" + "x" * 5000, 404),
        ("qpi/v1/events?after=-1", 400),
        ("qpi/v1/events?after=1e99", 400),
        ("qpi/v1/qpus/nope", 404),
        ("qpi/v1/nope", 404),
        ("qpi/v2/jobs", 404),
        ("qpi/v1/ca.pem", 404),
        ("qpi/v1/programs/nope", 403),
        ("qpi/v1/jobs/nope/attempts/1/result", 405),
        ("qpi/v1/jobs/nope/cancel", 405),
    ],
)
def test_a_bad_address_or_query_is_the_askers_error(me: httpx.Client, path: str, status: int) -> None:
    answer = me.get(path)
    assert answer.status_code == status, answer.text
    assert msgspec.json.decode(answer.content, type=rest.ErrorBody).error.message


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_method_that_goes_nowhere_is_named(me: httpx.Client, method: str) -> None:
    answer = me.request(method, "qpi/v1/jobs")
    assert answer.status_code == 405
    assert "POST" in answer.json()["error"]["message"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_not_buffered(me: httpx.Client, chunked: bool) -> None:
    block, blocks = b"x" * (1 << 20), 30
    content: Any = (block for _ in range(blocks)) if chunked else block * blocks
    answer = me.post("qpi/v1/jobs", content=content)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"
    assert me.get("qpi/health").status_code == 200


JUNK = [b"", b"\x00\xff", b"null", b"[]", b"0", b'"x"', b"{}", b'{"a": 1}', b"[" * 2000, b'{"name": null, "qpu": 3}']


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_never_the_servers_fault(me: httpx.Client, junk: bytes) -> None:
    for route in ROUTES:
        if route.method == "GET":
            continue
        path = route.path.replace("{attempt}", "1").replace("{id}", "%00").replace("{name}", "'").lstrip("/")
        answer = me.request(route.method, path, content=junk)
        refusals = {400, 401, 403, 404, 405, 413, 422, *route.refuses}
        ignored = route.method == "DELETE" and "{" not in route.path  # there is one such thing, or none
        if ignored or route.path.startswith("/qpi/api/"):  # whose clients may send what nobody reads
            refusals |= set(route.answers)
        allowed = {201} if route.path.endswith(("tokens", "feeds", "join-links")) and junk == b"{}" else refusals
        assert answer.status_code in allowed, f"{route.method} {path}: {answer.status_code} {answer.text}"


def test_tokens_work_until_they_expire(server: LabServer, me: httpx.Client) -> None:
    made = me.post("qpi/v1/tokens", json={"name": "mine"}).json()
    with_token = server.client(made["token"])
    assert with_token.get("qpi/v1/qpus").status_code == 200
    expired = me.post("qpi/v1/tokens", json={"name": "old", "expires_at": "2001-01-01T00:00:00Z"})
    assert expired.status_code in (201, 400)
    if expired.status_code == 201:
        assert server.client(expired.json()["token"]).get("qpi/v1/qpus").status_code == 401
    assert server.client(made["token"] + "x").get("qpi/v1/qpus").status_code == 401


def test_the_description_covers_every_route_and_resolves(me: httpx.Client) -> None:
    spec = me.get("qpi/v1/openapi.json").json()
    described = {(method.upper(), path) for path, verbs in spec["paths"].items() for method in verbs}
    assert described == {(route.method, route.path) for route in ROUTES}
    names = [operation["operationId"] for verbs in spec["paths"].values() for operation in verbs.values()]
    assert len(names) == len(set(names))

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                yield reference
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    known = {f"#/components/schemas/{name}" for name in spec["components"]["schemas"]}
    assert set(references(spec)) <= known
    assert all(operation["responses"] for verbs in spec["paths"].values() for operation in verbs.values())

    schemas = spec["components"]["schemas"]
    kinds = schemas["EventPage"]["properties"]["events"]["items"]["discriminator"]["mapping"]
    assert list(kinds) == list(KINDS)
    assert all("Seen by" in schemas[reference.rpartition("/")[2]]["description"] for reference in kinds.values())
