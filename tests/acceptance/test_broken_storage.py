"""A server that starts on a full disk, or without permission, says so; it goes on by itself when that is over."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest

from tests.support.servers import LabServer, lab_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def assert_refused(server: LabServer, code: str) -> None:
    client = server.client()
    told = wait_until(lambda: _trouble(server), what="the trouble")
    assert (told["status"], told["error"]["code"]) == ("down", code)
    refused = client.post("qpi/v1/qpus", json={"name": "q1"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, code)
    assert refused.json()["error"]["message"] in server.log.read_text()


def _trouble(server: LabServer) -> dict[str, object] | None:
    answer = server.client(None).get("qpi/health")
    return answer.json() if answer.status_code == 503 else None  # type: ignore[no-any-return]


def assert_goes_on(server: LabServer) -> None:
    client = server.client()
    wait_until(lambda: client.get("qpi/health").status_code == 200, what="the lab's recovery")
    assert client.get("qpi/health").json()["status"] == "up"
    assert client.post("qpi/v1/qpus", json={"name": "q1"}).status_code == 201


def test_a_lab_that_may_not_write_so_much_opens_once_it_may(tmp_path: Path) -> None:
    with lab_server(tmp_path, module="tests.support.hindered", HINDERED="full", ready=(503,)) as server:
        assert_refused(server, "store_failed")
        assert "Free some space" in server.log.read_text()
        process = psutil.Process(server.process.pid)
        process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
        assert_goes_on(server)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lab that has been closed."""
    folder = tmp_path_factory.mktemp("made")
    with lab_server(folder) as server:
        return server.lab_dir


@pytest.mark.parametrize(("name", "mode"), [(".", 0o500), ("lab.sqlite3", 0o400)])
def test_a_lab_without_permission_goes_on_once_it_has_it(made: Path, tmp_path: Path, name: str, mode: int) -> None:
    lab_dir = tmp_path / "lab"
    shutil.copytree(made, lab_dir)
    path = lab_dir / name
    before = path.stat().st_mode
    path.chmod(mode)
    with lab_server(
        tmp_path / "a", lab_dir=lab_dir, module="tests.support.hindered", HINDERED="denied", ready=(503,)
    ) as server:
        assert_refused(server, "storage_denied")
        path.chmod(before)
        assert_goes_on(server)
