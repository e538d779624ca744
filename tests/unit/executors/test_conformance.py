"""The tests that are shipped for authors of executors: what they say of good ones, and of each way to be a bad one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.packages import TOY_LAB, installed
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.slow
HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "custom-executor.md"
BAD = '''
import os
import sys
import threading
import subprocess

from mylab_coins import CoinExecutor
from qpi_executors.mock import MockExecutor
from qpi_jupyter.data.build import bits_dataset


class Raises(CoinExecutor):
    def run(self, program, *, progress, cancelled):
        raise ZeroDivisionError("no coin is left")


class Exits(CoinExecutor):
    def run(self, program, *, progress, cancelled):
        os._exit(3)


class NoList(CoinExecutor):
    def run(self, program, *, progress, cancelled):
        return None


class Short(CoinExecutor):
    """One bit a shot, where a circuit has two."""

    def run(self, program, *, progress, cancelled):
        return [
            bits_dataset(run.info(program.options), [[0]] * run.shots) for run in self.runs(program)
        ]


class FewDatasets(CoinExecutor):
    def run(self, program, *, progress, cancelled):
        return super().run(program, progress=progress, cancelled=cancelled)[:1]


class Deaf(MockExecutor):
    """Does not ask whether it is cancelled."""

    def run(self, program, *, progress, cancelled):
        return super().run(program, progress=progress, cancelled=lambda: False)


class Boasts(CoinExecutor):
    """A level that it lacks."""

    def capabilities(self):
        return replace(super().capabilities(), meas_levels=(1, 2))


class Leaks(CoinExecutor):
    def open(self):
        self.kept = os.open("/dev/null", os.O_RDONLY)
        threading.Thread(target=threading.Event().wait, daemon=True).start()
'''
FINDS = {
    "Raises": ("an_example_is_checked_and_runs", "Raises failed: ZeroDivisionError: no coin is left"),
    "NoList": ("an_example_is_checked_and_runs", "NoList.run must return a list of Datasets"),
    "Short": ("registers_are_the_users_own", ""),
    "FewDatasets": ("an_example_is_checked_and_runs", "assert [20] == [20, 20]"),
    "Deaf": ("a_run_hears_a_cancel_and_the_next_one_is_well", "DID NOT RAISE"),
    "Boasts": ("each_level_that_it_has_gives_its_own_data", ""),
    "Leaks": ("it_leaves_its_process_alive_and_nothing_behind", "open, run and close leaves more behind: {'threads'"),
}
"""The test that each fails, and what that says."""
ALL_OF_THEM = """
import pytest
from qpi_executors.conformance.test_circuits import *
from qpi_executors.conformance.test_contract import *


@pytest.fixture(scope="module", params={names})
def qpi_executor_name(request):
    return "bad:" + request.param
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of somebody who writes executors: the how-to's, and bad ones."""
    found = tmp_path_factory.mktemp("author")
    blocks = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    (found / "mylab_coins.py").write_text("\n".join(blocks))
    (found / "bad.py").write_text(f"from dataclasses import replace\n{BAD}")
    return found


def checked(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``pytest`` as its author types it there."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-rf", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_each_way_to_be_bad_is_found_by_name(folder: Path) -> None:
    (folder / "test_bad.py").write_text(ALL_OF_THEM.format(names=sorted(FINDS)))
    found = checked(folder, "test_bad.py", "-k", "not nothing_behind or Leaks")
    failed = found.stdout.partition("short test summary")[2].splitlines()
    for name, (test, says) in FINDS.items():
        lines = [line for line in failed if f"::test_{test}" in line and name in line]
        assert lines, (name, found.stdout)
        assert says in found.stdout, (name, found.stdout)
    (folder / "test_bad.py").unlink()


def test_one_that_ends_its_process_does_not_end_pytest(folder: Path) -> None:
    found = checked(folder, "--qpi-executor=bad:Exits")
    assert found.returncode == 2
    assert "It ended its process with status 3" in found.stdout
    assert "the executor ends its process: the other tests would end with it" in found.stdout


@pytest.mark.parametrize(
    ("module", "place"),
    [
        ("import os\nos._exit(0)", "exited with status 0 before the first test"),
        (
            "import os\nfrom mylab_coins import BiasedExecutor\n\n\nclass Quits(BiasedExecutor):\n"
            "    def estimate(self, program):\n        os._exit(0)\n",
            "test_an_example_is_checked_and_runs",
        ),
        (
            "import os, signal\nfrom mylab_coins import BiasedExecutor\n\n\nclass Quits(BiasedExecutor):\n"
            "    def validate(self, program):\n        os.kill(os.getpid(), signal.SIGKILL)\n",
            "was ended by SIGKILL in",
        ),
    ],
    ids=["at its import", "in a check", "by a signal"],
)  # fmt: skip
def test_a_run_that_ends_early_has_not_passed(folder: Path, module: str, place: str) -> None:
    (folder / "quits.py").write_text(module)
    found = checked(folder, "--qpi-executor=quits:Quits")
    assert found.returncode == 2
    assert place in found.stderr
    assert "the run is incomplete" in found.stderr


CALLER = """
import atexit, signal, sys
import pytest

atexit.register(print, "caller ends")
print("before")
status = pytest.main(["-p", "no:cacheprovider", *sys.argv[1:]])
print("after", int(status), signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
"""A script, or a cell of a notebook, that runs pytest itself."""


def test_a_caller_goes_on_once_whatever_runs_at_exit(folder: Path) -> None:
    (folder / "late.py").write_text(
        "import atexit, os\nfrom mylab_coins import BiasedExecutor\n"
        'atexit.register(os._exit, 0)\natexit.register(lambda: os.write(1, b"executor ends\\n"))\n'
    )
    (folder / "caller.py").write_text(CALLER)
    command = [sys.executable, "caller.py", "-q", "--qpi-executor=late:BiasedExecutor", "-k", "no_such_test"]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    lines = [line for line in found.stdout.splitlines() if line.startswith(("before", "after", "caller", "executor"))]
    assert lines == ["before", "executor ends", "after 5 True", "caller ends"], found
    assert not found.returncode


@pytest.mark.parametrize("to_group", [False, True], ids=["of the process alone", "of its terminal"])
def test_an_interrupt_is_heard_once(folder: Path, to_group: bool) -> None:
    os.mkfifo(fifo := folder / f"fifo{to_group}")
    (folder / "waits.py").write_text(
        f"import threading\nfrom mylab_coins import BiasedExecutor\nopen({str(fifo)!r}, 'w').close()\n"
        f"threading.Event().wait({PATIENCE_S})\n"
    )
    (folder / "caller.py").write_text(CALLER)
    command = [sys.executable, "caller.py", "--qpi-executor=waits:BiasedExecutor"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        fifo.read_bytes()
        (os.killpg if to_group else os.kill)(process.pid, signal.SIGINT)
        said = process.communicate(timeout=PATIENCE_S)[0]
    assert said == "before\nafter 2 True\ncaller ends\n"
    assert not process.returncode


def test_an_executor_that_is_not_there_is_said_in_a_line(folder: Path) -> None:
    found = checked(folder, "--qpi-executor=mylab_coins:NoCoins")
    assert found.returncode == 4
    assert "ERROR: The executor 'mylab_coins:NoCoins' (mylab_coins:NoCoins) cannot be loaded: AttributeError" in (
        found.stderr
    )
    assert "KEY=VALUE, not 'bias'" in checked(
        folder, "--qpi-executor=mylab_coins:BiasedExecutor", "--qpi-executor-option", "bias", "-x"
    ).stdout  # fmt: skip


def test_named_tests_run_alone_and_without_the_option_nothing_is_added(folder: Path) -> None:
    (folder / "test_mine.py").write_text("def test_mine(): pass\n")
    assert "1 passed" in checked(folder).stdout
    assert "1 passed" in checked(folder, "--qpi-executor=bad:Raises", "test_mine.py").stdout
    contract = ("--pyargs", "qpi_executors.conformance.test_contract")
    options = ("--qpi-executor=mylab_coins:BiasedExecutor", "--qpi-executor-option", "bias=0.25")
    found = checked(folder, *options, *contract)
    assert found.returncode == 0, found.stdout
    assert "passed" in found.stdout


def test_an_installed_one_passes_as_its_author_would_check_it(tmp_path: Path) -> None:
    """That all built-in ones do is in tests/contract; this one takes no circuits."""
    with installed(TOY_LAB):
        found = checked(tmp_path, "--qpi-executor=toy_coins", "-v")
    assert found.returncode == 0, found.stdout
    assert "test_a_bell_pair_in_every_format" not in found.stdout
