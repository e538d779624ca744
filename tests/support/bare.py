"""Environments with nothing of the checkout's in them: what a stranger's machine has after a set-up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .servers import ROOT


def tracked(target: Path, *, without: tuple[str, ...] = ()) -> Path:
    """A copy of the checkout as somebody gets it who clones it now."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, names):
        if (ROOT / name).is_file() and not name.startswith(without or ("\0",)):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


class Bare:
    """A Python environment of its own, and a shell in which it is the one."""

    def __init__(self, folder: Path, *requirements: str) -> None:
        self.prefix = folder / "venv"
        venv.create(self.prefix, with_pip=True)
        if requirements:
            self.run(f"{self.prefix}/bin/pip install -q {' '.join(requirements)}", folder)

    def env(self, **extra: str) -> dict[str, str]:
        """The caller's environment, without this checkout and any Jupyter or lab around it."""
        dropped = ("QPI_", "JUPYTER", "JPY_", "PYTEST", "PYTHON", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        ours = str(Path(sys.executable).parent)
        others = [place for place in os.environ["PATH"].split(os.pathsep) if place != ours]
        return {**kept, "PATH": os.pathsep.join([str(self.prefix / "bin"), *others]), **extra}

    def run(self, command: str, folder: Path, **env: str) -> str:
        """What a command prints; a failure shows it."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=self.env(**env), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}"
        return done.stdout

    @contextmanager
    def running(self, command: str, folder: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command until the end of the block, which SIGTERM has to bring about properly."""
        with (folder / "running.log").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], cwd=folder, env=self.env(**env), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield process
            assert process.poll() is None, (folder / "running.log").read_text()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (folder / "running.log").read_text()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
