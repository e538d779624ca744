"""Binder: what it would build, and the same steps in an environment with its versions; then the try in one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from packaging.version import Version

from benchmarks.memory import LIMIT_MIB, QUICKSTART, RUN, sampled
from tests.support.bare import Bare, tracked
from tests.support.realworld import free_port
from tests.support.servers import ROOT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(1500)]

BASE = ("jupyterlab", "jupyter_server", "ipykernel", "jupyter_client", "notebook", "tornado")
"""Of the many packages in Binder's base, those that the lab lives with."""
SUPPORTED = {"jupyterlab": "4.4.9", "jupyter_server": "2.17.0", "ipykernel": "7.0.1"}
"""What the base has today: another version is to be looked at, and written here."""
READY_S = 120.0
LOOK = """
import sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=sys.argv[2], args=["--no-sandbox", "--disable-gpu"])
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(sys.argv[1])
    page.locator("#qpi-lab-panel").wait_for(timeout=90_000)
    page.locator("#qpi-lab-panel").get_by_text("sim-b").first.wait_for(timeout=90_000)
    page.locator(".jp-Notebook").wait_for(timeout=90_000)
    page.locator(".jp-RenderedMarkdown h1").get_by_text("A first job").first.wait_for(timeout=90_000)
    browser.close()
"""


def dockerfile() -> str:
    """What repo2docker makes of the checkout."""
    command = [str(Path(sys.executable).parent / "jupyter-repo2docker"), "--no-build", "--debug", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout + done.stderr


def base_versions() -> dict[str, str]:
    """The versions in the environment that Binder begins with, as repo2docker locks them."""
    package = find_spec("repo2docker")  # importing it warns
    assert package is not None
    assert package.origin is not None
    lock = Path(package.origin).parent / "buildpacks" / "conda" / "environment.py-3.11-linux-64.lock"
    found = re.findall(rf"/({'|'.join(BASE)})-([0-9.]+)-", lock.read_text())
    return dict(found)


def steps(text: str) -> list[str]:
    """The commands that Binder runs on the checkout, after it has copied it."""
    after = text[text.index("COPY --chown=0:0 src/ ${REPO_DIR}/") :]
    return re.findall(r"^RUN (.*)$", after, re.MULTILINE)


def test_binders_base_is_the_one_that_is_supported() -> None:
    assert {name: base_versions()[name] for name in SUPPORTED} == SUPPORTED


def test_repo2docker_finds_every_file_and_asks_for_no_conda_and_no_node() -> None:
    text = dockerfile()
    assert steps(text) == [
        '${KERNEL_PYTHON_PREFIX}/bin/pip install --no-cache-dir -r "binder/requirements.txt"',
        "chmod +x binder/postBuild",
        "./binder/postBuild",
        'chmod +x "${REPO_DIR}/binder/start"',
    ]
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in text
    assert "conda env update" not in text


@dataclass
class Built:
    """A checkout on which Binder's steps were carried out."""

    bare: Bare
    repo: Path
    home: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("binder")
    repo, home = tracked(folder / "repo"), folder / "home"
    home.mkdir()
    base = base_versions()
    bare = Bare(folder, *(f"{name}=={base[name]}" for name in BASE))
    places = {"KERNEL_PYTHON_PREFIX": str(bare.prefix), "REPO_DIR": str(repo)}
    for step in steps(dockerfile()):
        alone = {} if "pip install" in step else {"HOME": str(home)}  # pip's own settings are in the caller's
        bare.run(step.replace("--no-cache-dir ", ""), repo, **places, **alone)
    return Built(bare, repo, home)


def online(lab_dir: Path) -> dict[str, Any] | None:
    """What the owner's file says, once both QPUs are there."""
    with suppress(OSError, ValueError, KeyError, httpx.HTTPError):
        record: dict[str, Any] = json.loads((lab_dir / "owner.json").read_text())
        headers = {"Authorization": f"Bearer {record['secret']}"}
        qpus = httpx.get(f"{record['url']}qpi/v1/qpus", headers=headers, trust_env=False).json()["qpus"]
        if qpus and all(qpu["status"] == "online" for qpu in qpus):
            return record
    return None


def root() -> str:
    return "--allow-root" if os.geteuid() == 0 else ""


def test_the_steps_keep_binders_versions_but_for_the_kernel(built: Built) -> None:
    listed = json.loads(built.bare.run("pip list --format=json 2>/dev/null", built.repo))
    there = {one["name"].replace("-", "_"): one["version"] for one in listed}
    assert {name: there[name] for name in ("jupyterlab", "jupyter_server")} == {
        name: SUPPORTED[name] for name in ("jupyterlab", "jupyter_server")
    }
    assert Version(there["ipykernel"]).release[:2] != (7, 0)


def test_a_visitor_has_the_panel_the_notebook_and_both_qpus_in_less_than_a_gibibyte(built: Built) -> None:
    port, lab_dir = free_port(), built.home / "lab"
    command = (
        f"binder/start jupyter lab --ip 127.0.0.1 --port {port} --no-browser --ServerApp.base_url=/user/ann/ {root()}"
    )
    env = {"HOME": str(built.home), "QPI_LAB_DIR": str(lab_dir), "JUPYTER_TOKEN": "of-a-visitor"}
    with built.bare.running(command, built.repo, **env):
        record = wait_until(lambda: online(lab_dir), READY_S, "the demo")
        address = f"http://127.0.0.1:{port}/user/ann/lab/tree/notebooks/01_quickstart.ipynb?token=of-a-visitor"
        subprocess.run([sys.executable, "-c", LOOK, address, "/usr/bin/chromium"], check=True, timeout=300)
        end_kernels(record["url"])  # the browser's; the notebook is run by one of ours
        with sampled([psutil.Process()]) as seen:  # the server is a child of this process, as the kernel is
            lab = {"QPI_LAB_URL": record["url"], "QPI_LAB_TOKEN": record["secret"], "HOME": str(built.home)}
            script = built.home / "run.py"
            script.write_text(RUN)
            built.bare.run(f"python {script} {QUICKSTART}", built.home, **lab)
        ours = [sum(mib for name, mib in sample.items() if name != "others") for sample in seen]
        assert any({"server", "drivers", "children", "kernel"} <= sample.keys() for sample in seen), seen[-1]
        assert max(ours) < LIMIT_MIB, max(seen, key=lambda sample: sum(sample.values()))


def end_kernels(url: str) -> None:
    headers = {"Authorization": "token of-a-visitor"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        for kernel in client.get("api/kernels").json():
            client.delete(f"api/kernels/{kernel['id']}").raise_for_status()
        assert client.get("api/kernels").json() == []


def test_the_try_in_one_line_starts_a_lab_in_a_folder_of_its_own(built: Built, tmp_path: Path) -> None:
    lab_dir = tmp_path / "qpi-demo" / ".qpi-lab"
    env = {"HOME": str(tmp_path), "JUPYTER_TOKEN": "of-a-visitor"}
    with built.bare.running(f"jupyter-qpi demo --no-browser --port {free_port()}", tmp_path, **env):
        record = wait_until(lambda: online(lab_dir), READY_S, "the demo")
        headers = {"Authorization": "token of-a-visitor"}
        shown = httpx.get(f"{record['url']}api/contents", headers=headers, trust_env=False).json()["content"]
        assert {one["name"] for one in shown} == {"01_quickstart.ipynb", "02_bookings_and_time.ipynb"}
    assert not (tmp_path / ".local" / "share" / "qpi-lab").exists()
