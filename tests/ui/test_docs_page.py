"""The page of the REST API in a real browser: every surface, its permissions, and a request that is tried."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from qpi_server.web import ROUTES
from tests.support.servers import TOKEN, LabServer, lab_server

pytestmark = pytest.mark.ui


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("lab"), "--demo") as server:
        yield server


@pytest.fixture
def docs(server: LabServer, browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """The page, opened from the home page, and what it asked for."""
    context = browser.new_context()
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}qpi/?token={TOKEN}")
    page.get_by_role("link", name="REST API").click()
    expect(page.locator(".operation").first).to_be_visible()
    yield page, asked
    context.close()


def test_every_route_of_every_surface_is_there(docs: tuple[Page, list[str]], server: LabServer) -> None:
    page, asked = docs
    shown = page.locator(".operation > summary > code").all_inner_texts()
    assert sorted(shown) == sorted(f"{route.method} {route.path}" for route in ROUTES)
    headings = page.locator("#operations h2").all_inner_texts()
    assert headings == ["The lab", "QPI", "Circuit tasks", "IBM Quantum (Qiskit Runtime)"]
    assert [url for url in asked if not url.startswith(server.url)] == [], "nothing comes from elsewhere"


def test_a_request_is_tried(docs: tuple[Page, list[str]], server: LabServer) -> None:
    page, _ = docs
    token = server.client().post("qpi/v1/tokens", json={"name": "page"}).json()["token"]
    page.get_by_label("API token").fill(token)
    page.get_by_label("Filter").fill("POST /qpi/v1/notices")
    expect(page.locator(".operation:visible")).not_to_have_count(0)
    notice = page.locator(".operation:visible").first
    notice.locator("summary").first.click()
    expect(notice).to_contain_text("Permission: notices:write")
    notice.get_by_label("Body").fill(json.dumps({"title": "Warm", "body": "The fridge is warm."}))
    notice.get_by_role("button", name="Send").click()
    expect(notice.locator("output")).to_contain_text("201")
    expect(notice.locator("output")).to_contain_text("The fridge is warm.")
    page.get_by_label("Filter").fill("GET /qpi/v1/jobs/{id}")
    job = page.locator(".operation:visible").first
    job.locator("summary").first.click()
    job.get_by_label("id (path)").fill("job/../x")
    job.get_by_role("button", name="Send").click()
    expect(job.locator("output")).to_contain_text("404")


def test_the_filter_leaves_no_empty_headings(docs: tuple[Page, list[str]]) -> None:
    page, _ = docs
    page.get_by_label("Filter").fill("/qpi/tasks/")
    expect(page.locator("#operations h2:visible")).to_have_text(["Circuit tasks"])
    page.get_by_label("Filter").fill("xyzzy")
    expect(page.locator("#operations h2:visible")).to_have_count(0)
    expect(page.get_by_text("No matching addresses.")).to_be_visible()
    page.get_by_label("Filter").fill("")
    expect(page.locator("#operations h2:visible")).to_have_count(4)
    expect(page.get_by_text("No matching addresses.")).to_be_hidden()


def test_what_is_open_to_everybody_is_said(docs: tuple[Page, list[str]]) -> None:
    page, _ = docs
    page.get_by_label("Filter").fill("POST /qpi/iam/identity/token")
    found = page.locator(".operation:visible")
    found.locator("summary").first.click()
    expect(found).to_contain_text("Open to everybody")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_only_who_may_read_it_sees_it(server: LabServer) -> None:
    for path in ("docs", "docs.json", "docs.js"):
        answer = server.client(None).get(f"qpi/{path}", follow_redirects=False)
        assert answer.status_code in (303, 401, 403), path
        assert "openapi" not in answer.text
