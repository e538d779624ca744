"""What comes in with an import: a kernel starts quickly, and a text needs no Qiskit."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("numpy", "xarray", "qiskit", "matplotlib", "scipy", "h5netcdf", "pandas", "httpx", "anywidget", "ipywidgets")


def loaded_after(code: str) -> set[str]:
    """Which of the heavy packages a fresh interpreter has after ``code``."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted({HEAVY!r} & sys.modules.keys())))".replace(
        f"{HEAVY!r} &", f"set({HEAVY!r}) &"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_brings_in_nothing_heavy() -> None:
    assert loaded_after("import qpi_jupyter") == set()


def test_loading_the_extension_brings_in_neither_client_nor_widgets() -> None:
    shell = "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell()\n"
    before = loaded_after(shell)
    assert loaded_after(f"{shell}shell.run_line_magic('load_ext', 'qpi_jupyter')") == before


def test_the_client_needs_no_numerics() -> None:
    assert loaded_after("from qpi_jupyter import connect, Lab, JobHandle") == {"httpx"}


def test_a_text_is_prepared_without_qiskit() -> None:
    code = "from qpi_jupyter.client import programs\nprograms.program_of('OPENQASM 3.0;')"
    assert "qiskit" not in loaded_after(code)


def test_public_names_exist() -> None:
    import qpi_jupyter

    for name in qpi_jupyter.__all__:
        assert getattr(qpi_jupyter, name) is not None
        assert name in dir(qpi_jupyter)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = qpi_jupyter.nothing
