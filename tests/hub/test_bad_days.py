"""What happens to a lab on a Hub over the months: restarts of each part, people who leave, and the idle culler."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.hub.bench import Bench, bench_of, code, ended, ok, submit, wait_running
from tests.support.hub import ADMIN, ANA, DANA, JUERGEN, HubHost, hub_host
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
VERSION = "6"
"""What the oldest Hub does differently shows in the other files, which run on both."""
MINUTE_S = 60.0
IDLE_S = 25


def refused(client: httpx.Client, path: str = "me") -> bool:
    return client.get(path).status_code in (401, 403, 404)


def test_a_restart_of_any_part_while_a_job_runs_loses_nothing(host: HubHost, bench: Bench) -> None:
    bench.hold()
    ana, juergen = host.at_home(ANA), host.at_home(JUERGEN)
    before = bench.runs()
    running, waiting = submit(ana, "runs"), submit(juergen, "waits")
    wait_running(ana, running)
    host.kill("qpi-lab")
    assert code(ana.get("jobs")) == (503, "lab_away")
    host.start("qpi-lab")
    host.stop_server(ANA)
    host.add(ANA)
    host.restart("qpi-hub")
    assert host.server(JUERGEN)["ready"], "the restart of the Hub ended a person's server"
    host.restart("qpi-proxy")
    wait_until(lambda: ana.get("me").status_code == 200, what="the proxy's routes")
    assert ok(ana.get(f"jobs/{running}"))["status"] == "running"
    bench.open()
    found = ended(ana, running)
    assert (found["status"], found["attempt"]) == ("completed", 1), found
    # Its assignment may be lost on a way that the restarts cut: an attempt that never began. It runs once all the same.
    assert ended(juergen, waiting)["status"] == "completed"
    assert bench.runs() == before + 2


def test_jobs_go_on_while_the_hub_is_down_and_whoever_asks_is_told(host: HubHost, bench: Bench) -> None:
    bench.hold()
    ana = host.at_home(ANA)
    before = bench.runs()
    job = submit(ana, "runs")
    wait_running(ana, job)
    new = host.client(host.token(ANA), f"{host.lab_url}qpi/v1/")
    host.kill("qpi-hub")
    assert code(new.get("me")) == (503, "hub_away")
    bench.open()
    wait_until(lambda: bench.runs() == before + 1, what="the run")
    host.start("qpi-hub")
    assert ended(new, job)["status"] == "completed"


def test_who_leaves_the_hub_has_no_access_within_a_minute_and_their_jobs_go_on(host: HubHost, bench: Bench) -> None:
    bench.hold()
    name = "leon@example.org"
    host.add(name)
    leon, dana = host.at_home(name), host.at_home(DANA)
    running, waiting = submit(leon, "runs"), submit(leon, "waits")
    wait_running(leon, running)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    slot = {"qpu": "fridge", "start_at": start.isoformat(), "end_at": (start + timedelta(hours=1)).isoformat()}
    booking = ok(leon.post("bookings", json=slot))["bookings"][0]["id"]
    feed, anybody = ok(leon.post("feeds", json={}))["url"], host.client(None)
    clients = [
        host.client(host.token(name), f"{host.lab_url}qpi/v1/"),
        host.client(ok(leon.post("tokens", json={}))["token"], f"{host.lab_url}qpi/v1/"),
    ]
    for client in clients:
        ok(client.get("me"))
    assert anybody.get(feed).status_code == 200

    since = time.monotonic()
    assert host.operator.delete(f"users/{quote(name)}").status_code == 204
    wait_until(lambda: all(map(refused, clients)) and refused(anybody, feed), what="the end of their access")
    assert time.monotonic() - since < MINUTE_S
    bench.open()
    for job in (running, waiting):
        assert ended(dana, job)["status"] == "completed"
    assert ok(dana.get(f"bookings/{booking}"))["status"] == "booked"
    ok(dana.delete(f"bookings/{booking}"))
    assert any(line["action"] == "user.left" for line in ok(dana.get("audit"))["entries"])
    # Somebody of that name who comes later begins without what the other one could do.
    host.operator.post(f"users/{quote(name)}")
    assert ok(host.client(host.token(name)).get("tokens"))["tokens"] == []


def test_a_right_that_is_taken_away_is_gone_within_a_minute(host: HubHost) -> None:
    name = "mia"
    host.operator.post(f"users/{name}")
    host.operator.post("groups/lab-managers/users", json={"users": [name]})
    by_hub = host.client(host.token(name))
    assert "people:manage" in ok(by_hub.get("me"))["permissions"]
    by_lab = host.client(ok(by_hub.post("tokens", json={}))["token"])
    assert "people:manage" in ok(by_lab.get("me"))["permissions"]

    since = time.monotonic()
    assert host.operator.request("DELETE", "groups/lab-managers/users", json={"users": [name]}).is_success
    wait_until(
        lambda: all("people:manage" not in ok(one.get("me"))["permissions"] for one in (by_hub, by_lab)),
        what="the end of the right",
    )
    assert time.monotonic() - since < MINUTE_S


def test_the_idle_culler_leaves_a_server_whose_jobs_wait(tmp_path: Path) -> None:
    edit = {"--timeout=3600": f'--timeout={IDLE_S}", "--cull-every=1'}
    with hub_host(tmp_path, VERSION, edit=edit, JUPYTERHUB_ACTIVITY_INTERVAL="2") as host, bench_of(host) as bench:
        bench.hold()
        host.add(ANA, JUERGEN)
        job = submit(host.at_home(ANA), "runs")
        wait_until(lambda: not host.server(JUERGEN), what="the end of the idle server")
        # As long again: whoever only began later would be gone by now.
        until = time.monotonic() + IDLE_S
        wait_until(lambda: not host.server(ANA) or time.monotonic() > until, what="the time")
        assert host.server(ANA)["ready"]
        bench.open()
        wait_until(lambda: not host.server(ANA), what="the end of the server when nothing waits any more")
        assert ended(host.client(host.token(ANA)), job)["status"] == "completed"


def test_the_hub_may_start_the_lab_itself_and_ends_it_in_order(tmp_path: Path) -> None:
    managed = {
        '"api_token": os.environ["QPI_HUB_TOKEN"],': (
            '"command": [sys.executable, "-m", "qpi_server.tools.standalone", "--allow-root"], '
            f'"environment": {{"QPI_LAB_DIR": {str(tmp_path / "lab")!r}, "PYTHONPATH": os.environ["PYTHONPATH"]}},'
        )
    }
    with hub_host(tmp_path, VERSION, edit=managed, units=("qpi-proxy", "qpi-hub")) as host:
        host.operator.post(f"users/{DANA}")
        dana = host.client(host.token(DANA))
        wait_until(lambda: dana.get("me").status_code == 200, what="the lab")
        assert ok(dana.get("me"))["user"]["roles"] == ["manager"]
        since = time.monotonic()
        host.restart("qpi-hub")
        wait_until(lambda: dana.get("me").status_code == 200, what="the lab")
        # Within the ten seconds that the Hub gives a service, and with its last words.
        assert "This server is ending." in host.log("qpi-hub")
        assert time.monotonic() - since < MINUTE_S


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubHost]:
    with hub_host(tmp_path_factory.mktemp("hub"), VERSION) as host:
        host.operator.post(f"users/{ADMIN}")
        host.add(ANA, JUERGEN, DANA)
        yield host
