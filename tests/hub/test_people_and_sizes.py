"""On a JupyterHub: the lab's own pages, somebody who is renamed, and a large result through a person's server."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from playwright.sync_api import Browser, expect

from qpi_jupyter.wire.results import DIGEST_HEADER
from tests.hub.bench import code, ok, submit
from tests.support.blobs import zip_blocks
from tests.support.driver import link, register, result_head
from tests.support.hub import ADMIN, ANA, DANA, HubHost, hub_host
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.ui]
MIB = 1 << 20
SIZE_MIB, GROWTH = 100, 64 * MIB


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubHost]:
    with hub_host(tmp_path_factory.mktemp("hub"), "6") as host:
        host.operator.post(f"users/{ADMIN}")
        host.operator.post(f"users/{quote(DANA)}")
        host.add(ANA)
        yield host


def test_the_labs_pages_are_behind_the_hubs_sign_in(host: HubHost, browser: Browser) -> None:
    here = f"{host.url}services/qpi/"
    page = browser.new_context(base_url=here).new_page()
    said: list[str] = []
    page.on("response", lambda answer: said.append(answer.url) if answer.status >= 400 else None)
    page.goto("qpi/device")
    page.get_by_label("Username").fill(ANA)
    page.get_by_label("Password").fill("any")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{here}qpi/device")  # what was opened first
    said.clear()  # what the Hub's own pages say
    page.goto("qpi/")
    expect(page.get_by_text(f"Signed in as {ANA}")).to_be_visible()
    expect(page.get_by_text("Notebooks on this JupyterHub need no address.")).to_be_visible()
    expect(page.locator("pre")).to_contain_text(f"%qpi_connect {here}")
    for address in page.locator("[href], [src], [action]").evaluate_all(
        "all => all.map(one => one.href || one.src || one.action)"
    ):
        assert address.startswith(here), address
    assert [url for url in said if not url.endswith("/favicon.ico")] == []  # that one is asked of the machine's root
    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url(f"{host.url}hub/**")
    page.goto("qpi/")
    expect(page.get_by_label("Username")).to_be_visible()
    page.context.close()


def test_who_gets_another_name_is_somebody_new_and_managers_still_have_the_jobs(host: HubHost) -> None:
    before, after = "noa", "noa.b"
    admin, dana = host.client(host.token(ADMIN)), host.client(host.token(DANA))
    ok(admin.post("qpus", json={"name": "idle"}))
    host.operator.post(f"users/{before}")
    noa = host.client(host.token(before))
    job = submit(noa, "of the old name", qpu="idle")
    by_lab = host.client(ok(noa.post("tokens", json={}))["token"])
    assert host.operator.patch(f"users/{before}", json={"name": after}).is_success
    renamed = host.client(host.token(after))
    assert ok(renamed.get("me"))["user"]["name"] == after
    assert code(renamed.get(f"jobs/{job}")) == (404, "unknown_job")
    wait_until(lambda: by_lab.get("me").status_code == 401, what="the end of what the old name had")
    assert ok(dana.get(f"jobs/{job}"))["owner"] == before
    assert ok(dana.post(f"jobs/{job}/cancel"))["status"] == "cancelled"
    assert host.operator.patch(f"users/{after}", json={"name": before}).is_success
    back = host.client(host.token(before))
    assert ok(back.get(f"jobs/{job}"))["owner"] == before
    assert ok(back.get("tokens"))["tokens"] == []


def test_a_large_result_goes_through_somebodys_server_in_bounded_memory(host: HubHost, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    with blob.open("w+b") as file:
        zip_blocks(file, os.urandom(MIB), SIZE_MIB)
        size = file.tell()
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    head, digest = result_head(sha256, size)
    lab = f"{host.url}services/qpi/"
    token = register(host.client(host.token(ADMIN), lab), "big")
    by_home = host.client(token, f"{host.home(ANA)}qpi/v1/")
    ana = host.at_home(ANA)

    def body() -> Iterator[bytes]:
        yield head
        with blob.open("rb") as file:
            while block := file.read(MIB):
                yield block

    async def delivered() -> str:
        async with link(lab, token) as driver:
            await driver.hello()
            job_id = await asyncio.to_thread(submit, ana, "large", qpu="big")
            job = await driver.claim()
            assert job.job_id == job_id
            headers = {DIGEST_HEADER: digest, "Content-Length": str(len(head) + size)}
            address = f"jobs/{job.job_id}/attempts/{job.attempt}/result"
            stored = await asyncio.to_thread(by_home.put, address, content=body(), headers=headers)
            assert stored.status_code == 201, stored.text
            return job_id

    processes = [psutil.Process(host.processes["qpi-lab"].pid), server_of(host, ANA)]
    resident = [process.memory_info().rss for process in processes]
    with ThreadPoolExecutor(1) as elsewhere:  # Playwright has a loop in this thread
        job_id = elsewhere.submit(lambda: asyncio.run(delivered())).result()
    came = hashlib.sha256()
    with ana.stream("GET", f"jobs/{job_id}/dataset") as answer:
        for chunk in answer.iter_raw():
            came.update(chunk)
    assert came.hexdigest() == sha256
    for process, was in zip(processes, resident, strict=True):
        assert process.memory_info().rss - was < GROWTH, process.cmdline()


def server_of(host: HubHost, name: str) -> psutil.Process:
    """Somebody's own server."""
    hub = psutil.Process(host.processes["qpi-hub"].pid)
    return next(one for one in hub.children(recursive=True) if one.environ().get("JUPYTERHUB_USER") == name)
