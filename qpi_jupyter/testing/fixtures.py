"""Pytest's plugin: ``def test_mine(qpi_runtime_service): ...``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from qiskit_ibm_runtime import QiskitRuntimeService


@pytest.fixture(scope="session")
def qpi_runtime_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QiskitRuntimeService]:
    """A ``QiskitRuntimeService`` of IBM's own client on a lab of this session's: with its simulated QPUs ``sim-a`` and
    ``sim-b``, and with IBM's fake backends (``fake_manila@aer``). No account and no network are needed or used."""
    from qpi_jupyter.client import runtime_service

    from .local_lab import local_lab

    with local_lab(tmp_path_factory.mktemp("qpi")):
        yield runtime_service()
