"""What the executor got equals what was sent: through the client's writer, the wire and the executor's reader."""

from __future__ import annotations

import ast
import gzip
import io
import math
import warnings
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy
from qiskit.circuit import Clbit, Delay, Instruction, Operation, Parameter, library
from qiskit.circuit.library import RXGate, XGate

from qpi_executors import programs as executor_programs
from qpi_executors.programs import parse
from qpi_jupyter.client.programs import options_of, program_of
from qpi_jupyter.core import formats as limits
from qpi_jupyter.core.errors import ProgramError, TooLarge
from qpi_jupyter.core.programs import Program, RunOptions, check_program
from qpi_jupyter.data import circuits as on_their_way
from qpi_jupyter.data.carried import DELAY, HELD
from qpi_jupyter.data.circuits import expand, from_qpy, to_qpy
from qpi_jupyter.data.formats import QPY
from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.rest import decode
from tests.circuits import qpy_program
from tests.instructions import every_instruction
from tests.odd_circuits import UNITS, odd_circuit
from tests.same_circuits import differences

ROOT = Path(__file__).parents[2]


def arrived(*circuits: QuantumCircuit, **options: Any) -> list[QuantumCircuit]:
    """What an executor reads."""
    request = SubmitRequest(program=program_of(list(circuits)), options=options_of(list(circuits), **options))
    program = decode(msgspec.json.encode(request), SubmitRequest).to_program()
    check_program(program, QPY, max_shots=2000)
    return [parsed.circuit for parsed in parse(program)]


def alone(operation: Operation, name: str = "one") -> QuantumCircuit:
    circuit = QuantumCircuit(operation.num_qubits, operation.num_clbits, name=name)
    circuit.append(operation, range(operation.num_qubits), range(operation.num_clbits))
    return circuit


def test_every_instruction_arrives_as_it_was_sent() -> None:
    known = every_instruction()
    classes = {kind for kind in vars(library).values() if isinstance(kind, type) and issubclass(kind, Operation)}
    assert classes <= {getattr(one, "base_class", type(one)) for one in known.values()}
    circuits = [alone(operation, name) for name, operation in known.items()]
    found = {c.name: differences(c, got) for c, got in zip(circuits, arrived(*circuits), strict=True)}
    assert {name: lost for name, lost in found.items() if lost} == {}


@pytest.mark.parametrize("seeds", [range(40), pytest.param(range(40, 540), marks=pytest.mark.slow)], ids=["40", "500"])
def test_odd_circuits_arrive_as_they_were_sent(seeds: range) -> None:
    found = {}
    for seed in seeds:
        circuit = odd_circuit(seed)
        found[seed] = differences(circuit, *arrived(circuit))
    assert {seed: lost for seed, lost in found.items() if lost} == {}


def test_the_odd_circuits_have_what_the_promise_is_about() -> None:
    circuits = [odd_circuit(seed) for seed in range(40)]
    names = {name for circuit in circuits for name in circuit.count_ops()}
    assert {"delay", "if_else", "while_loop", "for_loop", "switch_case", "box", "measure"} <= names
    delays = [i.operation for circuit in circuits for i in circuit.data if i.name == "delay"]
    assert {delay.unit for delay in delays} == {*UNITS, "expr"}
    assert any(circuit.layout for circuit in circuits)
    assert any(circuit.num_stretches for circuit in circuits)
    assert any(circuit.metadata for circuit in circuits)


@pytest.mark.parametrize("unit", UNITS)
def test_delays_of_every_unit_and_kind(unit: str) -> None:
    t, circuit = Parameter("t"), QuantumCircuit(1, 1, name="wait")
    durations = [3, 0, 100_000, t, 2 * t + 1] + ([] if unit == "dt" else [1.5, 1e-9, np.float64(2.5)])
    for duration in durations:
        circuit.delay(duration, 0, unit=unit)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.delay(7, 0, unit=unit)
    inner = QuantumCircuit(1, name="inner")
    inner.delay(t, 0, unit=unit)
    circuit.append(inner.to_instruction(), [0])
    (got,) = arrived(circuit)
    assert differences(circuit, got) == []
    bound = got.assign_parameters([5])
    assert (bound.data[3].operation.duration, bound.data[3].operation.unit) == (5, unit)


def test_the_comparison_sees_what_qiskits_own_ignores() -> None:
    def base() -> QuantumCircuit:
        circuit = QuantumCircuit(2, 2, name="a", metadata={"x": 1})
        circuit.append(RXGate(0.5, label="l"), [0])
        circuit.delay(3.0, 0, unit="us")
        circuit.measure(0, 0)
        return circuit

    def renamed(**changes: Any) -> QuantumCircuit:
        circuit = base()
        for name, value in changes.items():
            setattr(circuit, name, value)
        return circuit

    relabelled, other_unit, other_register = base(), base(), QuantumCircuit(QuantumRegister(2, "p"), name="a")
    relabelled.data[0] = relabelled.data[0].replace(operation=RXGate(0.5))
    other_unit.data[1] = other_unit.data[1].replace(operation=Delay(3.0, "ns"))
    assert differences(base(), base()) == []
    for other in (
        renamed(name="b"), renamed(metadata={"x": 2}), renamed(global_phase=0.5), relabelled, other_unit,
        other_register,
    ):  # fmt: skip
        assert differences(base(), other) != []


def test_registers_keep_their_order() -> None:
    bits = [Clbit(), Clbit()]
    alias = ClassicalRegister(bits=bits, name="alias")
    circuit = QuantumCircuit(QuantumRegister(2, "q"), bits, name="order", metadata={"mine": 1})
    for register in (alias, ClassicalRegister(1, "own"), ClassicalRegister(bits=bits[:1], name="first")):
        circuit.add_register(register)
    circuit.measure([0, 1], alias)
    (got,) = arrived(circuit)
    assert [register.name for register in got.cregs] == ["alias", "own", "first"]
    assert got.metadata == {"mine": 1}
    assert differences(circuit, got) == []


def test_another_reader_does_not_take_a_delay_of_ours_for_another() -> None:
    circuit = QuantumCircuit(1)
    circuit.delay(100, 0, unit="us")
    (read,) = qpy.load(io.BytesIO(to_qpy([circuit])))
    assert [(i.name, i.operation.params) for i in read.data] == [("qpi.delay.us", [100.0])]


def test_what_is_sent_is_not_changed() -> None:
    circuit = odd_circuit(1)
    before = circuit.copy()
    to_qpy([circuit])
    assert differences(before, circuit) == []


def test_a_file_of_qiskits_own_is_read_as_qiskit_reads_it() -> None:
    circuit = QuantumCircuit(1, 1, name="own")
    circuit.x(0)
    circuit.delay(10, 0)
    circuit.measure(0, 0)
    (parsed,) = parse(qpy_program(circuit))
    assert differences(circuit, parsed.circuit) == []


@pytest.mark.parametrize(("duration", "unit"), [(1.5, "us"), (Parameter("t"), "ns")])
def test_a_delay_that_qiskits_own_file_lost_is_refused_in_words(duration: Any, unit: str) -> None:
    circuit = QuantumCircuit(1, name="lost")
    circuit.delay(duration, 0, unit=unit)
    with pytest.raises(ProgramError, match="Submit the circuit itself, or its OpenQASM 3 text") as caught:
        parse(qpy_program(circuit))
    assert caught.value.code == "lost_delay"


def test_nobody_goes_around() -> None:
    """QPY is written and read in one place; the examples of `conformance` are written as by anybody else."""
    users = set()
    for path in [*(ROOT / "qpi_jupyter").rglob("*.py"), *(ROOT / "executors").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("qiskit.qpy"):
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute):
                names = {node.attr} if ast.unparse(node.value).endswith("qpy") else set()
            else:
                continue
            if names & {"load", "dump", "interface", "binary_io"}:
                users.add(path.relative_to(ROOT).as_posix())
    assert users == {"qpi_jupyter/data/circuits.py", "executors/qpi_executors/conformance/programs.py"}


def test_what_no_file_holds_is_refused_by_name() -> None:
    circuit = QuantumCircuit(1, name="odd")
    circuit.h(0)
    circuit.append(Instruction("strange", 1, 0, [{"a": 1}]), [0])
    with pytest.raises(ProgramError, match=r"Circuit 1 \('odd'\) cannot be sent.*'strange'") as caught:
        program_of([QuantumCircuit(1), circuit])
    assert caught.value.code == "cannot_travel"


class Broken(Instruction):
    def _define(self) -> None:
        raise ValueError("no definition today")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: alone(Instruction("strange", 1, 0, [{"a": 1}])), "its 'strange'"),
        (lambda: alone(Broken("broken", 1, 0, [])), "its 'broken' .no definition today"),
        (lambda: alone(Instruction("large", 1, 0, [10**30])), "its 'large'"),
        (lambda: QuantumCircuit(1, name="\ud800"), "its name, registers or variables"),
        (lambda: QuantumCircuit(QuantumRegister(1, "x" * 70_000)), "its name, registers or variables"),
    ],
)
def test_every_refusal_says_what_it_is(make: Any, words: str) -> None:
    with pytest.raises(ProgramError, match=words) as caught:
        to_qpy([QuantumCircuit(1), make()])
    assert caught.value.code == "cannot_travel"
    assert caught.value.data["circuit"] == 1


def test_a_gate_of_a_persons_own_is_not_taken_for_qiskits() -> None:
    assert not any(kind.__module__.startswith("tests") for kind in HELD)
    assert type(every_instruction()["not-qiskits-rx"]).__name__ == RXGate.__name__
    (got,) = arrived(alone(every_instruction()["not-qiskits-rx"]))
    assert got.decompose().data[0].operation == RXGate(0.6)


def test_metadata_travels_as_far_as_it_can() -> None:
    circuit = QuantumCircuit(1, 1, name="named")
    circuit.metadata = {"t": np.float64(1.5), "x": np.arange(2), "bad": float("nan"), "fit": {"chi2": math.inf, "n": 3}}
    with pytest.warns(UserWarning, match=r"circuit 'named' travels without this: bad is nan; fit\['chi2'\] is inf\."):
        (got,) = arrived(circuit)
    assert got.metadata == {"t": 1.5, "x": [0, 1], "fit": {"n": 3}}
    assert "bad" in circuit.metadata
    circuit.metadata = {"fine": np.int64(1)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (got,) = arrived(circuit)
    assert got.metadata == {"fine": 1}


def test_the_result_names_what_of_the_metadata_it_lacks() -> None:
    circuit = QuantumCircuit(1, 1, metadata={"bad": float("nan"), "good": [1, float("inf")]})
    circuit.measure(0, 0)
    (run,) = executor_programs.flatten(qpy_program(circuit), _manifest())
    info = run.info(RunOptions())
    assert info.metadata == {"good": [1, None]}
    assert info.metadata_lost == ("bad is nan", "good[1] is inf")
    assert info.to_dict()["metadata_lost"] == info.metadata_lost


def _manifest() -> Any:
    from qpi_jupyter.core.manifest import Manifest

    return Manifest(executor="x", executor_version="1", num_qubits=5, basis_gates=())


def turning(operations: int, qubits: int = 5) -> QuantumCircuit:
    rng, circuit = np.random.default_rng(1), QuantumCircuit(qubits, qubits, name="turning")
    for k, angle in enumerate(rng.uniform(0, 6, operations).tolist()):
        circuit.rz(angle, k % qubits)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize("operations", [20_500, pytest.param(200_000, marks=pytest.mark.slow)])
def test_large_circuits_travel_compressed(operations: int) -> None:
    circuit = turning(operations)
    program = program_of(circuit)
    assert len(program.data[0]) < 12 * operations
    assert program.data[0][:2] == limits.GZIP_MAGIC
    (got,) = arrived(circuit)
    assert [i.params for i in got] == [i.params for i in circuit]  # == takes minutes
    with gzip.open(io.BytesIO(program.data[0])) as file:  # anybody may read it so
        (read,) = qpy.load(file)
    assert len(read) == len(circuit)


def test_small_circuits_travel_as_they_are() -> None:
    assert to_qpy([turning(10)])[:6] == b"QISKIT"


def test_too_large_circuits_are_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, words in (("MAX_PROGRAM_BYTES", "compressed"), ("MAX_EXPANDED_BYTES", "before compression")):
        with monkeypatch.context() as patched:
            patched.setattr(on_their_way, name, 100_000)
            with pytest.raises(TooLarge, match=f"20,506 operations.* {words}; a job may have 100,000.*for_loop"):
                to_qpy([turning(20_500)])


def _qpy(*sources: bytes) -> Program:
    return Program(format="qpy", sources=sources)


def test_a_compressed_file_expands_no_further_than_its_limit() -> None:
    bomb = gzip.compress(b"QISKIT\x0d" + bytes(limits.MAX_EXPANDED_BYTES + 1), 9)
    assert len(bomb) < 200_000
    check_program(_qpy(bomb), QPY, max_shots=2000)  # the server looks at its head only
    with pytest.raises(TooLarge, match="134,217,728"):
        parse(_qpy(bomb))


def test_files_of_one_job_share_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    file = to_qpy([turning(2000)])
    monkeypatch.setattr(executor_programs, "MAX_EXPANDED_BYTES", 2 * len(expand(file)))
    assert len(parse(_qpy(file, file))) == 2
    with pytest.raises(TooLarge):
        parse(_qpy(file, file, file))


def _checked_and_read(source: bytes) -> None:
    check_program(_qpy(source), QPY, max_shots=2000)
    parse(_qpy(source))


@pytest.mark.parametrize("damage", ["cut", "flipped", "garbage", "old", "not-qpy"])
def test_damaged_and_foreign_files_are_refused(damage: str) -> None:
    whole = gzip.compress(expand(to_qpy([turning(2000)])))
    source = {
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:500] + bytes([whole[500] ^ 255]) + whole[501:],
        "garbage": limits.GZIP_MAGIC + b"nonsense",
        "old": gzip.compress(b"QISKIT\x0c" + bytes(50)),
        "not-qpy": gzip.compress(b"PK" + bytes(50)),
    }[damage]
    with pytest.raises(ProgramError):
        _checked_and_read(source)


@pytest.mark.parametrize("order", [[["q"]], [["q"], [], []], "nonsense", [["x"], []], [[1], [2]], 5, {"a": 1}])
def test_a_damaged_order_of_registers_is_refused(order: Any) -> None:
    circuit = QuantumCircuit(QuantumRegister(1, "q"), metadata={on_their_way.REGISTERS: order})
    with pytest.raises(ProgramError):
        parse(qpy_program(circuit))


def test_a_delay_of_a_strangers_making_is_refused() -> None:
    for unit, duration in (("parsec", 1), ("ns", -1), ("dt", 1.5), ("ns", "x")):
        circuit = QuantumCircuit(1)
        circuit.append(Instruction(f"{DELAY}{unit}", 1, 0, [duration]), [0])
        with pytest.raises(ProgramError):
            parse(qpy_program(circuit))


def test_expanding_stops_at_the_limit() -> None:
    data = gzip.compress(b"a" * 1000)
    assert expand(data, limit=1000) == b"a" * 1000
    with pytest.raises(TooLarge):
        expand(data, limit=999)
    assert len(from_qpy(gzip.compress(to_qpy([alone(XGate())])))) == 1
    assert zlib.MAX_WBITS == 15


def test_metadata_that_nobody_could_copy_is_left_out_and_named() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    deep: dict[str, object] = {}
    for _ in range(2_000):
        deep = {"a": deep}
    circuit.metadata = {"deep": deep, "kept": 1}
    with pytest.warns(UserWarning, match="nested too deeply"):
        (found,) = from_qpy(to_qpy([circuit]))
    assert found.metadata["kept"] == 1
    assert circuit.metadata["deep"] is deep
