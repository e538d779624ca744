"""A person's own Jupyter server on labs elsewhere: connected, shown, let go; and what is sent to none of them."""

from __future__ import annotations

import json
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from qpi_jupyter.wire.authority import fingerprint
from qpi_jupyter.wire.kept_labs import KeptLabs
from tests.support.qpi import PASSWORD
from tests.support.servers import LabServer, lab_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
JUPYTER = {"module": "jupyter_server"}
ENABLED = "--ServerApp.jpserver_extensions={'qpi_server': True}"


def trusting(lab: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=lab / "tls" / "ca.pem")


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A lab of its own authority, with Ann and a QPU that nobody else has."""
    with lab_server(tmp_path_factory.mktemp("far"), "--https", verify=trusting) as server:
        admin = server.client()
        admin.post("qpi/v1/users", json={"name": "ann", "password": PASSWORD}).raise_for_status()
        admin.post("qpi/v1/qpus", json={"name": "far-chip"}).raise_for_status()
        yield server


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """Ann's own Jupyter server."""
    with lab_server(tmp_path_factory.mktemp("own"), ENABLED, **JUPYTER) as server:
        yield server


@pytest.fixture
def me(own: LabServer) -> Iterator[httpx.Client]:
    """The panel of that server, back at its own lab afterwards."""
    client = own.client()
    yield client
    for lab in client.get("qpi/labs").json()["labs"]:
        client.delete(f"qpi/labs/{lab['name']}").raise_for_status()


def kept(own: LabServer) -> KeptLabs:
    return KeptLabs(own.lab_dir.parent / "data" / "qpi-labs")


def pin(far: LabServer) -> str:
    return fingerprint(ssl.PEM_cert_to_DER_cert((far.lab_dir / "tls" / "ca.pem").read_text()))


def connect(me: httpx.Client, far: LabServer, **more: str) -> Any:
    answer = me.post("qpi/labs", json={"url": far.url, "fingerprint": pin(far), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def qpus(client: httpx.Client) -> list[str]:
    return [qpu["name"] for qpu in client.get("qpi/v1/qpus").json()["qpus"]]


def test_a_code_that_is_confirmed_in_a_browser_shows_the_lab_until_it_is_let_go(
    me: httpx.Client, own: LabServer, far: LabServer
) -> None:
    unknown = me.post("qpi/labs", json={"url": far.url})
    error = unknown.json()["error"]
    assert (unknown.status_code, error["code"]) == (400, "untrusted_certificate")
    assert (error["data"]["fingerprint"], error["data"]["before"]) == (pin(far), None)
    waiting = connect(me, far)["waiting"]
    assert waiting["page"] == f"{far.url}qpi/device?user_code={waiting['user_code']}"
    assert qpus(me) == []
    browser = far.client(None)
    browser.post("qpi/sign-in", data={"name": "ann", "password": PASSWORD})
    browser.post("qpi/device", data={"user_code": waiting["user_code"], "answer": "allow"})
    wait_until(lambda: me.get("qpi/labs").json()["current"], what="the sign-in")
    assert qpus(me) == ["far-chip"]
    assert me.get("qpi/v1/me").json()["user"]["name"] == "ann"
    file = own.lab_dir.parent / "data" / "qpi-labs" / "labs.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = kept(own).all()[0].token
    assert token not in me.get("qpi/labs").text
    assert token not in own.log.read_text()
    assert me.put("qpi/labs/current", json={"name": None}).json()["current"] is None
    assert qpus(me) == []
    name = urlsplit(far.url).netloc
    assert me.put("qpi/labs/current", json={"name": name}).json()["current"] == name
    assert qpus(me) == ["far-chip"]
    assert me.delete(f"qpi/labs/{name}").json()["labs"] == []
    assert qpus(me) == []
    assert far.client(token).get("qpi/v1/me").status_code == 401


def test_a_password_or_a_token_connects_at_once_and_wrong_ones_change_nothing(me: httpx.Client, far: LabServer) -> None:
    assert connect(me, far, user="ann", password=PASSWORD)["current"] == urlsplit(far.url).netloc
    token = far.client().post("qpi/v1/tokens", json={}).json()["token"]
    assert connect(me, far, token=token)["labs"][0]["person"] != "ann"
    me.delete("qpi/labs/127.0.0.1")
    for wrong in ({"user": "ann", "password": "guessed"}, {"token": "qpi_guessed"}):
        answer = me.post("qpi/labs", json={"url": far.url, "fingerprint": pin(far), **wrong})
        assert answer.status_code == 401, answer.text
    assert me.get("qpi/labs").json()["labs"] == []


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "bad_url"), ("ftp://lab.example", "bad_url"), ("https://a:b@lab.example", "bad_url"),
        ("http://192.0.2.1:8899", "insecure"), ("javascript:alert(1)", "bad_url"), ("https://[", "bad_url"),
        ("http://127.0.0.1:9/x", "no_answer"),
    ],
)  # fmt: skip
def test_what_is_no_lab_is_told(me: httpx.Client, url: str, code: str) -> None:
    assert me.post("qpi/labs", json={"url": url, "token": "qpi_x"}).json()["error"]["code"] == code


def test_a_changed_authority_is_asked_about_again(me: httpx.Client, own: LabServer, far: LabServer) -> None:
    connect(me, far, user="ann", password=PASSWORD)
    lab, other = kept(own).all()[0], ssl.PEM_cert_to_DER_cert(trustme.CA().cert_pem.bytes().decode())
    kept(own).keep(lab.url, lab.token, person="ann", ca_file=kept(own).keep_ca(other), expires_at=None)
    me.put("qpi/labs/current", json={"name": lab.name}).raise_for_status()
    assert me.get("qpi/v1/qpus").status_code == 503  # nothing is sent to who has another certificate
    asked = me.post("qpi/labs", json={"url": far.url}).json()["error"]
    assert (asked["data"]["fingerprint"], asked["data"]["before"]) == (pin(far), fingerprint(other))
    wrong = me.post("qpi/labs", json={"url": far.url, "fingerprint": fingerprint(other)}).json()["error"]
    assert wrong["code"] == "other_fingerprint"
    connect(me, far, user="ann", password=PASSWORD)
    assert qpus(me) == ["far-chip"]


def test_no_other_token_is_sent_to_a_lab_elsewhere_and_none_chooses_it(
    me: httpx.Client, own: LabServer, far: LabServer
) -> None:
    mine = me.post("qpi/v1/tokens", json={"name": "of my own lab"}).json()["token"]
    connect(me, far, user="ann", password=PASSWORD)
    others = own.client(mine)
    assert others.get("qpi/v1/qpus").json()["error"]["code"] == "lab_elsewhere"
    secret = json.loads((own.lab_dir.parent / "data" / "qpi-labs" / "labs.json").read_text())["labs"][0]["token"]
    for client in (others, own.client(secret), own.client(None)):
        for method, path in (("GET", "qpi/labs"), ("DELETE", "qpi/labs/127.0.0.1"), ("POST", "qpi/labs")):
            content = b'{"url": "x"}' if method == "POST" else None
            assert client.request(method, path, content=content).status_code in (401, 403), (method, path)
    forged = own.client(None)
    forged.get("lab", params={"token": "jupyter-token-of-the-tests"})
    assert forged.post("qpi/labs", json={"url": far.url}).status_code == 403  # a cookie without the page's own proof


def test_a_server_is_not_connected_to_itself(me: httpx.Client, own: LabServer, far: LabServer) -> None:
    for _ in range(2):  # also while it shows another lab
        answer = me.post("qpi/labs", json={"url": f"{own.url}lab", "token": "qpi_x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "own_address"), answer.text
        connect(me, far, user="ann", password=PASSWORD)


def test_a_lab_server_is_nobodys_own(far: LabServer) -> None:
    assert far.client().get("qpi/labs").status_code == 404
