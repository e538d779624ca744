"""A lab in one file: written while jobs run, restored elsewhere, and every archive that is not whole refused."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import ssl
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.servers import lab_server, python_env
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'
Change = Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]]


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = python_env(HOME=str(cwd), JUPYTER_CONFIG_DIR=str(cwd / "config"), JUPYTER_DATA_DIR=str(cwd / "data"))
    line = [sys.executable, "-m", "qpi_server.tools.standalone", *arguments]
    return subprocess.run(line, env=env, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def submit(client: httpx.Client, shots: int) -> str:
    body = {"program": {"format": "openqasm3", "sources": [BELL]}, "qpu": "sim-b", "options": {"shots": shots}}
    answer = client.post("qpi/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def dataset(client: httpx.Client, job: str) -> str:
    answer = client.get(f"qpi/v1/jobs/{job}/dataset")
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Backed:
    """A backup, and what was true when it was asked for."""

    archive: Path
    submitted: list[str]
    datasets: dict[str, str]
    lab_dir: Path


@pytest.fixture(scope="module")
def backed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backed]:
    """The backup of a lab that goes on submitting and finishing jobs while it is made."""
    folder = tmp_path_factory.mktemp("backed")
    archive = folder / "lab.tar"
    with lab_server(
        folder, "--demo", "--https", verify=lambda lab: ssl.create_default_context(cafile=lab / "tls" / "ca.pem")
    ) as server:
        client = server.client()
        wait_until(lambda: client.get("qpi/v1/qpus/sim-b").json()["status"] == "online", PATIENCE_S, "the simulators")
        done = [submit(client, 100 + n) for n in range(5)]
        for job in done:
            assert client.get(f"qpi/v1/jobs/{job}?wait_s=30").json()["status"] == "completed"
        known = {job: dataset(client, job) for job in done}
        submitted = [*done, *(submit(client, 200 + n) for n in range(20))]
        env = python_env(HOME=str(folder), QPI_LAB_DIR=str(server.lab_dir))
        line = [sys.executable, "-m", "qpi_server.tools.standalone", "backup", str(archive)]
        process = subprocess.Popen(line, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        later = 0
        while process.poll() is None:
            submit(client, 300 + later)
            later += 1
        out, err = process.communicate()
        assert (process.returncode, err) == (0, ""), err
        assert later > 0
        assert f"{archive}: " in out
        refused = command("restore", str(archive), "--lab-dir", str(server.lab_dir), "--force", cwd=folder)
        assert (refused.returncode, "open. End it first" in refused.stderr) == (1, True)
        assert client.get("qpi/health").json()["status"] == "up"
        yield Backed(archive=archive, submitted=submitted, datasets=known, lab_dir=server.lab_dir)


def test_the_restored_lab_has_every_job_and_serves_the_old_results(backed: Backed, tmp_path: Path) -> None:
    lab_dir = tmp_path / "restored"
    done = command("restore", str(backed.archive), "--lab-dir", str(lab_dir), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "jobs" in done.stdout
    assert "https authority" in done.stdout
    assert (lab_dir / "tls" / "ca.pem").read_bytes() == (backed.lab_dir / "tls" / "ca.pem").read_bytes()
    with lab_server(tmp_path / "server", lab_dir=lab_dir) as server:
        client = server.client()
        for job in backed.submitted:
            answer = wait_until(
                lambda job=job: (found := client.get(f"qpi/v1/jobs/{job}?wait_s=30").json())["status"] == "completed"
                and found,
                PATIENCE_S, f"the end of {job}",
            )  # fmt: skip
            assert answer["id"] == job
        assert {job: dataset(client, job) for job in backed.datasets} == backed.datasets


def test_the_labs_own_past_is_replayed_and_not_touched(backed: Backed, tmp_path: Path) -> None:
    lab_dir = tmp_path / "lab"
    assert command("restore", str(backed.archive), "--lab-dir", str(lab_dir), cwd=tmp_path).returncode == 0
    before = (lab_dir / "lab.sqlite3").read_bytes()
    asked = ("replay", "--lab-dir", str(lab_dir), "--days", "1", "--policy", "current", "--policy", "fair_share=1")
    done = command(*asked, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert list(shown) == ["current", "fair_share=1"]
    assert shown["current"]["jobs"] >= len(backed.datasets)
    assert set(shown["current"]["utilisation"]) == {"sim-a", "sim-b"}
    assert (lab_dir / "lab.sqlite3").read_bytes() == before
    nothing = command("replay", "--lab-dir", str(tmp_path / "none"), cwd=tmp_path)
    assert (nothing.returncode, "There is no lab" in nothing.stderr) == (1, True)


def test_the_archive_is_for_its_owner_and_leaves_nothing_behind(backed: Backed) -> None:
    assert stat.S_IMODE(backed.archive.stat().st_mode) == 0o600
    assert not (backed.lab_dir / "backup.tmp").exists()
    assert [path.name for path in backed.archive.parent.glob("*.tmp")] == []


def test_a_lab_that_is_there_is_kept_or_moved_aside(backed: Backed, tmp_path: Path) -> None:
    lab_dir = tmp_path / "lab"
    lab_dir.mkdir()
    (lab_dir / "notes.txt").write_text("mine")
    restore = ("restore", str(backed.archive), "--lab-dir", str(lab_dir))
    assert command(*restore, cwd=tmp_path).returncode == 0
    (lab_dir / "lab.sqlite3").write_bytes(b"the old one")
    refused = command(*restore, cwd=tmp_path)
    assert (refused.returncode, "--force" in refused.stderr) == (1, True)
    assert (lab_dir / "lab.sqlite3").read_bytes() == b"the old one"
    assert command(*restore, "--force", cwd=tmp_path).returncode == 0
    (aside,) = lab_dir.glob("before-restore-*")
    assert (aside / "lab.sqlite3").read_bytes() == b"the old one"
    assert (lab_dir / "notes.txt").read_text() == "mine"
    with closing(sqlite3.connect(lab_dir / "lab.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def flipped(source: Path, target: Path) -> None:
    """One byte of a result is another one."""
    content = bytearray(source.read_bytes())
    with tarfile.open(source) as tar:
        blob = next(member for member in tar if member.name.startswith("blobs/"))
    content[blob.offset_data + blob.size // 2] ^= 1
    target.write_bytes(content)


def cut(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])


def rewritten(source: Path, target: Path, change: Change) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            stream = old.extractfile(member)
            assert stream is not None
            info, content = change(member, stream.read())
            info.size = len(content)
            new.addfile(info, io.BytesIO(content))


def escaping(source: Path, target: Path) -> None:
    def change(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if info.name.startswith("blobs/"):
            info.name = "../escaped"
        return info, content

    rewritten(source, target, change)


def from_the_future(source: Path, target: Path) -> None:
    def change(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if info.name == "manifest.json":
            content = json.dumps({**json.loads(content), "schema": 999, "version": "9.9"}).encode()
        return info, content

    rewritten(source, target, change)


def of_something_else(_source: Path, target: Path) -> None:
    with tarfile.open(target, "w") as tar:
        link = tarfile.TarInfo("lab.sqlite3")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)


def no_tar(_source: Path, target: Path) -> None:
    target.write_bytes(b"not a tar " * 1000)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (flipped, "own list do not agree"), (cut, "damaged"), (escaping, "'../escaped'"),
        (from_the_future, "schema 999"), (of_something_else, "not a backup of a lab"),
        (no_tar, "not a backup of a lab"),
    ],
)  # fmt: skip
def test_an_archive_that_is_not_whole_is_refused(
    backed: Backed, tmp_path: Path, spoil: Callable[[Path, Path], None], said: str
) -> None:
    archive, lab_dir = tmp_path / "spoiled.tar", tmp_path / "lab"
    spoil(backed.archive, archive)
    done = command("restore", str(archive), "--lab-dir", str(lab_dir), cwd=tmp_path)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in lab_dir.iterdir()} <= {"lab.lock"}
    assert not (tmp_path / "escaped").exists()


def test_a_result_that_was_lost_before_is_named_and_the_rest_is_saved(backed: Backed, tmp_path: Path) -> None:
    lab_dir = tmp_path / "lab"
    assert command("restore", str(backed.archive), "--lab-dir", str(lab_dir), cwd=tmp_path).returncode == 0
    first, second = sorted(path for path in (lab_dir / "blobs").glob("*/*"))[:2]
    first.unlink()
    second.write_bytes(b"something else")
    done = command("backup", str(tmp_path / "again.tar"), "--lab-dir", str(lab_dir), cwd=tmp_path)
    assert done.returncode == 1
    assert first.parent.name + first.name in done.stderr
    assert second.parent.name + second.name in done.stderr
    shutil.rmtree(lab_dir)
    done = command("restore", str(tmp_path / "again.tar"), "--lab-dir", str(lab_dir), cwd=tmp_path)
    assert (done.returncode, "made: 2 results" in done.stdout) == (0, True)


def test_a_damaged_database_is_not_backed_up(backed: Backed, tmp_path: Path) -> None:
    lab_dir = tmp_path / "lab"
    assert command("restore", str(backed.archive), "--lab-dir", str(lab_dir), cwd=tmp_path).returncode == 0
    with (lab_dir / "lab.sqlite3").open("r+b") as stream:
        stream.seek(4096 * 3)
        stream.write(b"\xff" * 4096 * 4)
    done = command("backup", str(tmp_path / "bad.tar"), "--lab-dir", str(lab_dir), cwd=tmp_path)
    assert (done.returncode, "damaged" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    assert not (tmp_path / "bad.tar").exists()


@pytest.mark.parametrize("name", ["backup", "restore", "replay"])
def test_every_command_explains_itself(name: str, tmp_path: Path) -> None:
    done = command(name, "--help", cwd=tmp_path)
    assert (done.returncode, f"jupyter qpi {name}" in done.stdout) == (0, True)
    assert command(name, "--nonsense", cwd=tmp_path).returncode == 2
