"""What is refused of a submitted schedule, by the name of what is wrong; no scheduler is imported for that."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest

from qpi_executors import load
from qpi_jupyter.core import CircuitOptions, Program, ProgramError, QpiError, RunOptions
from qpi_jupyter.data.schedules import QBLOX_SCHEDULE, QUANTIFY_SCHEDULE

FORMS = {"qblox": QBLOX_SCHEDULE, "quantify": QUANTIFY_SCHEDULE}


@pytest.fixture(scope="module", params=FORMS)
def executor(request):
    return load(request.param)


@pytest.fixture
def tree(executor):
    return json.loads(FORMS[executor.name].example())


def program(executor, source, **options):
    source = source if isinstance(source, bytes) else json.dumps(source).encode()
    return Program(format=FORMS[executor.name].name, sources=(source,), options=RunOptions(**options))


def add(tree, executor, operation, **data):
    """One more operation."""
    module, _, kind = operation.rpartition(".")
    name = f"{FORMS[executor.name].library}.operations.{module}.{kind}"
    facts = {"name": kind, "gate_info": {}, "pulse_info": [], "acquisition_info": [], "logic_info": {}} | data
    key = str(len(tree["data"]["operation_dict"]))
    tree["data"]["operation_dict"][key] = {"deserialization_type": name, "data": facts}
    placed = copy.deepcopy(tree["data"]["schedulables"][0][1])
    placed["data"] |= {"name": key, "label": key, "operation_id": key}
    tree["data"]["schedulables"].append([key, placed])
    return tree


def gate(tree, executor, kind, *qubits, **facts):
    info = {"operation_type": kind.lower(), "device_elements": list(qubits), "device_overrides": {}} | facts
    return add(tree, executor, f"gate_library.{kind}", gate_info=info)


def pulse(tree, executor, **facts):
    shape = f"{FORMS[executor.name].library}.waveforms.square"
    info = {"port": "q0:mw", "clock": "q0.01", "wf_func": shape, "duration": 20e-9, "amplitude": 0.1, "t0": 0} | facts
    return add(tree, executor, "pulse_library.SquarePulse", pulse_info=[info])


def clock(tree, executor, name, frequency):
    kind = f"{FORMS[executor.name].library}.resources.ClockResource"
    tree["data"]["resource_dict"][name] = {"deserialization_type": kind, "data": {"name": name, "freq": frequency}}
    return tree


def anywhere(tree, thing):
    tree["data"]["resource_dict"]["cl0.baseband"] = thing
    return tree


def test_an_example_passes_with_what_a_device_has(executor, tree):
    gate(tree, executor, "CZ", "q1", "q0")
    gate(tree, executor, "Reset", "q0", "q1")
    pulse(tree, executor)
    clock(tree, executor, "q0.01", executor.device.qubits["q0"].f01_hz)
    executor.validate(program(executor, tree))
    (run,) = executor.runs(program(executor, tree))
    assert run.plan.labels == {0: "q0_m0"}
    assert run.plan.qubits == ("q0", "q1")
    qubit = executor.device.qubits["q0"]
    assert run.plan.shot_s > qubit.reset_s + qubit.readout.integration_s
    estimate = executor.estimate(program(executor, tree, shots=5000))
    assert estimate.upper_s > executor.estimate(program(executor, tree)).upper_s


SPOILED = {
    "a port": (lambda tree, executor: pulse(tree, executor, port="q9:mw"), "port 'q9:mw'.*it has: q0:fl, q0:mw"),
    "a clock": (lambda tree, executor: pulse(tree, executor, clock="q9.01"), r"clock 'q9\.01'.*it has: q0\.01"),
    "a qubit": (lambda tree, executor: gate(tree, executor, "X", "q9"), "qubit 'q9'; the device has q0, q1"),
    "no qubit": (lambda tree, executor: gate(tree, executor, "X"), "X of no qubit"),
    "an edge": (lambda tree, executor: gate(tree, executor, "CZ", "q0", "q3"), "CZ between q0 and q3"),
    "a gate": (lambda tree, executor: gate(tree, executor, "Nothing", "q0"), "Nothing'; operations are: CZ, DRAGPulse"),
    "a frequency": (lambda tree, executor: clock(tree, executor, "q0.01", 1e9), r"sets the clock 'q0\.01'"),
    "another clock": (lambda tree, executor: clock(tree, executor, "q0.99", 1e9), r"sets the clock 'q0\.99'"),
    "a shape": (lambda tree, executor: pulse(tree, executor, wf_func="os.system"), "shape 'os.system'"),
    "a class": (lambda tree, executor: anywhere(tree, {"deserialization_type": "os.system", "data": 1}), "os.system"),
    "a class in a list": (lambda tree, executor: anywhere(tree, [{"deserialization_type": []}]), "class"),
    "a type": (
        lambda tree, executor: anywhere(tree, {"deserialization_type": "float", "mode": "type"}), "class 'float'",
    ),
    "a port in an override": (
        lambda tree, executor: gate(tree, executor, "X", "q0", device_overrides={"port": "q1:mw"}), "other port",
    ),
    "a measurement with an override": (
        lambda tree, executor: gate(tree, executor, "Measure", "q0", device_overrides={"pulse_amp": 1}), "pulse_amp",
    ),
    "a measurement in disguise": (
        lambda tree, executor: gate(tree, executor, "X", "q0", operation_type="measure"), "says it is 'measure'",
    ),
    "another kind of thing": (lambda tree, executor: pulse(tree, executor, port=["q0:mw"]), "cannot be read"),
    "a text for a number": (lambda tree, executor: pulse(tree, executor, duration="1e-8"), "'duration' is not"),
    "a list for a number": (lambda tree, executor: pulse(tree, executor, amplitude=[0.1]), "'amplitude' is not"),
    "a shape of seconds": (
        lambda tree, executor: pulse(
            tree, executor, wf_func=f"{FORMS[executor.name].library}.waveforms.drag", duration=1.0
        ),
        "shaped pulse of 1 s",
    ),
    "feedback": (
        lambda tree, executor: gate(tree, executor, "Measure", "q0", feedback_trigger_label="q0"), "feedback",
    ),
    "an acquisition": (
        lambda tree, executor: add(tree, executor, "pulse_library.IdlePulse", acquisition_info=[{"port": "q0:res"}]),
        "use Measure",
    ),
    "no measurement": (
        lambda tree, executor: tree["data"].update(schedulables=tree["data"]["schedulables"][:0]) or tree,
        "measures nothing",
    ),
    "an operation": (
        lambda tree, executor: tree["data"].update(operation_dict={}) or tree, "no operation '0'",
    ),
    "no schedulables": (lambda tree, executor: tree["data"].pop("schedulables") and tree, "no schedulables"),
    "a schedulable": (lambda tree, executor: tree["data"].update(schedulables=[3]) or tree, "no pair"),
    "a list": (lambda tree, executor: [], "class"),
    "NaN": (lambda tree, executor: pulse(tree, executor, amplitude=float("nan")), "number NaN"),
    "a number": (
        lambda tree, executor: json.dumps(pulse(tree, executor)).replace("0.1", "1e999").encode(), "too large",
    ),
    "text": (lambda tree, executor: b"not JSON", "is not JSON"),
    "depth": (lambda tree, executor: b"[" * 100_000 + b"]" * 100_000, "is not JSON|nested"),
    "too many": (
        lambda tree, executor: tree["data"].update(schedulables=tree["data"]["schedulables"] * 10_001) or tree,
        "limit is 10,000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILED)
def test_what_is_unknown_or_wrong_is_refused_by_its_name(executor, tree, what):
    spoil, said = SPOILED[what]
    with pytest.raises(QpiError, match=said) as caught:
        executor.validate(program(executor, spoil(tree, executor)))
    assert caught.value.message.startswith("Schedule 0 ")


def test_rows_of_parameters_are_refused(executor, tree):
    with pytest.raises(QpiError, match="no parameters"):
        executor.validate(program(executor, tree, circuits=(CircuitOptions(parameter_values=((1.0,),)),)))


def test_a_schedule_of_the_other_library_is_refused(executor, tree):
    (other,) = {form for name, form in FORMS.items() if name != executor.name}
    with pytest.raises(ProgramError, match=rf"class '{other.library}\."):
        executor.validate(program(executor, other.example()))


def test_nothing_is_imported_to_recognise_and_to_check_one():
    script = """
import sys
from qpi_jupyter.data.formats import recognised
from qpi_jupyter.core import Program
from qpi_jupyter.data.schedules import QBLOX_SCHEDULE
assert recognised(object()) is None
from qpi_executors import load
load("qblox").validate(Program(format="qblox-schedule", sources=(QBLOX_SCHEDULE.example(),)))
assert not {"qblox_scheduler", "quantify_scheduler"} & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_estimate_counts_operations_and_measurements_midway(tree, executor):
    short = executor.estimate(program(executor, tree, shots=1000))
    for _ in range(300):
        gate(tree, executor, "X", "q0")
    gate(tree, executor, "Measure", "q0")
    (run,) = executor.runs(program(executor, tree))
    assert (run.plan.steps, run.plan.splits) == (302, 1), "the first of two measurements is midway"
    assert executor.estimate(program(executor, tree, shots=1000)).estimate_s > short.estimate_s + 0.01
