"""A lab with two people who use QPI's surface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from .servers import LabServer, lab_server
from .waiting import wait_until

PASSWORD = "correct horse battery"
FLIP = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\ncreg c[1];\nx q[0];\nmeasure q -> c;\n'
RECORDS = "qpi/api/collections/{}/records"


@contextmanager
def qpi_lab(folder: Path) -> Iterator[LabServer]:
    """A demo lab whose drivers are there, with Ann and Bob."""
    with lab_server(folder, "--demo", "--QPIServer.local_accounts=True") as server:
        admin = server.client()
        wait_until(lambda: len(admin.get("qpi/health").json()["drivers"]) == 2, what="the drivers' start")
        for name in ("ann", "bob"):
            admin.post("qpi/v1/users", json={"name": name, "email": f"{name}@lab.example", "password": PASSWORD})
        yield server


def person(server: LabServer, identity: str) -> httpx.Client:
    """Somebody who has signed in."""
    answer = server.client(None).post(
        "qpi/api/collections/users/auth-with-password", json={"identity": identity, "password": PASSWORD}
    )
    assert answer.status_code == 200, answer.text
    return server.client(answer.json()["token"])


def refusal(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of a refusal, which has PocketBase's shape."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert set(body) == {"status", "message", "data"}
    assert body["status"] == status
    return body
