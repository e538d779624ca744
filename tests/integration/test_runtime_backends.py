"""Which of IBM's fake backends are listed: those that a QPU of the lab runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from qpi_jupyter.wire.rest import QpuIn
from tests.faults.lab import ADMIN, SIMULATOR, driver_of, small_lab
from tests.support.web import JUPYTER_TOKEN, serving

PUBS = ("openqasm3", "qpy", "runtime-sampler", "runtime-estimator")


@pytest.mark.parametrize(
    ("executor", "listed", "absent"),
    [
        ("fake_backends", {"fake_manila@aer", "fake_manila@ideal"}, {"fake_manila@gpu", "q1"}),
        ("gpu", {"fake_manila@gpu", "q1"}, {"fake_manila@aer", "fake_manila@ideal"}),
        ("qiskit_aer", {"q1"}, {"fake_manila@aer", "fake_manila@gpu"}),
    ],
)
def test_they_are_there_where_an_executor_runs_them(
    executor: str, listed: set[str], absent: set[str], tmp_path: Path
) -> None:
    async def run() -> None:
        manifest = replace(SIMULATOR, executor=executor, formats=PUBS)
        async with (
            small_lab(tmp_path, driver={"manifest": manifest}) as (lab, driver),
            serving(lab) as url,
            httpx.AsyncClient(
                base_url=f"{url}qpi/experimental/v1/",
                headers={"Authorization": f"token {JUPYTER_TOKEN}"},
                trust_env=False,
            ) as client,
        ):
            await driver.connect()
            names = {device["name"] for device in (await client.get("backends")).json()["devices"]}
            assert listed <= names
            assert names.isdisjoint(absent)
            for name in absent - {"q1"}:
                refused = await client.get(f"backends/{name}/status")
                assert (refused.status_code, refused.json()["error"]["code"]) == (404, "no_fake_backends")
                assert {"gpu": "executor gpu"}.get(name.partition("@")[2], "fake_backends") in refused.text
            alias = await client.get("backends/fake_manila%40custatevec/configuration")
            assert alias.status_code == (200 if executor == "gpu" else 404)
            if executor == "gpu":
                assert alias.json()["backend_name"] == "fake_manila@gpu"
                assert "on a GPU" in alias.json()["description"]

    asyncio.run(run())


def test_a_qpu_that_is_called_like_a_dry_run_is_itself(tmp_path: Path) -> None:
    async def run() -> None:
        manifest = replace(SIMULATOR, executor="qiskit_aer", formats=PUBS)
        fakes = replace(SIMULATOR, executor="fake_backends", formats=PUBS)
        async with small_lab(tmp_path, driver={"manifest": fakes}) as (lab, driver), serving(lab) as url:
            await lab.qpus.create(ADMIN, QpuIn(name="mock_1"))
            await driver.connect()
            await (await driver_of(lab, "mock_1", "d2", manifest=manifest)).connect()
            headers = {"Authorization": f"token {JUPYTER_TOKEN}"}
            async with httpx.AsyncClient(
                base_url=f"{url}qpi/experimental/v1/", headers=headers, trust_env=False
            ) as client:
                known = (await client.get("backends/mock_1/configuration")).json()
                assert (known["backend_name"], known["basis_gates"]) == ("mock_1", list(manifest.basis_gates))
                listed = (await client.get("backends?include_mocks=true")).json()["devices"]
                assert [device.get("class") for device in listed if device["name"] == "mock_1"] == [None]

    asyncio.run(run())
