"""Labs as earlier versions wrote them: restored, brought up to date, and all of it found again."""

from __future__ import annotations

import asyncio
import contextlib
import io
import lzma
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import xarray as xr

from qpi_jupyter.data.codec import decode
from qpi_jupyter.data.selection import as_list
from qpi_jupyter.wire.frames import Assignment, Held
from qpi_server.service import Lab
from qpi_server.store import SCHEMA_VERSION, schema_version
from tests.archives.answers import FOLDER, Known, answers_of, driver_with, missing, opened
from tests.archives.make import make
from tests.faults.lab import ADMIN, ANN, settled
from tests.support.web import serving

pytestmark = pytest.mark.slow

ARCHIVES = sorted(FOLDER.glob("*.tar.xz"))
Check = Callable[[Lab, Known], Awaitable[Any]]


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Check], Any]:
    """Holds a check against the lab of an archive, opened when it was made."""
    packed: Path = request.param
    known = msgspec.json.decode(lzma.decompress(Path(str(packed).replace(".tar.", ".json.")).read_bytes()), type=Known)
    archive = tmp_path / "lab.tar"
    archive.write_bytes(lzma.decompress(packed.read_bytes()))

    async def run(check: Check) -> Any:
        async with opened(archive, tmp_path / "lab", known.at_s) as lab:
            return await check(lab, known)

    return lambda check: asyncio.run(run(check))


def test_there_are_archives_and_they_are_small() -> None:
    assert ARCHIVES
    assert all(path.stat().st_size < 300_000 for path in FOLDER.glob("*.xz"))


def test_everything_is_found_again(old: Callable[[Check], Any]) -> None:
    async def check(lab: Lab, known: Known) -> None:
        assert await lab.context.db.read(schema_version) == SCHEMA_VERSION
        found = await answers_of(lab, known.tokens)
        assert missing(known.answers, found) == []

    old(check)


def test_what_was_measured_is_read_as_it_was(old: Callable[[Check], Any]) -> None:
    async def check(lab: Lab, known: Known) -> None:
        seen = set()
        async with asking(lab, known.tokens["ann"]) as client:
            jobs = [job for job in known.answers["ann jobs?mine=true&limit=500"]["jobs"] if job["tags"]]
            for job in (job for job in jobs if job["status"] == "completed"):
                stored = await client.get(f"jobs/{job['id']}/dataset")
                datasets = as_list(decode(io.BytesIO(stored.content)))
                result = known.answers[f"ann jobs/{job['id']}/result"]
                for dataset, circuit in zip(datasets, result["results"], strict=True):
                    seen.add((circuit["meas_level"], circuit["meas_return"]))
                    assert dataset.qpi.kind in (("points",) if circuit["meas_level"] == 1 else ("shots", "counts"))
                    require_same(dataset, circuit["data"])
        assert seen == {(2, "single"), (1, "single"), (1, "avg")}

    old(check)


def require_same(dataset: xr.Dataset, data: dict[str, Any]) -> None:
    """What one finds in the dataset is what the lab says of it."""
    if "counts" in data:
        counts = {int(key.replace(" ", ""), 2): n for key, n in dataset.qpi.counts().items()}
        assert counts == {int(key, 16): n for key, n in data["counts"].items()}
    else:
        points = dataset.qpi.iq()
        np.testing.assert_allclose(np.stack([points.real, points.imag], axis=-1), data["memory"], atol=1e-6)


def test_the_labs_life_goes_on(old: Callable[[Check], Any]) -> None:
    async def check(lab: Lab, known: Known) -> None:
        jobs = {job["name"]: job for job in known.answers["ann jobs?mine=true&limit=500"]["jobs"]}
        driver = await driver_with(lab, known.driver)
        running = jobs["running"]
        await driver.connect([Held(job_id=running["id"], attempt=running["attempt"])])
        await driver.deliver(Assignment(job_id=running["id"], attempt=running["attempt"]), shots=running["shots"])
        await settled(lab)
        names = ("queued", "schedule", "unchecked", "blocked")
        waiting = {name: jobs[name]["id"] for name in names if name in jobs}
        ran = {(await driver.run()).job_id for _ in range(len(waiting) + 1)}  # and bob's
        assert set(waiting.values()) < ran
        for name in (*waiting, "running"):
            assert (await lab.jobs.get(ANN, jobs[name]["id"])).status == "completed"
        assert (await lab.accounts.get(ADMIN, "ann")).held_s == pytest.approx(0.0, abs=1e-9)

    old(check)


@pytest.mark.slow
def test_the_archives_maker_still_makes_one(tmp_path: Path) -> None:
    asyncio.run(make(tmp_path / "today"))
    packed = (tmp_path / "today.json.xz").read_bytes()
    known = msgspec.json.decode(lzma.decompress(packed), type=Known)
    phases = {job["phase"] for job in known.answers["ann jobs?mine=true&limit=500"]["jobs"]}
    assert {"blocked", "queued", "running", "completed", "failed", "cancelled"} <= phases


@contextlib.asynccontextmanager
async def asking(lab: Lab, token: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        serving(lab) as url,
        httpx.AsyncClient(
            base_url=f"{url}qpi/v1/", headers=headers, trust_env=False, verify=False, timeout=60
        ) as client,
    ):
        yield client
