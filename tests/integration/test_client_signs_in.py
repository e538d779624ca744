"""From a notebook to a lab elsewhere: whom to trust, a code, a password, a token; and what is kept of it."""

from __future__ import annotations

import json
import os
import re
import ssl
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from qpi_jupyter.client import connect
from qpi_jupyter.core import NotFound, Rejected, Unauthorized, Unavailable
from qpi_jupyter.wire.authority import fingerprint
from qpi_jupyter.wire.kept_labs import KeptLabs
from tests.support.notebooks import Kernel, kernel
from tests.support.qpi import PASSWORD
from tests.support.servers import LabServer, lab_server

pytestmark = pytest.mark.slow

CODE = re.compile(r"open (?P<page>\S+)\s+and allow the code (?P<code>[A-Z]{4}-[A-Z]{4})")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    def verify(lab: Path) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=lab / "tls" / "ca.pem")

    with lab_server(tmp_path_factory.mktemp("far"), "--https", verify=verify) as server:
        server.client().post("qpi/v1/users", json={"name": "ann", "password": PASSWORD}).raise_for_status()
        yield server


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Jupyter's data folder of the person, and no lab in the environment."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(folder))
        for name in ("QPI_LAB_URL", "QPI_LAB_TOKEN", "QPI_LAB_CA_FILE"):
            patch.delenv(name, raising=False)
        yield folder


@pytest.fixture(scope="module")
def notebook(data: Path) -> Iterator[Notebook]:
    with kernel() as started:
        yield Notebook(started)


class Notebook:
    """A kernel, with somebody before it who answers its questions."""

    def __init__(self, kernel: Kernel) -> None:
        self._client = kernel.client
        self.run("%load_ext qpi_jupyter")

    def run(
        self, code: str, *answers: str, reads: Callable[[str], object] = lambda _text: None
    ) -> tuple[str, list[str]]:
        """What a cell puts out, and what it asks."""
        left, asked, texts = list(answers), list[str](), list[str]()

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            text = content.get("text") or content.get("data", {}).get("text/plain") or ""
            text += "\n".join(content.get("traceback", ()))
            if text:
                texts.append(text)
                reads("".join(texts))

        def answer(message: dict[str, Any]) -> None:
            asked.append(message["content"]["prompt"])
            self._client.input(left.pop(0))

        self._client.execute_interactive(code, timeout=60, output_hook=hear, stdin_hook=answer)
        assert not left, f"it did not ask: {texts}"
        return "".join(texts), asked


def ann_allows(server: LabServer, text: str, seen: list[str], answer: str = "allow") -> None:
    """Ann opens the page that a notebook shows, in a browser, and says yes."""
    if seen or (found := CODE.search(text)) is None:
        return
    seen.append(found["code"])
    browser = server.client(None)
    signing_in = browser.get(found["page"])
    assert signing_in.headers["Location"].endswith(f"device%3Fuser_code%3D{found['code']}")
    sent = {"name": "ann", "password": PASSWORD, "next": f"device?user_code={found['code']}"}
    page = browser.get(browser.post("qpi/sign-in", data=sent).headers["Location"])
    assert found["code"] in page.text
    assert "Notebook on" in page.text
    done = browser.post("qpi/device", data={"user_code": found["code"], "answer": answer})
    assert 'role="status"' in done.text


def ca_of(server: LabServer) -> str:
    return fingerprint(ssl.PEM_cert_to_DER_cert((server.lab_dir / "tls" / "ca.pem").read_text()))


def test_a_code_that_is_confirmed_in_a_browser_connects_and_stays(
    server: LabServer, notebook: Notebook, data: Path
) -> None:
    url, seen = server.url.rstrip("/"), list[str]()
    shown, [question] = notebook.run(
        f"%qpi_connect {url}", "yes", reads=lambda text: ann_allows(server, text, seen)
    )  # fmt: skip
    assert ca_of(server) in question
    assert url in shown
    [kept] = KeptLabs().all()
    assert (kept.name, kept.url, kept.person, kept.pinned) == (urlsplit(url).netloc, url, "ann", ca_of(server))
    assert stat.S_IMODE((data / "qpi-labs" / "labs.json").stat().st_mode) == 0o600
    assert kept.token not in shown
    assert "ann" in notebook.run("print(__import__('qpi_jupyter').connect().whoami())")[0]
    for again in (url, "127.0.0.1"):
        assert notebook.run(f"%qpi_connect {again}")[1] == []  # neither asks
    with connect("127.0.0.1") as lab:
        assert lab.whoami().name == "ann"
    shown, _ = notebook.run("%qpi_connect --forget 127.0.0.1")
    assert shown == ""
    assert KeptLabs().all() == []
    assert server.client(kept.token).get("qpi/v1/me").status_code == 401


def test_a_refused_code_and_a_wrong_password_connect_nothing(server: LabServer, notebook: Notebook) -> None:
    seen = list[str]()
    shown, _ = notebook.run(
        f"%qpi_connect {server.url} --fingerprint {ca_of(server)}",
        reads=lambda text: ann_allows(server, text, seen, "deny"),
    )
    assert "refused in the browser" in shown
    shown, _ = notebook.run(f"%qpi_connect {server.url} --user ann --fingerprint {ca_of(server)}", "not it")
    assert "Wrong name or password" in shown
    assert KeptLabs().all() == []


def test_a_password_and_a_token_are_asked_for_and_shown_nowhere(server: LabServer, notebook: Notebook) -> None:
    pinned = f"--fingerprint {ca_of(server)}"
    shown, [question] = notebook.run(f"%qpi_connect {server.url} --user ann {pinned}", PASSWORD)
    assert (PASSWORD in shown, "Password of ann" in question) == (False, True)
    token = KeptLabs().all()[0].token
    mine = server.client(token).post("qpi/v1/tokens", json={"name": "mine"}).json()["token"]
    shown, _ = notebook.run(f"%qpi_connect {server.url} --token", mine)
    assert mine not in shown
    assert KeptLabs().all()[0].token == mine
    notebook.run("%qpi_connect --forget 127.0.0.1")


@pytest.mark.slow
def test_the_lines_of_the_page_connect(server: LabServer, notebook: Notebook) -> None:
    """Each as it stands, with the lab's real address and name."""
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "connect-to-a-lab.md").read_text(encoding="utf-8")
    lines = [line.partition("#")[0].strip() for line in text.splitlines() if line.startswith("%qpi_connect")]
    lines = [re.sub(r"https://lab\.example:8899", server.url.rstrip("/"), line) for line in lines]
    first, *others = [line.replace("lab.example", "127.0.0.1") for line in lines]
    seen = list[str]()
    notebook.run(first, "yes", reads=lambda text: ann_allows(server, text, seen))
    token = server.client().post("qpi/v1/tokens", json={}).json()["token"]
    answers = {"--user": (PASSWORD,), "--token": (token,)}
    assert len(others) == 4
    for line in others:
        shown, _ = notebook.run(line, *next((answers[word] for word in answers if word in line), ()))
        assert "Error" not in shown, shown
    assert KeptLabs().all() == []


@pytest.mark.slow
def test_the_pages_curl_lines_sign_a_program_in(server: LabServer) -> None:
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "connect-to-a-lab.md").read_text(encoding="utf-8")
    ask, fetch = [line for line in text.splitlines() if line.startswith("curl -d")]
    env = {**os.environ, "LAB": server.url.rstrip("/"), "CURL_CA_BUNDLE": str(server.lab_dir / "tls" / "ca.pem")}

    def run(line: str) -> Any:
        done = subprocess.run(
            ["bash", "-c", line.replace("curl", "curl -sS")], env=env, capture_output=True, check=True
        )
        return json.loads(done.stdout)

    started = run(ask)
    line = fetch.replace("device_code=...", f"device_code={started['device_code']}")
    assert run(line)["error"] == "authorization_pending"
    browser = server.client(None)
    browser.post("qpi/sign-in", data={"name": "ann", "password": PASSWORD})
    assert "My script" in browser.get(started["verification_uri_complete"]).text
    browser.post("qpi/device", data={"user_code": started["user_code"], "answer": "allow"})
    answer = run(line)
    assert answer["token_type"] == "Bearer"
    assert server.client(answer["access_token"]).get("qpi/v1/me").json()["user"]["name"] == "ann"


def test_a_changed_authority_is_asked_about_again_and_nothing_is_sent_before(
    server: LabServer, notebook: Notebook
) -> None:
    kept, other = KeptLabs(), trustme.CA()
    der = ssl.PEM_cert_to_DER_cert(other.cert_pem.bytes().decode())
    token = server.client().post("qpi/v1/tokens", json={}).json()["token"]

    def pinned_to(ca_file: str) -> None:
        kept.keep(server.url, token, name="far", person="ann", ca_file=ca_file, expires_at=None)

    pinned_to(kept.keep_ca(der))
    shown, [question] = notebook.run("%qpi_connect far", "no")
    assert all(part in question for part in ("CHANGED", fingerprint(der), ca_of(server)))
    assert "fingerprint=" in shown
    assert kept.find("far").pinned == fingerprint(der)
    with pytest.raises(Rejected, match="CHANGED"):
        connect("far")  # with nobody to ask
    with pytest.raises(Rejected, match="not the one that you gave"):
        connect("far", fingerprint="0" * 64)
    _, [question] = notebook.run("%qpi_connect far", "yes")
    assert "CHANGED" in question
    connect("far", fingerprint=ca_of(server)).close()
    kept.forget("far")


def test_with_nobody_to_ask_a_program_is_told_what_to_give(server: LabServer, data: Path) -> None:
    with pytest.raises(Unauthorized, match="QPI_LAB_TOKEN"):
        connect(server.url, fingerprint=ca_of(server))


def test_what_opens_ones_own_lab_is_shown_to_no_other(
    server: LabServer, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QPI_LAB_URL", "http://127.0.0.1:1/")
    monkeypatch.setenv("QPI_LAB_TOKEN", server.client().post("qpi/v1/tokens", json={}).json()["token"])
    with pytest.raises(Unauthorized):
        connect(server.url, fingerprint=ca_of(server))
    monkeypatch.setenv("QPI_LAB_URL", server.url)
    with connect(server.url, ca_file=server.lab_dir / "tls" / "ca.pem") as lab:
        assert lab.whoami().name


def test_kept_labs_have_names_of_their_own_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    kept = KeptLabs(tmp_path / "labs")
    urls = ["https://a.example", "https://a.example:8899", "https://a.example:8899/x"]
    names = [kept.keep(url, "t", person="ann", ca_file=None, expires_at=None).name for url in urls]
    assert names == ["a.example", "a.example:8899", "a.example:8899-2"]
    assert kept.keep(f"{urls[0]}/", "u", person="ann", ca_file=None, expires_at=None).name == "a.example"
    assert kept.find("a.example") == kept.find(urls[0])  # whole names first
    alone = kept.keep("https://b.example:8899", "t", person="ann", ca_file=None, expires_at=None)
    assert (alone.name, kept.find("b.example"), kept.find("c.example")) == ("b.example:8899", alone, None)
    kept.choose("a.example")
    assert kept.current() == kept.find(urls[0])
    with pytest.raises(NotFound):
        kept.choose("nowhere")
    kept.forget("a.example")
    assert kept.current() is None
    (tmp_path / "labs" / "labs.json").write_text(json.dumps({"labs": 3}))
    with pytest.raises(Unavailable, match=r"labs\.json"):
        kept.all()
