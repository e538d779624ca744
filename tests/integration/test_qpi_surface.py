"""QPI's HTTP surface on a real server: what its clients do not show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from qpi_server.web.compat.qpi.drivers import CUSTOM, KINDS
from tests.support.qpi import FLIP, PASSWORD, RECORDS, person, qpi_lab, refusal
from tests.support.servers import LabServer
from tests.support.waiting import wait_until

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


@pytest.fixture(scope="module")
def jobs(ann: httpx.Client, bob: httpx.Client, server: LabServer) -> list[str]:
    """Four finished jobs, three of them Ann's, oldest first."""
    made = []
    for client in (ann, ann, bob, ann):
        answer = client.post("qpi/api/jobs", json={"circuits": [FLIP], "shots": 3, "qpu_target": "sim-b"})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        native = server.client().get(f"qpi/v1/jobs/{made[-1]}", params={"wait_s": 60}).json()
        assert native["status"] == "completed", native
    return made


# --- jobs and lists --------------------------------------------------------------------------------------------------


def test_a_list_is_paged_filtered_sorted_and_counted(ann: httpx.Client, jobs: list[str]) -> None:
    mine = [jobs[3], jobs[1], jobs[0]]

    def ids(**query: Any) -> tuple[list[str], int, int]:
        page = ann.get(RECORDS.format("quantum_jobs"), params=query).json()
        return [item["id"] for item in page["items"]], page["totalItems"], page["totalPages"]

    assert ids() == (mine, 3, 1)
    assert ids(page=2, perPage=2) == (mine[2:], 3, 2)
    assert ids(perPage=1_000_000) == (mine, 3, 1)
    assert ids(skipTotal="1") == (mine, -1, -1)
    assert ids(sort="created") == (mine[::-1], 3, 1)
    assert ids(filter="status='completed' && qpu_target='sim-b'", perPage=1) == (mine[:1], 3, 3)
    assert ids(filter=f"id='{mine[1]}' || id ~ '{mine[2]}'") == (mine[1:], 2, 1)
    assert ids(filter="user_id='bob'") == ([], 0, 0)
    assert ids(filter="created > @now") == ([], 0, 0)
    item = ann.get(RECORDS.format("quantum_jobs"), params={"fields": "id,status", "perPage": 1}).json()["items"][0]
    assert item == {"id": mine[0], "status": "completed"}


def test_qpis_own_list_skips_and_limits(ann: httpx.Client, jobs: list[str]) -> None:
    def ids(**query: Any) -> list[str]:
        return [job["id"] for job in ann.get("qpi/api/jobs", params=query).json()]

    assert ids(limit=0) == [jobs[3], jobs[1], jobs[0]]
    assert ids(skip=1, limit=1) == [jobs[1]]
    assert ids(sort="created") == [jobs[0], jobs[1], jobs[3]]


def test_managers_find_everybodys_jobs(admin: httpx.Client, jobs: list[str]) -> None:
    found = admin.get(RECORDS.format("quantum_jobs"), params={"filter": "user_id = 'bob'"}).json()
    assert [item["id"] for item in found["items"]] == [jobs[2]]


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "status='x' OR 1=1"}, {"filter": "status='x'); DELETE FROM jobs --"}, {"filter": "options ~ 'x'"},
        {"filter": "user_id.password = 'x'"}, {"filter": "'" * 3000}, {"sort": "-options"}, {"page": 100_000},
        {"page": "x"}, {"sort": "created; DROP TABLE jobs"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("collection", ["quantum_jobs", "users", "qpus", "time_slots", "api_tokens", "notifications"])
def test_lists_take_nothing_else(ann: httpx.Client, collection: str, query: dict[str, Any]) -> None:
    refusal(ann.get(RECORDS.format(collection), params=query), 400)


def test_a_record_shows_what_ran_and_what_came(ann: httpx.Client, jobs: list[str]) -> None:
    found = ann.get(RECORDS.format("quantum_jobs") + f"/{jobs[0]}").json()
    assert found["payload"]["circuits"] == [{"circuit": FLIP}]
    assert found["results"]["circuit_results"][0]["counts"] == {"1": 3}
    picked = ann.get(RECORDS.format("quantum_jobs") + f"/{jobs[0]}", params={"fields": "id"}).json()
    assert picked == {"id": jobs[0]}
    refusal(ann.get(RECORDS.format("quantum_jobs") + f"/{jobs[2]}"), 404)


@pytest.mark.parametrize(
    "forged",
    [
        {"status": "completed"}, {"results": {"counts": {"1": 9}}}, {"user_id": "bob"}, {"duration": 5},
        {"finished_at": "2030-01-01"},
    ],
)  # fmt: skip
def test_nobody_inserts_a_finished_job(ann: httpx.Client, jobs: list[str], forged: dict[str, Any]) -> None:
    record = {"payload": {"circuits": [FLIP]}, "qpu_target": "sim-b", **forged}
    body = refusal(ann.post(RECORDS.format("quantum_jobs"), json=record), 403)
    assert list(body["data"]) == list(forged)
    assert ann.get(RECORDS.format("quantum_jobs")).json()["totalItems"] == 3


def test_a_job_may_come_through_its_collection(bob: httpx.Client, server: LabServer) -> None:
    record = {"payload": {"circuits": [FLIP]}, "qpu_target": "sim-b", "user_id": "bob", "status": "pending"}
    answer = bob.post(RECORDS.format("quantum_jobs"), json=record)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["user_id"], answer.json()["qpu_target"]) == ("bob", "sim-b")
    assert refusal(bob.patch(RECORDS.format("quantum_jobs") + "/x", json={"status": "completed"}), 405)


# --- people, tokens, time --------------------------------------------------------------------------------------------


def test_nobody_sets_their_own_time(ann: httpx.Client) -> None:
    address = RECORDS.format("users") + "/ann"
    body = refusal(ann.patch(address, json={"qpu_seconds": 1e6, "name": "Ann the Rich"}), 403)
    assert "qpu_seconds" in body["data"]
    mine = ann.get(address).json()
    assert (mine["qpu_seconds"], mine["name"]) == (999_999_999, "ann")
    assert ann.patch(address, json={"name": "Ann"}).json()["name"] == "Ann"
    refusal(ann.get(RECORDS.format("users") + "/bob"), 404)
    refusal(ann.post(RECORDS.format("users"), json={"username": "eve", "password": PASSWORD}), 403)


def test_a_password_is_changed_with_the_old_one(admin: httpx.Client, server: LabServer) -> None:
    admin.post("qpi/v1/users", json={"name": "dan", "email": "dan@lab.example", "password": PASSWORD})
    dan, address, new = person(server, "dan"), RECORDS.format("users") + "/dan", "another good battery"
    change = {"password": new, "passwordConfirm": new, "oldPassword": PASSWORD}
    for wrong, field in (
        ({**change, "oldPassword": "guessed"}, "oldPassword"), ({**change, "passwordConfirm": "x"}, "passwordConfirm"),
        ({"password": new, "passwordConfirm": new}, "oldPassword"), ({"oldPassword": PASSWORD}, "password"),
        ({**change, "password": "short", "passwordConfirm": "short"}, "password"),
        ({**change, "email": "boss@lab.example"}, "email"), ({**change, "verified": False}, "verified"),
        ({**change, "qpu_seconds": 1}, "qpu_seconds"), ({**change, "emailVisibility": True}, "emailVisibility"),
    ):  # fmt: skip
        answer = dan.patch(address, json={"name": "Somebody Else", **wrong})
        assert answer.status_code in (400, 403), answer.text
        assert list(answer.json()["data"]) == [field]
    assert person(server, "dan").get(address).json()["name"] == "dan"  # the old password is good, nothing was changed
    assert dan.patch(address, json={"name": "Dan", **change}).json()["name"] == "Dan"
    sign_in = "qpi/api/collections/users/auth-with-password"
    assert server.client(None).post(sign_in, json={"identity": "dan", "password": PASSWORD}).status_code == 401
    assert server.client(None).post(sign_in, json={"identity": "dan@lab.example", "password": new}).status_code == 200
    given = {"password": PASSWORD, "passwordConfirm": PASSWORD}
    refusal(person(server, "ann").patch(address, json=given), 404)
    assert admin.patch(address, json=given).status_code == 200
    assert person(server, "dan").get(address).status_code == 200


def test_managers_make_accounts_with_time(admin: httpx.Client, server: LabServer) -> None:
    new = {"username": "cleo", "email": "cleo@lab.example", "password": PASSWORD, "qpu_seconds": 60}
    refusal(admin.post(RECORDS.format("users"), json={**new, "passwordConfirm": "something else"}), 400)
    made = admin.post(RECORDS.format("users"), json={**new, "passwordConfirm": PASSWORD})
    assert (made.status_code, made.json()["qpu_seconds"]) == (200, 60), made.text
    found = admin.get(RECORDS.format("users"), params={"filter": "qpu_seconds < 100", "sort": "name"}).json()
    assert [user["id"] for user in found["items"]] == ["cleo"]
    refreshed = person(server, "cleo").post("qpi/api/collections/users/auth-refresh")
    assert refreshed.json()["record"]["id"] == "cleo"
    answer = server.client(None).post(
        "qpi/api/collections/_superusers/auth-with-password", json={"identity": "cleo", "password": PASSWORD}
    )
    refusal(answer, 403)


def test_tokens_come_and_go(ann: httpx.Client, bob: httpx.Client, server: LabServer) -> None:
    made = ann.post("qpi/api/tokens", json={"name": "lab book", "expires_at": "2099-01-01 00:00:00.000Z"}).json()
    assert made["expires_at"] == "2099-01-01 00:00:00.000Z"
    by_token = server.client(None, **{"X-API-Token": made["token"]})
    assert by_token.get(RECORDS.format("users")).json()["items"][0]["id"] == "ann"
    assert made["id"] in [token["id"] for token in ann.get("qpi/api/tokens").json()]
    assert "token" not in ann.get(f"qpi/api/tokens/{made['id']}").json()
    assert ann.patch(f"qpi/api/tokens/{made['id']}", json={"name": "old"}).json()["name"] == "old"
    refusal(bob.get(f"qpi/api/tokens/{made['id']}"), 404)
    refusal(bob.delete(f"qpi/api/tokens/{made['id']}"), 404)
    refusal(ann.patch(f"qpi/api/tokens/{made['id']}", json={"expires_at": "2001-01-01"}), 400)
    assert ann.delete(f"qpi/api/tokens/{made['id']}").json() == {"status": "deleted"}
    refusal(by_token.get("qpi/api/jobs"), 401)


def test_a_sign_in_counts_before_a_token_and_a_token_before_nothing(
    ann: httpx.Client, bob: httpx.Client, server: LabServer
) -> None:
    token = bob.post("qpi/api/tokens", json={}).json()["token"]
    login = ann.headers["Authorization"].removeprefix("Bearer ")

    def name(**headers: str) -> str:
        answer = server.client(None, **headers).get(RECORDS.format("users"))
        assert answer.status_code == 200, answer.text
        who: str = answer.json()["items"][0]["id"]
        return who

    assert name(**{"Authorization": f"Bearer {login}", "X-API-Token": token}) == "ann"
    assert name(**{"Authorization": "Bearer qpi_session_ended", "X-API-Token": token}) == "bob"
    assert name(Authorization=login) == "ann"  # as PocketBase's own clients send it
    assert name(Authorization=f"Bearer {token}") == name(Authorization=token) == "bob"
    refusal(server.client(None).get("qpi/api/jobs"), 401)


def test_passwords_are_guessed_slowly(server: LabServer) -> None:
    client = server.client(None)
    statuses = [
        client.post(
            "qpi/api/collections/users/auth-with-password", json={"identity": "nobody", "password": "wrong"}
        ).status_code
        for _ in range(8)
    ]
    assert statuses[0] == 401
    assert statuses[-1] == 429


# --- notices and slots -----------------------------------------------------------------------------------------------


def test_notices_are_for_whom_they_name_and_stay_dismissed(
    admin: httpx.Client, ann: httpx.Client, bob: httpx.Client
) -> None:
    address = RECORDS.format("notifications")
    refusal(ann.post(address, json={"title": "mine"}), 403)
    one = admin.post(address, json={"title": "For Ann", "target_users": ["ann"]}).json()
    both = admin.post(address, json={"title": "For all", "end_time": "2099-01-01 00:00:00Z"}).json()

    def titles(client: httpx.Client) -> set[str]:
        return {notice["title"] for notice in client.get(address).json()["items"]}

    assert titles(ann) == {"For Ann", "For all"}
    assert titles(bob) == {"For all"}
    refusal(bob.post(f"qpi/api/notifications/{one['id']}/dismiss"), 404)
    assert ann.post(f"qpi/api/notifications/{both['id']}/dismiss").json() == {"status": "dismissed"}
    assert bob.post(f"qpi/api/notifications/{both['id']}/dismiss").status_code == 200
    assert titles(ann) == {"For Ann"}  # although a second person has dismissed the other one
    assert admin.patch(f"{address}/{one['id']}", json={"title": "For you"}).json()["title"] == "For you"
    assert titles(ann) == {"For you"}
    assert admin.delete(f"{address}/{one['id']}").status_code == 204
    assert titles(ann) == set()


def test_a_slot_books_every_qpu_or_none(admin: httpx.Client, ann: httpx.Client, bob: httpx.Client) -> None:
    address = RECORDS.format("time_slots")
    day = datetime.now(UTC).date() + timedelta(days=30)
    times = {"start_time": f"{day} 09:00:00.000Z", "end_time": f"{day} 10:00:00.000Z"}
    one_qpu = {"qpu": "sim-b", "start_at": f"{day}T09:30:00Z", "end_at": f"{day}T09:40:00Z"}
    taken = bob.post("qpi/v1/bookings", json=one_qpu)
    assert taken.status_code == 201, taken.text
    refusal(ann.post(address, json=times), 409)
    booked = ann.get("qpi/v1/bookings", params={"start": times["start_time"].replace(" ", "T")}).json()["bookings"]
    assert [booking["qpu"] for booking in booked] == ["sim-b"]
    bob.delete(f"qpi/v1/bookings/{taken.json()['bookings'][0]['id']}")
    slot = ann.post(address, json=times).json()
    assert (slot["booked_by"], slot["start_time"]) == ("ann", times["start_time"])
    listed = bob.get(address, params={"filter": f"start_time >= '{times['start_time']}' && booked_by = 'ann'"}).json()
    assert [found["id"] for found in listed["items"]] == [slot["id"]]
    refusal(ann.patch(f"{address}/{slot['id']}", json={"booked_by": "bob"}), 403)
    assert bob.delete(f"{address}/{slot['id']}").status_code in (403, 404)
    assert ann.delete(f"{address}/{slot['id']}").status_code == 204
    refusal(ann.get(f"{address}/{slot['id']}"), 404)


# --- what the clients in other languages read ------------------------------------------------------------------------

WHOLE = {"seconds", "qpu_seconds", "num_qubits", "shots", "page", "perPage", "totalItems", "totalPages", "meas_level"}
"""What QPI's Go client reads into an ``int``; it reads ``duration`` into a ``float64``, and names no other number."""


def test_whole_numbers_are_whole(admin: httpx.Client, bob: httpx.Client, jobs: list[str]) -> None:
    requests, users = RECORDS.format("qpu_time_requests"), RECORDS.format("users")
    admin.patch(f"{users}/bob", json={"qpu_seconds": 59.7})
    answers = [bob.post(requests, json={"seconds": seconds}) for seconds in (60, 60.0, 1.5)]
    one = answers[0].json()
    assert [answer.json()["seconds"] for answer in answers] == [60, 60, 2]
    answers += [
        admin.get(users), admin.get(f"{users}/bob"), admin.get(requests), admin.get("qpi/api/qpus"),
        admin.get("qpi/api/qpus/sim-a"), admin.get(RECORDS.format("qpus")), admin.get(RECORDS.format("quantum_jobs")),
        admin.get("qpi/api/jobs"), admin.get(f"qpi/api/jobs/{jobs[0]}"),
        # as the Go client sends it: its whole record, empty where it knows nothing
        admin.patch(f"{requests}/{one['id']}", json={"seconds": 0, "status": "rejected", "rejection_reason": "no"}),
        admin.patch(f"{users}/bob", json={"qpu_seconds": 999_999_999}),
    ]  # fmt: skip
    seen = set()
    for answer in answers:
        assert answer.is_success, answer.text
        for name, value in numbers(json.loads(answer.text, parse_float=Decimal)):
            assert name not in WHOLE or type(value) is int, (name, value)
            seen.add(name)
    assert seen >= WHOLE


def numbers(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every number of an answer, and the field that it is in."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner, name)
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        yield name, value


def test_refusals_name_the_fields_that_were_sent(admin: httpx.Client, ann: httpx.Client) -> None:
    late, early = "2099-01-02 00:00:00Z", "2099-01-01 00:00:00Z"
    slots, notices = RECORDS.format("time_slots"), RECORDS.format("notifications")
    for answer, field in (
        (ann.post(slots, json={"start_time": late, "end_time": early}), "end_time"),
        (ann.post(slots, json={"start_time": "noon", "end_time": early}), "start_time"),
        (ann.post(slots, json={"start_time": early, "end_time": "9999-12-31T23:59:59-23:59"}), "end_time"),
        (ann.post(slots, json={"start_time": late}), "end_time"),
        (admin.post(notices, json={"title": "t", "start_time": late, "end_time": early}), "end_time"),
        (admin.post(notices, json={"title": "t", "description": "x" * 10_001}), "description"),
        (admin.post(notices, json={"title": "t", "target_users": ["nobody at all"]}), "target_users"),
        (ann.post(RECORDS.format("qpu_time_requests"), json={"seconds": -1}), "seconds"),
        (admin.post(RECORDS.format("users"), json={"email": "a b@x", "password": PASSWORD}), "email"),
        (admin.post(RECORDS.format("users"), json={"username": "ann", "password": PASSWORD}), "username"),
        (ann.post("qpi/api/jobs", json={"circuits": [], "shots": 1}), "circuits"),
        (ann.post("qpi/api/jobs", json={"circuits": [FLIP], "shots": "many"}), "shots"),
        (ann.post("qpi/api/jobs", json={"circuits": [FLIP], "qpu_target": "no such"}), "qpu_target"),
        (ann.post("qpi/api/tokens", json={"expires_at": "9999-12-31T23:59:59-23:59"}), "expires_at"),
    ):  # fmt: skip
        assert 400 <= answer.status_code < 500, answer.text
        assert list(answer.json()["data"]) == [field], answer.text


def test_a_filter_beyond_the_calendar_is_a_refusal(ann: httpx.Client) -> None:
    for when in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2099-02-31", "2099-01-01T25:00:00Z"):
        for sign in ("=", ">", "<", "!=", "~"):
            answer = ann.get(RECORDS.format("quantum_jobs"), params={"filter": f"created {sign} '{when}'"})
            assert "filter" in refusal(answer, 400)["data"]


# --- the lab itself --------------------------------------------------------------------------------------------------


def test_a_driver_is_registered_with_our_own_command(admin: httpx.Client, ann: httpx.Client, server: LabServer) -> None:
    wanted = {"name": "fridge-1", "qpu": "sim-b", "kind": "bluefors_gen1", "language": "python", "events": []}
    refusal(ann.post("qpi/api/op/drivers/create", json=wanted), 403)
    made = admin.post("qpi/api/op/drivers/create", json=wanted)
    assert made.status_code == 201, made.text
    assert made.json()["token"] in made.json()["snippets"]["manual_cli"]
    assert made.json()["snippets"]["manual_cli"].startswith(f"qpi-agent start --qpi-addr {server.url}")
    for kind in KINDS:
        named = {**wanted, "name": f"driver-{kind}", "kind": kind}
        command = admin.post("qpi/api/op/drivers/create", json=named).json()["snippets"]["manual_cli"]
        assert f" --executor {'EXECUTOR' if kind == CUSTOM else kind} " in command
    for kind in ("qiskit-aer", "Mock", "", "quantify_tuner", "../mock", None):
        body = refusal(admin.post("qpi/api/op/drivers/create", json={**wanted, "name": "n", "kind": kind}), 400)
        assert "kind" in body["data"]
        assert kind is None or all(known in body["message"] for known in KINDS)
    refusal(admin.post("qpi/api/op/drivers/create", json={**wanted, "name": "n", "events": ["JobDispatch"]}), 400)
    refusal(admin.post("qpi/api/op/drivers/create", json=wanted), 409)
    refusal(admin.post("qpi/api/op/drivers/create", json={**wanted, "name": "go-1", "language": "go"}), 400)
    gone = refusal(server.client(None).post("qpi/api/op/drivers/connect", json={"token": made.json()["token"]}), 410)
    assert "qpi-agent" in gone["message"]
    said = server.client(None).post("qpi/api/op/drivers/connect", json={}).reason_phrase
    assert said.startswith("Gone")
    assert "qpi-agent" in said  # all that QPI's own driver shows


def test_a_new_qpu_has_the_qubits_that_were_said(admin: httpx.Client) -> None:
    made = admin.post("qpi/api/op/qpus/create", json={"name": "fridge", "num_qubits": 5, "executor_type": "presto"})
    assert made.status_code == 201, made.text
    assert admin.get("qpi/api/qpus/fridge").json()["num_qubits"] == 5
    assert (
        "num_qubits"
        in refusal(admin.post("qpi/api/op/qpus/create", json={"name": "f2", "num_qubits": -1}), 400)["data"]
    )
    admin.delete("qpi/v1/qpus/fridge").raise_for_status()


def test_a_driver_that_is_switched_off_stays_out(admin: httpx.Client, ann: httpx.Client) -> None:
    [driver_id] = [driver["driver"] for driver in admin.get("qpi/health").json()["drivers"] if driver["qpu"] == "sim-a"]

    def toggle(enabled: bool) -> httpx.Response:
        return admin.post("qpi/api/op/drivers/toggle", json={"id": driver_id, "enabled": enabled})

    def status() -> str:
        found: str = ann.get("qpi/api/collections/qpus/records/sim-a").json()["status"]
        return found

    refusal(ann.post("qpi/api/op/drivers/toggle", json={"id": driver_id, "enabled": False}), 403)
    assert (toggle(False).json()["enabled"], toggle(False).json()["status"]) == (False, "offline")
    wait_until(lambda: status() == "offline", what="the driver's end")
    assert toggle(True).json()["enabled"] is True
    wait_until(lambda: status() == "online", what="the driver's return")
    refusal(admin.post("qpi/api/op/drivers/toggle", json={"id": "nobody", "enabled": True}), 404)


def test_version_certificate_and_looks(admin: httpx.Client, ann: httpx.Client, server: LabServer) -> None:
    anybody = server.client(None)
    assert admin.get("qpi/api/op/version").json()["version"]
    refusal(ann.get("qpi/api/op/version"), 403)
    refusal(anybody.get("qpi/api/pub/root-ca.pem"), 404)  # plain http: there is no authority
    assert anybody.get("qpi/api/theme/active").json()["is_active"] is True
    assert "max-age=300" in anybody.get("qpi/api/theme/defaults").headers["Cache-Control"]
    for name in ("css", "js"):
        answer = anybody.get(f"qpi/api/theme/{name}")
        assert (answer.status_code, answer.content) == (204, b"")
    refusal(anybody.get("qpi/api/nothing/here"), 404)
    refusal(ann.delete("qpi/api/qpus/sim-a"), 405)
