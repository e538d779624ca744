"""IBM's own client against a lab's server, as its user has it: with an API token and three addresses."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from urllib3 import HTTPConnectionPool

from .servers import LabServer, lab_server
from .waiting import wait_until

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/lab:lab::"
FAKES = {"name": "fakes", "executor": "fake_backends"}


@contextmanager
def runtime_lab(folder: Path, *arguments: str) -> Iterator[LabServer]:
    """A demo lab that also runs IBM's fake backends."""
    with lab_server(folder, "--demo", *arguments) as server:
        admin = server.client()
        answer = admin.post("qpi/v1/simulators", json=FAKES)
        assert answer.is_success, answer.text
        wait_until(lambda: len(admin.get("qpi/health").json()["drivers"]) == 3, what="the drivers' start")
        try:
            yield server
        finally:
            hang_up()


def hang_up() -> None:
    """Close the connections of IBM's client, which has no call for that."""
    gc.collect()
    for thing in gc.get_objects():
        if issubclass(type(thing), requests.Session | HTTPConnectionPool):
            thing.close()


def token_of(client: httpx.Client) -> str:
    """A new API token of whoever the client is."""
    answer = client.post("qpi/v1/tokens", json={"name": "ibm"})
    assert answer.is_success, answer.text
    return str(answer.json()["token"])


def service_of(server: LabServer, token: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A ``QiskitRuntimeService`` of that person."""
    from qiskit_ibm_runtime import QiskitRuntimeService

    base = f"{server.url}qpi"
    for name, value in (
        ("IAM_URL", f"{base}/iam"), ("GLOBAL_SEARCH_URL", f"{base}/search"), ("GLOBAL_CATALOG_URL", f"{base}/catalog")
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    return QiskitRuntimeService(
        channel="ibm_quantum_platform", token=token, url=f"{base}/experimental/v1", instance=CRN
    )
