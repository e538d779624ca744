"""Two people without a Hub and a lab on https with its own authority: set-up link, join link, sign-in page, a code
from a notebook in another Jupyter server, and that server's panel on the remote lab."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserType, Page, expect

from qpi_jupyter.wire.authority import fingerprint
from tests.support.servers import LabServer, lab_server
from tests.support.waiting import wait_until
from tests.ui.jupyterlab import Notebooks, loaded, open_notebook, run_all
from tests.ui.labs import PASSWORD, execute, jupyterlab_at, side_panel

pytestmark = [pytest.mark.ui, pytest.mark.slow]
LINK = re.compile(r"https://\S+/qpi/set-up\?code=\S+")
PHONE = {"width": 360, "height": 640}
BELL = "%%qpi_submit --qpu sim-a --wait\nOPENQASM 3.0;\nqubit q;\nbit c;\nc = measure q;"


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    def verify(lab: Path) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=lab / "tls" / "ca.pem")

    with lab_server(tmp_path_factory.mktemp("far"), "--https", "--demo", verify=verify) as server:
        yield server


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebooks]:
    """Ann's own JupyterLab, without a QPU."""
    home = tmp_path_factory.mktemp("own")
    with jupyterlab_at(home, {"QPI_LAB_DIR": str(home / ".lab")}) as notebooks:
        yield notebooks


@pytest.fixture
def phones(browser_type: BrowserType, browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    """Browsers of people who have trusted the lab's authority."""
    browser = browser_type.launch(**browser_type_launch_args)
    yield browser
    browser.close()


def on_a_phone(phones: Browser, scheme: Literal["dark", "light"], said: list[str]) -> Page:
    """A page that notes what the browser did not load, or did not let it do."""
    page = phones.new_context(ignore_https_errors=True, viewport=PHONE, color_scheme=scheme).new_page()
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    return page


def readable(page: Page) -> None:
    """Nothing is wider than the phone, and axe-core has nothing against the page."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page).response["violations"]
    assert not found, found


def made_account(page: Page, name: str) -> None:
    """With the keyboard alone."""
    readable(page)
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"Signed in as {name}")).to_be_visible()
    readable(page)


def allow(page: Page, code: str) -> None:
    expect(page.locator(".code")).to_have_text(code)
    readable(page)
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("status")).to_contain_text("is connected")


def reloaded(lab: Page) -> None:
    """JupyterLab has started again, and its layout stands."""
    lab.wait_for_function("() => window.jupyterapp")
    lab.evaluate("async () => { await window.jupyterapp.restored }")
    lab.wait_for_selector("#jupyterlab-splash", state="detached")


def test_two_people_and_a_lab_elsewhere(page: Page, phones: Browser, far: LabServer, own: Notebooks) -> None:
    link = wait_until(lambda: LINK.search(far.log.read_text()), what="the set-up link")[0]
    said = list[str]()
    ada = on_a_phone(phones, "dark", said)
    ada.goto(link)
    made_account(ada, "ada")
    signed_in = far.client(None).post("qpi/v1/sign-in", json={"name": "ada", "password": PASSWORD}).json()
    admin = far.client(signed_in["token"])
    invitation = admin.post("qpi/v1/join-links", json={}).json()["url"]
    ann = on_a_phone(phones, "light", said)
    ann.goto(invitation)
    made_account(ann, "ann")
    ann.get_by_role("button", name="Sign out").click()

    url, pin = far.url.rstrip("/"), fingerprint(ssl.PEM_cert_to_DER_cert((far.lab_dir / "tls/ca.pem").read_text()))
    connect = f"%load_ext qpi_jupyter\n%qpi_connect {url} --fingerprint {pin}"
    own.write("far.ipynb", connect, "import qpi_jupyter\nprint('I am', qpi_jupyter.connect().whoami().name)", BELL)
    name = urlsplit(url).netloc
    for lab in loaded(page, own):
        open_notebook(lab, "far.ipynb")
        run_all(lab)
        shown = lab.locator(".jp-OutputArea-output", has_text="allow the code")
        found = re.search(r"open (\S+)\s+and allow the code ([A-Z]{4}-[A-Z]{4})", shown.inner_text())
        assert found is not None
        ann.goto(found[1])  # the sign-in page comes first, and leads on to the code
        readable(ann)
        ann.get_by_label("Name or e-mail").fill("ann")
        ann.get_by_label("Password").fill(PASSWORD)
        ann.keyboard.press("Enter")
        allow(ann, found[2])
        expect(lab.get_by_text("I am ann")).to_be_visible()
        assert "qpi_" not in re.sub(r"qpi_(jupyter|connect|submit)", "", str(own.read("far.ipynb")))

        # The kernel's job is in a lab that the panel does not show: its output says which, and leads there.
        elsewhere = lab.get_by_role("note").filter(has_text=f"This job is in the lab at {url}; this page shows another")
        with lab.expect_navigation():
            elsewhere.get_by_role("button", name="Show that lab").click()
        reloaded(lab)
        expect(side_panel(lab).get_by_text(f"{name} as ann")).to_be_visible()
        expect(lab.locator(".jp-QPI-Output [data-status=completed]")).to_be_visible()
        execute(lab, "qpi:connect-lab")
        with lab.expect_navigation():
            lab.get_by_role("dialog").get_by_role("button", name="Show this server's own lab").click()
        reloaded(lab)

        # The notebook's connection is the panel's, too; the panel makes its own anew.
        execute(lab, "qpi:connect-lab")
        dialog = lab.get_by_role("dialog")
        dialog.get_by_role("button", name=f"Disconnect from {name}").click()
        expect(dialog.get_by_role("list", name="Your labs")).to_have_count(0)
        # With the keyboard alone: Enter connects, and the focus stays in the dialog whatever it shows.
        dialog.get_by_role("button", name="Close").focus()
        lab.keyboard.press("Tab")
        expect(dialog.get_by_label("Address of the lab")).to_be_focused()
        lab.keyboard.type(url)
        lab.keyboard.press("Enter")
        expect(dialog.get_by_text(pin)).to_be_visible()
        expect(dialog.get_by_role("button", name="Trust and connect")).to_be_focused()
        lab.keyboard.press("Enter")
        code = dialog.locator(".jp-QPI-Code").inner_text()
        expect(dialog.get_by_role("link")).to_be_focused()
        ann.goto(dialog.get_by_role("link").get_attribute("href") or "")
        with lab.expect_navigation():
            allow(ann, code)
        reloaded(lab)
        panel = side_panel(lab)
        expect(panel.get_by_text(f"{name} as ann")).to_be_visible()
        expect(panel.locator(".jp-QPI-Card", has_text="sim-a")).to_be_visible()

        own.write("job.ipynb", "%load_ext qpi_jupyter", BELL)
        open_notebook(lab, "job.ipynb")
        run_all(lab)
        ann.goto(f"{far.url}qpi/")
        expect(ann.locator("section", has_text="My jobs").locator("[data-status=completed]")).to_be_visible()
        readable(ann)
        ada.goto(f"{far.url}qpi/")
        expect(ada.locator("section", has_text="My jobs").get_by_text("No jobs yet.")).to_be_visible()

        with lab.expect_navigation():
            panel.get_by_role("button", name=f"Disconnect from {name}").click()
        reloaded(lab)
        execute(lab, "qpi:open-panel")
        expect(lab.locator("#qpi-lab-panel").get_by_text("No QPUs yet.")).to_be_visible()
    assert not said
    assert [token["session"] for token in tokens_of(far, "ann")] == [True] * len(tokens_of(far, "ann"))


def tokens_of(far: LabServer, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = far.client().get("qpi/v1/tokens", params={"owner": name}).json()["tokens"]
    return found
