"""The surface keeps to its own description: generated requests to every route, with a managing person's token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from qpi_server.web import ROUTES
from qpi_server.web.openapi import document
from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.waiting import PATIENCE_S

HANGS = "/qpi/owner"
"""Answers when the server ends."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
STREAMS = "/qpi/api/realtime"
THOROUGH = settings().max_examples >= 100
EXAMPLES = settings().max_examples // 5 if THOROUGH else 1
"""Of each route: always the same ones, that of `make test` the first of them."""
schema = schemathesis.openapi.from_dict(document(ROUTES)).exclude(path=HANGS).exclude(path=STREAMS, method="GET")
# The edges of every field are found while tests are collected, which each worker does: seconds that only one needs.
schema.config.phases.coverage.enabled = THOROUGH


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A demo lab whose drivers are not started: nothing runs."""
    with lab_server(tmp_path_factory.mktemp("contract"), "--demo", "--QPIServer.embedded_drivers=False") as server:
        yield server


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_gets_an_answer_that_is_not_described(case: Case, server: LabServer) -> None:
    case.query.pop("wait_s", None)  # a long-poll would only take its time
    headers = {"Authorization": f"Bearer {TOKEN}"}
    case.call_and_validate(base_url=server.url.rstrip("/"), headers=headers, checks=CHECKS, timeout=PATIENCE_S)
