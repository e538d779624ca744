"""Qiskit circuits on their way: what a QPY file holds of them, and how the rest travels inside that file.

`to_qpy` writes what `from_qpy` reads, and nobody else writes or reads QPY.  What Qiskit's own files lose is
written in another form before the file is made: `carried` has the operations, here are registers, metadata and sizes.
"""

from __future__ import annotations

import copy
import gzip
import io
import warnings
import zlib
from collections.abc import Sequence
from itertools import islice

from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Register
from qiskit.circuit.exceptions import CircuitError

from qpi_jupyter.core import (
    GZIP_MAGIC,
    MAX_EXPANDED_BYTES,
    MAX_PROGRAM_BYTES,
    PLAIN_QPY_BYTES,
    ProgramError,
    TooLarge,
    plain_json,
)

from .carried import Carrying, Rewriting, restored

REGISTERS = "qpi.registers"
"""The key in a circuit's metadata on its way that says the order of its registers, where a file forgets it."""
_COMPRESSION_LEVEL = 1
_MOST_TRIED = 10_000
"""Instructions of a circuit that are tried one by one when it cannot be sent."""


def to_qpy(circuits: Sequence[QuantumCircuit]) -> bytes:
    """One QPY file of the circuits, of the oldest version that holds them; compressed (gzip) where it is large.

    What of a circuit's metadata cannot travel is left out, and named in a warning.

    Raises
    ------
    ProgramError
        something in a circuit that cannot travel at all, with its name.
    TooLarge
        more than a job may have.
    """
    try:
        data = _file(circuits)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # Qiskit's writer panics with a BaseException
        raise _culprit(circuits, error) from error
    return data if len(data) <= PLAIN_QPY_BYTES else _compressed(data, circuits)


def _compressed(data: bytes, circuits: Sequence[QuantumCircuit]) -> bytes:
    packed = gzip.compress(data, _COMPRESSION_LEVEL, mtime=0)
    for size, limit, kind in (
        (len(packed), MAX_PROGRAM_BYTES, "compressed"),
        (len(data), MAX_EXPANDED_BYTES, "before compression"),
    ):
        if size > limit:
            raise TooLarge(
                f"The circuits ({sum(map(len, circuits)):,} operations) have {size:,} bytes {kind}; a job may have "
                f"{limit:,}. Send fewer circuits in one job, write repeated parts as loops (circuit.for_loop), or send "
                "one circuit with rows of parameter_values instead of many bound ones.",
                code="program_too_large", bytes=size, limit=limit,
            )  # fmt: skip
    return packed


def from_qpy(data: bytes) -> list[QuantumCircuit]:
    """The circuits of a QPY file, as they were when `to_qpy` wrote it; files of Qiskit's own are read as Qiskit does.

    Raises
    ------
    Exception
        whatever Qiskit raises for a damaged file, and what `expand` does.
    """
    with warnings.catch_warnings():
        # A newer Qiskit wrote it: that it loads is what counts.
        warnings.filterwarnings("ignore", category=UserWarning, module="qiskit.qpy")
        circuits = qpy.load(io.BytesIO(expand(data)))
    return [_whole(circuit) if isinstance(circuit, QuantumCircuit) else circuit for circuit in circuits]


def _whole(circuit: QuantumCircuit) -> QuantumCircuit:
    try:
        return _ordered(Rewriting(restored).circuit(circuit))
    except CircuitError as error:
        if "delay" not in circuit.count_ops():
            raise
        raise ProgramError(
            f"Circuit {circuit.name!r} has a delay that this QPY file does not hold ({error.message}): Qiskit's files "
            "keep neither the unit of a delay nor parameters in it. Submit the circuit itself, or its OpenQASM 3 text.",
            code="lost_delay",
        ) from None


def expand(data: bytes, *, limit: int = MAX_EXPANDED_BYTES) -> bytes:
    """A QPY file without its compression; no more than ``limit`` bytes are ever expanded.

    Raises
    ------
    TooLarge
        there are more.
    ProgramError
        the compressed file is damaged.
    """
    if data.startswith(GZIP_MAGIC):
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            data = stream.decompress(data, limit + 1)
        except zlib.error:
            raise ProgramError("The compressed QPY file is damaged.", code="not_qpy") from None
        if len(data) <= limit and not stream.eof:
            raise ProgramError("The compressed QPY file was cut short.", code="not_qpy")
    if len(data) > limit:
        message = f"The QPY files of a job may expand to {MAX_EXPANDED_BYTES:,} bytes together; these are larger."
        raise TooLarge(message, code="program_too_large", limit=MAX_EXPANDED_BYTES)
    return data


def _ready(circuit: QuantumCircuit, carrying: Carrying) -> QuantumCircuit:
    """The circuit as a QPY file holds it whole; itself where it needs no change."""
    # The instructions are shared, and only read: metadata may be anything, also what cannot be copied.
    shallow = copy.copy(circuit)
    shallow.metadata = {}
    ready = Rewriting(carrying).circuit(shallow)
    metadata, lost = plain_json(circuit.metadata)
    if lost:
        shown = "; ".join(lost[:8]) + (f"; and {len(lost) - 8} more" if len(lost) > 8 else "")
        warnings.warn(f"The metadata of circuit {circuit.name!r} travels without this: {shown}.", stacklevel=2)
    if _loses_order(circuit.qregs) or _loses_order(circuit.cregs):
        metadata[REGISTERS] = [[register.name for register in kind] for kind in (circuit.qregs, circuit.cregs)]
    ready.metadata = metadata
    return ready


def _loses_order(registers: Sequence[Register]) -> bool:
    """Whether a register of bits that belong elsewhere comes before one with bits of its own: a file sorts these."""
    owning = [all(getattr(bit, "_register", None) == register for bit in register) for register in registers]
    return owning != sorted(owning, reverse=True)


def _ordered(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with its registers in the order that its metadata says, and without that in its metadata."""
    if REGISTERS not in circuit.metadata:
        return circuit
    order = circuit.metadata.pop(REGISTERS)
    named = [{register.name: register for register in kind} for kind in (circuit.qregs, circuit.cregs)]
    if [sorted(names) for names in named] != [sorted(map(str, names)) for names in order]:
        raise ProgramError("The order of the registers in the QPY file's metadata is damaged.", code="bad_program")
    registers = [known[name] for known, names in zip(named, order, strict=True) for name in names]
    ordered = QuantumCircuit(
        circuit.qubits, circuit.clbits, *registers,
        name=circuit.name, global_phase=circuit.global_phase, metadata=circuit.metadata,
        inputs=circuit.iter_input_vars(), captures=[*circuit.iter_captured_vars(), *circuit.iter_captured_stretches()],
    )  # fmt: skip
    for variable in circuit.iter_declared_vars():
        ordered.add_uninitialized_var(variable)
    for stretch in circuit.iter_declared_stretches():
        ordered.add_stretch(stretch)
    for instruction in circuit.data:
        ordered._append(instruction)
    ordered._layout = circuit.layout
    return ordered


def _file(circuits: Sequence[QuantumCircuit]) -> bytes:
    carrying = Carrying()
    return _dump([_ready(circuit, carrying) for circuit in circuits], carrying.version)


def _dump(circuits: Sequence[QuantumCircuit], oldest: int) -> bytes:
    for version in range(oldest, qpy.QPY_VERSION + 1):
        file = io.BytesIO()
        try:
            qpy.dump(list(circuits), file, version=version)
        except qpy.UnsupportedFeatureForVersion:
            if version == qpy.QPY_VERSION:
                raise
            continue
        return file.getvalue()
    raise AssertionError("the last version either works or raises")


def _culprit(circuits: Sequence[QuantumCircuit], error: BaseException) -> ProgramError:
    """What cannot travel: the first circuit, and the first instruction of it, that has no file of its own."""
    for index, circuit in enumerate(circuits):
        where = f"Circuit {index} ({circuit.name!r}) cannot be sent: QPY, Qiskit's file format, does not hold"
        empty = circuit.copy_empty_like()
        empty.metadata = {}
        if (reason := _problem(empty)) is not None:
            return ProgramError(
                f"{where} its name, registers or variables ({reason}).", code="cannot_travel", circuit=index
            )
        for instruction in islice(circuit.data, _MOST_TRIED):
            alone = empty.copy_empty_like()
            alone._append(instruction)
            if (reason := _problem(alone)) is not None:
                name = instruction.name
                message = f"{where} its {name!r} ({reason})."
                return ProgramError(message, code="cannot_travel", circuit=index, gate=name)
    return ProgramError(f"These circuits cannot be sent as QPY, Qiskit's file format: {error}", code="cannot_travel")


def _problem(circuit: QuantumCircuit) -> BaseException | None:
    try:
        _file([circuit])
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as problem:  # Qiskit's writer panics with a BaseException
        return problem
    return None
