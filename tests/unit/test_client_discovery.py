"""Where a lab is looked for, and what is said when there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import qpi_jupyter.client.connecting as connecting
from qpi_jupyter.client.connecting import Address, addresses, connect
from qpi_jupyter.core.errors import Conflict, Rejected, Unavailable
from tests.faults.scripted_rest import TOKEN, ScriptedLab


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runtime files, and no lab in the environment."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    for name in ("QPI_LAB_URL", "QPI_LAB_TOKEN", "QPI_LAB_CA_FILE", "JPY_PARENT_PID", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(connecting, "_current", None)
    return tmp_path


@pytest.fixture
def server() -> Iterator[ScriptedLab]:
    with ScriptedLab() as server:
        yield server


def write_runtime(folder: Path, pid: int, url: str, token: str = TOKEN, name: int | None = None) -> None:
    (folder / f"jpserver-{name or pid}.json").write_text(json.dumps({"pid": pid, "url": url + "/", "token": token}))


def found(**kwargs: object) -> list[Address]:
    return [place for place in addresses(**kwargs) if isinstance(place, Address)]  # type: ignore[arg-type]


def test_the_argument_comes_first_then_the_environment(runtime: Path) -> None:
    write_runtime(runtime, os.getpid(), "http://localhost:1")
    env = {"QPI_LAB_URL": "http://127.0.0.1:9/user/ana/", "QPI_LAB_TOKEN": "t", "JPY_PARENT_PID": str(os.getpid())}
    assert [(p.url, p.token) for p in found(url="http://localhost:7/", token="u", env=env)] == [
        ("http://localhost:7", "u")
    ]
    assert [(p.url, p.token) for p in found(env=env)] == [("http://127.0.0.1:9/user/ana", "t")]
    hub = {"QPI_LAB_URL": "http://localhost:9", "JUPYTERHUB_API_TOKEN": "hub"}
    assert found(env=hub)[0].token == "hub"


def test_the_hubs_token_goes_only_where_the_environment_says_that_the_lab_is(runtime: Path) -> None:
    hub = {"JUPYTERHUB_API_TOKEN": "hub"}
    assert found(url="https://lab.example", env=hub)[0].token == ""
    assert found(url="https://lab.example", env={**hub, "QPI_LAB_URL": "http://localhost:9"})[0].token == ""
    assert found(url="http://localhost:9/lab", env={**hub, "QPI_LAB_URL": "http://localhost:9"})[0].token == "hub"


def test_the_own_server_comes_before_other_live_ones(runtime: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    write_runtime(runtime, os.getppid(), "http://localhost:2")
    write_runtime(runtime, gone.pid, "http://localhost:3")
    write_runtime(runtime, os.getpid(), "http://localhost:1")
    (runtime / "jpserver-1234567.json").write_text("{not json")
    env = {"JPY_PARENT_PID": str(os.getpid())}
    assert [place.url for place in found(env=env)] == ["http://localhost:1", "http://localhost:2"]


@pytest.mark.parametrize(
    ("given", "url", "token"),
    [
        ("http://localhost:8888/lab/tree/a.ipynb?token=abc", "http://localhost:8888", "abc"),
        ("localhost:8888", "http://localhost:8888", ""),
        ("https://lab.example/hub/user/ana/", "https://lab.example/user/ana", ""),
        ("https://lab.example/services/qpi/", "https://lab.example/services/qpi", ""),
        ("https://lab.example/services/qpi/qpi/health", "https://lab.example/services/qpi", ""),
    ],
)
def test_a_browsers_address_will_do(given: str, url: str, token: str) -> None:
    assert [(place.url, place.token) for place in found(url=given, env={})] == [(url, token)]


def test_a_token_goes_over_plain_http_to_no_other_machine() -> None:
    with pytest.raises(Rejected, match="plain http"):
        found(url="http://lab.example", token="t", env={})
    assert found(url="http://lab.example", token="t", env={}, insecure=True)
    with pytest.raises(Rejected, match="not the address"):
        found(url="ftp://lab.example", env={})


def test_connect_finds_the_kernels_own_server(
    runtime: Path, server: ScriptedLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_runtime(runtime, os.getpid(), server.url)
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))
    with connect() as lab:
        assert repr(lab) == f"<Lab {server.url} (this notebook's own Jupyter server)>"
        assert connect() is lab
        assert lab.qpus().names == ("sim-a", "sim-b")
    assert lab.closed


def test_no_lab_lists_where_was_looked(runtime: Path, server: ScriptedLab) -> None:
    write_runtime(runtime, os.getpid(), f"{server.url}/nothing-here")
    with pytest.raises(Unavailable) as caught:
        connect()
    text = str(caught.value)
    for expected in ("QPI_LAB_URL is not set", "JPY_PARENT_PID", "is not a qpi lab", "jupyter lab", "connect(url"):
        assert expected in text


def test_a_stated_lab_that_is_away_is_not_passed_over(runtime: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        connect("http://127.0.0.1:9")


def test_another_wire_version_names_both(runtime: Path, server: ScriptedLab) -> None:
    server.wire = 999
    with pytest.raises(Conflict, match=r"wire version 999.*speaks 1"):
        connect(server.url, TOKEN)
