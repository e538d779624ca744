"""Analyses: the exact state against Qiskit's own, what counts can say, and what neither can."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from math import pi, sqrt

import matplotlib as mpl
import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import AnnotatedOperation, ControlModifier, Parameter
from qiskit.circuit.library import QFTGate, SGate
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Pauli, Statevector, entropy, partial_trace, random_clifford

from qpi_executors.quantum_result import quantum_result
from qpi_jupyter.client import analyse
from qpi_jupyter.client.analysing import of_values
from qpi_jupyter.core import Rejected, TooLarge, pack
from qpi_jupyter.data.analysis import to_dict
from qpi_jupyter.data.build import expectation_dataset
from qpi_jupyter.data.conventions import CircuitInfo
from qpi_jupyter.data.states import MAX_QUBITS, exact


def ghz(num_qubits: int = 3) -> QuantumCircuit:
    circuit = QuantumCircuit(num_qubits, num_qubits, name="ghz")
    circuit.h(0)
    for k in range(num_qubits - 1):
        circuit.cx(k, k + 1)
    circuit.measure(range(num_qubits), range(num_qubits))
    return circuit


def teleported(angle: float = 0.7) -> QuantumCircuit:
    """The state of qubit 0 comes out on qubit 2."""
    circuit = QuantumCircuit(3, 3)
    circuit.ry(angle, 0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((1, 1)):
        circuit.x(2)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.z(2)
    with otherwise:
        circuit.id(2)
    circuit.measure(2, 2)
    return circuit


def test_measured_observables_have_their_errors_beside_the_exact_values():
    found = {"ZZI": (0.9, 0.02), "XXX": (0.8, float("nan"))}
    dataset = expectation_dataset(CircuitInfo(name="ghz", shots=500, memory_slots=0, n_qubits=3), found)
    alone = dataset.qpi.analysis()
    assert dict(zip(alone.observable.values, alone.observed_expectations.values, strict=True)) == {
        "ZZI": 0.9,
        "XXX": 0.8,
    }
    assert alone.attrs["shots"] == 500
    assert to_dict(alone)["observed_expectations"] == {"ZZI": 0.9, "XXX": 0.8}
    beside = dataset.qpi.analysis(ghz())
    rows = beside.sel(observable=["ZZI", "XXX"])
    np.testing.assert_allclose(rows.observable_expectations, [1.0, 1.0], atol=1e-9)
    np.testing.assert_array_equal(rows.observed_error, [0.02, np.nan])
    assert np.isnan(beside.observed_expectations.sel(observable="Z_q0"))
    for analysis, legend in ((alone, ["measured"]), (beside, ["exact", "measured"])):
        axes = analysis.qpi.plot()
        assert sorted(one.get_text() for one in axes.get_legend().get_texts()) == legend
        assert [one.get_text() for one in axes.get_xticklabels()] == ["ZZI", "XXX"]


def test_a_job_of_observables_is_analysed_without_its_exact_state_where_there_is_none():
    dataset = expectation_dataset(
        CircuitInfo(name="wide", shots=500, memory_slots=0, n_qubits=15), {"Z" * 15: (0.9, 0.02)}
    )
    wide = QuantumCircuit(MAX_QUBITS + 1)
    assert list(of_values(dataset, None, [wide], ()).observable.values) == ["Z" * 15]
    with pytest.raises(TooLarge):
        of_values(dataset, wide, [], ())
    with pytest.raises(Rejected, match="'banana' is not an observable"):
        of_values(
            expectation_dataset(CircuitInfo(name="ghz", shots=9, memory_slots=0, n_qubits=3), {"ZZI": (1, 0)}),
            None,
            [ghz()],
            ["banana"],
        )


def test_a_picture_of_values_takes_no_more_memory_than_they_do():
    ds = analyse(ghz(), observables=["ZZZ"]).assign(state_of_many=("many", np.ones(2**22)))
    ds = ds.assign(observed_expectations=ds["observable_expectations"], observed_error=ds["observable_expectations"])
    tracemalloc.start()
    try:
        ds.qpi.plot()
        assert tracemalloc.get_traced_memory()[1] < ds["state_of_many"].nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("seed", range(8))
def test_everything_exact_is_qiskits(seed):
    """A random circuit of gates on up to three qubits."""
    circuit = random_circuit(4, 6, max_operands=3, seed=seed)
    state = Statevector(circuit)
    measured = circuit.copy()
    measured.measure_all()
    ds = analyse(measured, observables=["XYZI", "ZZZZ"])
    assert Statevector(ds["statevector"].values).equiv(state)
    assert ds["probabilities"].values == pytest.approx(state.probabilities(), abs=1e-9)
    assert ds["observable_expectations"].sel(observable="XYZI") == pytest.approx(
        state.expectation_value(Pauli("XYZI")).real, abs=1e-9
    )
    assert ds["observable_expectations"].sel(observable="XX_q1_q2") == pytest.approx(
        state.expectation_value(Pauli("IXXI")).real, abs=1e-9
    )
    for qubit in range(4):
        others = [k for k in range(4) if k != qubit]
        alone = partial_trace(state, others)
        assert ds["reduced_density_matrices"].sel(qubit=qubit).values == pytest.approx(alone.data, abs=1e-9)
        for axis in "XYZ":
            expected = alone.expectation_value(Pauli(axis)).real
            assert float(ds["bloch_vectors"].sel(qubit=qubit, axis=axis)) == pytest.approx(expected, abs=1e-9)
        assert float(ds["entanglement_entropy"].sel(qubit=qubit)) == pytest.approx(entropy(alone, base=2), abs=1e-7)
    assert dict(zip(ds["outcome"].values, ds["measured_probabilities"].values, strict=True)) == pytest.approx(
        {key: value for key, value in state.probabilities_dict().items() if value > 1e-12}, abs=1e-9
    )


def test_a_wide_gate_is_taken_apart():
    circuit = QuantumCircuit(7)
    circuit.x(0)
    circuit.append(QFTGate(7), range(7))
    assert Statevector(exact(circuit).state).equiv(Statevector(circuit))


def test_gates_of_ones_own_and_prepared_states():
    own = QuantumCircuit(2, name="own")
    own.h(0)
    own.cx(0, 1)
    circuit = QuantumCircuit(3)
    circuit.initialize([0.6, 0.8], 2)
    circuit.append(own.to_gate().control(), [2, 0, 1])
    circuit.append(own.to_instruction(), [0, 1])
    circuit.unitary(Pauli("YX"), [0, 2])
    circuit.append(AnnotatedOperation(SGate(), ControlModifier(1)), [0, 1])
    circuit.append(random_clifford(3, seed=1), [0, 1, 2])
    assert Statevector(exact(circuit).state).equiv(Statevector(circuit))


def test_counts_are_compared_with_what_is_exact():
    counts = {"000": 480, "111": 500, "001": 20}
    ds = analyse(ghz(), counts, esp=0.93)
    expected = (sqrt(0.5 * 0.48) + sqrt(0.5 * 0.5)) ** 2
    assert float(ds["classical_fidelity"]) == pytest.approx(expected)
    assert float(ds["estimated_execution_fidelity"]) == 0.93
    observed = ds["observed_expectations"]
    assert float(observed.sel(observable="ZZ_q0_q1")) == pytest.approx(1 - 2 * 0.02)
    assert float(ds["observed_error"].sel(observable="ZZ_q0_q1")) == pytest.approx(sqrt((1 - 0.96**2) / 1000))
    assert np.isnan(observed.sel(observable="XX_q0_q1"))
    assert list(ds["top"].values) == ["000", "111"]


def test_counts_alone_say_only_what_they_can():
    ds = analyse(None, {"00": 30, "11": 70})
    assert set(ds.data_vars) == {"counts", "shares", "shares_error", "top_probabilities"}
    assert list(ds["top"].values) == ["11", "00"]
    assert float(ds["shares_error"].sel(outcome="11")) == pytest.approx(sqrt(0.7 * 0.3 / 100))
    for ask in (ds.qpi.bloch, ds.qpi.city):
        with pytest.raises(Rejected, match="give the circuit"):
            ask()


def test_measurements_midway_decide():
    """Feed-forward makes one state of it; without it there is none."""
    ds = analyse(teleported(0.7))
    assert ds["bloch_vectors"].sel(qubit=2).values == pytest.approx([np.sin(0.7), 0, np.cos(0.7)])
    assert ds.attrs["ways"] == 4
    assert ds["entanglement_entropy"].values == pytest.approx([0, 0, 0], abs=1e-9)
    assert "statevector" not in ds  # qubits 0 and 1 are left in what was measured
    assert sum(ds["measured_probabilities"].values) == pytest.approx(1)
    assert ds.attrs["measured_qubits"] == [2]


def test_a_reset_and_a_condition_on_a_register():
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.cregs[0], 1)):
        circuit.h(1)
    circuit.reset(0)
    ds = analyse(circuit)
    assert ds["statevector"].values == pytest.approx([2**-0.5, 0, 2**-0.5, 0])
    assert list(ds["outcome"].values) == ["01"]


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (lambda: analyse(), Rejected, "Give a circuit, counts or both"),
        (lambda: analyse(ghz(MAX_QUBITS + 1)), TooLarge, f"15 qubits is not computed: the limit is {MAX_QUBITS}"),
        (lambda: analyse(ghz(), observables=["ZZ"]), Rejected, "write 3 letters"),
        (lambda: analyse(ghz(), {"1111": 3}), Rejected, "another circuit: this one has 3 classical bits"),
        (lambda: analyse(None, {"1": 3}, observables=["Z"]), Rejected, "give the circuit, too"),
        (lambda: analyse(looping()), Rejected, "'while_loop' has no exact state"),
        (lambda: analyse(unbound()), Rejected, "values first"),
        (lambda: analyse(many_ways()), TooLarge, "in more than 64 ways"),
        (lambda: analyse(ghz(6)).qpi.city(), Rejected, "the limit is 5"),
    ],
)
def test_what_cannot_be_is_refused_with_the_figure(asked, error, message):
    with pytest.raises(error, match=message):
        asked()


def looping() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.while_loop((0, 1)):
        circuit.h(0)
        circuit.measure(0, 0)
    return circuit


def unbound() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("theta"), 0)
    return circuit


def many_ways() -> QuantumCircuit:
    circuit = QuantumCircuit(14, 14)
    for _ in range(2):
        for k in range(14):
            circuit.h(k)
            circuit.measure(k, k)
    return circuit


@pytest.fixture
def agg():
    before = mpl.get_backend()
    mpl.use("agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
    mpl.use(before)


def test_pictures(agg):
    ds = analyse(ghz(2), {"00": 40, "11": 60})
    assert ds.qpi.plot().get_legend() is not None
    assert ds.qpi.plot().get_ylabel() == "Probability"
    many = QuantumCircuit(6)
    many.h(range(6))
    assert len(analyse(many).qpi.plot().patches) <= 26, "what cannot be told apart is one bar"
    assert len(ds.qpi.bloch().axes) == 2
    assert len(ds.qpi.city().axes) >= 2
    assert ds.qpi.city(qubit=1).axes
    with pytest.raises(Rejected, match="choose a qubit"):
        analyse(teleported()).qpi.city()


def test_the_names_of_the_coordinators_result():
    found = to_dict(analyse(ghz(2), {"00": 40, "11": 60}, esp=0.9))
    assert json.loads(json.dumps(found)) == found
    assert found["counts"] == {"00": 40, "11": 60}
    assert found["shots"] == 100
    assert found["statevector"][0] == pytest.approx([2**-0.5, 0])
    assert found["reduced_density_matrices"]["q0"][0][0] == pytest.approx([0.5, 0])
    assert found["bloch_vectors"]["q1"] == pytest.approx([0, 0, 0])
    assert found["entanglement_entropy"] == pytest.approx({"q0|rest": 1, "q1|rest": 1})
    assert found["observable_expectations"] == pytest.approx({"Z_q0": 0, "Z_q1": 0, "ZZ_q0_q1": 1, "XX_q0_q1": 1})
    assert found["observed_expectations"] == pytest.approx({"Z_q0": -0.2, "Z_q1": -0.2, "ZZ_q0_q1": 1})
    assert found["fidelity"]["fidelity_to_target_state"] == pytest.approx((sqrt(0.2) + sqrt(0.3)) ** 2)
    assert found["fidelity"]["estimated_execution_fidelity"] == 0.9
    assert found["top_basis_states"] == [
        {"state": "00", "probability": pytest.approx(0.5)}, {"state": "11", "probability": pytest.approx(0.5)}
    ]  # fmt: skip
    assert to_dict(analyse(None, {"0": 1}))["statevector"] is None


def test_texts_with_services_are_read_and_what_is_left_out_is_said():
    text = f"OPENQASM 3; qubit[2] q; programmable_gate({pi / 3}, 0, 0) q[0]; teleport q[0], q[1]; measure q[1];"
    found = quantum_result("openqasm3", (text.encode(),), {"counts": {"0 00": 75, "1 01": 25}})
    assert found["bloch_vectors"]["q1"] == pytest.approx([sqrt(3) / 2, 0, 0.5], abs=1e-9)
    assert found["problem"] is None
    wide = b"OPENQASM 3; qubit[15] q; bit c; hadamard q; c = measure q[0];"
    found = quantum_result("openqasm3", (wide,), {"counts": {"0": 3, "1": 5}})
    assert "15 qubits is not computed" in found["problem"]
    assert (found["counts"], found["statevector"]) == ({"0": 3, "1": 5}, None)
    with pytest.raises(TooLarge):
        quantum_result("openqasm3", (wide,), {})


def test_a_process_answers_in_json():
    given = pack((b"openqasm3", pack((b"OPENQASM 3; qubit q; teleport q;",)), b"{}"))
    done = subprocess.run(
        [sys.executable, "-m", "qpi_executors.quantum_result"], input=given, capture_output=True, check=True
    )
    assert "line 1, column 22: 'teleport' takes 2 qubits, not 1." in json.loads(done.stdout)["problem"]
