"""The recipes of docs/how-to/reverse-proxy.md in a real nginx and a real Caddy, and proxies that get in the way."""

from __future__ import annotations

import json
import os
import re
import shlex
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import yaml

from qpi_jupyter.client import Lab
from qpi_server.tools.commands import run as run_command
from tests.circuits import BELL_QASM3
from tests.support.realworld import free_port
from tests.support.servers import TOKEN, LabServer, lab_server, python_env
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "reverse-proxy.md").read_text()
READY_S = 60.0
BELL = BELL_QASM3.decode()
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
{site}
}}
"""


def blocks(language: str) -> list[str]:
    """The page's blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def changed(text: str, *replacements: tuple[str, str]) -> str:
    """``text`` with every replacement made; one that finds nothing is a mistake of the test's."""
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    return text


@dataclass
class Place:
    """A folder with a certificate, the port of a proxy and that of the lab behind it."""

    folder: Path
    authority: trustme.CA
    port: int
    lab_port: int

    @classmethod
    def make(cls, folder: Path) -> Place:
        folder.mkdir(exist_ok=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        made = authority.issue_cert("localhost", "127.0.0.1")
        made.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        return cls(folder, authority, free_port(), free_port())

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/quantum/"

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))

    def client(self, token: str | None = TOKEN) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return httpx.Client(base_url=self.url, headers=headers, verify=self.trust(), timeout=70, trust_env=False)

    def nginx_site(self, *replacements: tuple[str, str]) -> str:
        """The page's recipe for these ports."""
        certificate = str(self.folder / "server.pem")
        return changed(
            blocks("nginx")[0],
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"), ("/etc/ssl/lab.example.org.pem", certificate),
            ("/etc/ssl/private/lab.example.org.key", certificate),
            ("server_name lab.example.org", "server_name 127.0.0.1"),
            ("127.0.0.1:8899", f"127.0.0.1:{self.lab_port}"), *replacements,
        )  # fmt: skip


@contextmanager
def proxied(place: Place, command: list[str], **env: str) -> Iterator[None]:
    """A proxy in the foreground, until it ends with the block."""
    with (place.folder / "proxy.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=place.folder, env={**os.environ, **env})
    try:
        with place.client(None) as client:
            wait_until(lambda: _listens(client, process, place), READY_S, "the proxy")
        yield
    finally:
        process.terminate()
        process.wait(20)


def _listens(client: httpx.Client, process: subprocess.Popen[bytes], place: Place) -> bool:
    if process.poll() is not None:
        raise AssertionError(f"the proxy ended:\n{(place.folder / 'proxy.log').read_text()}")
    try:
        client.get("qpi/health")
    except httpx.ConnectError:
        return False
    return True


def nginx(place: Place, site: str) -> Any:
    path = place.folder / "nginx.conf"
    path.write_text(NGINX.format(folder=place.folder, site=site))
    return proxied(
        place, ["/usr/sbin/nginx", "-p", str(place.folder), "-c", str(path), "-e", f"{place.folder}/first.log"]
    )


def caddy(place: Place) -> Any:
    certificate = place.folder / "server.pem"
    recipe = changed(
        blocks("caddy")[0],
        ("lab.example.org {", f"https://127.0.0.1:{place.port} {{\n    tls {certificate} {certificate}"),
        ("127.0.0.1:8899", f"127.0.0.1:{place.lab_port}"),
    )
    path = place.folder / "Caddyfile"
    path.write_text(f"{{\n    admin off\n    grace_period 1s\n    auto_https disable_redirects\n}}\n{recipe}")
    home = str(place.folder)
    command = ["/usr/bin/caddy", "run", "--config", str(path), "--adapter", "caddyfile"]
    return proxied(place, command, HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home)


@contextmanager
def lab_behind(place: Place, *arguments: str, base_url: str = "/quantum/") -> Iterator[LabServer]:
    """A lab with the settings of the page."""
    [command] = [block for block in blocks("bash") if "trust_xheaders" in block]
    words = shlex.split(command.replace("\\\n", " "))
    told = [
        word.replace("https://lab.example.org/quantum/", place.url)
        for word in words[words.index("8899") + 1 :]
        if not word.startswith("--ServerApp.base_url")
    ]
    settings = (*told, f"--ServerApp.base_url={base_url}", "--QPIServer.embedded_drivers=False", *arguments)
    with lab_server(place.folder / "server", *settings, port=place.lab_port) as server:
        yield server


@contextmanager
def driver(place: Place, server: LabServer, seconds: float = 0.0) -> Iterator[None]:
    """A driver of the QPU ``fridge``, started by the command that its registration gives, through the proxy."""
    admin = server.client()
    admin.post("qpi/v1/qpus", json={"name": "fridge", "kind": "pool"}).raise_for_status()
    body = {
        "name": "control-pc", "qpu": "fridge", "allow_simulator": True,
        "executor": "tests.faults.executors:RecordingExecutor", "options": {"seconds": seconds},
    }  # fmt: skip
    made = admin.post("qpi/v1/drivers", json=body).json()
    assert place.url.rstrip("/") in made["command"], made["command"]
    command = f"{made['command']} --ca-file {place.ca_file} --data-dir {place.folder / 'data'}"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = python_env(PATH=path, HOME=str(place.folder), QPI_ACCESS_TOKEN=made["token"])
    with (place.folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"], cwd=place.folder, env=environment, stdout=log, stderr=log
        )
    try:
        wait_until(
            lambda: admin.get("qpi/v1/qpus/fridge").json()["status"] == "online", READY_S,
            f"the driver ({place.folder / 'agent.log'})",
        )  # fmt: skip
        yield
    finally:
        process.terminate()
        assert process.wait(30) == 0, (place.folder / "agent.log").read_text()


Diagnose = Callable[..., list[tuple[str, str, str]]]


@pytest.fixture
def diagnose(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Diagnose:
    """What the doctor says of a proxy: status, finding and remedy."""

    def diagnose(place: Place, token: str = TOKEN) -> list[tuple[str, str, str]]:
        monkeypatch.setenv("QPI_LAB_TOKEN", token)
        monkeypatch.setenv("QPI_LAB_CA_FILE", str(place.ca_file))
        capsys.readouterr()
        run_command("doctor", ["--json", "--lab-dir", str(place.folder / "server" / "lab"), "--url", place.url])
        findings = json.loads(capsys.readouterr().out)["findings"]
        return [(one["status"], one["found"], one["remedy"]) for one in findings if one["check"] == "proxy"]

    return diagnose


def walk(place: Place, server: LabServer) -> None:
    """A driver, a client and a stream, all through the proxy."""
    with driver(place, server), Lab(place.url, TOKEN, ca_file=place.ca_file) as lab, place.client() as client:
        with client.stream("GET", "qpi/v1/events", headers={"Accept": "text/event-stream"}) as stream:
            lines = stream.iter_lines()
            next(lines)
            since = time.monotonic()
            job = lab.submit(BELL, qpu="fridge", shots=100)
            assert next(line for line in lines if job.id in line)
            assert time.monotonic() - since < 5
        assert job.counts() == {"11": 100}
        assert job.dataset().qpi.counts() == {"11": 100}
        large = [f"{BELL}// {n}{'x' * 1_000_000}" for n in range(8)]
        wide = lab.submit(large, qpu="fridge", shots=1)
        assert wide.counts() == [{"11": 1}] * 8
        assert client.get(f"qpi/v1/jobs/{wide.id}/program").content
        feed = client.post("qpi/v1/feeds", json={}).json()["url"]
        assert feed.startswith(place.url), feed
        assert client.get(feed).text.startswith("BEGIN:VCALENDAR")
        login = client.get("login", headers={"Authorization": ""})
        assert login.status_code == 200
        styles = re.findall(r'href="(/[^"]+\.css[^"]*)"', login.text)
        assert styles
        assert client.get(f"https://127.0.0.1:{place.port}{styles[0]}").status_code == 200


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_a_recipe_lets_everything_through(tmp_path: Path, kind: str, diagnose: Diagnose) -> None:
    place = Place.make(tmp_path / "place")
    proxy = nginx(place, place.nginx_site()) if kind == "nginx" else caddy(place)
    with lab_behind(place) as server, proxy:
        walk(place, server)
        assert diagnose(place) == [("ok", f"{place.url} leads to a lab of version 0.1.0.", "")]


def test_the_labs_own_authority_is_verified_behind_nginx(tmp_path: Path) -> None:
    place = Place.make(tmp_path / "place")
    tls = place.folder / "server" / "lab" / "tls"
    inner = changed(
        blocks("nginx")[1],
        ("10.0.0.7:8899", f"127.0.0.1:{place.lab_port}"),
        ("/etc/nginx/qpi-ca.pem", str(tls / "ca.pem")),
    )  # fmt: skip
    outer = f"proxy_pass http://127.0.0.1:{place.lab_port};"
    settings = ("--https", "--ip-addr", "127.0.0.1")
    trust = {"verify": lambda lab: ssl.create_default_context(cafile=lab / "tls" / "ca.pem")}
    with lab_server(place.folder / "server", "--ServerApp.base_url=/quantum/", *settings, port=place.lab_port, **trust):
        with nginx(place, place.nginx_site((outer, inner))), place.client() as client:
            assert client.get("qpi/v1/me").status_code == 200
        (tls / "ca.pem").rename(tls / "gone.pem")
        other = trustme.CA()
        other.cert_pem.write_to_path(str(tls / "ca.pem"))
        with nginx(place, place.nginx_site((outer, inner))), place.client() as client:
            assert client.get("qpi/v1/me").status_code == 502
        (tls / "gone.pem").replace(tls / "ca.pem")


def test_a_stripped_prefix_is_enough_for_programs_and_the_doctor_says_what_is_not(
    tmp_path: Path, diagnose: Diagnose
) -> None:
    place = Place.make(tmp_path / "place")
    stripped = (f"proxy_pass http://127.0.0.1:{place.lab_port};", f"proxy_pass http://127.0.0.1:{place.lab_port}/;")
    with lab_behind(place, base_url="/") as server, nginx(place, place.nginx_site(stripped)):
        with driver(place, server), Lab(place.url, TOKEN, ca_file=place.ca_file) as lab:
            assert lab.submit(BELL, qpu="fridge", shots=10).counts() == {"11": 10}
        [(status, found, _), _] = diagnose(place, token="")
        assert (status, "takes the path away" in found) == ("warning", True), found


HINDERED = {
    "host": ("Host $http_host;", "Host 127.0.0.1:1;", "replaces the Host header"),
    "upgrade": ("Upgrade $http_upgrade;", 'Upgrade "";', "WebSockets do not get through"),
    "size": ("client_max_body_size 0;", "client_max_body_size 1m;", "refuses bodies of 100 MiB"),
    "buffer": (
        "proxy_buffering off;", "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;",
        "keeps back what a stream says",
    ),
    "cut": ("proxy_read_timeout 1h;", "proxy_read_timeout 5s;", "was cut after 5 s"),
}  # fmt: skip


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, LabServer]]:
    """A lab before which each test puts a proxy of its own."""
    place = Place.make(tmp_path_factory.mktemp("behind") / "place")
    with lab_behind(place) as server:
        yield place, server


@pytest.mark.parametrize("kind", HINDERED)
def test_the_doctor_names_what_gets_in_the_way(behind: tuple[Place, LabServer], kind: str, diagnose: Diagnose) -> None:
    place, _ = behind
    old, new, words = HINDERED[kind]
    waits = kind in ("buffer", "cut")  # 20 seconds
    with nginx(place, place.nginx_site((old, new))):
        found = diagnose(place, token=TOKEN if waits else "")
    [(status, said, remedy)] = [one for one in found if one[0] != "skipped"]
    assert (status, words in said) == ("problem", True), found
    assert "docs/how-to/reverse-proxy.md" in remedy


def test_a_wrong_token_and_a_lab_that_is_not_there(behind: tuple[Place, LabServer], diagnose: Diagnose) -> None:
    place, _ = behind
    with nginx(place, place.nginx_site()):
        [(status, found, _)] = diagnose(place, token="qpi_" + "x" * 40)
        assert (status, found) == ("problem", "The token in QPI_LAB_TOKEN is not accepted there.")
    with nginx(place, place.nginx_site((f"127.0.0.1:{place.lab_port}", "127.0.0.1:9"))):
        assert "does not reach the lab" in diagnose(place)[0][1]
    with nginx(place, place.nginx_site(("location /quantum/", "location /other/"))):
        assert "something other than a lab" in diagnose(place)[0][1]


def test_long_polls_that_are_cut_at_five_seconds_lose_nothing(tmp_path: Path) -> None:
    place = Place.make(tmp_path / "place")
    cut = ("proxy_read_timeout 1h;", "proxy_read_timeout 5s;")
    with (
        lab_behind(place) as server,
        nginx(place, place.nginx_site(cut)),
        driver(place, server, seconds=12.0),
        Lab(place.url, TOKEN, ca_file=place.ca_file) as lab,
    ):
        job = lab.submit(BELL, qpu="fridge", shots=10)
        assert job.counts() == {"11": 10}
        assert server.client().get(f"qpi/v1/jobs/{job.id}").json()["attempt"] == 1


def test_the_traefik_files_are_what_traefik_reads() -> None:
    static, dynamic = map(yaml.safe_load, blocks("yaml"))
    assert static["entryPoints"]["websecure"]["transport"]["respondingTimeouts"]["readTimeout"] == "0s"
    assert dynamic["http"]["routers"]["lab"]["service"] in dynamic["http"]["services"]
    assert dynamic["http"]["services"]["lab"]["loadBalancer"]["passHostHeader"] is True
