"""The log as JSON: every line an object, the request and the job in it, and no secret."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.wire.json_log import JsonLines
from tests.circuits import BELL_QASM3
from tests.support.servers import ROOT, TOKEN, LabServer, lab_server, python_env

BELL = {"program": {"format": "openqasm3", "sources": [BELL_QASM3.decode()]}, "qpu": "sim-b"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with lab_server(
        tmp_path_factory.mktemp("logs"), "--log-json", "--demo", "--QPIServer.embedded_drivers=False"
    ) as server:
        yield server


def lines(server: LabServer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def test_every_line_is_an_object_and_none_comes_twice(server: LabServer) -> None:
    found = lines(server)
    assert all({"at", "level", "logger", "message"} <= line.keys() for line in found)
    [owns] = [line for line in found if line["message"].startswith("This server owns the lab")]
    assert (owns["level"], owns["logger"]) == ("info", "qpi_server.host.owner")
    [link] = [line["set_up_link"] for line in found if "set_up_link" in line]
    assert link.startswith(f"{server.url}qpi/set-up?code=")


def test_a_drivers_log_is_the_same(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "qpi_agent", "start", "--log-json", "--executor", "nowhere:Executor"]
    command += ["--qpi-addr", "http://127.0.0.1:9", "--data-dir", str(tmp_path), "--token", f"qpi_{'x' * 40}"]
    done = subprocess.run(command, env=python_env(), capture_output=True, text=True, timeout=60, cwd=tmp_path)
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, done.stdout) == (2, "")
    assert all({"at", "level", "logger", "message"} <= line.keys() for line in found)
    assert (found[-1]["level"], "nowhere" in found[-1]["message"]) == ("error", True)


def test_a_job_is_told_under_the_request_that_it_came_with(server: LabServer) -> None:
    answer = server.client().post("qpi/v1/jobs", json=BELL, headers={"X-Request-ID": "from-a-test.1"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["X-Request-ID"] == "from-a-test.1"
    job = answer.json()["id"]
    told = [line for line in lines(server) if line.get("job") == job]
    assert ("job.submitted: queued", "from-a-test.1", "sim-b") in [
        (line["message"], line.get("request"), line.get("qpu")) for line in told
    ]


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "<script>", "ü"])
def test_a_request_gets_an_id_and_one_that_is_none_is_replaced(server: LabServer, sent: str) -> None:
    ids = set()
    for address in ("qpi/health", "qpi/v1/nothing", "qpi/v1/link"):
        answer = server.client(None).get(address, headers={"X-Request-ID": sent.encode()})
        assert len(answer.headers["X-Request-ID"]) == 16
        ids.add(answer.headers["X-Request-ID"])
    assert len(ids) == 3
    refused = [line for line in lines(server) if line.get("request") in ids]
    assert any("404 GET /qpi/v1/nothing" in line["message"] for line in refused)


def test_a_server_that_forwards_hands_the_id_on(server: LabServer, tmp_path: Path) -> None:
    with lab_server(tmp_path, "--log-json", QPI_UPSTREAM_URL=server.url, QPI_UPSTREAM_TOKEN=TOKEN) as forwarder:
        answer = forwarder.client().post("qpi/v1/jobs", json=BELL, headers={"X-Request-ID": "through"})
        assert answer.headers.get_list("X-Request-ID") == ["through"]
        assert forwarder.client().get("qpi/v1/nothing").status_code == 404
        assert all(forwarder_line["at"] for forwarder_line in lines(forwarder))
    assert [line for line in lines(server) if line.get("request") == "through" and line.get("job")]


def test_no_secret_is_in_it(server: LabServer) -> None:
    admin = server.client()
    token = admin.post("qpi/v1/tokens", json={"name": "t"}).json()["token"]
    feed = admin.post("qpi/v1/feeds", json={}).json()["url"].split("/feeds/")[1].split("/")[0]
    owner = json.loads((server.lab_dir / "owner.json").read_text())["secret"]
    for sent in (token, owner, TOKEN):
        admin.get("nothing", params={"token": sent}, headers={"Referer": f"{server.url}?token={sent}"})
        server.client(None).get(f"qpi/v1/feeds/{feed}x", headers={"Authorization": f"Bearer {sent}"})
    text = server.log.read_text()
    assert "404 GET" in text
    for secret in (token, owner, feed, TOKEN):
        assert secret not in text


def test_a_traceback_stays_in_its_line() -> None:
    try:
        raise ValueError("of\ntwo lines, and a token: /x?token=abcdefgh")
    except ValueError:
        record = logging.LogRecord(
            "x", logging.ERROR, __file__, 1, "failed\n%s \ud800", ("job-0123456789abcdef",), sys.exc_info()
        )
    [line] = JsonLines().format(record).splitlines()
    found = json.loads(line)
    assert (found["job"], found["level"]) == ("job-0123456789abcdef", "error")
    assert "ValueError: of\ntwo lines" in found["trace"]
    assert "abcdefgh" not in line


def test_what_nobody_else_writes_is_an_object_too() -> None:
    code = (
        "import logging; from qpi_server.host.logs import write_json; ours = logging.getLogger('ours')\n"
        "ours.addHandler(logging.StreamHandler()); write_json(ours)\n"
        "logging.getLogger('asyncio').error('astray'); ours.warning('once')\n"
        "logging.getLogger('ours.room').error('too')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=python_env(), cwd=ROOT, check=True
    )
    assert [json.loads(line)["message"] for line in done.stderr.splitlines()] == ["astray", "once", "too"]
