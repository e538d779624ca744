from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = {
    canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#") and ((pin := Requirement(line)).marker is None or pin.marker.evaluate())
}
SET_UP = ("", "lab", "aer", "dev", "test")
"""The base, and the extras that `make` installs."""


def test_the_core_imports_the_standard_library_only() -> None:
    foreign = set()
    for path in (ROOT / "qpi_jupyter" / "core").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                foreign |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                foreign.add(node.module.split(".")[0])
    assert foreign - sys.stdlib_module_names - {"qpi_jupyter"} == set()


@pytest.mark.parametrize("heavy", ["numpy", "qiskit", "xarray", "matplotlib", "ipywidgets"])
def test_importing_the_package_pulls_in_nothing_heavy(heavy: str) -> None:
    code = f"import sys, qpi_jupyter; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


def test_the_extras_are_the_documented_ones() -> None:
    documented = "lab aer gpu quantify qblox runtime postgres nats p2p nng hub cutting dev test"
    assert set(EXTRAS) == set(documented.split())


def test_gpu_and_aer_are_alternatives() -> None:
    names = {extra: {Requirement(r).name for r in EXTRAS[extra]} for extra in ("aer", "gpu")}
    assert names == {"aer": {"qiskit-aer"}, "gpu": {"qiskit-aer-gpu"}}


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_every_pin_is_inside_the_accepted_range(extra: str) -> None:
    requirements = [Requirement(text) for text in (EXTRAS[extra] if extra else PROJECT["dependencies"])]
    pinned = {one: PINS.get(canonicalize_name(one.name)) for one in requirements}
    assert [str(one) for one, pin in pinned.items() if pin is not None and not one.specifier.contains(pin)] == []
    if extra in SET_UP:
        assert [str(one) for one, pin in pinned.items() if pin is None] == []


def test_the_schedulers_pins_are_those_that_live_together() -> None:
    # Pydantic and netCDF4 for qblox-scheduler; newer assemblers of qblox-instruments need glibc 2.38.
    limits = {"pydantic": "<=2.13.5", "qblox-instruments": "<1.2"}
    if sys.version_info < (3, 13):
        limits["netcdf4"] = "<1.7.2"
    assert [name for name, limit in limits.items() if not SpecifierSet(limit).contains(PINS[name])] == []


def test_the_alias_script_is_not_declared() -> None:
    # Declared, it would overwrite the script of the package that is called qpi-driver.
    assert set(PROJECT["scripts"]) == {"qpi-agent", "jupyter-qpi"}


@pytest.mark.slow
def test_a_wheel_holds_our_packages_and_nothing_else(tmp_path: Path) -> None:
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    source = tmp_path / "source"
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(source)]
    subprocess.run(command, check=True, timeout=280)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if not name.startswith("qpi_jupyter-")}
    assert top == {"qpi_jupyter", "qpi_server", "qpi_executors", "qpi_agent"}
    data = [name.split(".data/data/")[1] for name in names if ".data/data/" in name]
    assert "etc/jupyter/jupyter_server_config.d/qpi_server.json" in data
    assert "share/jupyter/labextensions/qpi-jupyter/package.json" in data
    assert {"qpi_jupyter/ui/static/widgets/job.js", "qpi_jupyter/ui/static/widgets/job.css"} <= set(names)
