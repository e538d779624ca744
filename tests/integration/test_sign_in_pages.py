"""The lab's pages: the set-up link, signing in and out, home; and what a browser is protected from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from qpi_jupyter.core.errors import Forbidden
from qpi_server.service import Lab
from qpi_server.service.people.first_admin import OFFER_S
from qpi_server.web import PAGES
from tests.faults.lab import FrozenClock
from tests.integration.test_service_people import in_lab, refused
from tests.support.provider import Provider
from tests.support.qpi import PASSWORD
from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

LINK = re.compile(r"http://\S+/qpi/set-up\?code=\S+")
XSS = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    settings = {"QPI_OAUTH2_PROVIDERS": json.dumps([provider.settings()]), "QPI_LOCAL_ACCOUNTS": "true"}
    folder = tmp_path_factory.mktemp("pages")
    with lab_server(folder, "--demo", "--QPIServer.embedded_drivers=False", **settings) as server:
        admin = server.client()
        admin.post("qpi/v1/users", json={"name": "ann", "password": PASSWORD}).raise_for_status()
        admin.post("qpi/v1/users", json={"name": "eve", "display_name": XSS, "password": PASSWORD}).raise_for_status()
        yield server


@pytest.fixture
def visitor(server: LabServer) -> httpx.Client:
    """A browser that nobody has signed in with."""
    return server.client(None)


def sign_in(visitor: httpx.Client, name: str = "ann", password: str = PASSWORD, **more: str) -> httpx.Response:
    return visitor.post("qpi/sign-in", data={"name": name, "password": password, **more})


def test_the_set_up_link_makes_one_administrator_on_this_machine_once(tmp_path: Path) -> None:
    with lab_server(tmp_path / "first") as server:
        link = wait_until(lambda: LINK.search(server.log.read_text()), what="the set-up link")[0]
        code = parse_qs(urlsplit(link).query)["code"][0]
        visitor = server.client(None)
        assert visitor.get("qpi/").headers["Location"] == "/qpi/sign-in?next="
        assert code in visitor.get(link).text
        form = {"code": code, "name": "ada", "password": PASSWORD}
        for here in ("localhost", "127.0.0.1", "[::1]"):  # a browser's word on port 80
            assert visitor.get(link, headers={"Host": here}).status_code == 200
        for elsewhere in ({"Host": "lab.example:80"}, {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-Proto": "https"}):
            answer = visitor.post("qpi/set-up", data=form, headers=elsewhere)
            assert (answer.status_code, "on the machine" in answer.text) == (403, True)
        assert visitor.post("qpi/set-up", data={**form, "code": code[:-1] + "~"}).status_code == 403
        made = visitor.post("qpi/set-up", data=form)
        assert (made.status_code, made.headers["Location"]) == (303, "/qpi/")
        assert "ada" in visitor.get("qpi/").text
        again = visitor.get(link)
        assert (again.status_code, "spent" in again.text, "jupyter qpi invite" in again.text) == (403, True, True)
        assert visitor.post("qpi/set-up", data={**form, "name": "eve"}).status_code == 403
        admin = server.client(
            server.client(None).post("qpi/v1/sign-in", json={"name": "ada", "password": PASSWORD}).json()["token"]
        )
        assert admin.get("qpi/v1/me").json()["user"]["roles"] == ["admin"]
        assert [entry["who"] for entry in admin.get("qpi/v1/audit").json()["entries"]][-1] == "set-up:"


def test_the_set_up_link_ends_after_an_hour_and_with_the_first_account(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        first = await lab.first_admin.offer()
        code = await lab.first_admin.offer()
        assert first is not None
        assert code is not None
        await refused(lab.first_admin.create(first, "ada", PASSWORD, address=""), Forbidden, "bad_set_up")
        clock.advance(OFFER_S + 1)
        await refused(lab.first_admin.create(code, "ada", PASSWORD, address=""), Forbidden, "bad_set_up")
        code = await lab.first_admin.offer()
        assert code is not None
        await lab.first_admin.create(code, "ada", PASSWORD, address="")
        await refused(lab.first_admin.create(code, "eve", PASSWORD, address=""), Forbidden, "bad_set_up")
        assert await lab.first_admin.offer() is None

    in_lab(tmp_path, dialogue, local_accounts=True)


def test_a_lab_of_somebody_elses_people_offers_no_set_up(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        assert await lab.first_admin.offer() is None
        await refused(lab.first_admin.create("", "ada", PASSWORD, address=""), Forbidden, "bad_set_up")

    in_lab(tmp_path, dialogue)


def test_a_password_leads_home_and_signing_out_ends_it(visitor: httpx.Client, server: LabServer) -> None:
    page = visitor.get("qpi/sign-in", params={"next": "device?user_code=ABCD-EFGH"})
    assert 'value="device?user_code=ABCD-EFGH"' in page.text
    wrong = sign_in(visitor, "ann", "not it at all")
    assert (wrong.status_code, "Wrong name or password" in wrong.text) == (401, True)
    assert "set-cookie" not in wrong.headers
    came = sign_in(visitor)
    assert (came.status_code, came.headers["Location"]) == (303, "/qpi/")
    cookie = came.headers["Set-Cookie"]
    assert all(word in cookie for word in ("; Path=/qpi/;", "HttpOnly", "SameSite=Lax"))
    token = visitor.cookies[next(name for name in visitor.cookies if name.startswith("qpi-session"))]
    home = visitor.get("qpi/")
    assert (home.status_code, "sim-a" in home.text, server.url in home.text) == (200, True, True)
    assert token not in home.text
    assert visitor.get("qpi/v1/me").status_code == 401  # the cookie is for pages alone
    left = visitor.post("qpi/sign-out")
    assert left.headers["Location"] == "/qpi/sign-in"
    assert visitor.get("qpi/").status_code == 303
    assert server.client(token).get("qpi/v1/me").status_code == 401


def test_a_sign_in_is_always_a_new_one(visitor: httpx.Client, server: LabServer) -> None:
    """What somebody else has put into the browser beforehand is never what counts afterwards."""
    planted = server.client().post("qpi/v1/tokens", json={}).json()["token"]
    name = f"qpi-session-{re.sub(r'[^A-Za-z0-9]', '-', urlsplit(server.url).netloc)}"
    visitor.cookies.set(name, planted, path="/qpi/", domain="127.0.0.1")
    assert visitor.get("qpi/").status_code == 303  # no API token is a sign-in
    sign_in(visitor)
    assert visitor.cookies.get(name, path="/qpi/") != planted
    assert "ann" in visitor.get("qpi/").text


def test_the_servers_owner_comes_with_jupyters_token(visitor: httpx.Client) -> None:
    home = visitor.get("qpi/", params={"token": TOKEN})
    assert home.status_code == 200
    assert "Sign out" not in home.text
    assert visitor.get("qpi/").status_code == 200


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "../lab", "%2F%2Fevil.example", "javascript:x",
        "sign-in?next=//x", "a\r\nSet-Cookie: x=y", "device?x=<script>",
    ],
)  # fmt: skip
def test_no_link_leads_from_the_sign_in_elsewhere(visitor: httpx.Client, where: str) -> None:
    assert visitor.get("qpi/sign-in", params={"next": where}).status_code == 400
    answer = sign_in(visitor, next=where)
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert visitor.get("qpi/sign-in/campus", params={"next": where}).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303), ({}, 303),
    ],
)  # fmt: skip
def test_no_other_sites_form_signs_anybody_in_or_out(
    visitor: httpx.Client, server: LabServer, headers: dict[str, str], status: int
) -> None:
    form = {"name": "ann", "password": PASSWORD}
    assert visitor.post("qpi/sign-in", data=form, headers=headers).status_code == status
    sign_in(visitor)
    assert visitor.post("qpi/sign-out", headers=headers).status_code == status
    owner = server.client(None)
    owner.get("qpi/", params={"token": TOKEN})
    assert owner.post("qpi/sign-out", headers=headers).status_code == status
    own = {"Origin": server.url.rstrip("/")}
    assert visitor.post("qpi/sign-in", data=form, headers=own).status_code == 303


def test_every_page_is_guarded_against_frames_scripts_and_caches(visitor: httpx.Client) -> None:
    sign_in(visitor)
    for route in PAGES:
        if route.method != "GET":
            continue
        answer = visitor.get(route.path.lstrip("/").replace("{provider}", "campus"))
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, route.path
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert not re.search(r"<script(?! type=\"module\" src=)|<style|style=| on\w+=|https?://(?!127)", answer.text)


def test_a_name_is_a_text_wherever_it_is_shown(visitor: httpx.Client) -> None:
    tried = sign_in(visitor, f'"{XSS}', "wrong password")
    assert "<script>alert" not in tried.text
    assert "&lt;script&gt;alert" in tried.text
    sign_in(visitor, "eve")
    home = visitor.get("qpi/").text
    assert "<script>alert" not in home
    assert "&lt;script&gt;alert" in home


def test_a_provider_signs_in_the_browser_that_went_there(
    visitor: httpx.Client, provider: Provider, server: LabServer
) -> None:
    provider.person = {"sub": "4711", "name": "Dora"}
    there = visitor.get("qpi/sign-in/campus", params={"next": "device"}).headers["Location"]
    assert urlsplit(there).netloc == urlsplit(provider.url).netloc
    back = provider.agreed(there)
    assert back.startswith(f"{server.url}qpi/signed-in?")
    other = server.client(None)
    assert other.get(back).status_code == 401  # somebody else's browser, with a link that was sent to it
    assert "qpi-session" not in " ".join(other.cookies)
    other.get("qpi/sign-in/campus")
    assert other.get(back).status_code == 401
    came = visitor.get(back)
    assert (came.status_code, came.headers["Location"]) == (303, "/qpi/device")
    assert "Dora" in visitor.get("qpi/").text
    assert visitor.get(back).status_code == 401  # the code is used
    assert visitor.get("qpi/signed-in", params={"state": "", "code": "x"}).status_code == 401
    assert visitor.get("qpi/sign-in/nobody").status_code == 404


def test_a_suspended_person_hears_why(visitor: httpx.Client, server: LabServer) -> None:
    server.client().post("qpi/v1/users", json={"name": "sus", "password": PASSWORD}).raise_for_status()
    sign_in(visitor, "sus")
    server.client().patch("qpi/v1/users/sus", json={"suspended": True}).raise_for_status()
    assert (visitor.get("qpi/").status_code, "suspended" in visitor.get("qpi/").text) == (403, True)
    assert "suspended" in sign_in(visitor, "sus").text
