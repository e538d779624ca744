"""The how-to's own kind of result, run as it is printed."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import qpi_jupyter
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.conventions import CircuitInfo
from qpi_jupyter.data.header import result_header
from tests.support.packages import a_package, installed

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "result-kind.md"


@pytest.fixture
def spectra(tmp_path: Path) -> Iterator[types.ModuleType]:
    """The how-to's package, installed."""
    text = HOW_TO.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    ((group, name, value),) = re.findall(r'points\."(.*?)"\]\n(\S+) = "(.*?)"', text)
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab" / "__init__.py").touch()
    (tmp_path / "mylab" / "spectra.py").write_text(code)
    a_package(tmp_path, "mylab", {group: {name: value}})
    with installed(tmp_path):
        import mylab.spectra

        yield mylab.spectra
    for module in ("mylab", "mylab.spectra"):
        del sys.modules[module]


def test_it_travels_answers_and_is_drawn(spectra: types.ModuleType) -> None:
    info = CircuitInfo(name="sweep", shots=10, memory_slots=0, n_qubits=1)
    dataset = spectra.spectrum(info, np.array([5e9, 5.1e9, 5.2e9]), np.array([1e-9, 4e-9, 2e-9]))
    back = decode(encode([dataset]))
    assert (back.qpi.kind, back.qpi.peak()) == ("mylab-spectra", 5.1e9)
    (drawing,) = result_header([back])["circuits"][0]["drawings"]
    assert (drawing["draw"], drawing["x"]) == ("lines", [5.0, 5.1, 5.2])
    other = spectra.spectrum(info, np.array([5e9, 5.1e9, 5.2e9]), np.array([1e-9, 3e-9, 2e-9]))
    both = qpi_jupyter.compare(back, other, names=["a", "b"])
    np.testing.assert_allclose(both.difference.values, [[0, -1e-9, 0]])
    assert decode(encode([spectra.SPECTRA.example()])).qpi.peak() == 5.1e9
    with pytest.raises(Rejected, match="a power is negative"):
        decode(encode([spectra.spectrum(info, np.array([5e9]), np.array([-1.0]))]))
