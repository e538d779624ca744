"""Sessions against a scripted lab: they are renewed while the kernel lives, and end with it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest

from qpi_jupyter.client import Lab
from qpi_jupyter.core.errors import Conflict, Faulted
from tests.faults.scripted_rest import TOKEN
from tests.faults.scripted_rules import RulesLab
from tests.support.servers import python_env

BELL = "OPENQASM 3.0;\nqubit q;\nbit c;\nc = measure q;\n"


@pytest.fixture
def server() -> Iterator[RulesLab]:
    with RulesLab() as server:
        yield server


@pytest.fixture
def lab(server: RulesLab) -> Iterator[Lab]:
    with Lab(server.url, TOKEN, retry_s=5.0) as lab:
        yield lab


def renewals(server: RulesLab) -> int:
    return sum(path.endswith("/renew") for _, path in server.requests)


def test_a_session_holds_runs_and_counts(server: RulesLab, lab: Lab) -> None:
    server.on_submit = lambda model: server.finish(model.id, counts=[{"0": 1}])
    with lab.session("sim-b", budget="10m", group="qed") as s:
        assert s.open
        assert s.run(BELL, shots=10).counts() == {"0": 1}
        assert 0 < s.held_s < 60
    opened = server.bodies[0]
    assert (opened.qpu, opened.budget_s, opened.group) == ("sim-b", 600, "qed")
    assert (server.submits[0].qpu, server.submits[0].group) == ("sim-b", "qed")
    assert (s.open, s.held_s, s.busy_s) == (False, 4.5, 1.25)
    assert repr(s) == "<Session on sim-b: over (closed), held 4.5 s, busy 1.25 s>"
    assert [method for method, path in server.requests if "sessions" in path] == ["POST", "DELETE"]
    with pytest.raises(Conflict, match="not open"):
        s.submit(BELL)


def test_a_session_whose_handle_is_lost_is_found_and_given_back(server: RulesLab, lab: Lab) -> None:
    lab.session("sim-a", idle=5).start()
    with Lab(server.url, TOKEN) as later:
        found = later.sessions()
        assert [session.qpu for session in found] == ["sim-a"]
        assert "open" in repr(found)
        assert found[0].open
        assert found[0].held_s > 0
        with found[0] as again:
            server.wait_requests(lambda method, path: path.endswith("/renew"))
            server.on_submit = lambda model: server.finish(model.id, counts=[{"0": 1}])
            assert again.run(BELL).counts() == {"0": 1}
        assert not later.sessions()
        assert [session.open for session in later.sessions(ended=True)] == [False]


def test_one_point_of_a_loop_costs_two_requests(server: RulesLab, lab: Lab) -> None:
    with lab.session("sim-a") as s:
        before = len(server.requests)
        server.on_submit = lambda model: server.finish(model.id, counts=[{"0": 1}])
        s.run(BELL).counts()
        assert len(server.requests) - before <= 2


def test_async_with(server: RulesLab, lab: Lab) -> None:
    async def cell() -> dict[str, int]:
        server.on_submit = lambda model: server.finish(model.id, counts=[{"1": 1}])
        async with lab.session("sim-a") as s:
            return dict((await s.run.aio(BELL)).counts())

    assert asyncio.run(cell()) == {"1": 1}
    assert server.sessions["s1"].closed_at is not None


def test_it_is_renewed_by_itself(server: RulesLab, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with lab.session("sim-a", idle=5):
        server.wait_requests(lambda method, path: path.endswith("/renew"))
    after = renewals(server)
    lab.qpus()
    assert renewals(server) == after, "nothing renews a session that is over"


def test_a_failing_block_still_lets_go(server: RulesLab, lab: Lab) -> None:
    with pytest.raises(ZeroDivisionError), lab.session("sim-a"):
        _ = 1 / 0
    assert server.sessions["s1"].closed_at is not None


def test_a_failed_job_raises_and_lets_go(server: RulesLab, lab: Lab) -> None:
    server.on_submit = lambda model: server.fail(model.id, Faulted("the fridge is warm"))
    with pytest.raises(Faulted, match="fridge"), lab.session("sim-a") as s:
        s.run(BELL)
    assert not s.open


def test_what_the_lab_ended_says_why(server: RulesLab, lab: Lab) -> None:
    s = lab.session("sim-a", idle=5).start()
    server.session_ends = Conflict("The budget is used up.", code="session_over")
    server.wait_requests(lambda method, path: method == "DELETE")
    while s.open:
        lab.qpus()
    with pytest.raises(Conflict, match="budget is used up"):
        s.run(BELL)
    assert s.close() is s


def test_closing_the_connection_lets_go(server: RulesLab) -> None:
    with Lab(server.url, TOKEN) as lab:
        lab.session("sim-a").start()
    assert server.sessions["s1"].closed_at is not None


def test_a_kernel_that_ends_lets_go(server: RulesLab) -> None:
    code = f"from qpi_jupyter import Lab\nlab = Lab({server.url!r}, {TOKEN!r})\ns = lab.session('sim-a').start()\n"
    subprocess.run([sys.executable, "-c", code], env=python_env(), check=True, timeout=60)
    assert server.sessions["s1"].closed_at is not None
