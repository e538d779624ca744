"""Jobs of IBM's surface that came by the lab's own: whatever their source says, they are shown."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.faults.lab import SIMULATOR, small_lab
from tests.support.web import JUPYTER_TOKEN, serving


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (b'{"params": {"pubs": []}}', {"pubs": []}),
        (b'{"backend": null, "params": {"pubs": []}, "max_execution_time": 1.5}', {"pubs": []}),
        (b'{"params": {"pubs": [], "options": {"a": NaN}}}', None),
        (b'{"pubs": []}', None),
        (b"[", None),
    ],
)
@pytest.mark.parametrize("form", ["runtime-sampler", "runtime-executor"])
def test_their_params_are_shown_if_there_are_any(source: bytes, shown: object, form: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with (
            small_lab(tmp_path, driver={"manifest": replace(SIMULATOR, formats=(form,))}) as (lab, driver),
            serving(lab) as url,
            httpx.AsyncClient(
                base_url=f"{url}qpi/", headers={"Authorization": f"token {JUPYTER_TOKEN}"}, trust_env=False
            ) as client,
        ):
            await driver.connect()
            program = {"format": form, "data": [base64.b64encode(source).decode()]}
            job = (await client.post("v1/jobs", json={"program": program, "qpu": "q1"})).json()["id"]
            answer = await client.get(f"experimental/v1/jobs/{job}")
            assert answer.status_code == 200, answer.text
            assert answer.json().get("params") == shown

    asyncio.run(run())
