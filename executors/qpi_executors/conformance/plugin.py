"""The plugin of pytest: its options, and which of the tests shipped here fit an executor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from qpi_executors.base import CircuitExecutor, Executor
from qpi_executors.conformance.guarded import forked, is_child
from qpi_executors.registry import find, load
from qpi_jupyter.core import QpiError

HERE = Path(__file__).parent
SUITE = ("test_contract.py", "test_circuits.py")
"""For every executor, and for those of Qiskit's circuits."""
pytest.register_assert_rewrite(*(f"{__package__}.{name.removesuffix('.py')}" for name in SUITE))


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--qpi-executor`` and ``--qpi-executor-option``."""
    group = parser.getgroup("qpi-jupyter", "executors of qpi-jupyter")
    group.addoption(
        "--qpi-executor", metavar="NAME",
        help="check an executor: module:Class, or the name of an installed one. Without paths only its tests run.",
    )  # fmt: skip
    group.addoption(
        "--qpi-executor-option", metavar="KEY=VALUE", action="append", default=[],
        help="an option of that executor; may be repeated",
    )  # fmt: skip


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Check it in a child process, which it may end; xdist's workers are children already."""
    if config.getoption("--qpi-executor") is None or hasattr(config, "workerinput") or is_child(config):
        return None
    return forked(config)


def pytest_configure(config: pytest.Config) -> None:
    """Run the tests shipped here, where no others are named."""
    name = config.getoption("--qpi-executor")
    if name is None:
        return
    sys.path.insert(0, str(config.invocation_params.dir))  # as in a driver: one under development lies here
    try:
        kind = find(name)
    except QpiError as error:
        raise pytest.UsageError(error.message) from error
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        suite = SUITE if issubclass(kind, CircuitExecutor) else SUITE[:1]
        config.args = [str(HERE / name) for name in suite]


@pytest.fixture(scope="module")
def qpi_executor_name(pytestconfig: pytest.Config) -> str:
    """The executor that is checked."""
    name = pytestconfig.getoption("--qpi-executor")
    if name is None:
        raise pytest.UsageError("Say which executor is checked: --qpi-executor=module:Class.")
    return str(name)


@pytest.fixture(scope="module")
def qpi_executor_options(pytestconfig: pytest.Config) -> dict[str, str]:
    """Its options, as on a command line."""
    given = pytestconfig.getoption("--qpi-executor-option")
    if wrong := [word for word in given if "=" not in word]:
        raise pytest.UsageError(f"Write an option as KEY=VALUE, not {wrong[0]!r}.")
    return dict(word.split("=", 1) for word in given)


@pytest.fixture(scope="module")
def qpi_executor_maker(qpi_executor_name: str, qpi_executor_options: dict[str, str]) -> Callable[..., Executor]:
    """Makes one, with further options."""
    return partial(load, qpi_executor_name, **qpi_executor_options)


@pytest.fixture(scope="module")
def qpi_executor(qpi_executor_maker: Callable[..., Executor]) -> Iterator[Executor]:
    """The executor, open."""
    executor = qpi_executor_maker()
    executor.open()
    yield executor
    executor.close()
