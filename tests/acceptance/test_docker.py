"""The commands of deploy/Dockerfile, of deploy/compose.yaml and of their page, in an environment with nothing in it.

There is no container engine here: each path of the image is a folder of the test's, and each name of a service this
machine.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.circuits import BELL_QASM3
from tests.support.bare import Bare, tracked
from tests.support.realworld import free_port
from tests.support.servers import ROOT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(1500)]

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
PAGE = (ROOT / "docs" / "how-to" / "docker.md").read_text()
NEEDS_ROOT = ("useradd --create-home --uid 1000 lab", "install -d -o lab -g lab -m 700 /data")
"""Not run: they change the machine."""


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with what it is told."""
    lines = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    words = [line.partition(" ") for line in lines if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in words]


def ignored(name: str) -> bool:
    """Whether ``.dockerignore`` keeps a file out of the build; the last line that says something of it counts."""
    out = False
    for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        parts = Path(name).parts
        heads = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        tails = [part for part in parts if pattern.startswith("**/") and fnmatch(part, pattern[3:])]
        if line and not line.startswith("#") and (tails or any(fnmatch(head, pattern) for head in heads)):
            out = not line.startswith("!")
    return out


@dataclass
class Image:
    """What the Dockerfile makes: an environment, and a folder that stands for its root."""

    bare: Bare
    root: Path
    env: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    health: str = ""
    port: int = field(default_factory=free_port)

    def here(self, text: str) -> str:
        """``text`` with the image's paths and names as they are here."""
        for place in ("/src", "/wheels", "/data", "/run/secrets"):
            text = re.sub(rf"(?<![\w./]){place}(?![\w-])", str(self.root / place[1:]), text)
        text = text.replace("0.0.0.0", "127.0.0.1").replace("//lab:8899", f"//127.0.0.1:{self.port}")
        return text.replace("8899", str(self.port))

    def client(self, token: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}/", headers=headers, timeout=70, trust_env=False)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    root = tmp_path_factory.mktemp("image")
    made = Image(Bare(root), root)
    (root / "data").mkdir(mode=0o700)
    folder, skipped = root, []
    for word, rest in instructions():
        if word == "WORKDIR":
            folder = root / rest.lstrip("/")
        elif (word, rest) == ("COPY", ". ."):
            copied = tracked(root / "checkout")
            for path in copied.rglob("*"):
                name = path.relative_to(copied).as_posix()
                if path.is_file() and not ignored(name):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, folder / name)
        elif word == "COPY" and not rest.startswith("--from"):
            source, target = rest.split()
            Path(made.here(target)).mkdir(exist_ok=True)
            shutil.copy2(ROOT / source, made.here(target))
        elif word == "RUN" and rest in NEEDS_ROOT:
            skipped.append(rest)
        elif word == "RUN":
            made.bare.run(made.here(rest.replace("--no-cache-dir ", "")), folder)
        elif word == "ENV":
            made.env |= dict(pair.split("=", 1) for pair in shlex.split(made.here(rest)))
        elif word == "HEALTHCHECK":
            made.health = made.here(rest.partition("CMD ")[2])
        elif word == "CMD":
            made.command = json.loads(rest)
    assert skipped == list(NEEDS_ROOT)
    return made


def test_no_secret_and_nothing_large_gets_into_the_build() -> None:
    out = ("deploy/secrets/admin-token", ".git/config", ".venv/bin/python", ".lab/lab.sqlite3", "tests/conftest.py")
    out += ("labextension/node_modules/x/y.js", "labextension/dist/static/a.js", "qpi_jupyter/core/__pycache__/a.pyc")
    assert [name for name in out if not ignored(name)] == []
    needed = ("pyproject.toml", "hatch_build.py", "labextension/src/index.ts", "notebooks/01_quickstart.ipynb")
    assert [name for name in needed if ignored(name)] == []


def test_the_image_runs_as_a_user_and_hears_sigterm() -> None:
    words = instructions()
    assert ("USER", "lab") in words
    assert words[-1] == ("CMD", '["jupyter-qpi", "--ip-addr=0.0.0.0", "--port=8899"]')  # no shell in between
    assert COMPOSE["services"]["lab"]["command"] == json.loads(words[-1][1])


def page(image: Image, marked: str) -> str:
    """The page's block with a word in it."""
    [block] = [block for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) if marked in block]
    return image.here(block)


@pytest.fixture(scope="module")
def lab(image: Image) -> Iterator[str]:
    """The lab as Compose starts it; the administrator's token."""
    service = COMPOSE["services"]["lab"]
    image.bare.run(page(image, "mkdir -p"), image.root)
    (image.root / "run").mkdir()
    (image.root / "run" / "secrets").symlink_to(image.root / "deploy" / "secrets")
    env = image.env | {name: image.here(value) for name, value in service["environment"].items()}
    root = ["--allow-root"] if os.geteuid() == 0 else []
    words = [image.here(word) for word in service["command"]]
    with image.bare.running(shlex.join([*words, *root]), image.root, HOME=str(image.root), **env):
        wait_until(lambda: healthy(image), 120, "the lab's health")
        yield (image.root / "deploy" / "secrets" / "admin-token").read_text().strip()


def healthy(image: Image) -> bool:
    try:
        image.bare.run(image.health, image.root)
    except AssertionError:
        return False
    return True


def test_the_lab_and_a_driver_that_is_registered_as_the_page_says(image: Image, lab: str) -> None:
    image.bare.run(page(image, "driver-token"), image.root)
    sh, _, script = COMPOSE["services"]["driver"]["command"]
    line = image.here(script.replace("$$", "$"))
    with image.client(lab) as client:
        folder = image.root / "driver"
        folder.mkdir()
        with image.bare.running(shlex.join([sh, "-c", line]), folder, HOME=str(folder)):
            wait_until(lambda: qpu(client)["status"] == "online", 120, "the driver")
            body: dict[str, Any] = {"format": "openqasm3", "sources": [BELL_QASM3.decode()]}
            job = client.post("qpi/v1/jobs", json={"program": body, "qpu": "simulator"}).json()
            done = client.get(f"qpi/v1/jobs/{job['id']}", params={"wait_s": 60}).json()
            assert done["status"] == "completed", done
    assert not (image.root / "deploy" / "secrets" / "driver.json").exists()


def qpu(client: httpx.Client) -> dict[str, Any]:
    return dict(client.get("qpi/v1/qpus/simulator").json())


def test_what_the_page_says_to_look_after_it(image: Image, lab: str) -> None:
    commands = [line.split(" exec lab ")[1] for line in page(image, " exec lab ").splitlines() if " exec lab " in line]
    assert len(commands) == 2
    env = image.env | {"HOME": str(image.root)}
    told = [image.bare.run(command, image.root, **env) for command in commands]
    assert "0 problems" in told[0]
    assert (image.root / "data" / "backup.tar").stat().st_size > 0


def test_every_secret_and_volume_of_the_compose_file_is_declared() -> None:
    services = COMPOSE["services"].values()
    assert {name for service in services for name in service.get("secrets", [])} == {*COMPOSE["secrets"]}
    assert {place.split(":")[0] for service in services for place in service["volumes"]} == {*COMPOSE["volumes"]}
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("./secrets/")
