"""A sweep grows while it runs, whatever is killed meanwhile; real processes, and the curve is right in the end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qpi_jupyter
from qpi_executors import load, run_program
from qpi_jupyter.client import JobHandle, Lab
from qpi_jupyter.core import CircuitOptions
from qpi_jupyter.wire.outputs import JOB_OUTPUT
from tests.circuits import qpy_program
from tests.faults.growing import let
from tests.support.realworld import PATIENCE_S
from tests.support.servers import TOKEN
from tests.support.trips import Trip, going
from tests.support.waiting import wait_until

THETAS = np.linspace(0, 2 * np.pi, 41)
SWEEP = {"qpu": "q1", "shots": 100, "seed_simulator": 5, "name": "rabi"}
KERNEL = """
import sys, time
import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
import qpi_jupyter

circuit = QuantumCircuit(1, 1)
circuit.rx(Parameter("theta"), 0)
circuit.measure(0, 0)
lab = qpi_jupyter.connect(sys.argv[1], token=sys.argv[2])
thetas = np.linspace(0, 2 * np.pi, 41)
job = lab.sweep(circuit, theta=thetas, qpu="q1", shots=100, seed_simulator=5, name="rabi")
print(job.id, flush=True)
job.dataset()
"""
"""What a kernel runs; it doesn't come to its end."""


@pytest.fixture
def trip(tmp_path: Path) -> Iterator[Trip]:
    with going(tmp_path) as there:
        there.register("q1")
        yield there


def rabi() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.rx(Parameter("theta"), 0)
    circuit.measure(0, 0)
    return circuit


def shown(job: JobHandle) -> int:
    """How many points of the growing curve there are."""
    found = job.partial()
    if found is None:
        return 0
    assert found.sizes["theta"] == 41, "the points to come have their place"
    return int((found.bit >= 0).all(["shot", "slot"]).sum())


def until(job: JobHandle, points: int) -> None:
    wait_until(lambda: shown(job) == points, 5 * PATIENCE_S, f"{points} points")


@pytest.mark.slow
def test_a_sweep_survives_its_kernel_its_server_and_its_driver(trip: Trip, tmp_path: Path) -> None:
    gate, gated = tmp_path / "gate", "tests.faults.growing:GatedSimulator"
    agent = trip.drive("q1", f"gate={gate}", executor=gated)
    let(gate, 20)
    kernel = subprocess.Popen(
        [sys.executable, "-c", KERNEL, trip.server.url, TOKEN], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert kernel.stdout is not None
    with kernel.stdout:
        job_id = kernel.stdout.readline().strip()
    kernel.kill()
    kernel.wait()

    lab: Lab = qpi_jupyter.connect(trip.server.url, token=TOKEN)
    job = lab.sweep(rabi(), theta=THETAS, **SWEEP)
    assert job.id == job_id, "the kernel is gone, and its sweep is found"
    until(job, 20)
    at_20 = job.partial()
    curve = job.plot()
    drawn = [line.get_ydata() for line in curve.lines if len(line.get_ydata()) == 41]
    assert [int(np.isfinite(y).sum()) for y in drawn] == [20, 20], "two outcomes, so far"
    plt.close(curve.figure)

    # A server that is killed takes nothing with it: the driver says again what it has.
    trip.server.kill()
    trip.serve()
    job = lab.sweep(rabi(), theta=THETAS, **SWEEP)
    assert job.id == job_id
    until(job, 20)
    let(gate, 30)
    until(job, 30)

    # The driver's rows go with it, and the next attempt measures them all again.
    let(gate, 0)
    agent.send(signal.SIGKILL)
    agent.process.wait(PATIENCE_S)
    wait_until(lambda: job.partial() is None, PATIENCE_S, "the end of the attempt")
    trip.drive("q1", f"gate={gate}", executor=gated)
    let(gate, 10)
    until(job, 10)
    let(gate, 41)
    found = job.dataset(timeout=PATIENCE_S)
    assert (job.model.status, job.model.attempt) == ("completed", 2)

    rows = tuple((float(theta),) for theta in THETAS)
    alone = run_program(
        load("mock"),
        qpy_program(
            rabi(),
            entries=(CircuitOptions(parameter_values=rows),),
            shots=100,
            seed_simulator=5,
        ),
    )
    assert [int(row.bit.sum()) for row in alone] == found.bit.sum(["shot", "slot"]).values.tolist()
    np.testing.assert_array_equal(found.theta, THETAS)
    xr.testing.assert_equal(found.bit[:20], at_20.bit[:20])
    path = tmp_path / "rabi.nc"
    found.to_netcdf(path)
    with xr.open_dataset(path) as kept:
        np.testing.assert_array_equal(kept.theta, THETAS)
        assert kept.bit.dims == found.bit.dims

    # It has its result: asked again, it is there at once; and one that was cancelled is measured anew.
    assert lab.sweep(rabi(), theta=THETAS, **SWEEP).id == job_id
    other = lab.sweep(rabi(), theta=THETAS, new=True, **SWEEP)
    assert other.id != job_id
    assert lab.sweep(rabi(), theta=THETAS[:40], **SWEEP).id not in (job_id, other.id)
    lab.job(job_id).delete()
    assert lab.sweep(rabi(), theta=THETAS, **SWEEP).id not in (job_id, other.id)
    lab.close()


@pytest.mark.slow
def test_a_sweep_of_ten_thousand_points_is_one_map(trip: Trip) -> None:
    trip.drive("q1", executor="tests.faults.growing:QuickSimulator")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(Parameter("theta"), 0)
    circuit.ry(Parameter("phi"), 1)
    circuit.measure([0, 1], [0, 1])
    lab: Lab = qpi_jupyter.connect(trip.server.url, token=TOKEN)
    theta, phi = np.linspace(0, 2 * np.pi, 100), np.linspace(0, np.pi, 100)
    job = lab.sweep(circuit, theta=theta, phi=phi, qpu="q1", shots=50)
    wait_until(lambda: job.partial() is not None, 5 * PATIENCE_S, "its first rows")
    assert dict(job.partial().sizes) == {"theta": 100, "phi": 100, "shot": 50, "slot": 2}
    data = job.dataset(timeout=20 * PATIENCE_S)
    due = np.sin(theta[:, None] / 2) ** 2 * np.sin(phi / 2) ** 2
    assert np.abs(data.qpi.probability("11").values - due).mean() < 0.06
    assert len(job.counts()) == 10_000
    (drawing,) = job._repr_mimebundle_()[JOB_OUTPUT]["drawings"]
    assert (len(drawing["x"]), len(drawing["y"]), drawing["draw"]) == (100, 100, "heat_map")
    lab.close()
