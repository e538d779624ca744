"""Join links: as often, as long and with as much as they say; from the surface, the page and the command line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, Rejected
from qpi_jupyter.wire.people import GroupIn, JoinLinkIn, UserChange, UserIn
from qpi_server.service import Lab
from qpi_server.settings.providers import OAuth2Provider
from tests.faults.lab import ADMIN, ANN, FrozenClock
from tests.integration.test_service_people import MANAGER, in_lab, refused
from tests.support.qpi import PASSWORD
from tests.support.servers import LabServer, lab_server, python_env

HERE = "https://lab.example/"


async def made(lab: Lab, **wanted: object) -> str:
    link = await lab.join_links.create(MANAGER, JoinLinkIn(**wanted), HERE)  # type: ignore[arg-type]
    assert link.url is not None
    assert link.url.startswith(f"{HERE}qpi/join?code=")
    return link.url.partition("code=")[2]


def test_a_link_makes_accounts_in_a_group_with_qpu_time(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await lab.groups.create(MANAGER, GroupIn(name="qed"))
        code = await made(lab, group="qed", allowance_s=60.0, uses=2, name="spring school")
        for name in ("dora", "emil"):
            signed = await lab.join_links.join(code, name, PASSWORD, address="")
            assert (signed.user.name, signed.user.groups, signed.user.roles) == (name, ["qed"], ["user"])
            account = await lab.accounts.get(await lab.authenticator.authenticate(signed.token), name)
            assert (account.balance_s, account.limited, account.available_s) == (60.0, True, 60.0)
        await refused(lab.join_links.join(code, "eve", PASSWORD, address=""), Forbidden, "bad_join_link")
        assert (await lab.join_links.list(MANAGER)).links == []
        lines = [(entry.who, entry.action) for entry in (await lab.audit.page(ADMIN, limit=100)).entries]
        assert ("emil", "join_link.used") in lines
        assert ("max", "join_link.created") in lines or (MANAGER.name, "join_link.created") in lines

    in_lab(tmp_path, dialogue, local_accounts=True, default_allowance_s=600.0)


def test_a_link_ends_in_time_when_revoked_and_with_its_makers_rights(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, clock: FrozenClock) -> None:
        late, revoked, orphaned = await made(lab, days=1.0), await made(lab), await made(lab, days=30.0)
        listed = (await lab.join_links.list(MANAGER)).links
        assert [link.url for link in listed] == [None] * 3
        await lab.join_links.revoke(MANAGER, listed[1].id)
        await refused(lab.join_links.revoke(MANAGER, listed[1].id), NotFound, "unknown_link")
        await refused(lab.join_links.require(revoked), Forbidden, "bad_join_link")
        await refused(lab.join_links.require("guessed"), Forbidden, "bad_join_link")
        clock.advance(86_400.0)
        await refused(lab.join_links.join(late, "dora", PASSWORD, address=""), Forbidden, "bad_join_link")
        await lab.join_links.require(orphaned)
        await lab.users.change(ADMIN, MANAGER.name, UserChange(suspended=True))
        await refused(lab.join_links.join(orphaned, "dora", PASSWORD, address=""), Forbidden, "bad_join_link")

    in_lab(tmp_path, dialogue, local_accounts=True)


def test_a_taken_name_uses_nothing_up_and_nobody_is_taken_over(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        code = await made(lab)
        await lab.users.create(MANAGER, UserIn(name="emil", email="emil@example.org", password=PASSWORD))
        await refused(lab.join_links.join(code, ANN.name, PASSWORD, address=""), Conflict, "name_taken")
        for like in (ANN.name.upper(), "emil@example.org", "Emil@Example.org"):  # who signs in so is somebody else
            await refused(lab.join_links.join(code, like, PASSWORD, address=""), Conflict, "name_taken")
        # a provider's sign-in would get it, or people would take it for one of those who run the lab
        for reserved in ("github-583231", "GitLab-7", "campus-ann", "oidc-7", "admin", "Admin", "driver", "manager"):
            await refused(lab.join_links.join(code, reserved, PASSWORD, address=""), Conflict, "name_reserved")
        await lab.join_links.join(code, "dora", PASSWORD, address="")
        await refused(
            lab.join_links.create(MANAGER, JoinLinkIn(group="nowhere"), HERE), Rejected, "unknown_group"
        )  # fmt: skip

    campus = OAuth2Provider(name="Campus", client_id="lab")
    in_lab(tmp_path, dialogue, local_accounts=True, oauth2_providers=(campus,))


def test_a_lab_without_accounts_of_its_own_makes_none(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _clock: FrozenClock) -> None:
        await refused(lab.join_links.create(MANAGER, JoinLinkIn(), HERE), Forbidden, "no_local_accounts")
        with pytest.raises(Forbidden, match="Sign in as others here do"):
            await lab.join_links.require("x")
        assert not (await lab.join_links.list(MANAGER)).local_accounts

    in_lab(tmp_path, dialogue)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("join")) as server:
        yield server


def invite(server: LabServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "qpi_server.tools.standalone", "invite", "--lab-dir", str(server.lab_dir)]
    home = str(server.lab_dir.parent)
    return subprocess.run(
        [*command, *arguments], env=python_env(HOME=home), capture_output=True, text=True, timeout=60
    )  # fmt: skip


def test_the_command_prints_a_link_whose_page_makes_one_account(server: LabServer) -> None:
    done = invite(server, "--url", "https://lab.example:8899/", "--note", "Dora")
    assert done.returncode == 0, done.stderr
    code = re.fullmatch(r"https://lab\.example:8899/qpi/join\?code=(\S+)\n", done.stdout)[1]  # type: ignore[index]
    browser: httpx.Client = server.client(None)
    for _ in range(3):  # programs that look at what is in a mail use nothing up
        assert code in browser.get("qpi/join", params={"code": code}).text
    form = {"code": code, "name": "dora", "password": PASSWORD}
    assert browser.post("qpi/join", data={**form, "password": "short"}).status_code == 400
    assert browser.post("qpi/join", data=form, headers={"Origin": "https://evil.example"}).status_code == 403
    made = browser.post("qpi/join", data=form)
    assert (made.status_code, made.headers["Location"]) == (303, "/qpi/")
    assert "dora" in browser.get("qpi/").text
    again = browser.post("qpi/join", data={**form, "name": "eve"})
    assert (again.status_code, "ask whoever sent it" in again.text) == (403, True)
    assert code not in server.log.read_text()


@pytest.mark.slow
def test_the_commands_of_the_page_print_links(server: LabServer) -> None:
    server.client().post("qpi/v1/groups", json={"name": "qed"}).raise_for_status()
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "people-and-tokens.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("jupyter qpi invite")]
    assert len(lines) == 3
    for line in lines:
        done = invite(server, *shlex.split(line, comments=True)[3:])
        assert (done.returncode, "/qpi/join?code=" in done.stdout) == (0, True), (line, done.stderr)
    assert sorted(link["uses"] for link in server.client().get("qpi/v1/join-links").json()["links"])[-1] == 20


@pytest.mark.slow
def test_behind_a_proxy_a_link_has_the_address_that_others_use(tmp_path: Path) -> None:
    with lab_server(tmp_path, "--public-url", "https://lab.example.org/quantum") as behind:
        link = invite(behind).stdout
        assert re.fullmatch(r"https://lab\.example\.org/quantum/qpi/join\?code=\S+\n", link)


@pytest.mark.slow
def test_the_command_says_what_is_wrong(server: LabServer, tmp_path: Path) -> None:
    unknown = invite(server, "--group", "nowhere")
    assert (unknown.returncode, "nowhere" in unknown.stderr) == (1, True)
    away = invite(server, "--lab-dir", str(tmp_path))
    assert (away.returncode, "No server runs" in away.stderr) == (1, True)
    before = server.client().get("qpi/v1/join-links").json()
    for wrong in (("--url", "https://"), ("--url", "https://lab.example?x=1"), ("--allowance", "inf")):
        refused_one = invite(server, *wrong)
        assert (refused_one.returncode, wrong[0] in refused_one.stderr) == (1, True), refused_one.stdout
    assert server.client().get("qpi/v1/join-links").json() == before  # and none was made
    bytes_alone = invite(server, "--note", "\udcff")
    assert (bytes_alone.returncode, "--note: this is not text" in bytes_alone.stderr) == (2, True), bytes_alone.stderr
    local = invite(server)
    assert "this machine only" in local.stdout
