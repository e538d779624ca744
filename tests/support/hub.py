"""A real JupyterHub on one host, as `deploy/jupyterhub` has it: its very files, with ports and folders of the test."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil

from tests.ui.jupyterlab import Notebooks

from .servers import ROOT, UNFORESEEN, python_env
from .template import prepare
from .waiting import survivors, wait_until

DEPLOY = ROOT / "deploy/jupyterhub"
PROXY = ROOT / "labextension/node_modules/.bin"
PORTS = ("8000", "8001", "8081", "8899")
"""In the files: the proxy, its API, the Hub and the lab."""
BASE = "/quantum/"
HUBS = {"6": Path(sys.executable), "5.5": Path(sys.prefix) / "hubs/5.5/bin/python"}
"""The interpreter that has each version of JupyterHub; `make test-slow` sets the older one up."""
ANA, JUERGEN, DANA = "ana", "jürgen müller", "dana@example.org"
"""The last one manages the lab."""
ADMIN = "the admin"
OPERATOR = "operator-of-the-tests"


def ports() -> dict[str, str]:
    """A free port for each of `PORTS`."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    found = {port: str(one.getsockname()[1]) for port, one in zip(PORTS, sockets, strict=True)}
    for one in sockets:
        one.close()
    return found


class HubHost:
    """The three units of `deploy/jupyterhub/systemd`, each a process that a test may end and start again."""

    def __init__(self, folder: Path, python: Path, environment: Mapping[str, str], edit: Mapping[str, str]) -> None:
        self.folder = folder
        self._ports = ports()
        self._edit = {
            **self._ports, "/opt/qpi/bin/jupyter-qpi": f"{python} -m qpi_server.tools.standalone",
            "/opt/qpi/proxy/node_modules/.bin": str(PROXY), "/opt/qpi/bin": str(python.parent),
            "/etc/qpi": str(folder), "/var/lib/qpi": str(folder), **edit,
        }  # fmt: skip
        self.url = f"http://127.0.0.1:{self._ports['8000']}{BASE}"
        self.lab_url = f"http://127.0.0.1:{self._ports['8899']}{BASE}services/qpi/"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._clients: list[httpx.Client] = []
        self._tokens: dict[str, str] = {}
        self._set_up(python, environment)
        self.operator = self.client(OPERATOR, f"{self.url}hub/api/")

    # --- its files --------------------------------------------------------------------------------------------------

    def _set_up(self, python: Path, environment: Mapping[str, str]) -> None:
        for place in ("hub", "homes", "runtime"):
            (self.folder / place).mkdir()
        prepare(self.folder / "lab")
        written = {"QPI_HUB_TOKEN": secrets.token_hex(32), "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32)}
        written["JUPYTERHUB_API_TOKEN"] = written["QPI_HUB_TOKEN"]
        written["QPI_PUBLIC_URL"] = f"{self.url}services/qpi/"
        for name in ("hub.env", "lab.env"):
            text = self._of_here((DEPLOY / name).read_text()).replace("=/services/", f"={BASE}services/")
            text = text.replace("BASE_URL=/\n", f"BASE_URL={BASE}\n").replace("/hub/api", f"{BASE}hub/api")
            filled = re.sub(r"^(\w+)=$", lambda match: f"{match[1]}={written[match[1]]}", text, flags=re.MULTILINE)
            (self.folder / name).write_text(filled)
        public = f"http://127.0.0.1:{self._ports['8000']}/"
        deployed = self._of_here((DEPLOY / "jupyterhub_config.py").read_text())
        (self.folder / "deployed.py").write_text(deployed.replace(f'"{public}"', f'"{self.url}"'))
        settings = {
            "PYTHONPATH": python_env()["PYTHONPATH"], "QPI_LAB_DIR": str(self.folder / "none"),
            **environment,
        }  # fmt: skip
        self._said = {
            "port": self._ports["8081"], "deployed": str(self.folder / "deployed.py"), "operator": OPERATOR,
            "homes": str(self.folder / "homes"),
            "environment": settings, "groups": {"qed": [ANA, DANA]},
            "roles": {"lab-managers": [DANA], "lab-admins": [ADMIN]},
        }  # fmt: skip
        shutil.copy(Path(__file__).with_name("jupyterhub_config.py"), self.folder)

    def _of_here(self, text: str) -> str:
        for theirs, ours in self._edit.items():
            text = text.replace(theirs, ours)
        return text

    # --- its processes ----------------------------------------------------------------------------------------------

    def start(self, *units: str) -> None:
        """Start ``qpi-proxy``, ``qpi-hub`` or ``qpi-lab`` by its unit, and wait until it answers."""
        for name in units:
            unit = (DEPLOY / f"systemd/{name}.service").read_text()
            [command] = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
            [file] = re.findall(r"^EnvironmentFile=(.*)$", unit, re.MULTILINE)
            lines = Path(self._of_here(file)).read_text().splitlines()
            env = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
            words = shlex.split(self._of_here(command).replace("/hub/error", f"{BASE}hub/error"))
            if name == "qpi-lab":
                words += ["--allow-root"]  # the unit has a user of its own
            environment = python_env(
                HUB_OF_THE_TEST=json.dumps(self._said), HOME=str(self.folder), JUPYTER_NO_CONFIG="1",
                JUPYTER_RUNTIME_DIR=str(self.folder / "runtime"), **env,
            )  # fmt: skip
            with (self.folder / f"{name}.log").open("ab") as log:
                place = self.folder / "hub" if name == "qpi-hub" else self.folder
                self.processes[name] = subprocess.Popen(words, env=environment, stdout=log, stderr=log, cwd=place)
        for name in units:
            wait_until(lambda name=name: self._answers(name), what=f"the start of {name}")

    def _answers(self, name: str) -> bool:
        process, log = self.processes[name], self.folder / f"{name}.log"
        if process.poll() is not None:
            raise AssertionError(f"{name} ended with status {process.returncode}:\n{log.read_text()}")
        where = {
            "qpi-proxy": f"http://127.0.0.1:{self._ports['8001']}/api/routes",
            "qpi-hub": f"{self.url}hub/api/",
            "qpi-lab": f"{self.lab_url}qpi/health",
        }[name]
        try:
            status = httpx.get(where, trust_env=False).status_code
        except httpx.TransportError:
            return False
        return status == (403 if name == "qpi-proxy" else 200)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait for the end; what it started goes on."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def restart(self, name: str) -> None:
        """As systemd does: SIGTERM, and once more."""
        process = self.processes.pop(name)
        process.terminate()
        process.wait(60)
        self.start(name)

    def log(self, name: str) -> str:
        """What a unit has said."""
        return (self.folder / f"{name}.log").read_text()

    # --- its people -------------------------------------------------------------------------------------------------

    def add(self, *names: str) -> None:
        """People of the Hub, each with a running server."""
        for name in names:
            self.operator.post(f"users/{quote(name)}")
            assert self.operator.post(f"users/{quote(name)}/server").status_code in (201, 202)
        for name in names:
            self.wait_server(name)

    def server(self, name: str) -> dict[str, Any]:
        """What the Hub says of somebody's server; nothing where there is none."""
        return dict(self.operator.get(f"users/{quote(name)}").json().get("servers", {}).get("", {}))

    def wait_server(self, name: str) -> None:
        """Until somebody's server is ready."""
        wait_until(lambda: self.server(name).get("ready"), what=f"the server of {name}")

    def stop_server(self, name: str) -> None:
        """As the button of the Hub's page."""
        self.operator.delete(f"users/{quote(name)}/server")
        wait_until(lambda: not self.server(name), what=f"the end of the server of {name}")

    def home(self, name: str) -> str:
        """The address of somebody's own server."""
        return f"{self.url}user/{quote(name, safe='@')}/"

    def write(self, name: str, notebook: str, *cells: str) -> None:
        """A notebook in somebody's home."""
        Notebooks(url="", token="", folder=self.folder / "homes" / name).write(notebook, *cells)

    def token(self, name: str, **more: Any) -> str:
        """A new token of somebody, with everything that they may unless ``scopes`` says less."""
        answer = self.operator.post(f"users/{quote(name)}/tokens", json=more)
        assert answer.is_success, answer.text
        return str(answer.json()["token"])

    def client(self, token: str | None, url: str | None = None) -> httpx.Client:
        """Somebody at an address; the lab's, through the proxy, without one."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        base = f"{self.url}services/qpi/qpi/v1/" if url is None else url
        client = httpx.Client(base_url=base, headers=headers, timeout=90, trust_env=False)
        self._clients.append(client)
        return client

    def at_home(self, name: str) -> httpx.Client:
        """Somebody at the lab behind their own server."""
        token = self._tokens[name] = self._tokens.get(name) or self.token(name)
        return self.client(token, f"{self.home(name)}qpi/v1/")

    def close(self) -> None:
        """End everything."""
        hub = self.processes.get("qpi-hub")
        servers = [one for one in psutil.process_iter() if self._is_server(one)]
        ends = [*servers, *(psutil.Process(hub.pid).children(recursive=True) if hub and hub.poll() is None else ())]
        for client in self._clients:
            client.close()
        for process in [*ends, *self.processes.values()]:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        for process in survivors(ends, 20):
            process.kill()
        for unit in self.processes.values():
            unit.wait(20)

    def _is_server(self, process: psutil.Process) -> bool:
        """Whether the Hub started it, the one before a restart too: a person's server, a kernel, a service."""
        with suppress(psutil.Error):
            return f"127.0.0.1:{self._ports['8081']}/" in process.environ().get("JUPYTERHUB_API_URL", "")
        return False


@contextmanager
def hub_host(
    folder: Path,
    version: str,
    *,
    units: tuple[str, ...] = ("qpi-proxy", "qpi-hub", "qpi-lab"),
    edit: Mapping[str, str] | None = None,
    **env: str,
) -> Iterator[HubHost]:
    """A Hub with its proxy and the lab; ``edit`` changes words of the files, ``env`` is told to people's servers."""
    python = HUBS[version]
    assert python.exists(), f"there is no JupyterHub {version} at {python}: make test-slow sets it up"
    assert PROXY.is_dir(), "no configurable-http-proxy: make test installs the panel's packages"
    host = HubHost(folder, python, env, edit or {})
    try:
        host.start(*units)
        yield host
    finally:
        host.close()
    written = host.log(units[-1])  # a lab that the Hub starts writes into the Hub's
    assert not any(sign in written for sign in UNFORESEEN), f"the lab's log has an exception:\n{written}"
