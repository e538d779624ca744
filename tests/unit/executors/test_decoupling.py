"""Dynamical decoupling of IBM's primitives: idle qubits are flipped, in times that the backend's gates leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator
from qiskit_ibm_runtime.fake_provider import FakeManilaV2, FakeSherbrooke

from qpi_executors import load, run_program
from qpi_executors.analysis import active_qubits
from qpi_executors.primitives.decoupling import Decoupling, decoupled, decoupling_of
from qpi_executors.primitives.on_executor import Primitives
from qpi_executors.primitives.quantum_programs import work_of
from qpi_jupyter.core import ProgramError, Rejected
from qpi_jupyter.data.circuits import from_qpy
from tests.support.pubs import pubs_program as program

TARGET = FakeManilaV2().target
ON = {"enable": True}


def idle() -> QuantumCircuit:
    """Qubit 0 waits for four gates of the others, and qubit 2 for one."""
    circuit = QuantumCircuit(3)
    circuit.sx(0)
    circuit.sx(2)
    circuit.cx(0, 1)
    for _ in range(4):
        circuit.cx(1, 2)
        circuit.barrier(1, 2)
    circuit.cx(0, 1)
    circuit.rz(Parameter("phi"), 0)
    return circuit


def chosen(**options: Any) -> Decoupling:
    found = decoupling_of({f"dynamical_decoupling.{name}": value for name, value in {**ON, **options}.items()})
    assert found is not None
    return found


def line(circuit: QuantumCircuit, qubit: int) -> tuple[list[str], list[float]]:
    """The operations of a qubit but its rz and barriers, and its delays (s)."""
    own = [one.operation for one in circuit.data if circuit.qubits[qubit] in one.qubits]
    names = [one.name for one in own if one.name not in ("rz", "barrier")]
    return names, [one.duration for one in own if one.name == "delay" and one.unit == "s"]


@pytest.mark.parametrize(
    ("sequence", "shares"), [("XX", [1, 2, 1]), ("XpXm", [1, 2, 1]), ("XY4", [1, 2, 2, 2, 1])]
)  # fmt: skip
def test_an_idle_time_is_filled_with_flips_at_even_distances(sequence: str, shares: list[int]) -> None:
    circuit = idle()
    made = decoupled(0, circuit, chosen(sequence_type=sequence), TARGET, {0, 1, 2})
    names, delays = line(made, 0)
    flips = len(shares) - 1
    assert names == ["sx", "cx", *["delay", "x"] * flips, "delay", "cx"]
    idle_s = 4 * TARGET["cx"][1, 2].duration - flips * TARGET["x"][0,].duration
    assert delays == pytest.approx(np.array(shares) / sum(shares) * idle_s, abs=1e-15)
    assert Operator(made.assign_parameters([0.3])).equiv(Operator(circuit.assign_parameters([0.3])))
    turns = [one.operation.params[0] for one in made.data if one.operation.name == "rz"]
    axes = sorted({round(abs(turn), 6) for turn in turns if isinstance(turn, float)})
    assert axes == {"XX": [], "XpXm": [3.141593], "XY4": [1.570796, 3.141593]}[sequence]


def test_each_option_changes_the_schedule() -> None:
    def second(**options: Any) -> tuple[list[str], list[float]]:
        return line(decoupled(0, idle(), chosen(**options), TARGET, {0, 1, 2}), 2)

    flips = ["delay", "x", "delay", "x", "delay"]
    gates = ["cx"] * 4
    assert second()[0] == [*flips, "sx", *gates, *flips]
    assert second(scheduling_method="asap")[0] == ["sx", *flips, *gates, *flips]
    assert second(skip_reset_qubits=True)[0] == ["delay", "sx", *gates, *flips]
    middle, edges = (second(extra_slack_distribution=where)[1][-3:] for where in ("middle", "edges"))
    assert sum(middle) == pytest.approx(sum(edges))
    assert (middle[0] == middle[2], edges[0] == edges[2]) == (True, False)
    with pytest.raises(Rejected, match=r"dynamical_decoupling.sequence_type is XX or XpXm or XY4, not 'XYXY'"):
        chosen(sequence_type="XYXY")


def test_nothing_is_done_to_idle_qubits_and_behind_the_last_measurement() -> None:
    circuit = generate_preset_pass_manager(1, target=TARGET, initial_layout=[0, 1, 2]).run(idle())
    circuit.measure_all()
    with_idle = QuantumCircuit(5, 1)
    with_idle.sx(0)
    with_idle.measure(0, 0)
    with_idle.cx(1, 2)
    made = decoupled(0, with_idle, chosen(), TARGET, None)
    assert active_qubits(made) == {0, 1, 2}
    assert line(made, 0)[0][-1] == "measure"
    assert active_qubits(decoupled(0, circuit, chosen(), TARGET, None)) == {0, 1, 2, 3, 4}, "all five are measured"


def test_control_flow_has_no_schedule_and_says_so() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    circuit.measure(0, 0)
    asked = program("sampler", [circuit], backend="fake_manila@aer", dynamical_decoupling=ON)
    with pytest.raises(ProgramError, match=r"circuit of pub 0 has no schedule.*Switch options.dynamical_decoupling"):
        run_program(load("fake_backends"), asked)


@pytest.mark.parametrize("device", [FakeManilaV2, pytest.param(FakeSherbrooke, marks=pytest.mark.slow)])
def test_fake_backends_run_decoupled_circuits(device: Any) -> None:
    fake = device()
    source = idle().assign_parameters([0.3])
    compiled = generate_preset_pass_manager(1, backend=fake, initial_layout=[0, 1, 2], seed_transpiler=1).run(source)
    measured = compiled.copy()
    measured.add_register(ClassicalRegister(3, "c"))
    measured.measure(range(3), range(3))
    for primitive, pub in (("sampler", [measured]), ("estimator", [compiled, {"Z".rjust(fake.num_qubits, "I"): 1.0}])):
        backend = f"{fake.name}@aer"
        results = []
        for decoupling in ({}, {**ON, "sequence_type": "XY4"}):
            twirling = {"enable_gates": bool(decoupling), "num_randomizations": 3}
            asked = program(
                primitive, pub, backend=backend, default_shots=900, twirling=twirling, dynamical_decoupling=decoupling
            )
            (dataset,) = run_program(load("fake_backends"), asked)
            results.append(dataset)
        assert all("not_applied" not in str(one.attrs) for one in results)
        if primitive == "sampler":
            found = [one.qpi.arrays()["c"].get_counts() for one in results]
            assert [sum(one.values()) for one in found] == [900, 900]
            assert found[0] != found[1]
        else:
            assert max(abs(float(one["evs"])) for one in results) < 5 / 900**0.5


def test_without_gate_times_it_is_named() -> None:
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.measure_all()
    asked = program("sampler", [circuit], backend="lab_statevector", dynamical_decoupling=ON)
    (dataset,) = run_program(load("fake_backends"), asked)
    assert "dynamical_decoupling.enable (lab_statevector has no gate durations)" in str(dataset.attrs)
    (dataset,) = run_program(Primitives(load("qiskit_aer", num_qubits=1)), asked)
    assert "dynamical_decoupling.enable (qiskit_aer has no gate durations)" in str(dataset.attrs)
    assert (
        work_of(program("sampler", [circuit], dynamical_decoupling={"enable": False}), max_shots=2000).decoupling
        is None
    )


def test_a_qpu_gets_decoupled_circuits(monkeypatch: pytest.MonkeyPatch) -> None:
    qpu = load("qiskit_aer", fake_backend="FakeManilaV2")
    circuit = idle().assign_parameters([0.3])
    circuit.measure_all()
    seen: list[QuantumCircuit] = []
    run = type(qpu).run

    def watched(self: Any, program: Any, **hooks: Any) -> Any:
        seen.extend(from_qpy(program.sources[0]))
        return run(self, program, **hooks)

    monkeypatch.setattr(type(qpu), "run", watched)
    asked = program("sampler", [circuit], backend="", dynamical_decoupling=ON, twirling={"enable_measure": True})
    (dataset,) = run_program(Primitives(qpu), asked)
    assert "not_applied" not in str(dataset.attrs)
    assert dataset.qpi.arrays()["meas"].num_shots == 2000
    assert len(seen) == 32
    assert all(line(one, 0)[0][:7] == ["sx", "cx", "delay", "x", "delay", "x", "delay"] for one in seen)
