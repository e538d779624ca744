"""Whether a Jupyter server shows the lab's folder among its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from qpi_server.host.exposure import exposed


@pytest.mark.parametrize(
    ("lab", "root", "allow_hidden", "expected"),
    [
        ("home/lab", "home", False, True), ("home", "home", False, True), ("home/.local/qpi", "home", False, False),
        ("home/.local/qpi", "home", True, True), ("home/.local/lab", "home/.local", False, True),
        ("var/lab", "home", False, False), ("home2/lab", "home", True, False),
        ("home/../home/lab", "home", False, True),
    ],
)  # fmt: skip
def test_it_is_told(tmp_path: Path, lab: str, root: str, allow_hidden: bool, expected: bool) -> None:
    assert exposed(tmp_path / lab, tmp_path / root, allow_hidden=allow_hidden) is expected
