"""The lab's own client fetches a large dataset, beside the plainest reader there is: both hash it and store it."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import qpi_jupyter

from .dataset import SIZE, download, source, upload
from .harness import Figure, interleaved, median_ratio, server


def run(*, quick: bool) -> Iterator[Figure]:
    """The client's speed as a share of the plain reader's."""
    size = SIZE // 8 if quick else SIZE
    with (
        tempfile.TemporaryDirectory(prefix="qpi-reader-") as name,
        server() as lab,
        qpi_jupyter.connect(lab.url, token=lab.token) as client,
    ):
        folder = Path(name)
        job_id, _ = upload(source(folder / "source", size), lab.url, lab.token)
        ours, bare = interleaved(
            lambda: _read(client, job_id, folder / "ours"),
            lambda: download(lab.url, lab.token, job_id, folder / "bare"),
            5,
        )
    speeds = [size / statistics.median(times) / 2**20 for times in (ours, bare)]
    yield Figure(
        name=f"{size / SIZE:g} GiB by the lab's client, share of http.client's speed", ratio=median_ratio(bare, ours),
        goal=0.8, at_most=False, ours=speeds[0], bare=speeds[1], unit=" MiB/s",
    )  # fmt: skip


def _read(client: qpi_jupyter.Lab, job_id: str, target: Path) -> None:
    """As `JobHandle.dataset` fetches its file."""
    with target.open("wb") as file:
        client.http.portal.run(client.http.download(f"v1/jobs/{job_id}/dataset", file))
    target.unlink()
