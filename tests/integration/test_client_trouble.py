"""What a person reads when the way to a lab is wrong: real sockets, real certificates, no word of a library."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

import qpi_jupyter.client.connecting as connecting
from qpi_jupyter.client.connecting import Address, addresses, connect
from qpi_jupyter.client.lab import Lab
from qpi_jupyter.core.errors import QpiError, Rejected
from qpi_jupyter.wire.addresses import clean_token
from tests.faults.scripted_rest import TOKEN, ScriptedLab

LIBRARY = re.compile(
    r"\[Errno|\[SSL|_ssl\.c|httpx|httpcore|msgspec|`?\$\.|Traceback|Error\b|object at 0x|CERTIFICATE_VERIFY|"
    r"All connection attempts|getaddrinfo|NoneType|\bb'"
)
"""What only the libraries below say."""

Answer = tuple[int, dict[str, str], bytes]
PAGE: Answer = (200, {"Content-Type": "text/html"}, b"<html>Welcome to nginx!</html>")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    for name in ("QPI_LAB_URL", "QPI_LAB_TOKEN", "QPI_LAB_CA_FILE", "JPY_PARENT_PID", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(connecting, "_current", None)


@contextmanager
def serving(answer: Callable[[str], Answer], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server of something else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *args: None  # type: ignore[method-assign]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refusal(*args: object, **kwargs: object) -> str:
    with pytest.raises(QpiError) as caught:
        connect(*args, **kwargs)  # type: ignore[arg-type]
    assert not LIBRARY.search(caught.value.message), caught.value.message
    return caught.value.message


@contextmanager
def secure(name: str = "127.0.0.1") -> Iterator[tuple[str, trustme.CA]]:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    with serving(lambda path: PAGE, context) as url:
        yield url, ca


def test_certificates(tmp_path: Path) -> None:
    own, other = tmp_path / "lab.pem", tmp_path / "other.pem"
    other.write_bytes(trustme.CA().cert_pem.bytes())
    with secure() as (url, ca):
        own.write_bytes(ca.cert_pem.bytes())
        assert "is not a qpi lab" in refusal(url, ca_file=own)
        assert "ca_file" in refusal(url)
        assert "QPI_LAB_CA_FILE" in refusal(url)
        assert str(other) in refusal(url, ca_file=str(other))
        assert "https" in refusal(url.replace("https", "http"))
    with secure("lab.example") as (url, ca):
        own.write_bytes(ca.cert_pem.bytes())
        assert "another name" in refusal(url, ca_file=own)
    with serving(lambda path: PAGE) as url:
        assert "does not speak https" in refusal(url.replace("http", "https"))


def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty, text = tmp_path / "empty.pem", tmp_path / "text.pem"
    empty.touch()
    text.write_text("-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n")
    for file in (tmp_path / "none.pem", tmp_path, empty, text):
        assert str(file) in refusal("https://127.0.0.1:9", ca_file=file)
    monkeypatch.setenv("QPI_LAB_CA_FILE", str(tmp_path / "gone.pem"))
    assert "QPI_LAB_CA_FILE" in refusal("https://127.0.0.1:9")
    monkeypatch.delenv("QPI_LAB_CA_FILE")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    assert "SSL_CERT_FILE" in refusal("https://127.0.0.1:9")


JUPYTER: Answer = (200, {"Content-Type": "application/json"}, b'{"version": "2.17.0"}')
MISSING: Answer = (404, {"Content-Type": "text/html"}, b"<html>404</html>")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda path: PAGE, "is not a qpi lab (it answered with a web page)"),
        (lambda path: (200, {"Content-Type": "application/json"}, b'{"status": "ok"}'), "not a qpi lab"),
        (lambda path: MISSING, "not a qpi lab"),
        (lambda path: JUPYTER if path == "/api" else MISSING, "its lab is switched off"),
        (lambda path: (503, {"X-JupyterHub-Version": "5.3"}, b"<html>"), "start it in JupyterHub"),
        (lambda path: (424, {"X-JupyterHub-Version": "5.3"}, b"{}"), "start it in JupyterHub"),
        (lambda path: (302, {"Location": "/hub/login?next=x"}, b""), "token is missing"),
        (lambda path: (301, {"Location": "https://127.0.0.1/qpi/health"}, b""), "https://"),
        (lambda path: (502, {}, b"<html>Bad Gateway</html>"), "behind it"),
        (lambda path: (401, {"WWW-Authenticate": "Basic"}, b""), "token"),
    ],
)
def test_what_is_not_a_lab_is_told_from_one_that_is_switched_off(answer: Callable[[str], Answer], said: str) -> None:
    with serving(answer) as url:
        assert said in refusal(url)


def test_nobody_there() -> None:
    assert "nothing listens there" in refusal("http://127.0.0.1:9")
    assert "no machine is called" in refusal("http://no-such-machine.invalid")


# --- addresses --------------------------------------------------------------------------------------------------------

WORD = st.from_regex(r"[A-Za-z0-9._@-]{1,8}", fullmatch=True).filter(lambda word: word.strip("."))
NAME = st.one_of(WORD, st.sampled_from(["lab", "tree", "user", "hub", "api", "qpi", "files", "doc"]))
BASE = st.one_of(
    st.just(""), WORD.map(lambda w: f"/{w}"),
    NAME.map(lambda n: f"/user/{n}"), NAME.map(lambda n: f"/jupyter/user/{n}"),
    st.tuples(NAME, WORD).map(lambda both: f"/user/{both[0]}/{both[1]}"),
    st.sampled_from(["/lab", "/team/lab", "/qpi", "/hub"]),
)  # fmt: skip
FILE = st.lists(NAME, max_size=3).map("/".join)
PAGES = st.one_of(
    st.just(""), st.just("/"),
    st.sampled_from([
        "/lab", "/lab/", "/lab/tree", "/lab/workspaces/auto-k", "/lab/workspaces/x/tree/a.ipynb", "/tree",
        "/notebooks/a.ipynb", "/doc/tree/a.ipynb", "/edit/a.py", "/consoles/c", "/terminals/1", "/files/a.csv",
        "/nbconvert/html/a.ipynb", "/login",
        "/view/a.html", "/nbclassic/tree", "/api/status", "/qpi/health", "/qpi/v1/jobs", "/qpi/api/me", "/qpi",
    ]),
    FILE.map(lambda file: f"/lab/tree/{file}"), FILE.map(lambda file: f"/tree/{file}"),
)  # fmt: skip


@given(BASE, PAGES, st.sampled_from(["", "?token=secret", "?reset&token=secret#x", "#a"]))
def test_every_page_of_a_server_leads_to_its_lab(base: str, page: str, query: str) -> None:
    places = [place for place in addresses(f"https://host.example{base}{page}{query}", env={})]
    assert len(places) == 1
    place = places[0]
    assert isinstance(place, Address)
    assert f"https://host.example{base}" in (place.url, *place.others)
    assert place.token == ("secret" if "token" in query else "")
    assert "secret" not in repr(place)


@pytest.mark.parametrize(
    "page", ["", "/lab/tree/lab/x.ipynb?token=secret", "/tree", "/qpi/v1/jobs", "/lab/workspaces/a"]
)
def test_the_address_in_the_browser_opens_the_lab(page: str) -> None:
    with ScriptedLab() as server, connect(f"  {server.url}{page}\n", TOKEN) as lab:
        assert lab.url == server.url


def test_a_page_of_the_hub_about_a_server_leads_to_it() -> None:
    place = next(iter(addresses("https://host.example/hub/user/ana/lab", env={})))
    assert isinstance(place, Address)
    assert place.url == "https://host.example/user/ana"


# --- tokens -----------------------------------------------------------------------------------------------------------

SECRET = "qpi_0123456789abcdef"


@given(
    st.text(st.sampled_from(" \t\r\n'\"\ufeff\u00a0"), max_size=4), st.text(st.sampled_from(" \t\r\n'\""), max_size=4)
)
def test_a_token_sheds_what_it_was_copied_with(before: str, after: str) -> None:
    assert clean_token(f"{before}{SECRET}{after}") == SECRET
    assert clean_token(f"Bearer {SECRET}\n") == SECRET


@given(st.text(min_size=1).filter(lambda text: not text.isascii() or not text.isprintable() or " " in text))
def test_a_token_is_never_in_a_message(inside: str) -> None:
    with pytest.raises(Rejected) as caught:
        clean_token(f"{SECRET}{inside}{SECRET}")
    assert SECRET not in str(caught.value) + repr(caught.value)


def test_neither_is_one_that_stands_in_an_address() -> None:
    for url in (
        f"ftp://lab.example?token={SECRET}",
        f"http://lab.example:port/?token={SECRET}",
        f"http:// x/?token={SECRET}",
    ):
        assert SECRET not in refusal(url)
    for url in (f"http://ana:{SECRET}@127.0.0.1:9/", f"http://127.0.0.1:9/lab?token={SECRET}"):
        assert SECRET not in refusal(url)
        address = urlsplit(url)
        with Lab(f"{address.scheme}://{address.netloc}{address.path}", SECRET) as lab:
            assert SECRET not in repr(lab) + str(vars(lab))
