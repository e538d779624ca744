"""The guide to plans, as it stands: its code in a kernel, on a lab with drivers of 5, 5 and 7 qubits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.notebooks import execute
from tests.support.servers import TOKEN
from tests.support.trips import going
from tests.support.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "several-qpus.md"
WIDTHS = {"q1": 5, "q2": 5, "q3": 7}


@pytest.mark.slow
def test_the_pages_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with going(tmp_path) as trip:
        for name, value in {
            "QPI_LAB_URL": trip.server.url,
            "QPI_LAB_TOKEN": TOKEN,
            "IPYTHONDIR": str(tmp_path),
        }.items():
            monkeypatch.setenv(name, value)
        for qpu, width in WIDTHS.items():
            trip.register(qpu)
            trip.drive(qpu, f"num_qubits={width}", executor="qiskit_aer")

        def online() -> bool:
            there = trip.customer.call("GET", "v1/qpus").json()["qpus"]
            return [qpu["status"] for qpu in there] == ["online"] * len(WIDTHS)

        wait_until(online)
        blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        first, run, counts, refused = (cell.outputs for cell in execute(*blocks).cells)
        shown = first[0].data
        assert "1 cut into 2 fragments on q1, q2, for 9 times the shots" in shown["text/plain"]
        assert "12 x 2,000" in shown["text/plain"]
        assert "✂" in shown["text/html"]
        values, errors = (list(map(float, row.split())) for row in re.findall(r"\[(.*?)\]", run[-1].text))
        assert all(abs(value - 1.0) <= 5 * error for value, error in zip(values, errors, strict=True))
        assert [line.split()[0] for line in counts[0].text.splitlines()] == ["q1", "q2"]
        assert "As a whole: it needs 8 qubits; the largest QPU, q3, has 7." in refused[0].text
        assert "overhead {'qubits': 8} {'qpu': 'q3', 'qubits': 7} {'min': " in refused[0].text
