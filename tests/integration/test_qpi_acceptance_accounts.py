"""QPI's missing acceptance checks that are about QPU time: numbers 9 and 10."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from qpi_jupyter.core.errors import Forbidden
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.wire.frames import Prepared
from tests.faults.lab import ANN, BELL, bell, small_lab
from tests.support.web import TOKENS, Authenticator, serving

USER = TOKENS["qpi_user"]


def test_9_balance_1_s_job_estimated_10_s_is_refused_at_submit_with_the_estimate(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, default_allowance_s=1.0) as (lab, driver):
            driver.answer = lambda prepare: Prepared(estimate=Estimate(estimate_s=10.0, upper_s=12.0))
            await driver.connect()
            with pytest.raises(Forbidden) as caught:
                await lab.jobs.submit(ANN, bell())
            assert caught.value.code == "insufficient_qpu_time"
            assert (caught.value.data["estimate_s"], caught.value.data["available_s"]) == (10.0, 1.0)
            assert "10 s" in caught.value.message
            assert "1 s" in caught.value.message
            assert (await lab.jobs.list(ANN)).jobs == []
            assert (await lab.accounts.get(ANN, "ann")).balance_s == 1.0

    asyncio.run(dialogue())


def test_10_a_user_cannot_raise_their_own_balance_nor_insert_a_finished_job(tmp_path: Path) -> None:
    program = {"format": "openqasm2", "sources": [BELL]}

    async def dialogue() -> None:
        async with small_lab(tmp_path, default_allowance_s=5.0) as (lab, driver):
            await driver.connect()
            lab.authenticator = Authenticator()  # type: ignore[assignment]  # tokens of every role
            async with (
                serving(lab) as url,
                httpx.AsyncClient(base_url=f"{url}qpi/v1/", trust_env=False, verify=False) as client,
            ):
                client.headers["Authorization"] = "Bearer qpi_user"
                raised = [
                    await client.post("accounts/user/grants", json={"seconds": 100}),
                    await client.patch("accounts/user", json={"limited": False}),
                    await client.patch("accounts/user", json={"balance_s": 100}),
                    await client.put("accounts/user", json={"balance_s": 100}),
                ]
                assert [answer.status_code for answer in raised] == [403, 403, 403, 405]
                for finished in ({"status": "completed"}, {"state": "completed"}, {"counts": [{"00": 100}]}):
                    answer = await client.post("jobs", json={"program": program, "qpu": "q1", **finished})
                    assert answer.status_code == 400, finished
                result = await client.put("jobs/job-1/attempts/1/result", content=b"", headers={"Qpi-Digest": "0" * 64})
                assert result.status_code == 403
            assert (await lab.accounts.get(USER, "user")).balance_s == 5.0
            assert (await lab.jobs.list(USER)).jobs == []

    asyncio.run(dialogue())
