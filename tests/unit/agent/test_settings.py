from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from qpi_agent.settings import Settings, add_flags, resolve
from qpi_agent.trust import Address
from qpi_jupyter.core.errors import Rejected

TOKEN = {"QPI_ACCESS_TOKEN": "qpi_abc"}


def settings(*flags: str, **environ: str) -> Settings:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return resolve(parser.parse_args(flags), {**TOKEN, **environ})


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    file = tmp_path / "agent.yml"
    file.write_text("name: from-file\nexecutor: from-file\njob-timeout: 7\nplaces: 3\noptions: {num_qubits: 4}\n")
    found = settings(
        "--name", "from-flag", "-o", "coupling=ring", QPU_NAME="from-env", DRIVER_BACKEND="from-env",
        QPI_CONFIG_FILE=str(file),
    )  # fmt: skip
    assert (found.name, found.executor, found.job_timeout, found.places) == ("from-flag", "from-env", 7.0, 3)
    assert found.options == {"num_qubits": 4, "coupling": "ring"}
    assert settings().job_timeout == 3600
    assert settings().qpi_addr.base == "http://127.0.0.1:8888"


def test_a_json_file_will_do(tmp_path: Path) -> None:
    file = tmp_path / "agent.json"
    file.write_text(json.dumps({"qpi_addr": "https://lab.example.org/hub/", "memory_cap": "1.5GiB"}))
    found = settings("--config-file", str(file))
    assert found.qpi_addr.link == "wss://lab.example.org/hub/qpi/v1/link"
    assert found.memory_cap == 3 << 29


def test_the_seeds_start_script_still_works() -> None:
    found = settings(
        "--token", "t", "--ca-fingerprint", "", "--executor", "quantify", "--is-dummy",
        "--quantify-hardware-config", "hw.json", QPI_QUANTIFY_DEVICE_CONFIG="device.json",
    )  # fmt: skip
    assert (found.token, found.ca_fingerprint) == ("t", None)
    assert found.options == {"is_dummy": True, "hardware": "hw.json", "device": "device.json"}
    named = settings("-o", "quantify_hardware_config=hw.json", "-o", "quantify_device_config=device.json")
    assert named.options == {"hardware": "hw.json", "device": "device.json"}


@pytest.mark.parametrize(
    ("flags", "environ", "named"),
    [
        (["--places", "0"], {}, "--places"),
        (["--memory-cap", "much"], {}, "--memory-cap"),
        ([], {"QPI_JOB_TIMEOUT": "soon"}, "QPI_JOB_TIMEOUT"),
        (["--qpi-addr", "lab.example.org"], {}, "qpi_addr"),
        (["--option", "seed"], {}, "--option"),
        (["--ca-fingerprint", "12:34", "-a", "https://lab.example.org"], {}, "ca_fingerprint"),
        (["--ca-fingerprint", "ab" * 32], {}, "https"),
        ([], {"QPI_ACCESS_TOKEN": ""}, "QPI_ACCESS_TOKEN"),
        ([], {"QPI_CONFIG_FILE": "/nowhere.yml"}, "/nowhere.yml"),
    ],
)
def test_what_is_wrong_is_named(flags: list[str], environ: dict[str, str], named: str) -> None:
    with pytest.raises(Rejected, match=named):
        settings(*flags, **environ)


def test_an_unknown_key_of_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "agent.yml"
    file.write_text("place: 3\n")
    with pytest.raises(Rejected, match="'place'"):
        settings("--config-file", str(file))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_plain_http_is_for_this_machine(host: str) -> None:
    assert settings("-a", f"http://{host}:8888").qpi_addr.loopback


def test_a_token_does_not_travel_unencrypted_unless_somebody_says_so() -> None:
    with pytest.raises(Rejected, match="--insecure"):
        settings("-a", "http://lab.example.org")
    assert settings("-a", "http://lab.example.org", "--insecure").insecure
    assert Address.parse("https://u.example.org").loopback is False
