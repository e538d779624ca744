"""Settings of real servers: what `jupyter qpi` says of them, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT, lab_server, python_env

pytestmark = pytest.mark.slow

STANDALONE = "qpi_server.tools.standalone"


def run(folder: Path, *arguments: str, module: str = STANDALONE, **env: str) -> subprocess.CompletedProcess[str]:
    return command(folder, "-m", module, "--allow-root", *arguments, **env)


def command(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Python, which knows no other lab's settings."""
    own = {
        "HOME": str(folder), "JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "QPI_LAB_DIR": str(folder / "lab"),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *arguments], env=python_env(**{**own, **env}), cwd=folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_show_config_says_where_each_value_came_from(tmp_path: Path) -> None:
    (tmp_path / "qpi.config.yml").write_text("jobTimeout: 5m\nlease: 30")
    (tmp_path / "config").mkdir()
    jupyters = tmp_path / "config" / "jupyter_qpi_server_config.py"
    jupyters.write_text("c.QPIServer.max_shots = 9\nc.QPIServer.job_timeout_s = 1")
    arguments = ("--show-config-json", "--lease-s", "40", "--recovery-interval=10s")
    done = run(tmp_path, *arguments, QPI_UPSTREAM_TOKEN="hush", QPI_IDLE_THRESHOLD="1m")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert {name: (shown[name]["value"], shown[name]["source"]) for name in (
        "lease_s", "idle_threshold_s", "job_timeout_s", "max_shots", "fair_share", "upstream_token",
    )} == {
        "lease_s": (40.0, "flag --lease-s"),
        "idle_threshold_s": (60.0, "QPI_IDLE_THRESHOLD"),
        "job_timeout_s": (300.0, f"{tmp_path / 'qpi.config.yml'}:jobTimeout"),
        "max_shots": (9, f"{jupyters}:QPIServer.max_shots"),
        "fair_share": (False, "default"),
        "upstream_token": ("********", "QPI_UPSTREAM_TOKEN"),
    }  # fmt: skip
    assert shown["max_tokens"]["value"] == 100, "a number is no secret, whatever its name"
    assert "hush" not in done.stdout + done.stderr
    assert "--recovery-interval has no effect" in done.stderr
    assert not (tmp_path / "lab").exists()
    table = run(tmp_path, "--show-config", QPI_UPSTREAM_TOKEN="hush")
    assert ["job_timeout_s", "300.0", f"{tmp_path / 'qpi.config.yml'}:jobTimeout"] in [
        line.split() for line in table.stdout.splitlines()
    ]


@pytest.mark.parametrize(
    ("arguments", "env", "named"),
    [
        (["--lease", "-5"], {}, "--lease-s"),
        (["--leese=5"], {}, "--leese"),
        (["--QPIServer.leas_s=5"], {}, "QPIServer.lease_s"),
        (["--heartbeat=30s"], {}, "lease_s"),
        ([], {"QPI_SERVER_PORT": "http"}, "QPI_SERVER_PORT"),
        (["--config-file=nowhere.yml"], {}, "--config-file"),
        ([], {"QPI_SERVER_HOST": "no.such.host.invalid"}, "QPI_SERVER_HOST: cannot listen at"),
    ],
)
def test_what_cannot_be_used_ends_the_start_with_a_sentence(
    tmp_path: Path, arguments: list[str], env: dict[str, str], named: str
) -> None:
    done = run(tmp_path, *arguments, **env)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_inside_another_jupyter_server_it_is_the_same(tmp_path: Path) -> None:
    on = "--ServerApp.jpserver_extensions={'qpi_server': True}"
    done = run(tmp_path, on, module="jupyter_server", QPI_LEASE="-1")
    assert (done.returncode, done.stderr.splitlines()[-1].split(":")[0]) == (2, "QPI_LEASE")


def test_a_server_lives_by_its_file(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    (lab / "qpi.config.yml").write_text("demo: true\nipAddr: 127.0.0.1\nmax_shots: 5")
    with lab_server(tmp_path) as server:
        client = server.client()
        assert {qpu["name"] for qpu in client.get("qpi/v1/qpus").json()["qpus"]} == {"sim-a", "sim-b"}
        program = {"format": "openqasm3", "sources": ["OPENQASM 3; qubit q; bit c; c = measure q;"]}
        refused = client.post("qpi/v1/jobs", json={"qpu": "sim-a", "program": program, "options": {"shots": 6}})
        assert (refused.status_code, "shots" in refused.text) == (400, True), refused.text


def test_the_help_names_the_settings_and_the_commands(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    wanted = ["--job-timeout=", "--config-file=", "--fair-share\n", "--show-config", "jupyter qpi backup"]
    assert [text for text in wanted if text not in done.stdout] == []


@pytest.mark.parametrize("line", ["--job-timeout=9", "--job-timeout-s 9", "--QPIServer.job_timeout_s=9"])
def test_a_setting_has_several_flags(tmp_path: Path, line: str) -> None:
    done = run(tmp_path, "--show-config-json", "--fair-share", "--no-browser", *line.split())
    shown = json.loads(done.stdout)
    assert (shown["job_timeout_s"]["value"], shown["fair_share"]["value"]) == (9.0, True)


MADE_UP = """
import sys
from dataclasses import dataclass
from qpi_jupyter.core import setting
from qpi_server.settings import config

@dataclass(frozen=True, slots=True, kw_only=True)
class LabConfig(config.LabConfig):
    warm_s: float = setting(30.0, "How long the coffee stays warm (seconds).", min=1)

config.LabConfig = LabConfig
from qpi_server.app.extension import QPIServer
"""
SERVED = f"{MADE_UP}\nfrom qpi_server.tools.standalone import main\nmain(['--allow-root', *sys.argv[1:]])"
TOLD = f"{MADE_UP}\nlab = QPIServer()\nlab.warm_s = 40\nprint(lab.config_of_lab().warm_s)"
DOCS = str(ROOT / "docs")
WRITTEN = f"{MADE_UP}\nsys.path.insert(0, {DOCS!r})\nimport generate\nprint(generate.configuration())"


@pytest.mark.parametrize(
    ("arguments", "env", "file", "shown"),
    [
        ((), {}, "", (30.0, "default")),
        (("--warm", "2m"), {"QPI_WARM": "1m"}, "warm: 50", (120.0, "flag --warm-s")),
        ((), {"QPI_WARM": "1m"}, "warm: 50", (60.0, "QPI_WARM")),
        ((), {}, "warm: 50", (50.0, "{file}:warm")),
    ],
)
def test_a_setting_is_declared_once(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], file: str, shown: tuple[float, str]
) -> None:
    path = tmp_path / "qpi.config.yml"
    path.write_text(file)
    done = command(tmp_path, "-c", SERVED, "--show-config-json", *arguments, **env)
    assert done.returncode == 0, done.stderr
    value, source = shown
    assert json.loads(done.stdout)["warm_s"] == {"value": value, "source": source.format(file=path)}


@pytest.mark.slow
def test_a_declared_setting_is_checked_told_and_written_down(tmp_path: Path) -> None:
    refused = command(tmp_path, "-c", SERVED, "--show-config", "--warm=0")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1] == (
        "flag --warm-s: warm_s cannot be 0.0. Allowed: seconds or a duration such as 5s, 2m30s or 720h, at least 1."
    )
    assert "How long the coffee stays warm (seconds)." in command(tmp_path, "-c", SERVED, "--help-all").stdout
    assert command(tmp_path, "-c", TOLD).stdout == "40.0\n"
    page = command(tmp_path, "-c", WRITTEN).stdout
    assert "| `warm_s` | `30.0` | seconds or a duration, at least 1 | How long the coffee stays warm" in page
