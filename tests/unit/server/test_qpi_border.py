"""Nothing that QPI's clients send is acknowledged in part."""

from __future__ import annotations

import json

import msgspec
import pytest

from qpi_jupyter.core.errors import QpiError, Rejected
from qpi_server.web.compat.qpi import api, border
from qpi_server.web.table import Route

ROUTES = {border.key_of(route): route for route in api.routes}
POCKETBASE = {
    "id", "created", "updated", "collectionId", "collectionName", "expand", "email", "emailVisibility", "verified",
    "username", "name", "avatar", "password", "passwordConfirm", "oldPassword", "tokenKey", "lastResetSentAt", "role",
    "qpu_seconds", "identity", "identityField", "mfaId", "otpId", "createData", "qpu_target", "payload", "status",
    "finished_at", "duration", "results", "user_id", "start_time", "end_time", "booked_by", "seconds", "user",
    "requested_reason", "rejection_reason", "handled_by", "title", "description", "target_users", "dismissed_by",
    "circuits", "shots", "meas_level", "meas_return", "acq_rotation", "acq_threshold", "qasm", "circuit",
    "executor_type", "num_qubits", "enabled", "access_token", "device_config", "kind", "language", "events", "qpu",
    "token", "host", "version", "expires_at", "token_hash", "last_used", "clientId", "subscriptions", "seed", "memory",
    "nosuch", "Email", "passwordconfirm", "",
}  # fmt: skip
"""Every field that QPI, PocketBase or a published client knows."""


def fields(route: Route) -> set[str]:
    return set() if route.body is None else {field.encode_name for field in msgspec.structs.fields(route.body)}


@pytest.mark.parametrize("key", ROUTES)
def test_a_field_is_read_or_known_to_mean_nothing_or_refused_by_name(key: str) -> None:
    route = ROUTES[key]
    ignored = border.IGNORED.get(key, {})
    if border.EVERY in ignored:
        return
    for name in sorted(POCKETBASE - fields(route) - set(ignored)):
        with pytest.raises(Rejected) as caught:
            border.read_body(json.dumps({name: "x"}).encode(), route, {})
        assert (caught.value.code, caught.value.data["fields"]) == ("unknown_field", [name])
        assert repr(name) in caught.value.message


@pytest.mark.parametrize("key", ROUTES)
def test_a_query_is_read_or_refused_by_name(key: str) -> None:
    for name in ("expand", "nosuch", "Filter", "requestKey"):
        if border.EVERY in border.IGNORED.get(key, {}):
            border.read_query({name: [b"x"]}, ROUTES[key])
            continue
        with pytest.raises(Rejected) as caught:
            border.read_query({name: [b"x"]}, ROUTES[key])
        assert caught.value.data["field"] == name


@pytest.mark.parametrize(
    "body",
    [
        {"circuits": [{"circuit": "OPENQASM 2.0;", "name": "bell"}]}, {"circuits": [{"qasm": "", "seed": 1}]},
        {"circuits": [], "options": {}},
    ],
)  # fmt: skip
def test_what_is_inside_a_job_is_no_less_looked_at(body: dict[str, object]) -> None:
    for key, sent in (("POST jobs", body), ("POST collections/quantum_jobs/records", {"payload": body})):
        with pytest.raises(Rejected) as caught:
            border.read_body(json.dumps(sent).encode(), ROUTES[key], {})
        assert str(caught.value.data["field"]).rpartition(".")[2] in ("name", "seed", "options")


def test_the_tables_speak_of_what_is_there() -> None:
    for key, ignored in border.IGNORED.items():
        assert all(ignored.values()), f"{key} gives no reason"
        if key in ROUTES:  # a collection without that verb has nothing to ignore
            assert not set(ignored) & fields(ROUTES[key]), f"{key} reads what its table ignores"
    for key, names in border.ALIASES.items():
        assert {name for theirs in names.values() for name in theirs} <= fields(ROUTES[key]) | {"payload"}, key


def test_a_record_that_is_sent_back_may_say_which_one_it_is() -> None:
    route = ROUTES["PATCH collections/notifications/records/{id}"]
    body = {"id": "not-1", "title": "T", "collectionName": "notifications", "created": "", "expand": {}}
    assert border.read_body(json.dumps(body).encode(), route, {"id": "not-1"}) is not None
    with pytest.raises(Rejected):
        border.read_body(json.dumps(body).encode(), route, {"id": "not-2"})


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b"null", b"\n{ }"])
def test_nothing_is_no_body(body: bytes) -> None:
    assert border.read_body(body, ROUTES["POST jobs/{id}/cancel"], {}) is None


@pytest.mark.parametrize("body", [b"[]", b"x", b"1", b'{"a": 1}', b"\xff"])
def test_a_route_without_a_body_takes_none(body: bytes) -> None:
    with pytest.raises(Rejected):
        border.read_body(body, ROUTES["POST jobs/{id}/cancel"], {})


def test_a_refusal_has_the_names_that_the_client_sent() -> None:
    route = ROUTES["PATCH collections/notifications/records/{id}"]
    sent = border.read_body(b'{"end_time": "2030-01-01"}', route, {})
    assert sent is not None
    error = QpiError("end_at must be after start_at.", code="bad_time", field="end_at")
    told = border.in_their_words(error, route, sent)
    assert (told.message, told.data["field"]) == ("end_time must be after start_time.", "end_time")
