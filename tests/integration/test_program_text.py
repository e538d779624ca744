"""A job's program as text: what was sent as OpenQASM stays as it is, what came from Qiskit is written as OpenQASM 3."""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import Gate
from qiskit.quantum_info import Operator

from qpi_executors import transcript
from qpi_jupyter.core.errors import ProgramError
from qpi_jupyter.core.programs import ProgramFormat
from qpi_jupyter.wire.rest import OptionsIn, ProgramIn, ProgramText, SubmitRequest
from qpi_server.service import Lab, transcripts
from tests.faults.lab import ANN, BELL, bell, small_lab


def qpy_file(*circuits: QuantumCircuit) -> bytes:
    file = io.BytesIO()
    qpy.dump(list(circuits), file)
    return file.getvalue()


def phases(qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits, name=f"phases {qubits}")
    for qubit in range(qubits):
        circuit.h(qubit)
        circuit.cp(math.pi / (qubit + 2), qubit, (qubit + 1) % qubits)
    return circuit


async def submitted(lab: Lab, *files: bytes) -> str:
    program = ProgramIn(format=ProgramFormat.QPY, data=list(files))
    job, _ = await lab.jobs.submit(ANN, SubmitRequest(program=program, options=OptionsIn(shots=1), qpu="q1"))
    return job.id


def texts_of(folder: Path, *files: bytes) -> ProgramText:
    async def dialogue() -> ProgramText:
        async with small_lab(folder) as (lab, driver):
            await driver.connect()
            return await lab.transcripts.text(ANN, await submitted(lab, *files))

    return asyncio.run(dialogue())


def test_openqasm_is_shown_as_it_was_sent(tmp_path: Path) -> None:
    async def dialogue() -> ProgramText:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            return await lab.transcripts.text(ANN, job.id)

    shown = asyncio.run(dialogue())
    assert ([circuit.text for circuit in shown.circuits], shown.total) == ([BELL], 1)


def test_circuits_of_several_qpy_files_are_the_same_circuits_in_openqasm_3(tmp_path: Path) -> None:
    circuits = [phases(2), phases(3), phases(4)]
    shown = texts_of(tmp_path, qpy_file(*circuits[:2]), qpy_file(circuits[2]))
    assert ([circuit.name for circuit in shown.circuits], shown.total) == ([c.name for c in circuits], 3)
    for circuit, sent in zip(shown.circuits, circuits, strict=True):
        assert circuit.text is not None
        assert Operator(qasm3.loads(circuit.text)).equiv(Operator(sent))


def test_it_is_written_once_for_all_who_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []
    transcribed = transcripts._transcribed

    async def counted(packed: bytes) -> ProgramText:
        made.append(packed)
        return await transcribed(packed)

    monkeypatch.setattr(transcripts, "_transcribed", counted)

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            jobs = [await submitted(lab, qpy_file(phases(2))) for _ in range(2)]
            shown = await asyncio.gather(*(lab.transcripts.text(ANN, job) for job in (*jobs, *jobs)))
            assert all(text == shown[0] for text in shown)

    asyncio.run(dialogue())
    assert len(made) == 1


def test_a_file_that_nobody_can_read_is_told(tmp_path: Path) -> None:
    shown = texts_of(tmp_path, b"QISKIT no file at all")
    assert (shown.circuits, shown.total) == ([], 0)
    assert shown.problem


def test_a_child_that_is_not_back_in_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "TIMEOUT_S", 0.0)
    shown = texts_of(tmp_path, qpy_file(phases(2)))
    assert (shown.circuits, shown.problem) == ([], "The program cannot be shown as text here: download it.")


def entries(*files: bytes) -> Sequence[tuple[bool, str]]:
    return [(entry["text"] is not None, entry["problem"]) for entry in transcript.transcribe(files)["circuits"]]


def test_a_circuit_that_openqasm_has_no_words_for_says_why_and_the_others_are_shown() -> None:
    odd = QuantumCircuit(1)
    odd.append(Gate("opaque", 1, []), [0])
    (shown, reason), others = entries(qpy_file(odd, phases(2)))
    assert (shown, others) == (False, (True, ""))
    assert "opaque" in reason


def test_long_texts_are_left_out_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "MAX_CHARS", len(qasm3.dumps(phases(2))) + 10)
    monkeypatch.setattr(transcript, "MAX_CIRCUITS", 2)
    found = transcript.transcribe([qpy_file(phases(2), phases(9), phases(2))])
    assert [entry["text"] is None for entry in found["circuits"]] == [False, True]
    assert found["circuits"][1]["problem"] == "The circuit is too long to show: download it."
    assert found["total"] == 3


def test_no_program_is_run_by_being_shown(tmp_path: Path) -> None:
    with pytest.raises(ProgramError):
        transcript.transcribe([b"\x80\x04import"])
