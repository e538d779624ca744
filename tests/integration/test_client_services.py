"""FR-002 from a notebook: services as a table, in a magic, and enrolment; the lab is in this process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qpi_jupyter.client import EnrollmentTable
from qpi_jupyter.client import Lab as Client
from qpi_jupyter.core.errors import Conflict, Rejected
from qpi_server.service import Lab
from tests.faults.lab import ScriptedDriver
from tests.integration.test_client_families import BELL, with_client


def test_services_are_a_table_that_filters(tmp_path: Path) -> None:
    async def dialogue(_lab: Lab, _driver: ScriptedDriver, client: Client) -> None:
        table = await client.services.aio()
        [one] = table
        assert one.qpu == "q1"
        assert "Available" in repr(table)
        assert "bell_pair" in table._repr_html_()
        frame = table.to_pandas()
        assert list(frame["service"]) == [offer.service for offer in one.services]
        assert set(frame["fidelity"]) == {1.0}
        assert [len(offer.services) for offer in await client.services.aio("bell_pair", min_fidelity=0.9)] == [1]
        assert repr(await client.services.aio("teleportation")) == "(No QPU of this lab offers that now.)"
        assert len(await client.services.aio(availability="busy")) == 0
        with pytest.raises(Rejected, match="Did you mean bell_pair"):
            await client.services.aio("bellpair")
        with pytest.raises(Rejected, match="available, busy, unavailable"):
            await client.services.aio(availability="free")  # type: ignore[arg-type]

    with_client(tmp_path, dialogue, heartbeat_s=600.0)  # its driver says nothing more


def test_a_manager_quarantines_and_approves_and_an_owner_enrolls(tmp_path: Path) -> None:
    async def dialogue(_lab: Lab, _driver: ScriptedDriver, client: Client) -> None:
        qpu = await client.qpu.aio("q1")
        await qpu.quarantine.aio("strange counts")
        assert (qpu.status, qpu.reason) == ("disabled", "in quarantine (strange counts)")
        with pytest.raises(Conflict, match="q1 takes no jobs: it is in quarantine"):
            await client.submit.aio(BELL, qpu="q1")
        assert "In quarantine" in repr(await client.services.aio())
        await qpu.approve.aio()
        assert qpu.status == "online"

        mine = await client.enroll.aio("bench", kind="pool", description="Behind the door.")
        assert mine.token in mine.command
        assert mine.token not in repr(mine)
        table = await client.enrollments.aio()
        assert isinstance(table, EnrollmentTable)
        assert [table.row(one)[:2] for one in table] == [
            ("bench", "Waiting for approval"),
            ("q1", "Managed by the lab"),
        ]
        bench = await client.qpu.aio("bench")
        await bench.reject.aio("no helium")
        assert "no helium" in repr(await client.enrollments.aio())

    with_client(tmp_path, dialogue, heartbeat_s=600.0)


def test_the_magic_is_the_same_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    from qpi_jupyter.client import connecting

    def ask(client: Client) -> tuple[str, str]:
        monkeypatch.setattr(connecting, "_current", client)
        shell = InteractiveShell()
        shell.run_line_magic("load_ext", "qpi_jupyter")
        found = shell.run_line_magic("qpi_services", "bell_pair --min-fidelity 0.5 --availability available")
        none = shell.run_line_magic("qpi_services", "teleportation --include-stale")
        shell.history_manager.end_session()
        return repr(found), repr(none)

    async def dialogue(_lab: Lab, _driver: ScriptedDriver, client: Client) -> None:
        found, none = await asyncio.to_thread(ask, client)
        assert "bell_pair" in found
        assert none == "(No QPU of this lab offers that now.)"

    with_client(tmp_path, dialogue, heartbeat_s=600.0)
