"""Settings by flag, environment, file and default: the traits are the one list."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies

from qpi_agent.settings import TABLE as AGENT_SETTINGS
from qpi_server.app.extension import QPIServer
from qpi_server.settings.values import OTHERS, UNUSED, Resolved, SettingsError, duration, own_traits, resolve, snake


def found(
    folder: Path,
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    jupyter: Mapping[str, Any] | None = None,
    file: str | None = None,
    name: str = "qpi.config.yml",
) -> Resolved:
    if file is not None:
        (folder / name).write_text(file)
    environ = {"QPI_LAB_DIR": str(folder / "lab"), **(environ or {})}
    return resolve(QPIServer, flags=flags or {}, environ=environ, jupyter=jupyter or {}, folder=folder)


def value(resolved: Resolved, name: str) -> tuple[Any, str]:
    setting = resolved.settings[name]
    return setting.value, setting.source


def test_flag_before_environment_before_file_before_jupyters_configuration(tmp_path: Path) -> None:
    sources: dict[str, Any] = {
        "jupyter": {"job_timeout_s": 1.0},
        "file": "job_timeout: 2s",
        "environ": {"QPI_JOB_TIMEOUT": "3s"},
        "flags": {"job_timeout_s": "4"},
    }
    winners = {
        "jupyter": (1.0, "Jupyter's configuration:job_timeout_s"),
        "file": (2.0, f"{tmp_path / 'qpi.config.yml'}:job_timeout"),
        "environ": (3.0, "QPI_JOB_TIMEOUT"),
        "flags": (4.0, "flag --job-timeout-s"),
    }
    given: dict[str, Any] = {}
    for name, content in sources.items():
        given[name] = content
        assert value(found(tmp_path, **given), "job_timeout_s") == winners[name]


def test_a_lab_reads_the_file_that_qpi_wrote(tmp_path: Path) -> None:
    resolved = found(
        tmp_path,
        file="""
serverPort: 443
ipAddr: 10.0.0.7
idleThreshold: 300s
jobTimeout: 5m
recoveryInterval: 120s
eventsRetention: 720h
portRangeStart: 6000
qpusCollection: qpus
tlsCACertFile: /var/qpi/ca.pem
oauth2Providers:
  - {name: google, clientId: id, clientSecret: hidden, authURL: "https://a/", userInfoURL: "https://u/"}
""",
    )
    stated = {name: setting.value for name, setting in resolved.settings.items()}
    provider = stated.pop("oauth2_providers")[0]
    assert stated == {
        "server_port": 443, "ip_addr": "10.0.0.7", "idle_threshold_s": 300.0, "job_timeout_s": 300.0,
        "tls_ca_cert_file": "/var/qpi/ca.pem", "settings_file": str(tmp_path / "qpi.config.yml"),
        "lab_dir": str(tmp_path / "lab"), "events_retention_days": 30.0,
    }  # fmt: skip
    assert (provider.client_id, provider.auth_url, provider.user_info_url) == ("id", "https://a/", "https://u/")
    assert len(resolved.notes) == 3
    assert any("recoveryInterval" in note and "lease_s" in note for note in resolved.notes)


def test_a_lab_reads_the_file_of_the_circuit_task_service(tmp_path: Path) -> None:
    resolved = found(
        tmp_path,
        file="""
[server]
host = "127.0.0.1"
port = 8000
[nats]
url = "nats://nats:4222"
[redis]
url = "redis://redis:6379"
[worker]
max_concurrent_tasks = 4  # Defaults to CPU count
""",
        name="config.toml",
        environ={"QPI_CONFIG_FILE": str(tmp_path / "config.toml"), "NATS_URL": "nats://other:4222"},
    )
    assert value(resolved, "ip_addr")[0] == "127.0.0.1"
    assert value(resolved, "server_port")[0] == 8000
    told = " ".join(resolved.notes)
    for name in ("NATS_URL", "nats_url", "redis_url", "worker_max_concurrent_tasks", "--places"):
        assert name in told


def test_providers_of_two_sources_are_one_list_by_name(tmp_path: Path) -> None:
    above = json.dumps([{"name": "a", "clientId": "from the environment"}])
    below = json.dumps({"oauth2Providers": [{"name": "a", "clientId": "x"}, {"name": "b", "clientId": "y"}]})
    resolved = found(tmp_path, environ={"QPI_OAUTH2_PROVIDERS": above}, file=below, name="qpi.config.json")
    providers, source = value(resolved, "oauth2_providers")
    assert [(p.name, p.client_id) for p in providers] == [("a", "from the environment"), ("b", "y")]
    assert source == f"QPI_OAUTH2_PROVIDERS and {tmp_path / 'qpi.config.json'}:oauth2Providers"


def test_the_settings_file_may_lie_in_the_labs_folder_or_be_named(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    (lab / "qpi.config.yml").write_text("max_shots: 7")
    assert value(found(tmp_path), "max_shots")[0] == 7
    (tmp_path / "other.json").write_text('{"max_shots": 8}')
    named = {"QPI_CONFIG_FILE": str(tmp_path / "other.json")}
    assert value(found(tmp_path, environ=named), "max_shots")[0] == 8


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"file": "jobTimout: 5s"}, ["qpi.config.yml:jobTimout", "job_timeout"]),
        ({"file": "- a list"}, ["qpi.config.yml", "mapping"]),
        ({"file": "a: [1"}, ["qpi.config.yml", "cannot be read"]),
        ({"file": "lease_s: 30\nlease: 40"}, ["lease_s", ":lease ", "twice"]),
        ({"file": "max_shots: 0"}, ["max_shots", "whole number", "at least 1"]),
        ({"file": "max_shots: yes"}, ["max_shots", "True", "whole number"]),
        ({"file": "lease: .nan"}, ["lease_s", "nan", "at least 0.5"]),
        ({"file": "idle_threshold: -5s"}, ["idle_threshold_s", "'-5s'", "2m30s"]),
        ({"file": "oauth2Providers: [{name: a, clientId: b, key: c}]"}, ["oauth2_providers", "key"]),
        ({"environ": {"QPI_IDLE_TRESHOLD": "5s"}}, ["QPI_IDLE_TRESHOLD", "QPI_IDLE_THRESHOLD"]),
        ({"environ": {"QPI_SERVER_PORT": "65536"}}, ["QPI_SERVER_PORT", "from 0 to 65535"]),
        ({"environ": {"QPI_JOB_TIMEOUT": "5 parsecs"}}, ["QPI_JOB_TIMEOUT", "5 parsecs", "720h"]),
        ({"environ": {"QPI_HTTPS": "maybe"}}, ["QPI_HTTPS", "maybe", "true or false"]),
        ({"environ": {"QPI_CONFIG_FILE": "/nowhere.yml"}}, ["QPI_CONFIG_FILE", "/nowhere.yml"]),
        ({"flags": {"leas_s": "3"}}, ["--leas-s", "QPIServer.lease_s"]),
        ({"jupyter": {"fair_share": "sometimes"}}, ["fair_share", "sometimes", "true or false"]),
    ],
)
def test_an_unknown_name_or_a_bad_value_is_named_with_its_source(
    tmp_path: Path, wrong: dict[str, Any], named: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        found(tmp_path, **wrong)
    assert [part for part in named if part not in str(caught.value)] == []


def test_an_error_never_shows_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        found(tmp_path, file="oauth2Providers: [{name: a, clientSecret: hush}]")
    assert "hush" not in str(caught.value)


def test_what_other_programs_read_from_the_environment_is_left_alone(tmp_path: Path) -> None:
    theirs = {f"QPI_{name.upper()}": "x" for name in OTHERS}
    resolved = found(tmp_path, environ={**theirs, "QPI_SOMETHING_ELSE": "x", "QPI_LEASE_S": ""})
    assert set(resolved.settings) == {"lab_dir"}


def test_the_drivers_own_variables_are_known() -> None:
    names = {row.env.removeprefix("QPI_").lower() for row in AGENT_SETTINGS if row.env and row.env.startswith("QPI_")}
    shared = {"job_timeout", "log_json"}  # mean the same to both
    assert names - shared <= OTHERS


def test_no_setting_is_also_one_without_effect() -> None:
    assert not set(UNUSED) & set(own_traits(QPIServer))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("720h", 2_592_000), ("300", 300), ("1.5", 1.5), ("2m30s", 150), ("100ms", 0.1), ("1h0m0.5s", 3600.5)],
)
def test_durations_as_go_writes_them(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@given(strategies.text(max_size=8))
def test_a_duration_is_seconds_or_an_error(text: str) -> None:
    try:
        seconds = duration(text)
    except ValueError:
        return
    assert isinstance(seconds, float)


@given(strategies.from_regex(re.compile(r"[a-z]+(_[a-z]+)*"), fullmatch=True))
def test_the_three_ways_to_write_a_name(name: str) -> None:
    head, *rest = name.split("_")
    camel = head + "".join(part.capitalize() for part in rest)
    if all(len(part) > 1 for part in rest):
        assert snake(camel) == snake(name.replace("_", "-")) == name
