from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
PRODUCTION = Path("labextension", "dist", "static", "third-party-licenses.json")
WIDGETS = Path("qpi_jupyter", "ui", "static", "widgets")


@pytest.fixture(scope="module")
def hatch_build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "labextension" / "src").mkdir(parents=True)
    write(tmp_path / "labextension" / "src" / "index.ts", at=100)
    write(tmp_path / "labextension" / "package.json", at=100)
    (tmp_path / WIDGETS).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def node_wanted(hatch_build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], bool]:
    """Whether building this checkout asks for a Node, on a machine that has none."""
    monkeypatch.setattr(hatch_build, "node_version", lambda: None)
    monkeypatch.delenv("QPI_SKIP_LABEXTENSION", raising=False)
    return lambda root: bool(hatch_build.PanelBuildHook(str(root), {}, None, None, "", "wheel").dependencies())


def write(path: Path, *, at: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    os.utime(path, (at, at))


def test_a_missing_panel_is_built(checkout: Path, node_wanted: Callable[[Path], bool]) -> None:
    assert node_wanted(checkout)


def test_a_current_panel_is_kept(checkout: Path, node_wanted: Callable[[Path], bool]) -> None:
    write(checkout / PRODUCTION, at=200)
    assert not node_wanted(checkout)


def test_missing_widgets_are_built(checkout: Path, node_wanted: Callable[[Path], bool]) -> None:
    write(checkout / PRODUCTION, at=200)
    (checkout / WIDGETS).rmdir()
    assert node_wanted(checkout)


def test_a_development_build_is_replaced(checkout: Path, node_wanted: Callable[[Path], bool]) -> None:
    write(checkout / "labextension" / "dist" / "package.json", at=200)
    assert node_wanted(checkout)


@pytest.mark.parametrize("changed", ["package.json", "src/index.ts", "style/base.css", "schema/settings.json"])
def test_a_panel_older_than_a_source_is_built(
    checkout: Path, node_wanted: Callable[[Path], bool], changed: str
) -> None:
    write(checkout / PRODUCTION, at=200)
    write(checkout / "labextension" / changed, at=300)
    assert node_wanted(checkout)


def test_a_source_distribution_needs_no_node(checkout: Path, node_wanted: Callable[[Path], bool]) -> None:
    # Unpacking gives every file some time or other: the panel that came along counts as current.
    write(checkout / PRODUCTION, at=50)
    write(checkout / "PKG-INFO", at=50)
    assert not node_wanted(checkout)


def test_the_panel_can_be_left_out(
    checkout: Path, node_wanted: Callable[[Path], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QPI_SKIP_LABEXTENSION", "1")
    assert not node_wanted(checkout)


@pytest.mark.parametrize(("version", "wanted"), [((20, 18), True), ((20, 19), False), ((22, 0), False)])
def test_a_node_that_is_too_old_does_not_count(
    checkout: Path,
    node_wanted: Callable[[Path], bool],
    hatch_build: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int],
    wanted: bool,
) -> None:
    monkeypatch.setattr(hatch_build, "node_version", lambda: version)
    assert node_wanted(checkout) is wanted
