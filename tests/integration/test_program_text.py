"""A job's program as text: what was sent as OpenQASM stays as it is, what came from Qiskit is written as OpenQASM 3."""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import Gate
from qiskit.quantum_info import Operator

from qpi_executors import transcript
from qpi_jupyter.client.programs import program_of
from qpi_jupyter.core.errors import ProgramError
from qpi_jupyter.core.formats import GZIP_MAGIC
from qpi_jupyter.data.formats import QPY
from qpi_jupyter.wire.jobs import ProgramText, SubmitRequest
from qpi_jupyter.wire.rest import OptionsIn, ProgramIn
from qpi_server.service import Lab
from qpi_server.service.base import child
from qpi_server.service.jobs import transcripts
from tests.faults.lab import ADMIN, ANN, BELL, bell, settled, small_lab


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
    program = ProgramIn(format="qpy", data=list(files))
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


def test_what_the_client_sends_is_shown_with_its_delays(tmp_path: Path) -> None:
    circuits = [phases(4) for _ in range(200)]
    circuits[0].delay(1.5, 0, unit="us")
    (file,) = program_of(circuits).data
    assert file.startswith(GZIP_MAGIC)
    shown = texts_of(tmp_path, file)
    assert shown.total == 200
    assert shown.circuits[0].text is not None
    assert "delay[1500.0ns]" in shown.circuits[0].text or "delay[1.5us]" in shown.circuits[0].text


def test_it_is_written_once_for_all_who_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    async def counted(module: str, question: bytes, *, timeout_s: float) -> bytes:
        made.append(question)
        return await child.answer_of(module, question, timeout_s=timeout_s)

    monkeypatch.setattr(transcripts, "answer_of", counted)

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
    return [(entry["text"] is not None, entry["problem"]) for entry in transcript.transcribe(QPY, files)["circuits"]]


def test_a_circuit_that_openqasm_has_no_words_for_says_why_and_the_others_are_shown() -> None:
    odd = QuantumCircuit(1)
    odd.append(Gate("opaque", 1, []), [0])
    (shown, reason), others = entries(qpy_file(odd, phases(2)))
    assert (shown, others) == (False, (True, ""))
    assert "opaque" in reason


def test_long_texts_are_left_out_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "MAX_CHARS", len(qasm3.dumps(phases(2))) + 10)
    monkeypatch.setattr(transcript, "MAX_CIRCUITS", 2)
    found = transcript.transcribe(QPY, [qpy_file(phases(2), phases(9), phases(2))])
    assert [entry["text"] is None for entry in found["circuits"]] == [False, True]
    assert found["circuits"][1]["problem"] == "The circuit is too long to show: download it."
    assert found["total"] == 3


def test_no_program_is_run_by_being_shown(tmp_path: Path) -> None:
    with pytest.raises(ProgramError):
        transcript.transcribe(QPY, [b"\x80\x04import"])


def test_texts_are_written_in_turn_and_a_person_who_leaves_takes_their_child_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bytes] = []
    ended: list[bytes] = []
    go = asyncio.Event()

    async def answer(module: str, question: bytes, *, timeout_s: float) -> bytes:
        begun.append(question)
        try:
            await go.wait()
        finally:
            ended.append(question)
        return b'{"circuits": [], "total": 0}'

    monkeypatch.setattr(transcripts, "answer_of", answer)

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            jobs = [await submitted(lab, qpy_file(phases(n))) for n in range(2, 6)]
            anns = [asyncio.ensure_future(lab.transcripts.text(ANN, jobs[0]))]
            while not begun:  # hers of the first job is under way, the others come behind it
                await settled(lab)
            anns += [asyncio.ensure_future(lab.transcripts.text(ANN, job)) for job in jobs[1:]]
            managers = asyncio.ensure_future(lab.transcripts.text(ADMIN, jobs[3]))
            while len(begun) < 2:
                await settled(lab)
            await settled(lab)
            assert len(begun) == 2  # one of each person, though ann came first with four
            anns[0].cancel()
            await asyncio.gather(anns[0], return_exceptions=True)
            assert len(ended) == 1
            go.set()
            await asyncio.gather(*anns[1:], managers)
            assert len(begun) == 4

    asyncio.run(dialogue())


def test_a_child_of_somebody_who_left_is_killed() -> None:
    async def dialogue() -> None:
        asked = asyncio.ensure_future(child.answer_of("timeit", b"", timeout_s=60.0))
        mine = psutil.Process()
        while not (children := mine.children()):
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert not any(one.is_running() for one in children)

    asyncio.run(dialogue())
