"""One lab for everybody on a JupyterHub: who they are, what each may, and what a dying service loses (nothing)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from qpi_jupyter.client.ibm_kernel import KEY
from tests.hub.bench import BELL, Bench, code, ended, ok, submit, wait_running
from tests.support.hub import ADMIN, ANA, DANA, JUERGEN, HubHost
from tests.support.waiting import wait_until
from tests.ui.jupyterlab import open_notebook, run_all
from tests.ui.labs import queue_tab, row_of, side_panel

pytestmark = [pytest.mark.slow, pytest.mark.ui]
ROLES = {ANA: ["user"], JUERGEN: ["user"], DANA: ["manager"]}
GROUPS = {ANA: ["qed"], JUERGEN: [], DANA: ["lab-managers", "qed"]}
LAB = "access:services!service=qpi"


@pytest.mark.parametrize("name", ROLES)
def test_everybody_is_who_the_hub_says_by_their_own_server_and_at_the_lab(host: HubHost, name: str) -> None:
    for client in (host.at_home(name), host.client(host.token(name))):
        person = ok(client.get("me"))["user"]
        assert (person["name"], person["source"]) == (name, "hub")
        assert (person["roles"], person["groups"]) == (ROLES[name], GROUPS[name])


def test_nobody_is_let_in_without_a_token_of_the_hub_for_this_lab(host: HubHost) -> None:
    for token in (None, "f" * 32):
        assert code(host.client(token).get("me"))[0] == 401
    narrow = host.token(ANA, scopes=[f"read:users!user={ANA}"])
    assert host.client(narrow).get("me").status_code == 401
    brief = host.token(ANA, expires_in=1)
    at_hub = host.client(brief, f"{host.url}hub/api/")
    wait_until(lambda: at_hub.get("user").status_code == 403, what="the end of a token")
    assert host.client(brief).get("me").status_code == 401
    # A service of the Hub is nobody, whatever it is called and may.
    assert code(host.client(host.operator.headers["Authorization"].split()[1]).get("me")) == (403, "not_a_person")


def test_a_token_shows_no_more_than_it_has(host: HubHost) -> None:
    manager = host.at_home(DANA)
    narrow = host.client(host.token(DANA, scopes=[LAB]))
    assert "people:manage" in ok(manager.get("me"))["permissions"]
    assert "people:manage" not in ok(narrow.get("me"))["permissions"]
    assert code(narrow.post("notices", json={"title": "x", "body": "y"}))[0] == 403
    assert ok(manager.get(f"users/{DANA}"))["roles"] == ["manager"]


def test_nobody_uses_the_lab_by_somebody_elses_server(host: HubHost) -> None:
    inside = host.client(host.token(JUERGEN), f"{host.home(ANA)}qpi/v1/")
    assert inside.get("me").status_code in (401, 403)
    admin = host.client(host.operator.headers["Authorization"].split()[1], f"{host.home(ANA)}qpi/v1/")
    assert code(admin.get("jobs")) == (403, "not_a_person")


def test_the_service_is_no_computer(host: HubHost) -> None:
    admin = host.client(host.token(ADMIN), f"{host.url}services/qpi/")
    for path in ("kernels", "contents", "contents/lab.sqlite", "sessions", "terminals", "config/x", "kernelspecs"):
        assert admin.get(f"api/{path}").status_code == 404
        assert admin.post(f"api/{path}", json={}).status_code == 404
    for path in ("api/shutdown", "api/events", "files/lab.sqlite", "lab", "tree", "nbconvert/html/x"):
        assert admin.post(path, json={}).status_code in (403, 404), path


def test_nobody_reads_anothers_results(host: HubHost, bench: Bench) -> None:
    bench.open()
    ana, juergen, dana = (host.at_home(name) for name in (ANA, JUERGEN, DANA))
    job = submit(ana, "mine")
    done = ended(ana, job)
    assert done["status"] == "completed", done
    assert ana.get(f"jobs/{job}/dataset").content[:2] == b"PK"
    for path in (f"jobs/{job}", f"jobs/{job}/dataset", f"jobs/{job}/events"):
        assert juergen.get(path).status_code == 404, path
        assert host.client(host.token(JUERGEN)).get(path).status_code == 404, path
    assert ok(juergen.get("jobs?mine=false"))["jobs"] == []
    assert ok(dana.get(f"jobs/{job}"))["owner"] == ANA


def test_a_lab_that_is_killed_while_a_job_runs_loses_nothing(host: HubHost, bench: Bench) -> None:
    bench.hold()
    ana = host.at_home(ANA)
    before = bench.runs()
    running, waiting = submit(ana, "runs"), submit(ana, "waits")
    wait_running(ana, running)
    host.kill("qpi-lab")
    bench.open()
    host.start("qpi-lab")
    for job in (running, waiting):
        found = ended(ana, job)
        assert (found["status"], found["attempt"]) == ("completed", 1), found
    assert bench.runs() == before + 2


def signed_in(browser: Browser, host: HubHost, name: str) -> Page:
    """Somebody's JupyterLab, opened as they do: by the Hub's own page."""
    page = browser.new_context(base_url=host.url, viewport={"width": 1200, "height": 800}).new_page()
    page.goto(f"{host.home(name)}lab")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("any")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_function("() => window.jupyterapp && document.querySelector('.jp-Launcher')")
    return page


def test_one_queue_lives_in_everybodys_panel(host: HubHost, bench: Bench, browser: Browser) -> None:
    bench.hold()
    pages = {name: signed_in(browser, host, name) for name in ROLES}
    asked: list[tuple[str, str]] = []
    for name, page in pages.items():
        page.on("request", lambda request, name=name: asked.append((name, request.url)))
    cards = {name: side_panel(page).locator(".jp-QPI-Card", has_text="fridge") for name, page in pages.items()}
    for card in cards.values():
        expect(card).to_contain_text("0 running")
    # Ana's kernel finds the lab by itself, as Ana.
    submits = f"import qpi_jupyter\nlab = qpi_jupyter.connect()\nlab.submit({BELL!r}, qpu='fridge', name='by Ana').id"
    ibm = "%qpi_runtime on\nfrom qiskit_ibm_runtime import QiskitRuntimeService\nQiskitRuntimeService().instances()[0]"
    host.write(ANA, "bell.ipynb", submits, ibm)
    open_notebook(pages[ANA], "bell.ipynb")
    run_all(pages[ANA])
    output = pages[ANA].locator(".jp-OutputArea-output", has_text="job-")
    expect(output).to_be_visible()
    job = output.inner_text().strip("' ")
    assert ok(host.at_home(DANA).get(f"jobs/{job}"))["owner"] == ANA
    # IBM's own client without arguments is the lab, with a key of hers.
    expect(pages[ANA].locator(".jp-OutputArea-output", has_text="'name': 'lab'")).to_be_visible(timeout=60_000)
    assert KEY in [one["name"] for one in ok(host.at_home(ANA).get("tokens"))["tokens"]]
    for card in cards.values():
        expect(card).to_contain_text("1 running")
    bench.open()
    expect(row_of(queue_tab(pages[ANA]), job)).to_contain_text("Completed")
    for card in cards.values():
        expect(card).to_contain_text("0 running")
    # Nobody's panel asks another server than its own.
    assert any("/qpi/v1/" in url for _, url in asked)
    assert [url for name, url in asked if not url.startswith((host.home(name), "blob:", "data:"))] == []
    for page in pages.values():
        page.context.close()
