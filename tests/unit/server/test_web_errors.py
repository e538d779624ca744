"""Every error has one status, one body and nothing of the server's inside."""

from __future__ import annotations

import json

import pytest
from tornado.web import HTTPError

from qpi_jupyter.core import errors
from qpi_server.web.errors import body_of, from_exception, headers_of, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Rejected("no"), 400),
        (errors.ProgramError("no", line=3, column=7), 400),
        (errors.Unauthorized(), 401),
        (errors.Forbidden(), 403),
        (errors.NotFound(), 404),
        (errors.Conflict(), 409),
        (errors.TooLarge(), 413),
        (errors.Rejected("no", code="bad_checksum"), 422),
        (errors.Rejected("no", code="truncated"), 422),
        (errors.Rejected("no", code="bad_result"), 422),
        (errors.TooMany(), 429),
        (errors.Unavailable(), 503),
        (errors.Faulted(), 500),
        (errors.QpiError("?"), 500),
    ],
)
def test_the_table(error: errors.QpiError, status: int) -> None:
    assert status_of(error) == status


def test_the_body_names_kind_code_message_and_place() -> None:
    body = json.loads(body_of(errors.ProgramError("bad gate", line=3, column=7, circuit=0), 400, {}))
    assert body == {
        "error": {
            "kind": "ProgramError",
            "code": "bad_program",
            "message": "bad gate",
            "data": {"circuit": 0, "line": 3, "column": 7},
        }
    }


def test_waiting_helps_with_some_and_signing_in_with_others() -> None:
    assert "Retry-After" in headers_of(errors.Unavailable())
    assert headers_of(errors.TooMany(retry_after_s=3.2)) == {"Retry-After": "4"}
    assert "WWW-Authenticate" in headers_of(errors.Unauthorized())
    assert headers_of(errors.NotFound()) == {}


def test_what_nobody_foresaw_shows_no_details() -> None:
    error = from_exception(KeyError("/secret/path"))
    assert status_of(error) == 500
    assert "secret" not in body_of(error, 500, {}).decode()


@pytest.mark.parametrize("status", [400, 403, 404])
def test_an_error_of_tornado_keeps_its_status(status: int) -> None:
    assert status_of(from_exception(HTTPError(status, "no %s", "way"))) == status
    assert from_exception(HTTPError(status, "no %s", "way")).message == "no way"
