"""``jupyter qpi doctor`` on labs with one thing wrong, while they run and while they don't."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from qpi_server.host.tls import Authority, TlsFiles
from qpi_server.store import SCHEMA_VERSION, USUAL, backend_of
from qpi_server.tools.commands import run as run_command
from qpi_server.tools.restore import restore_lab
from tests.archives.answers import FOLDER
from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.template import prepare

Diagnosis = dict[str, list[tuple[str, str, str]]]
"""Status, finding and remedy by check."""
Ask = Callable[..., Diagnosis]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """What the doctor says of a lab; its exit status has to fit, and there is no secret in it."""
    for name in [name for name in os.environ if name.startswith(("QPI_", "JUPYTERHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))

    def ask(lab_dir: Path, *arguments: str) -> Diagnosis:
        capsys.readouterr()
        status = run_command("doctor", ["--json", "--lab-dir", str(lab_dir), *arguments])
        out = capsys.readouterr().out
        report = json.loads(out)
        found: Diagnosis = {}
        for one in report["findings"]:
            found.setdefault(one["check"], []).append((one["status"], one["found"], one["remedy"]))
            assert bool(one["remedy"]) or one["status"] in ("ok", "skipped"), one
        worst = {one["status"] for one in report["findings"]}
        assert status == ("problem" in worst) == (report["status"] == "problem")
        assert TOKEN not in out
        assert "qpi_local_" not in out
        return found

    return ask


@pytest.fixture
def lab_dir(tmp_path: Path) -> Path:
    """A lab that was started once."""
    folder = tmp_path / "lab"
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    folder = tmp_path_factory.mktemp("running")
    with lab_server(folder, "--QPIServer.embedded_drivers=False", "--QPIServer.demo=True") as server:
        yield server


def change(lab_dir: Path, *statements: str) -> None:
    with closing(sqlite3.connect(lab_dir / "lab.sqlite3")) as database, database:
        for statement in statements:
            database.execute(statement)


def test_a_lab_that_runs(ask: Ask, server: LabServer) -> None:
    found = ask(server.lab_dir)
    for check in ("versions", "folder", "disk", "database", "owner"):
        assert [status for status, _, _ in found[check]] == ["ok"], found[check]
    assert f"Process {server.process.pid} at {server.url}" in found["owner"][0][1]
    assert "qpi-jupyter" in found["versions"][0][1]


def test_a_lab_that_does_not_run(ask: Ask, lab_dir: Path) -> None:
    before = {path.name for path in lab_dir.iterdir()}
    found = ask(lab_dir)
    assert found["database"][0][:2] == ("ok", f"whole, schema {SCHEMA_VERSION}, 0 jobs")
    assert found["owner"] == [("skipped", "No server has the lab open.", "Start it with `jupyter qpi` or JupyterLab.")]
    assert found["drivers"][0][0] == "skipped"
    assert {path.name for path in lab_dir.iterdir()} - before <= {"lab.lock"}


def test_no_lab_at_all_is_said_and_none_is_made(ask: Ask, tmp_path: Path) -> None:
    found = ask(tmp_path / "nowhere")
    assert found["folder"][0][0] == "problem"
    assert not (tmp_path / "nowhere").exists()
    assert "database" not in found


def test_the_text_names_each_check_and_what_to_do(ask: Ask, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run_command("doctor", ["--lab-dir", str(tmp_path / "nowhere")]) == 1
    lines = capsys.readouterr().out.splitlines()
    [line] = [n for n, line in enumerate(lines) if line.startswith("problem  folder")]
    assert "-> Start one with `jupyter qpi`" in lines[line + 1]
    assert lines[-1].startswith("1 problem, ")


def test_somebody_elses_lab_is_left_alone(ask: Ask, lab_dir: Path) -> None:
    if os.geteuid() == 0:
        os.chown(lab_dir, 12345, 12345)
    else:
        lab_dir = Path("/")  # root's
    before = list(lab_dir.iterdir())
    found = ask(lab_dir)
    assert "belongs to" in found["folder"][0][1]
    assert "database" not in found
    assert list(lab_dir.iterdir()) == before


def test_a_folder_that_others_can_read(ask: Ask, lab_dir: Path) -> None:
    lab_dir.chmod(0o755)
    assert ask(lab_dir)["folder"] == [
        ("warning", f"Others on this machine can look into {lab_dir}.", f"chmod 700 {lab_dir}")
    ]


def test_a_database_of_a_newer_version(ask: Ask, lab_dir: Path) -> None:
    change(lab_dir, "UPDATE alembic_version SET version_num = '9999'")
    found = ask(lab_dir)
    assert "schema 9999" in found["database"][0][1]
    assert found["drivers"][0][0] == "skipped"


def test_a_damaged_database(ask: Ask, lab_dir: Path) -> None:
    with (lab_dir / "lab.sqlite3").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40_000)
    status, found, remedy = ask(lab_dir)["database"][0]
    assert (status, "damaged" in found) == ("problem", True)
    assert "jupyter qpi restore" in remedy


def test_an_empty_database(ask: Ask, lab_dir: Path) -> None:
    for name in ("lab.sqlite3-wal", "lab.sqlite3-shm"):
        (lab_dir / name).unlink(missing_ok=True)
    (lab_dir / "lab.sqlite3").write_bytes(b"")
    status, found, remedy = ask(lab_dir)["database"][0]
    assert (status, found) == ("problem", "The database is empty.")
    assert "jupyter qpi restore" in remedy


def test_a_database_that_is_gone(ask: Ask, lab_dir: Path) -> None:
    (lab_dir / "lab.sqlite3").unlink()
    found = ask(lab_dir)
    assert found["database"][0][:2] == ("problem", "There is no database.")
    assert not (lab_dir / "lab.sqlite3").exists()


def test_results_that_are_missing(ask: Ask, tmp_path: Path) -> None:
    archive, lab_dir = tmp_path / "lab.tar", tmp_path / "restored"
    archive.write_bytes(lzma.decompress((FOLDER / "schema9.tar.xz").read_bytes()))
    restore_lab(archive, backend_of(USUAL, lab_dir), lambda _text: None)
    status, found, _ = ask(lab_dir)["database"][-1]
    assert (status, found.startswith("whole, schema 9"), found.endswith("25 jobs")) == ("ok", True, True), found
    results = [path for path in (lab_dir / "blobs").rglob("*") if path.is_file()]
    results[0].unlink()
    status, found, remedy = ask(lab_dir)["database"][0]
    assert (status, found.startswith("1 result is missing")) == ("problem", True), found
    assert "jupyter qpi restore" in remedy
    shutil.rmtree(lab_dir / "blobs")
    assert "folder blobs is missing" in ask(lab_dir)["database"][0][1]


def test_an_event_that_is_still_to_come(ask: Ask, lab_dir: Path) -> None:
    later = (datetime.now(UTC) + timedelta(days=2)).timestamp()
    change(lab_dir, f"INSERT INTO events (at, kind, owner, data) VALUES ({later}, 'job.changed', '', '{{}}')")
    warned, whole = ask(lab_dir)["database"]
    assert (warned[0], "still to come" in warned[1]) == ("warning", True)
    assert whole[0] == "ok"


def test_drivers_that_are_not_there(ask: Ask, server: LabServer) -> None:
    admin = server.client()
    admin.post("qpi/v1/qpus", json={"name": "lonely"}).raise_for_status()
    admin.post("qpi/v1/qpus", json={"name": "fridge", "kind": "pool"}).raise_for_status()
    admin.post("qpi/v1/drivers", json={"name": "control-pc", "qpu": "fridge"}).raise_for_status()
    told = [one[1] for one in ask(server.lab_dir)["drivers"]]
    assert "The driver control-pc of fridge is offline." in told
    assert "The QPU lonely has no driver." in told
    assert told[-1].startswith("0 of ")


@pytest.mark.slow
def test_a_server_that_hangs_and_one_that_was_killed(ask: Ask, tmp_path: Path) -> None:
    with lab_server(tmp_path) as server:
        server.process.send_signal(signal.SIGSTOP)
        try:
            status, found, _ = ask(server.lab_dir)["owner"][0]
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert (status, f"Process {server.process.pid} has the lab open and does not answer" in found) == (
            "problem",
            True,
        )
        server.kill()
        assert "It ended without a word." in ask(server.lab_dir)["owner"][0][1]


def test_a_server_whose_file_was_lost(ask: Ask, lab_dir: Path) -> None:
    lock = backend_of(USUAL, lab_dir).lock()
    assert lock.acquire()
    try:
        assert "its owner.json is missing" in ask(lab_dir)["owner"][0][1]
    finally:
        lock.release()


@pytest.mark.parametrize(("days", "status"), [(0, "ok"), (70, "warning"), (100, "problem")])
def test_certificates_that_end(ask: Ask, lab_dir: Path, days: int, status: str) -> None:
    files = TlsFiles.under(lab_dir / "tls")
    Authority(files).ensure(datetime.now(UTC) - timedelta(days=days))
    settings = lab_dir.parent / "settings.yml"
    settings.write_text("https: true\n")
    found = ask(lab_dir, "--config-file", str(settings))["certificates"]
    assert found[0][0] == status
    assert ("ca.key" in found[0][2]) == (status != "ok")
    files.key.chmod(0o644)
    found = ask(lab_dir, "--config-file", str(settings))["certificates"]
    assert found[-1][2] == f"chmod 600 {files.key}"


@pytest.mark.parametrize(
    "address",
    ["lab.example.org", "https://ann:secret@lab.example", "https://lab.example/?q=1", "https://lab.example/#f",
     "https://lab.example:99999", "https://lab example", "https://lab.example/\nx", "https://["],
)  # fmt: skip
def test_a_setting_that_is_wrong_is_an_error_of_the_command(
    lab_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("QPI_PUBLIC_URL", address)
    assert run_command("doctor", ["--lab-dir", str(lab_dir)]) == 2
    assert "public_url must be an http or https address" in capsys.readouterr().err


def test_a_server_that_only_forwards(
    ask: Ask, server: LabServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QPI_UPSTREAM_URL", server.url)
    monkeypatch.setenv("QPI_UPSTREAM_TOKEN", TOKEN)
    found = ask(tmp_path / "none")
    assert found["upstream"][0][:2] == ("ok", f"forwards to {server.url}")
    assert "folder" not in found
    monkeypatch.setenv("QPI_UPSTREAM_TOKEN", "wrong-" + TOKEN[:8])
    assert "does not know this server's token" in ask(tmp_path / "none")["upstream"][0][1]


# --- a Hub -----------------------------------------------------------------------------------------------------------


@contextmanager
def answering(status: int, body: Any) -> Iterator[str]:
    """A server that answers everything alike; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


SERVICE = {"kind": "service", "name": "qpi"}
OF_ANN = {"kind": "user", "name": "ann"}


@pytest.mark.parametrize(
    ("status", "body", "user", "level", "words"),
    [
        (200, {**SERVICE, "scopes": ["read:users:name", "list:users"]}, "", "ok",
         "service qpi, with list:users, read:users:name"),
        (200, {**SERVICE, "scopes": []}, "", "problem", "does not give service qpi the scope list:users"),
        (200, {**OF_ANN, "scopes": ["access:services!service=qpi"]}, "ann", "ok", "user ann"),
        (200, {**OF_ANN, "scopes": ["access:servers!server=ann/"]}, "ann", "problem", "access:services!service=qpi"),
        (403, {"status": 403, "message": "Forbidden"}, "", "problem", "does not know this server's token"),
        (200, b"<html>", "", "problem", "something other than a Hub"),
    ],
)  # fmt: skip
def test_a_hub(
    ask: Ask, tmp_path: Path, server: LabServer, monkeypatch: pytest.MonkeyPatch, status: int, body: Any, user: str,
    level: str, words: str,
) -> None:  # fmt: skip
    with answering(status, body) as url:
        monkeypatch.setenv("JUPYTERHUB_API_URL", url + "hub/api")
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", TOKEN)
        if user:
            monkeypatch.setenv("JUPYTERHUB_USER", user)
            monkeypatch.setenv("QPI_UPSTREAM_URL", server.url)
        else:
            monkeypatch.setenv("JUPYTERHUB_SERVICE_NAME", "qpi")
        [(found, said, _)] = ask(tmp_path / "lab")["hub"]
    assert (found, words in said) == (level, True), said


# --- an address that leads elsewhere ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"<html>Not Found</html>", "something other than a lab"),
        (200, {"hello": "there"}, "something other than a lab"),
        (502, b"<html>Bad Gateway</html>", "does not reach the lab"),
        (403, {"error": {"kind": "Forbidden", "code": "host_not_allowed", "message": "Names only.", "data": {}}},
         "reaches the lab, which refuses"),
    ],
)  # fmt: skip
def test_an_address_that_is_not_the_labs(ask: Ask, lab_dir: Path, status: int, body: Any, words: str) -> None:
    with answering(status, body) as url:
        [(found, said, _)] = ask(lab_dir, "--url", url)["proxy"]
    assert (found, words in said) == ("problem", True), said


def test_an_address_at_which_nobody_listens(ask: Ask, lab_dir: Path) -> None:
    assert "does not answer" in ask(lab_dir, "--url", "http://127.0.0.1:9/")["proxy"][0][1]
    assert "is not an http or https address" in ask(lab_dir, "--url", "lab.example.org")["proxy"][0][1]


def test_the_servers_own_address_lets_everything_through(
    ask: Ask, server: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ask(server.lab_dir, "--url", server.url)["proxy"]
    assert found[0][:2] == ("skipped", "Long polls and event streams were not tried.")
    assert found[1][:2] == ("ok", f"{server.url} leads to a lab of version 0.1.0.")
