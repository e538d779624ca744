"""The surface keeps to its own description: generated requests to every route, with a managing person's token."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from qpi_server.web import ROUTES
from qpi_server.web.openapi import document
from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.waiting import PATIENCE_S

HANG = {("GET", "/qpi/owner"), ("GET", "/qpi/api/realtime")}
"""They answer when the server ends, or never."""
ASKED = [(route.method, route.path) for route in ROUTES if (route.method, route.path) not in HANG]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
THOROUGH = settings().max_examples >= 100
EXAMPLES = settings().max_examples // 5 if THOROUGH else 1
"""Of each route: always the same ones, that of `make test` the first of them."""
MODES = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.FUZZING]
EDGES = [HypothesisTestMode.COVERAGE] if THOROUGH else []
"""Of every field."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A demo lab whose drivers are not started: nothing runs."""
    with lab_server(tmp_path_factory.mktemp("contract"), "--demo", "--QPIServer.embedded_drivers=False") as server:
        yield server


@pytest.fixture(scope="module")
def asking() -> Iterator[requests.Session]:
    """Connections are kept; cookies are not, lest one route's sign-in serves the next one."""
    with requests.Session() as asking:
        asking.trust_env = False
        asking.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield asking


@pytest.fixture(scope="module")
def schema() -> OpenApiSchema:
    return schemathesis.openapi.from_dict(document(ROUTES))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def keeps_to_its_description(case: Case, server: LabServer, asking: requests.Session) -> None:
    case.query.pop("wait_s", None)  # a long-poll would only take its time
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = server.url.rstrip("/")
    case.call_and_validate(base_url=url, session=asking, headers=headers, checks=CHECKS, timeout=PATIENCE_S)


@pytest.mark.hypothesis
@pytest.mark.parametrize(("method", "path"), ASKED)
def test_no_request_gets_an_answer_that_is_not_described(
    schema: OpenApiSchema, server: LabServer, asking: requests.Session, method: str, path: str
) -> None:
    # What is asked is made here, not by `schema.parametrize`: each worker would make it whenever it collects.
    config = HypothesisTestConfig(project=schema.config, modes=[*MODES, *EDGES])
    test = create_test(operation=schema[path][method], test_func=keeps_to_its_description, config=config)
    test(server=server, asking=asking)
