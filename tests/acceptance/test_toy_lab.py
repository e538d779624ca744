"""A package beside the product: its executor is listed and started, its programs are checked, run and shown."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from qpi_jupyter.client import Lab, connect
from qpi_jupyter.core.errors import ProgramError, QpiError, Rejected
from qpi_jupyter.ui.bundle import finished
from tests.support.packages import TOY_LAB, broken_packages, installed
from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A lab beside which the toy is installed, and three packages that are not as they should be."""
    packages = tmp_path_factory.mktemp("packages")
    broken_packages(packages)
    with (
        installed(packages),
        installed(TOY_LAB),
        lab_server(tmp_path_factory.mktemp("lab"), "--QPIServer.demo=True") as server,
    ):
        wait_until(lambda: qpu(server, "sim-b")["status"] == "online", PATIENCE_S, "the simulators' start")
        started = server.client().post("qpi/v1/simulators", json=simulator(options={"coins": 3}))
        assert started.status_code == 201, started.text
        tellers = simulator(name="streaks", options={"coins": 3, "streaks": True})
        assert server.client().post("qpi/v1/simulators", json=tellers).status_code == 201
        for name in ("coins", "streaks"):
            wait_until(lambda name=name: qpu(server, name)["status"] == "online", PATIENCE_S, "the toys' start")
        yield server


@pytest.fixture(scope="module")
def lab(server: LabServer) -> Iterator[Lab]:
    with connect(server.url, TOKEN) as lab:
        yield lab


def qpu(server: LabServer, name: str) -> dict[str, Any]:
    found: dict[str, Any] = server.client().get(f"qpi/v1/qpus/{name}").json()
    return found


def simulator(**changes: Any) -> dict[str, Any]:
    return {"name": "coins", "executor": "toy_coins", **changes}


def executors(server: LabServer) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in server.client().get("qpi/v1/executors").json()["executors"]:
        found.setdefault(one["name"], []).append(one)
    return found


def test_it_is_listed_with_its_options_as_json_schema(server: LabServer) -> None:
    (toy,) = executors(server)["toy_coins"]
    assert (toy["package"], toy["simulator"], toy["problem"]) == ("qpi-toy-lab", True, "")
    assert (toy["description"], toy["formats"]) == ("Tosses coins that were counted out to it.", ["toy-coins"])
    assert toy["options"]["properties"]["coins"] == {
        "type": "integer", "minimum": 1, "maximum": 50, "default": 5, "description": "how many coins there are",
    }  # fmt: skip


def test_broken_ones_and_two_of_one_name_are_told_of_by_name(server: LabServer) -> None:
    found = executors(server)
    (broken,) = found["toy_leaves"]
    assert "SystemExit: no licence. Install it with: pip install 'broken-lab[driver]'" in broken["problem"]
    assert {one["package"] for one in found["toy_twin"]} == {"left-lab", "right-lab"}
    assert all("Several packages register the executor 'toy_twin'" in one["problem"] for one in found["toy_twin"])
    assert not found["mock"][0]["problem"]
    assert found["toy_table"][0]["simulator"] is False


@pytest.mark.parametrize(
    ("wanted", "field", "said"),
    [
        ({"options": {"coins": 99}}, "options", "'coins' must be a whole number from 1 to 50, not 99"),
        ({"options": {"coin": 1}}, "options", "has no option 'coin'; it knows: cheat, coins"),
        ({"executor": "toy_leaves"}, "executor", "no licence"),
        ({"executor": "toy_twin"}, "executor", "Several packages"),
        ({"executor": "toy_table"}, "executor", "toy_table drives an instrument: start it with `qpi-agent start`"),
        ({"executor": "toy_none"}, "executor", "no executor 'toy_none'"),
    ],
)
def test_what_cannot_be_started_is_refused_before_it_is_stored(
    server: LabServer, wanted: dict[str, Any], field: str, said: str
) -> None:
    answer = server.client().post("qpi/v1/simulators", json=simulator(name="other", **wanted))
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["data"]["field"] == field
    assert said in error["message"]
    listed = server.client().get("qpi/v1/simulators").json()["simulators"]
    assert "other" not in [one["name"] for one in listed]


def test_its_programs_are_checked_run_and_shown(server: LabServer, lab: Lab) -> None:
    from qpi_toy_lab import Coins

    assert [form["suffix"] for form in qpu(server, "coins")["manifest"]["format_facts"]] == [".coins"]
    job = lab.submit(Coins((0, 100, 100)), qpu="coins", shots=50)
    assert job.counts(timeout=PATIENCE_S) == {"110": 50}
    text = server.client().get(f"qpi/v1/jobs/{job.id}/program/text").json()
    assert [shown["text"] for shown in text["circuits"]] == [
        "coin 0: 1 in 0 %\ncoin 1: 1 in 100 %\ncoin 2: 1 in 100 %\n"
    ]
    assert (text["as_sent"], text["suffix"]) == (False, ".coins")


def test_its_results_are_sent_stored_read_and_drawn(server: LabServer, lab: Lab) -> None:
    from qpi_toy_lab import Coins

    job = lab.submit(Coins((100, 0)), qpu="streaks", shots=50)
    dataset = job.dataset(timeout=PATIENCE_S)
    assert (dataset.qpi.kind, dataset.qpi.streaks()) == ("toy-streaks", [50, 0])
    (told,) = server.client().get(f"qpi/v1/jobs/{job.id}/result").json()["results"]
    assert told["kind"] == "toy-streaks"
    assert told["drawings"][0]["rows"] == [["coin 0", "50"], ["coin 1", "0"]]
    shown = asyncio.run(finished(job))
    assert "coin 0  50" in shown["text/plain"]
    assert ">coin 1</td>" in shown["text/html"]
    with pytest.raises(QpiError, match="has no counts: its results are of kind 'toy-streaks'"):
        job.counts()


def test_a_reader_without_its_package_keeps_the_data_and_says_what_lacks(server: LabServer, lab: Lab) -> None:
    from qpi_toy_lab import Coins

    job = lab.submit(Coins((100, 0)), qpu="streaks", shots=5)
    job.wait(timeout=PATIENCE_S)
    ask = (
        "import asyncio, sys\n"
        "from qpi_jupyter.client import connect\n"
        "from qpi_jupyter.ui.bundle import finished\n"
        f"with connect({server.url!r}, {TOKEN!r}) as lab:\n"
        f"    job = lab.job({job.id!r})\n"
        "    print(job.dataset()['streak'].values.tolist())\n"
        "    print(asyncio.run(finished(job))['text/plain'])\n"
    )
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = subprocess.run([sys.executable, "-c", ask], env=without, capture_output=True, text=True, check=True).stdout
    assert said.startswith("[5, 0]\n")
    assert """Results of kind "toy-streaks" can't be drawn here: There is no result kind 'toy-streaks'.""" in said
    assert job.id in [listed.id for listed in lab.jobs()]


def test_what_its_checker_refuses_is_no_job(lab: Lab) -> None:
    from qpi_toy_lab import Coins

    with pytest.raises(ProgramError, match="Coin 1 falls on 1 in 150 %"):
        lab.submit(Coins((0, 150)), qpu="coins")
    with pytest.raises(ProgramError, match="Row 0 needs 4 coins; there are 3"):
        lab.submit(Coins((0,) * 4), qpu="coins")
    with pytest.raises(ProgramError, match="Row 0 does not begin with COINS"):
        lab.submit(b"pennies", qpu="coins", format="toy-coins")


def test_a_format_that_no_driver_takes_is_refused_with_those_that_are_taken(lab: Lab) -> None:
    from qpi_toy_lab import Coins

    with pytest.raises(
        Rejected,
        match=r"sim-b does not run toy-coins; it runs openqasm2, openqasm3, qpy, runtime-sampler, runtime-estimator, "
        r"runtime-executor\.",
    ):
        lab.submit(Coins((50,)), qpu="sim-b")
    with pytest.raises(Rejected, match=r"coins does not run openqasm3; it runs toy-coins\."):
        lab.submit("OPENQASM 3.0;", qpu="coins")
    with pytest.raises(Rejected, match="There is no format 'no-such'"):
        lab.submit("x", qpu="coins", format="no-such")
