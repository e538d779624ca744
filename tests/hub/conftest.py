"""One Hub a module, with the lab, three people and a QPU whose jobs end when the test says so; and a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.hub.bench import Bench, bench_of
from tests.support.hub import ADMIN, ANA, DANA, JUERGEN, HubHost, hub_host
from tests.ui.jupyterlab import CHROMIUM_FLAGS, chromium

expect.set_options(timeout=30_000)


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Playwright owns the event loop here: keep pytest-jupyter's autouse fixture out."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """As `jp_asyncio_loop`."""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": chromium(), "args": CHROMIUM_FLAGS}


@pytest.fixture(scope="module", params=["6", "5.5"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubHost]:
    with hub_host(tmp_path_factory.mktemp("hub"), request.param) as host:
        host.operator.post(f"users/{ADMIN}")
        host.add(ANA, JUERGEN, DANA)
        yield host


@pytest.fixture(scope="module")
def bench(host: HubHost) -> Iterator[Bench]:
    with bench_of(host) as bench:
        yield bench
