"""What an evaluation is asked for, what its circuits give, and what is written of its trials."""

from __future__ import annotations

import csv
import json
import math
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qpi_jupyter.core import Rejected
from qpi_jupyter.evaluation import scenarios, tables
from qpi_jupyter.evaluation.__main__ import main
from qpi_jupyter.evaluation.circuits import circuit_of, exact_values, observables_of
from qpi_jupyter.evaluation.relay import Relay
from qpi_jupyter.evaluation.scenarios import Circuit
from qpi_jupyter.evaluation.trials import Trial

SMALL = """
nodes: [{name: a, num_qubits: 2}]
circuits: [{name: ghz, num_qubits: 2}]
scenarios: [{name: s}]
"""


def test_the_example_is_read_and_its_scenarios_can_be_chosen() -> None:
    matrix = scenarios.read(scenarios.EXAMPLE)
    assert [len(list(matrix.trials(scenario))) for scenario in matrix.scenarios] == [6] * 5
    chosen = scenarios.only(matrix, ["node lost"], scenarios.EXAMPLE)
    assert [scenario.name for scenario in chosen.scenarios] == ["node lost"]
    with pytest.raises(Rejected, match="There are: centralised, distributed"):
        scenarios.only(matrix, ["central"], scenarios.EXAMPLE)


@pytest.mark.parametrize(("text", "said"), [
    ("nodes: [", "s.yaml"),
    ("[" * 3_000, "s.yaml"),
    (SMALL + "seeds: [-1]", r"\$.seeds\[0\]"),
    (SMALL + "seeds: []", r"\$.seeds"),
    (SMALL + "shotz: [1]", "unknown field `shotz`"),
    (SMALL.replace("num_qubits: 2}]\ncirc", "num_qubits: 99}]\ncirc"), r"\$.nodes\[0\].num_qubits"),
    (SMALL.replace("name: s}", "name: s, nodes: [b]}"), "names the node 'b'"),
    (SMALL.replace("name: s}", "name: s, lost: {node: b}}"), "names the node 'b'"),
    (SMALL.replace("name: s}", "name: s, circuits: [qft]}"), "names the circuit 'qft'"),
    (
        SMALL.replace("2}]\ncirc", "2}, {name: b, num_qubits: 2}]\ncirc").replace(
            "name: s}", "name: s, nodes: [b], lost: {node: a}}"
        ),
        "of the node 'a', which is not among its own",
    ),
    (SMALL.replace("name: s}", "name: s}, {name: s}"), "two scenarios are called 's'"),
])  # fmt: skip
def test_a_matrix_that_is_wrong_is_refused_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(Rejected, match=said):
        scenarios.read(path)


def test_a_wrong_circuit_is_told_before_the_first_trial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SMALL.replace("name: ghz,", "name: ghz, observables: [ZZZ],"))
    assert main([str(path), "--out", str(tmp_path / "out")]) == 1
    assert "need as many letters" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_circuits_have_the_values_that_theory_says(tmp_path: Path) -> None:
    def values(**wanted: object) -> dict[str, float]:
        circuit = Circuit(name="c", **wanted)  # type: ignore[arg-type]
        made = circuit_of(circuit, tmp_path)
        labels = observables_of(circuit, made.num_qubits)
        return dict(zip(labels, exact_values(made, labels), strict=True))

    ghz = values(kind="ghz", num_qubits=3)
    assert ghz == pytest.approx({"IIZ": 0, "IZI": 0, "ZII": 0, "IZZ": 1, "ZZI": 1})
    assert values(kind="pairs", num_qubits=4)["IZZI"] == pytest.approx(0)
    assert set(np.round(list(values(kind="qft", num_qubits=3).values()), 12)) == {0}
    blocks = values(kind="blocks", num_qubits=4, seed=3)
    assert blocks == values(kind="blocks", num_qubits=4, seed=3) != values(kind="blocks", num_qubits=4, seed=4)
    (tmp_path / "x.qasm").write_text(
        'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; x q[0]; measure q -> c;'
    )
    assert values(kind="file", file="x.qasm") == pytest.approx({"IZ": -1, "ZI": 1, "ZZ": -1})
    with pytest.raises(Rejected, match="need as many letters"):
        values(kind="ghz", num_qubits=3, observables=["ZZ"])
    with pytest.raises(Rejected, match=r"nowhere\.qasm"):
        values(kind="file", file="nowhere.qasm")


def test_a_relay_delays_each_way_and_keeps_all_in_order() -> None:
    delay_s, sent = 0.05, bytes(range(256)) * 2_000
    with socket.create_server(("127.0.0.1", 0)) as echo:

        def answer() -> None:
            with echo.accept()[0] as connection:
                while data := connection.recv(1 << 16):
                    connection.sendall(data)

        thread = threading.Thread(target=answer)
        thread.start()
        with (
            Relay(echo.getsockname()[1], delay_s) as relay,
            socket.create_connection(("127.0.0.1", relay.port)) as here,
        ):
            begin = time.monotonic()
            writer = threading.Thread(target=lambda: (here.sendall(sent), here.shutdown(socket.SHUT_WR)))
            writer.start()
            got = b"".join(iter(lambda: here.recv(1 << 16), b""))
            took_s = time.monotonic() - begin
            writer.join()
        thread.join()
    assert got == sent
    assert took_s >= 2 * delay_s


TRIALS = [
    Trial(scenario="whole", circuit="ghz", num_qubits=4, shots=100, seed=1, outcome="completed", kind="whole",
          qpus=("large",), fragments=1, overhead=1.0, esp=0.9, plan_s=0.1, run_s=0.5, busy_s=0.1, attempts=1,
          rmse=0.1, max_error=0.2, standard_error=0.05),
    Trial(scenario="parts", circuit="ghz", num_qubits=4, shots=100, seed=1, outcome="completed", kind="cut",
          qpus=("a", "b"), fragments=2, overhead=9.0, esp=0.95, plan_s=0.3, run_s=1.5, busy_s=0.4, attempts=3, moved=1,
          rmse=0.05, max_error=0.1, standard_error=0.06),
    Trial(scenario="parts", circuit="ghz", num_qubits=4, shots=100, seed=2, outcome="failed", error="No QPU left.",
          plan_s=0.3),
]  # fmt: skip


def test_what_came_out_is_read_by_other_programs(tmp_path: Path) -> None:
    kept = tables.TrialFile(tmp_path / "trials.csv")
    for trial in TRIALS:
        kept.add(trial)
    kept.close()
    with (tmp_path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["scenario"], row["qpus"], row["outcome"], row["rmse"]) for row in rows] == [
        ("whole", "large", "completed", "0.1"), ("parts", "a b", "completed", "0.05"), ("parts", "", "failed", "nan"),
    ]  # fmt: skip
    written = tables.write(TRIALS, tmp_path, version="1")
    assert [path.name for path in written] == ["trials.nc", "summary.json", "figure.pdf", "figure.png"]
    assert all(path.stat().st_size > 500 for path in written[2:])
    with xr.open_dataset(tmp_path / "trials.nc") as found:
        assert dict(found.sizes) == {"scenario": 2, "circuit": 1, "shots": 1, "seed": 2}
        assert found.run_s.attrs["units"] == "s"
        one = found.sel(scenario="parts", circuit="ghz", shots=100, seed=1)
        assert (float(one.rmse), str(one.kind.item()), float(one.moved)) == (0.05, "cut", 1.0)
        missing = found.sel(scenario="whole", circuit="ghz", shots=100, seed=2)
        assert (math.isnan(missing.run_s), missing.outcome.item()) == (True, "")
    whole, parts = json.loads((tmp_path / "summary.json").read_text())
    assert (whole["completed"], parts["completed"], parts["trials"]) == (1, 1, 2)
    text = tables.as_text(TRIALS)
    assert text.splitlines()[0].split()[:4] == ["scenario", "circuit", "trials", "completed"]
    assert "parts" in text


def test_a_figure_has_a_bar_for_each_circuit_in_each_scenario() -> None:
    import matplotlib.pyplot as plt

    drawn = tables.figure(TRIALS)
    errors, times, success = drawn.axes
    assert [bar.get_height() for bar in errors.patches] == [0.1, 0.05]
    assert [bar.get_height() for bar in times.patches] == [0.5, 1.5]
    assert [bar.get_height() for bar in success.patches] == [1.0, 0.5]
    assert [label.get_text() for label in success.get_xticklabels()] == ["whole", "parts"]
    plt.close(drawn)
