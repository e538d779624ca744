"""``jupyter qpi`` as its own server: which addresses it has, and what its log keeps to itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from qpi_server.web import ROUTES
from tests.support.qpi import PASSWORD
from tests.support.servers import TOKEN, LabServer, lab_server, python_env

JUPYTERS = {
    r"/(robots\.txt)$", r"/(favicon\.ico)$", r"/(robots\.txt|favicon\.ico)$", r"/static/(.*)$", r"/login$", r"/logout$",
    r"/.*/$", r"/?$", r"(.*)$",
}  # fmt: skip
WALK = """
import asyncio, json
from tornado.routing import RuleRouter
from qpi_server.tools.standalone import LabServerApp
def walk(router):
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from walk(rule.target)
        else:
            yield rule.matcher.regex.pattern, rule.target.__module__
async def main():
    app = LabServerApp()
    app.initialize(["--port=0", "--allow-root", *%r], new_httpserver=False)
    print("ROUTES", json.dumps(list(walk(app.web_app.default_router))))
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("alone"), "--debug", "--QPIServer.local_accounts=True") as server:
        yield server


def test_every_handler_is_the_labs_or_on_the_list(tmp_path: Path) -> None:
    more = ['--ServerApp.jpserver_extensions={"jupyterlab": True, "jupyter_server_terminals": True}']
    folders = {
        name: str(tmp_path / name) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "QPI_LAB_DIR", "HOME")
    }
    script = WALK % (more,)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=python_env(**folders),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    [line] = [line for line in done.stdout.splitlines() if line.startswith("ROUTES ")]
    routes = json.loads(line.removeprefix("ROUTES "))
    theirs = {pattern for pattern, module in routes if not module.startswith("qpi_server.")}
    assert theirs == JUPYTERS
    assert {route.pattern for route in ROUTES} <= {pattern for pattern, _ in routes}


@pytest.mark.parametrize(
    "path",
    [
        "files/lab/owner.json", "files/lab/lab.sqlite3", "files/server.log", "files/lab%2Fowner.json", "api/contents",
        "api/contents/lab/owner.json", "api/resolvePath?path=lab", "api/kernels", "api/terminals", "api/sessions",
        "api/status", "api/me", "metrics", "api/spec.yaml", "static/../lab/owner.json", "view/lab/owner.json",
        "nbconvert/html/lab/owner.json", "lab", "tree",
    ],
)  # fmt: skip
def test_nothing_of_the_folder_is_served(server: LabServer, path: str) -> None:
    assert (server.lab_dir / "owner.json").is_file()
    answer = server.client().get(path, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code in (403, 404), (path, answer.text)
    assert "secret" not in answer.text


def test_no_line_of_the_log_has_a_secret(server: LabServer) -> None:
    """Every way in which a secret is sent, to an address that answers and to one that fails."""
    admin, anybody = server.client(), server.client(None)
    admin.post("qpi/v1/users", json={"name": "ann", "password": PASSWORD}).raise_for_status()
    signed_in = anybody.post("qpi/v1/sign-in", json={"name": "ann", "password": PASSWORD}).json()["token"]
    token = admin.post("qpi/v1/tokens", json={"name": "t"}).json()["token"]
    feed = admin.post("qpi/v1/feeds", json={}).json()["url"]
    secret = feed.split("/feeds/")[1].split("/")[0]
    owner = json.loads((server.lab_dir / "owner.json").read_text())["secret"]
    code, state = "code-of-a-provider-4711", "state-of-a-browser-0815"
    path = urlsplit(feed).path.lstrip("/")
    for address in (path, path.upper(), f"{path}x", f"qpi/v1/feeds/{secret}", f"qpi/v1/feeds/{secret}?a=b"):
        anybody.get(address, headers={"Referer": feed})
    for sent in (token, signed_in, owner, TOKEN):
        for address in ("qpi/v1/me", "qpi/api/jobs", "nothing", "qpi/v1/jobs/x"):
            anybody.get(address, params={"token": sent}, headers={"Referer": f"{server.url}?token={sent}"})
            anybody.get(address, headers={"Authorization": f"Bearer {sent}", "X-API-Token": sent})
            anybody.post(f"{address}/{sent}", headers={"X-API-Token": "qpi_wrong"})
    anybody.get("qpi/api/oauth2-redirect", params={"code": code, "state": state})
    anybody.get("nothing", params={"next": f"/qpi/api/oauth2-redirect?code={code}&state={state}"})
    lines = [line for line in server.log.read_text().splitlines() if TOKEN not in line or " GET " in line]
    assert any("/feeds/[secret]" in line for line in lines)
    for hidden in (signed_in, token, secret, owner, code, state, PASSWORD, TOKEN):
        assert not [line for line in lines if hidden in line], hidden
