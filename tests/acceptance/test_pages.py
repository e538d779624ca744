"""The Python of pages in docs/, run as it stands against a real lab."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from qpi_jupyter.client import Lab
from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.waiting import wait_until

DOCS = Path(__file__).parents[2] / "docs"
CONNECTED = "import qpi_jupyter\nlab = qpi_jupyter.connect()\n"
CIRCUIT = "circuit = 'OPENQASM 3.0; qubit q; bit c; c = measure q;'\n"
HELD = "held = [lab.session(qpu).start() for qpu in ('q1', 'q2')]\n"
pytestmark = pytest.mark.slow
SWEEPS = "how-to/sweeps.md"
PAGES = {
    SWEEPS: "",
    "how-to/find-and-share-jobs.md": "",
    "how-to/bundle-a-job.md": "",
    "how-to/qpu-time.md": CONNECTED,
    "how-to/administer.md": CONNECTED,
    "how-to/bookings.md": CONNECTED + CIRCUIT + HELD,
    "tutorial/share-a-qpu.md": "",
    "tutorial/rabi-on-a-twin.md": "",
}
"""With what a page takes for granted. Other pages have tests of their own."""
CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:{day}T000000Z\r\n"
    "SUMMARY:Beam time\r\nDTSTART:{day}T090000Z\r\nDTEND:{day}T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("lab"), "--QPIServer.demo=True") as server:
        admin = server.client()
        admin.post("qpi/v1/users", json={"name": "ann"}).raise_for_status()
        me = admin.get("qpi/v1/me").json()["user"]["name"]
        admin.post("qpi/v1/groups", json={"name": "qed", "members": [me, "ann"]}).raise_for_status()
        for name, executor in (("q1", "mock"), ("q2", "mock"), ("twin", "qblox")):
            admin.post("qpi/v1/simulators", json={"name": name, "executor": executor}).raise_for_status()
        with Lab(server.url, TOKEN) as lab:
            wait_until(lambda: all(qpu.status == "online" for qpu in lab.qpus()), 60, "the QPUs")
        yield server


@pytest.fixture
def run(
    server: LabServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Runs a page, and gives the names that it leaves."""
    monkeypatch.setenv("QPI_LAB_URL", server.url)
    monkeypatch.setenv("QPI_LAB_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    day = f"{datetime.now(UTC) + timedelta(days=2):%Y%m%d}"
    (tmp_path / "beamtime.ics").write_text(CALENDAR.format(day=day))
    names: dict[str, Any] = {}

    def run(name: str) -> dict[str, Any]:
        exec(PAGES[name], names)
        blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
        assert blocks
        for block in blocks:
            exec(block, names)
        return names

    yield run
    plt.close("all")
    names["lab"].close()


@pytest.mark.parametrize("name", [name for name in PAGES if name != SWEEPS])
def test_a_page_runs_as_it_stands(run: Callable[[str], dict[str, Any]], name: str) -> None:
    run(name)


def test_the_page_of_sweeps_gives_what_it_says(run: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    names = run(SWEEPS)
    period = names["fit"]["period"]
    assert abs(period.value - 6.2832) < 5 * period.error
    assert names["both"].difference.dims == ("result", "theta", "outcome")
    sizes = [dict(names[job].dataset().sizes) for job in ("job", "grid", "together", "one")]
    assert sizes == [{**swept, "slot": 1} for swept in (
        {"theta": 41, "shot": 500}, {"theta": 4, "phi": 5, "shot": 100}, {"point": 3, "shot": 100},
        {"theta": 3, "shot": 100},
    )]  # fmt: skip
    assert dict(names["curve"].sizes) == {"length": 3, "shot": 200, "slot": 1}
    assert (tmp_path / "rabi.nc").exists()
