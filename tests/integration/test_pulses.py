"""Circuits on both schedulers, whole: their compiled pulses are the circuit, and the twin answers them as Aer does."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from qiskit import QuantumCircuit

from qpi_executors import load, run_program
from qpi_executors.instruments import executor as pulse_executor
from qpi_executors.instruments import twin
from qpi_executors.instruments.cluster import Claim
from qpi_executors.instruments.executor import EXAMPLE, PulseExecutor
from qpi_executors.instruments.pulses import Acquire, Event, Play, ShiftPhase
from qpi_executors.instruments.timing import Timeline, timeline
from qpi_jupyter.core import Faulted, Program, Rejected, RunOptions
from qpi_jupyter.data.circuits import to_qpy
from tests.circuits import BELL_QASM3, bell, qpy_program, text_program
from tests.support.pulses import (
    aer_counts,
    any_circuit,
    by_clbit,
    chi_squared,
    distance,
    distribution,
    ideal,
    noiseless,
)

pytestmark = pytest.mark.slow

QUICK, MANY = range(4), range(4, 200)
COUNTED = range(4, 44)


@pytest.fixture(scope="module", params=["qblox", "quantify"])
def executor(request):
    executor = load(request.param)
    executor.open()
    yield executor
    executor.close()


def compiled(executor: PulseExecutor, circuit: QuantumCircuit) -> tuple[Timeline, list[Event]]:
    plan = timeline(executor.front.native(circuit), executor.device)
    stack = executor.opened
    return plan, stack.events(stack.compile(plan, 1, average=False))


def exact(executor: PulseExecutor, circuit: QuantumCircuit, events: list[Event] | None = None) -> dict[str, float]:
    plan, played = compiled(executor, circuit)
    found = distribution(played if events is None else events, noiseless(executor.device))
    return by_clbit(found, plan, circuit.num_clbits)


def counted(executor: PulseExecutor, circuit: QuantumCircuit, shots: int, seed: int) -> dict[str, int]:
    (dataset,) = run_program(executor, qpy_program(circuit, shots=shots, seed_simulator=seed))
    return dataset.qpi.counts()


@cache
def reference(seed: int) -> dict[str, int]:
    """Of both executors, which have one device and one front."""
    executor = load("qblox")
    return aer_counts(executor.front.native(any_circuit(seed)), executor.device, 20_000, seed)


def assert_pulses_are_circuits(executor, seeds):
    far = {
        seed: d
        for seed in seeds
        if (d := distance(exact(executor, any_circuit(seed)), ideal(any_circuit(seed)))) > 1e-9
    }
    assert not far


def assert_counts_are_those_of_aer(executor, seeds):
    found = {seed: chi_squared(counted(executor, any_circuit(seed), 2000, seed), reference(seed)) for seed in seeds}
    assert min(found.values()) > 0.01 / len(found), found


def test_the_page_of_the_executor_runs_as_it_stands(capsys):
    """First of all: a process has the instruments of one executor."""
    names: dict[str, object] = {}
    page = Path(__file__).parents[2] / "docs/how-to/qblox.md"
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(block, names)
    counts = names["counts"]
    assert counts["00"] + counts["11"] > 900
    assert "ns after the reset" in capsys.readouterr().out


def test_the_compiled_pulses_are_the_circuit(executor):
    assert_pulses_are_circuits(executor, QUICK)


def test_the_twin_counts_as_aer_with_the_same_noise(executor):
    assert_counts_are_those_of_aer(executor, QUICK)


@pytest.mark.slow
def test_the_compiled_pulses_of_many_circuits_are_the_circuits(executor):
    assert_pulses_are_circuits(executor, MANY)


@pytest.mark.slow
def test_the_twin_counts_many_circuits_as_aer_with_the_same_noise(executor):
    assert_counts_are_those_of_aer(executor, COUNTED)


def test_spoiled_pulses_count_otherwise(executor):
    """The comparisons above see each of these."""
    circuit = QuantumCircuit(2, 2)
    for angle in (0.4, 1.1):
        circuit.h(0)
        circuit.s(0)
        circuit.ry(angle, 0)
        circuit.cx(0, 1)
        circuit.t(1)
        circuit.rx(angle, 1)
    circuit.measure([0, 1], [0, 1])
    plan, events = compiled(executor, circuit)
    flux = [event for event in events if isinstance(event, Play) and event.port.endswith(":fl")]
    spoiled = {
        "frames turn the other way": [
            replace(event, phase_deg=-event.phase_deg) if isinstance(event, ShiftPhase) else event for event in events
        ],
        "half of amp180": [
            replace(event, amplitude=event.amplitude / 2)
            if isinstance(event, Play) and event.port.endswith(":mw")
            else event
            for event in events
        ],
        "a CZ is missing": [event for event in events if event is not flux[0]],
    }

    def counts(played):
        shots = twin.sample(played, executor.device, 4000, np.random.default_rng(1))
        columns = [shots.bits[plan.labels[clbit]] for clbit in (1, 0)]
        keys, numbers = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
        return {"".join(map(str, key)): int(n) for key, n in zip(keys, numbers, strict=True)}

    right = aer_counts(executor.front.native(circuit), executor.device, 20_000, 1)
    assert chi_squared(counts(events), right) > 0.01
    for what, played in spoiled.items():
        assert chi_squared(counts(played), right) < 1e-6, what


def test_the_twin_knows_no_circuit(executor):
    """Another process gets the events and the device, has no Qiskit at all, and counts the same."""
    _, events = compiled(executor, bell())
    payload = [[type(event).__name__, msgspec.to_builtins(event)] for event in events]
    paths = [str(path) for path in EXAMPLE]
    script = """
import json, sys
from pathlib import Path
import numpy as np
from qpi_executors.instruments import pulses, twin
from qpi_executors.instruments.files import load
kinds, paths = json.load(sys.stdin)
device = load([Path(path) for path in paths], library="qblox", dummy=True).device
events = [getattr(pulses, kind)(**facts) for kind, facts in kinds]
shots = twin.sample(events, device, 500, np.random.default_rng(3))
assert "qiskit" not in sys.modules
print(json.dumps({label: bits.tolist() for label, bits in shots.bits.items()}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps([payload, paths]), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    here = twin.sample(events, executor.device, 500, np.random.default_rng(3))
    assert json.loads(done.stdout) == {label: bits.tolist() for label, bits in here.bits.items()}


def test_a_longer_drive_turns_further(executor):
    """A Rabi sweep of the compiled amplitude oscillates as the sine squared."""
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    _, events = compiled(executor, circuit)
    for scale in np.linspace(0, 2, 9):
        driven = [
            replace(event, amplitude=event.amplitude * scale)
            if isinstance(event, Play) and event.port == "q0:mw"
            else event
            for event in events
        ]
        found = distribution(driven, noiseless(executor.device))
        one = sum(p for outcome, p in found.items() if dict(outcome)["q0_m0"])
        assert one == pytest.approx(math.sin(math.pi * scale / 2) ** 2, abs=1e-12)


def test_a_ghz_state_is_short_and_read_at_once(executor):
    circuit = QuantumCircuit(5, 5)
    circuit.h(0)
    for qubit in range(4):
        circuit.cx(qubit, qubit + 1)
    circuit.measure(range(5), range(5))
    plan, events = compiled(executor, circuit)
    assert plan.duration_ns <= 1400
    starts = {event.start_s for event in events if isinstance(event, Acquire)}
    assert len([event for event in events if isinstance(event, Acquire)]) == 5
    assert max(starts) - min(starts) < 1e-9
    end = max(event.start_s + event.duration_s for event in events if isinstance(event, Acquire))
    assert end == pytest.approx((plan.reset_ns + plan.duration_ns) * 1e-9, abs=20e-9)


def test_the_example_acquires_on_every_readout_line(executor):
    graph = [tuple(pair) for pair in executor.hardware["connectivity"]["graph"]]
    for name in executor.device.names:
        wired = {channel.rpartition(".")[2] for channel, port in graph if port == executor.device.port("readout", name)}
        assert wired == {"complex_output_0", "complex_input_0"}


def test_points_traces_and_means_are_of_the_same_shots(executor):
    """The blobs lie where the device file has them; the instrument's own mean is that of the single shots."""
    facts = {"shots": 300, "seed_simulator": 8}
    (points,) = run_program(executor, qpy_program(bell(), meas_level=1, **facts))
    (mean,) = run_program(executor, qpy_program(bell(), meas_level=1, meas_return="avg", **facts))
    (traces,) = run_program(executor, qpy_program(bell(), meas_level=0, meas_return="avg", **facts))
    (bits,) = run_program(executor, qpy_program(bell(), **facts))
    assert mean.qpi.iq().values == pytest.approx(points.qpi.iq().mean("shot").values)
    assert traces.qpi.traces().shape == (2, 1000)
    assert traces.qpi.traces().mean(axis=-1)[0] == pytest.approx(mean.qpi.iq().values[0], abs=1e-4)  # 12 bits
    assert points.qpi.counts() == bits.qpi.counts()
    readout = executor.device.qubits["q0"].readout
    ones = points.qpi.iq().values[:, 0][bits.qpi.bits()[:, 0] == 1]
    assert ones.mean() == pytest.approx(readout.centres[1], abs=5 * readout.sigma / math.sqrt(ones.size))


def test_more_shots_than_bins_are_measured_in_several_goes(executor, monkeypatch):
    monkeypatch.setattr(pulse_executor, "MAX_BINS", 100)
    goes = []
    run = executor.opened.run
    monkeypatch.setattr(executor.opened, "run", lambda *given: goes.append(given) or run(*given))
    (dataset,) = run_program(executor, qpy_program(bell(), shots=250, seed_simulator=1))
    assert sum(dataset.qpi.counts().values()) == 250
    assert len(goes) == 3


def test_two_measurements_of_one_qubit_stay_apart(executor):
    circuit = QuantumCircuit(1, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(0, 1)
    (dataset,) = run_program(executor, qpy_program(circuit, shots=400, seed_simulator=2))
    assert dataset.qpi.counts()["01"] > 320
    assert dataset.coords["acq_index"].values.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda values: np.full_like(values, np.nan), "data for 0 of 10 shots of q0"),
        (lambda values: values[:7], "data for 7 of 10 shots of q0"),
        (lambda values: np.where(np.arange(10) == 3, np.nan, values), "data for 9 of 10 shots of q0"),
    ],
    ids=["nothing", "too few", "one missing"],
)
@pytest.mark.parametrize("level", [1, 2])
def test_missing_data_is_no_count(executor, monkeypatch, spoil, said, level):
    """Where nothing came in, both libraries answer NaN, which must become no zeros."""
    run = executor.opened.run
    monkeypatch.setattr(
        executor.opened, "run", lambda *given: {label: spoil(values) for label, values in run(*given).items()}
    )
    with pytest.raises(Faulted, match=said):
        run_program(executor, qpy_program(bell(), shots=10, meas_level=level))


def test_missing_bits_of_a_branch_are_no_count(executor, monkeypatch):
    circuit = bell()
    with circuit.if_test((0, 1)):
        circuit.x(0)
    run = executor.opened.run
    monkeypatch.setattr(
        executor.opened, "run", lambda *given: {label: np.full_like(z, -1) for label, z in run(*given).items()}
    )
    with pytest.raises(Faulted, match="data for 0 of 10 shots of q0"):
        run_program(executor, qpy_program(circuit, shots=10))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "did not finish within 10 s.*restart it"),
        (ConnectionResetError("gone"), "lost its instrument.*ConnectionResetError: gone.*power and network"),
    ],
    ids=["hangs", "dies"],
)
def test_an_instrument_that_hangs_or_dies_is_a_fault(executor, monkeypatch, error, said):
    def fail(compiled, timeout_s):
        raise error

    monkeypatch.setattr(executor.opened, "run", fail)
    with pytest.raises(Faulted, match=said):
        run_program(executor, qpy_program(bell(), shots=10))


def test_more_shots_than_memory_are_refused_with_figures(executor, monkeypatch):
    monkeypatch.setattr(pulse_executor, "usable_bytes", lambda: 1 << 30)
    executor.validate(qpy_program(bell(), shots=1000))
    with pytest.raises(Rejected, match=r"1,000,000 shots of 2 measurements take 1\.\d GiB.*here are 1\.0 GiB"):
        executor.validate(qpy_program(bell(), shots=1_000_000))


def test_a_delay_off_the_grid_is_told_of_in_the_result(executor):
    circuit = QuantumCircuit(1, 1, metadata={"run": 7})
    circuit.x(0)
    circuit.delay(10, 0, "ns")
    circuit.measure(0, 0)
    (dataset,) = run_program(executor, qpy_program(circuit, shots=10))
    metadata = dataset.qpi.info["metadata"]
    assert metadata["run"] == 7
    assert metadata["rounded_delays_s"] == [[pytest.approx(1e-8), pytest.approx(8e-9)]]


def test_progress_comes_by_shots(executor, monkeypatch):
    monkeypatch.setattr(pulse_executor, "MAX_BINS", 100)
    shares: list[float] = []
    run_program(executor, qpy_program(bell(), bell(), shots=200, seed_simulator=1), progress=shares.append)
    assert sorted(set(shares)) == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_delays_of_any_unit_decay_alike(executor):
    """Sent as text and as a circuit; 21 us are half of q0's T1, and three quarters of q3's."""
    found = set()
    for unit, length in (("ns", "21000"), ("us", "21"), ("s", "2.1e-05"), ("dt", "21000")):
        circuit = QuantumCircuit(4, 2)
        circuit.x([0, 3])
        circuit.delay(int(length) if unit == "dt" else float(length), [0, 3], unit)
        circuit.measure([0, 3], [0, 1])
        program = Program(format="qpy", sources=(to_qpy([circuit]),), options=RunOptions(shots=2000, seed_simulator=5))
        found.add(json.dumps(run_program(executor, program)[0].qpi.counts()))
        if unit == "s":
            continue  # a text has no decimals of seconds
        text = (
            'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[4] q;\nbit[2] c;\nx q[0];\nx q[3];\n'
            f"delay[{length}{unit}] q[0];\ndelay[{length}{unit}] q[3];\nc[0] = measure q[0];\nc[1] = measure q[3];\n"
        )
        (dataset,) = run_program(executor, text_program(text, shots=2000, seed_simulator=5))
        found.add(json.dumps(dataset.qpi.counts()))
    (counts,) = map(json.loads, found)
    ones = [sum(n for key, n in counts.items() if key[1 - k] == "1") / 2000 for k in range(2)]
    for k, name in enumerate(("q0", "q3")):
        qubit = executor.device.qubits[name]
        alive = math.exp(-21.0e-6 / qubit.t1_s)
        expected = alive * (1 - qubit.readout.p10) + (1 - alive) * qubit.readout.p01
        assert ones[k] == pytest.approx(expected, abs=5 * 0.5 / math.sqrt(2000))


def test_traces_of_single_shots_are_refused_with_the_reason(executor):
    with pytest.raises(Rejected, match="meas_return='avg'"):
        executor.validate(qpy_program(bell(), meas_level=0))


def test_a_cluster_without_an_address_is_refused_before_anything_starts(executor):
    files = dict(zip(("device", "hardware"), map(str, EXAMPLE), strict=True))
    with pytest.raises(Rejected, match=r"hardware_description\.cluster0\.ip"):
        load(executor.name, is_dummy=False, **files)
    with pytest.raises(Rejected, match="belong together"):
        load(executor.name, device=files["device"])
    with pytest.raises(Rejected, match="no real instrument"):
        load(executor.name, is_dummy=False)
    assert load(executor.name, is_dummy=True, **files).capabilities().simulator


def test_a_cluster_that_does_not_answer_is_a_fault(executor, tmp_path):
    executor.close()  # a process has the instruments of one executor
    device, hardware = EXAMPLE
    wired = json.loads(hardware.read_text())
    wired["hardware_description"]["cluster0"]["ip"] = "127.0.0.1"
    (tmp_path / "cluster.json").write_text(json.dumps(wired))
    real = load(executor.name, device=str(device), hardware=str(tmp_path / "cluster.json"))
    assert not real.capabilities().simulator
    for _ in range(2):  # it lets go of the address, too
        with pytest.raises(Faulted, match="cannot reach its instruments"):
            real.open()
    executor.open()


def test_a_cluster_is_one_drivers_alone(executor, tmp_path):
    """Another process has it; when that ends, however it does, it is free."""
    device, hardware = EXAMPLE
    wired = json.loads(hardware.read_text())
    address = wired["hardware_description"]["cluster0"]["ip"] = f"127.0.0.1:{os.getpid()}"
    (tmp_path / "cluster.json").write_text(json.dumps(wired))
    real = load(executor.name, device=str(device), hardware=str(tmp_path / "cluster.json"))
    script = (
        "import sys\nfrom qpi_executors.instruments.cluster import Claim\n"
        f"claim = Claim({address!r})\nprint('claimed', flush=True)\nsys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as other:
        assert other.stdout.readline() == "claimed\n"
        with pytest.raises(Faulted, match=f"in use by process {other.pid} of .*stop that driver"):
            real.open()
        other.kill()
        other.wait()
    Claim(address).release()


def test_results_name_the_calibration_and_the_libraries(executor):
    (dataset,) = run_program(executor, text_program(BELL_QASM3, shots=10))
    origin = dataset.qpi.info["provenance"]
    manifest = executor.capabilities()
    assert origin["calibration_id"] == manifest.calibration_id == "five-transmons-1"
    assert origin["config_sha256"] == manifest.config_sha256
    assert {"qiskit", "qblox-instruments", f"{executor.name}-scheduler"} <= origin["libraries"].keys()
    assert origin["simulator"] is True
